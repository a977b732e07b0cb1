-- One random transaction over all tables of this schema.
create function random_write(seed bigint, truncates boolean) returns void
language plpgsql set search_path = "Music Store", public, pg_temp as $$
declare
    an_artist integer;
    an_album integer;
    a_track integer;
    a_list uuid;
    a_customer integer;
    an_invoice integer;
begin
    perform testing.seed(seed);
    perform testing.prune('"Artist"', '"ArtistId"', 100);
    perform testing.prune('"Album"', '"AlbumId"', 250);
    perform testing.prune('"Track"', '"TrackId"', 1000);
    perform testing.prune('"Playlist"', '"PlaylistId"', 120);
    perform testing.prune('"Customer"', '"CustomerId"', 150);
    perform testing.prune('"Invoice"', '"InvoiceId"', 400);
    for i in 1 .. 1 + testing.below(4) loop
        an_artist := testing.pick('"Artist"', '"ArtistId"');
        an_album := testing.pick('"Album"', '"AlbumId"');
        a_track := testing.pick('"Track"', '"TrackId"');
        a_list := testing.pick('"Playlist"', '"PlaylistId"');
        a_customer := testing.pick('"Customer"', '"CustomerId"');
        an_invoice := testing.pick('"Invoice"', '"InvoiceId"');
        case testing.below(30)
        when 0, 1 then update "Artist" set "Name" = nullif(testing.word(), 'plain 7') where "ArtistId" = an_artist;
        when 2 then
            with made as (insert into "Artist" ("Name") values (testing.word()) returning "ArtistId")
            insert into "Album" ("Title", "ArtistId") select testing.word(), "ArtistId" from made, generate_series(1, 2);
        when 3 then
            if testing.chance(0.3) then
                delete from "Artist" where "ArtistId" = an_artist;
            else
                update "Artist" set "Name" = "Name" || '.' where "ArtistId" % 9 = an_artist % 9 and length("Name") < 60;
            end if;
        when 4 then update "Album" set "Title" = testing.word() where "AlbumId" = an_album;
        when 5 then update "Album" set "ArtistId" = an_artist where "AlbumId" = an_album and an_artist is not null;
        when 6 then delete from "Album" where "AlbumId" = an_album and testing.chance(0.5);
        when 7 then insert into "Album" ("Title", "ArtistId") select testing.word(), an_artist where an_artist is not null;
        when 8 then
            update "Genre" set "Name" = testing.word()
                where "GenreId" = testing.pick('"Genre"', '"GenreId"')::integer;
        when 9 then
            if testing.chance(0.2) then
                delete from "Genre" where "GenreId" = testing.pick('"Genre"', '"GenreId"')::integer;
            else
                insert into "Genre" ("Name") select testing.word() where (select count(*) from "Genre") < 25;
            end if;
        when 10 then
            update "Media Type" set "Name" = testing.word() where "MediaTypeId" = 1 + testing.below(4);
        when 11 then
            insert into "Track" ("Name", "AlbumId", "MediaTypeId", "GenreId", "Milliseconds", "Unit Price")
                select testing.word(), an_album, 1 + testing.below(4), null, testing.below(300000), 0.99
                from generate_series(1, testing.below(4));
        when 12, 13 then update "Track" set "Name" = testing.word() where "TrackId" = a_track;
        when 14 then update "Track" set "AlbumId" = an_album where "TrackId" = a_track;
        when 15 then
            update "Track" set "GenreId" = testing.pick('"Genre"', '"GenreId"')::integer,
                "MediaTypeId" = 1 + testing.below(4) where "TrackId" % 30 = a_track % 30;
        when 16 then update "Track" set "Plays" = "Plays" + 1; -- which nobody reads
        when 17 then delete from "Track" where "TrackId" = a_track;
        when 18 then
            with made as (insert into "Playlist" ("Name") values (testing.word()) returning "PlaylistId")
            insert into "PlaylistTrack" ("PlaylistId", "TrackId")
                select "PlaylistId", a_track from made where a_track is not null;
        when 19 then update "Playlist" set "Name" = testing.word(), "Followers" = 0 where "PlaylistId" = a_list;
        when 20 then
            update "Playlist" set "Followers" = "Followers" + 1;
            delete from "Playlist" where "PlaylistId" = a_list and testing.chance(0.3);
        when 21, 22 then
            insert into "PlaylistTrack" ("PlaylistId", "TrackId")
                select a_list, "TrackId" from "Track" where a_list is not null order by random() limit 3
                on conflict do nothing;
        when 23 then
            update "PlaylistTrack" set "PlaylistId" = a_list
                where "TrackId" = a_track and a_list is not null
                  and "PlaylistId" = (select min("PlaylistId"::text)::uuid from "PlaylistTrack" where "TrackId" = a_track)
                  and not exists (select from "PlaylistTrack" where "TrackId" = a_track and "PlaylistId" = a_list);
        when 24 then
            if truncates and testing.chance(0.05) then
                truncate "PlaylistTrack";
            else
                delete from "PlaylistTrack" where "PlaylistId" = a_list and testing.chance(0.4);
            end if;
        when 25 then
            insert into "Customer" ("FirstName", "LastName", "Email") values ('new', left(testing.word(), 20), 'new');
            update "Customer" set "Company" = testing.word() where "CustomerId" = a_customer;
        when 26 then
            update "Customer" set "LastName" = left(testing.word(), 20) where "CustomerId" = a_customer;
            delete from "Customer" where "CustomerId" = a_customer and testing.chance(0.2);
        when 27 then
            with made as (
                insert into "Invoice" ("CustomerId", "InvoiceDate", "Total")
                    select a_customer, date '2025-06-01', 9.99 where a_customer is not null returning "InvoiceId"
            )
            insert into "InvoiceLine" ("InvoiceId", "TrackId", "Quantity")
                select "InvoiceId", "TrackId", 2 from made, "Track" order by random() limit testing.below(8);
        when 28 then
            update "Invoice" set "Total" = "Total" + 1, "CustomerId" = coalesce(a_customer, "CustomerId")
                where "InvoiceId" = an_invoice;
            delete from "Invoice" where "InvoiceId" = an_invoice and testing.chance(0.2);
        when 29 then
            update "InvoiceLine" set "InvoiceId" = an_invoice, "TrackId" = coalesce(a_track, "TrackId")
                where an_invoice is not null and "InvoiceLineId" = testing.pick('"InvoiceLine"', '"InvoiceLineId"')::integer;
            update "InvoiceLine" set "Quantity" = 1 + testing.below(3) where "InvoiceId" = an_invoice;
            delete from "InvoiceLine" where "InvoiceLineId" = testing.pick('"InvoiceLine"', '"InvoiceLineId"')::integer;
        end case;
        perform testing.doze();
    end loop;
end
$$;
