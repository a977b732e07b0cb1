-- psql -v scale=N: 100 N films, twice as many copies, four times as many rentals.

insert into language (name) select 'language ' || n from generate_series(1, 6) as n;
insert into category (name) select 'category ' || n from generate_series(1, 12) as n;
insert into actor (first_name, last_name)
    select initcap(left(md5(n::text), 6)), 'von ' || n % 17 from generate_series(1, 60 * :scale) as n;
insert into film (title, description, release_year, language_id, original_language_id, rental_rate, length, rating,
                  special_features, active)
    select 'Film ' || n, repeat(md5(n::text), n % 4), 1950 + n % 70, 1 + n % 6, nullif(n % 5, 0), (n % 9) + 0.99,
           60 + n % 120, (enum_range(null::rating))[1 + n % 5],
           (array['Trailers', 'Commentaries', 'Deleted "Scenes"'])[1 : n % 4], n % 10 <> 0
    from generate_series(1, 100 * :scale) as n;
insert into film_actor (film_id, actor_id)
    select distinct n, 1 + (n * 7 + k * k * 5) % (60 * :scale)
    from generate_series(1, 100 * :scale) as n, generate_series(0, 4) as k where k <= n % 6;
insert into film_category (film_id, category_id)
    select distinct n, 1 + (n + k * 5) % 12 from generate_series(1, 100 * :scale) as n, generate_series(0, n % 3) as k;
insert into store (city, opened_on) select 'City ' || n, date '2000-01-01' + n from generate_series(1, 4) as n;
insert into customer (store_id, first_name, last_name, email)
    select 1 + n % 4, 'Customer', md5(n::text), 'c' || n || '@example.org' from generate_series(1, 80 * :scale) as n;
insert into inventory (film_id, store_id)
    select 1 + n % (100 * :scale), 1 + n % 4 from generate_series(1, 200 * :scale) as n;
insert into rental (rented_at, inventory_id, customer_id, returned_at)
    select timestamptz '2024-03-01' + n * interval '7 minutes', 1 + n % (200 * :scale), 1 + n * 11 % (80 * :scale),
           case when n % 5 <> 0 then timestamptz '2024-03-03' + n * interval '7 minutes' end
    from generate_series(1, 400 * :scale) as n;
insert into payment (customer_id, rental_id, amount, paid_at)
    select customer_id, rental_id, (rental_id % 12) + 0.99, rented_at + (rental_id % 3) * interval '300 days'
    from rental where rental_id % 4 <> 0;
