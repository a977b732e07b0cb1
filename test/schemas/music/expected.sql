-- What music/declaration.json means, by hand.
select 'album:' || al."AlbumId" as key, row_to_json(document) as document
from "Music Store"."Album" al, lateral (
    select al."AlbumId", al."Title" as title,
           (select one from (select ar.* from "Music Store"."Artist" ar where ar."ArtistId" = al."ArtistId") as one) as artist,
           array(select line from (
               select t."Name" as name, t."Milliseconds" / 1000 as seconds, t."Unit Price" as "unit price",
                      (select one from (select g."Name" as name from "Music Store"."Genre" g where g."GenreId" = t."GenreId") as one)
                          as genre,
                      (select one from (
                          select m."Name" as name from "Music Store"."Media Type" m where m."MediaTypeId" = t."MediaTypeId"
                      ) as one) as media
               from "Music Store"."Track" t where t."AlbumId" = al."AlbumId" order by t."Name", t."TrackId"
           ) as line) as tracks
) as document
union all
select 'playlist:' || p."PlaylistId", row_to_json(document)
from "Music Store"."Playlist" p, lateral (
    select p."Name",
           array(select line from (
               select t."TrackId", t."Name", (
                   select one from (
                       select al."Title", (
                           select one from (select ar."Name" from "Music Store"."Artist" ar where ar."ArtistId" = al."ArtistId") as one
                       ) as artist
                       from "Music Store"."Album" al where al."AlbumId" = t."AlbumId"
                   ) as one
               ) as album
               from "Music Store"."PlaylistTrack" pt join "Music Store"."Track" t using ("TrackId")
               where pt."PlaylistId" = p."PlaylistId" order by t."TrackId"
           ) as line) as tracks
) as document
union all
select 'listener:' || c."CustomerId", row_to_json(document)
from "Music Store"."Customer" c, lateral (
    select c."FirstName", c."LastName",
           array(select line from (
               select i."InvoiceDate", i."Total", array(
                   select line from (
                       select il."Quantity", (
                           select one from (select t."Name" from "Music Store"."Track" t where t."TrackId" = il."TrackId") as one
                       ) as track
                       from "Music Store"."InvoiceLine" il where il."InvoiceId" = i."InvoiceId" order by il."InvoiceLineId"
                   ) as line
               ) as lines
               from "Music Store"."Invoice" i where i."CustomerId" = c."CustomerId" order by i."InvoiceDate" desc, i."InvoiceId"
           ) as line) as invoices
) as document
where c."Company" is null;
