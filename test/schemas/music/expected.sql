-- What music/declaration.json means, by hand.
set search_path = "Music Store", public;
select 'album:' || al."AlbumId" as key, row_to_json(document) as document
from "Album" al, lateral (
    select al."AlbumId", al."Title" as title,
           (select one from (select ar.* from "Artist" ar where ar."ArtistId" = al."ArtistId") as one) as artist,
           array(select line from (
               select t."Name" as name, t."Milliseconds" / 1000 as seconds, t."Unit Price" as "unit price",
                      (select one from (select g."Name" as name from "Genre" g where g."GenreId" = t."GenreId") as one)
                          as genre,
                      (select one from (
                          select m."Name" as name from "Media Type" m where m."MediaTypeId" = t."MediaTypeId"
                      ) as one) as media
               from "Track" t where t."AlbumId" = al."AlbumId" order by t."Name", t."TrackId"
           ) as line) as tracks
) as document
union all
select 'playlist:' || p."PlaylistId", row_to_json(document)
from "Playlist" p, lateral (
    select p."Name",
           array(select line from (
               select t."TrackId", t."Name", (
                   select one from (
                       select al."Title", (
                           select one from (select ar."Name" from "Artist" ar where ar."ArtistId" = al."ArtistId") as one
                       ) as artist
                       from "Album" al where al."AlbumId" = t."AlbumId"
                   ) as one
               ) as album
               from "PlaylistTrack" pt join "Track" t using ("TrackId")
               where pt."PlaylistId" = p."PlaylistId" order by t."TrackId"
           ) as line) as tracks
) as document
union all
select 'listener:' || c."CustomerId", row_to_json(document)
from "Customer" c, lateral (
    select c."FirstName", c."LastName",
           array(select line from (
               select i."InvoiceDate", i."Total", array(
                   select line from (
                       select il."Quantity", (
                           select one from (select t."Name" from "Track" t where t."TrackId" = il."TrackId") as one
                       ) as track
                       from "InvoiceLine" il where il."InvoiceId" = i."InvoiceId" order by il."InvoiceLineId"
                   ) as line
               ) as lines
               from "Invoice" i where i."CustomerId" = c."CustomerId" order by i."InvoiceDate" desc, i."InvoiceId"
           ) as line) as invoices
) as document
where c."Company" is null;
