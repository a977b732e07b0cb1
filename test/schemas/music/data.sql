-- psql -v scale=N: 60 N albums with 400 N tracks, 30 N playlists, 120 N invoices.
set search_path = "Music Store", public;

insert into "Artist" ("Name") select 'Artist ' || n from generate_series(1, 25 * :scale) as n;
insert into "Album" ("Title", "ArtistId")
    select 'Album ' || n, 1 + n % (25 * :scale) from generate_series(1, 60 * :scale) as n;
insert into "Genre" ("Name") select 'Genre ' || n from generate_series(1, 10) as n;
insert into "Media Type" ("Name") select 'Media ' || n from generate_series(1, 4) as n;
insert into "Track" ("Name", "AlbumId", "MediaTypeId", "GenreId", "Composer", "Milliseconds", "Unit Price")
    select 'Track ' || n, nullif(n % (60 * :scale), 0), 1 + n % 4, nullif(n % 11, 0), repeat(md5(n::text), n % 3),
           100000 + n * 7919 % 300000, 0.99
    from generate_series(1, 400 * :scale) as n;
insert into "Playlist" ("PlaylistId", "Name")
    select md5(n::text)::uuid, 'Playlist ' || n from generate_series(1, 30 * :scale) as n;
insert into "PlaylistTrack" ("PlaylistId", "TrackId")
    select distinct md5(n::text)::uuid, 1 + (n * 13 + k * 17) % (400 * :scale)
    from generate_series(1, 30 * :scale) as n, generate_series(1, 9) as k where k <= n % 10;
insert into "Customer" ("FirstName", "LastName", "Email", "Company")
    select 'First ' || n, 'Last ' || n, n || '@example.org', case when n % 3 = 0 then 'Company ' || n end
    from generate_series(1, 40 * :scale) as n;
insert into "Invoice" ("CustomerId", "InvoiceDate", "Total")
    select 1 + n % (40 * :scale), date '2024-01-01' + n % 300, n % 30 from generate_series(1, 120 * :scale) as n;
insert into "InvoiceLine" ("InvoiceId", "TrackId", "Quantity")
    select n, 1 + (n * 3 + k * 7) % (400 * :scale), k
    from generate_series(1, 120 * :scale) as n, generate_series(1, 3) as k;

reset search_path;
