-- One random transaction over all tables of this schema.
create function random_write(seed bigint, truncates boolean) returns void
language plpgsql as $$
declare
    a_film integer;
    an_actor integer;
    a_customer integer;
    a_copy integer;
begin
    perform testing.seed(seed);
    perform testing.prune('film', 'film_id', 300);
    perform testing.prune('actor', 'actor_id', 200);
    perform testing.prune('category', 'category_id', 60);
    perform testing.prune('customer', 'customer_id', 250);
    perform testing.prune('inventory', 'inventory_id', 500);
    perform testing.prune('payment', 'payment_id, paid_at', 800);
    for i in 1 .. 1 + testing.below(4) loop
        a_film := testing.pick('film', 'film_id');
        an_actor := testing.pick('actor', 'actor_id');
        a_customer := testing.pick('customer', 'customer_id');
        a_copy := testing.pick('inventory', 'inventory_id');
        case testing.below(34)
        when 0 then
            insert into film (title, language_id, original_language_id, length, special_features, active)
                values (testing.word(), 1 + testing.below(6), nullif(testing.below(6), 0), testing.below(200),
                        array[testing.word(), testing.word()], testing.chance(0.9));
        when 1 then
            with made as (
                insert into film (title, language_id) values ('with everything', 1) returning film_id
            ), cast_of as (
                insert into film_actor (film_id, actor_id) select film_id, an_actor from made where an_actor is not null
            )
            insert into inventory (film_id, store_id) select film_id, 1 + testing.below(4) from made;
        when 2 then update film set title = testing.word() where film_id = a_film;
        when 3 then update film set active = not active where film_id = a_film;
        when 4 then update film set language_id = 1 + testing.below(6), length = null where film_id = a_film;
        when 5 then update film set original_language_id = nullif(testing.below(6), 0) where film_id = a_film;
        when 6 then update film set last_update = clock_timestamp() where film_id % 7 = a_film % 7;
        when 7 then update film set rental_rate = rental_rate % 9 + 0.5, rating = 'R' where film_id % 20 = a_film % 20;
        when 8 then delete from film where film_id = a_film;
        when 9 then insert into actor (first_name, last_name) values (testing.word(), testing.word());
        when 10, 11 then update actor set first_name = testing.word() where actor_id = an_actor;
        when 12 then update actor set last_name = 'von ' || testing.below(17) where actor_id % 10 = an_actor % 10;
        when 13 then delete from actor where actor_id = an_actor and testing.chance(0.6);
        when 14, 15 then
            insert into film_actor (film_id, actor_id)
                select a_film, actor_id from actor where a_film is not null order by random() limit 1 + testing.below(4)
                on conflict (actor_id, film_id) do update set last_update = clock_timestamp();
        when 16 then delete from film_actor where film_id = a_film and testing.chance(0.5);
        when 17 then
            update film_actor set actor_id = an_actor
                where film_id = a_film and actor_id = (select min(actor_id) from film_actor where film_id = a_film)
                  and not exists (select from film_actor where film_id = a_film and actor_id = an_actor);
        when 18 then update actor set actor_id = -actor_id where actor_id = an_actor; -- cascades to film_actor
        when 19 then
            insert into film_category (film_id, category_id)
                select a_film, category_id from category where a_film is not null order by random() limit 1
                on conflict do nothing;
        when 20 then delete from film_category where film_id = a_film;
        when 21 then
            update category set name = testing.word() || clock_timestamp()
                where category_id = testing.pick('category', 'category_id')::integer;
        when 22 then
            if testing.chance(0.3) then
                delete from category where category_id = testing.pick('category', 'category_id')::integer;
            else
                insert into category (name) values ('made at ' || clock_timestamp()) on conflict do nothing;
            end if;
        when 23 then
            update language set name = left(testing.word(), 20)
                where language_id = testing.pick('language', 'language_id')::integer;
        when 24 then insert into inventory (film_id, store_id) select a_film, 1 + testing.below(4) where a_film is not null;
        when 25 then update inventory set film_id = a_film, store_id = 1 + testing.below(4) where inventory_id = a_copy;
        when 26 then delete from inventory where inventory_id = a_copy and testing.chance(0.5);
        when 27 then
            insert into rental (rented_at, inventory_id, customer_id)
                select clock_timestamp(), inventory_id, a_customer from inventory
                where a_customer is not null order by random() limit 1 + testing.below(8);
        when 28 then
            update rental set returned_at = case when returned_at is null then clock_timestamp() end
                where rental_id % 50 = testing.below(50);
        when 29 then
            if testing.chance(0.5) then
                update rental set customer_id = a_customer, inventory_id = a_copy
                    where rental_id = testing.pick('rental', 'rental_id')::bigint;
            else
                delete from rental where rental_id = testing.pick('rental', 'rental_id')::bigint;
            end if;
        when 30 then
            if testing.chance(0.3) then
                delete from customer where customer_id = a_customer;
            else
                insert into customer (store_id, first_name, last_name) values (1, testing.word(), testing.word());
            end if;
        when 31 then
            update customer set last_name = testing.word(), store_id = 1 + testing.below(4) where customer_id = a_customer;
            update customer set last_seen = clock_timestamp();
        when 32 then
            if testing.chance(0.5) then
                update store set city = testing.word() where store_id = 1 + testing.below(4);
            else
                update store set visitors = visitors + 1;
            end if;
        when 33 then
            if truncates and testing.chance(0.05) then
                truncate payment;
            end if;
            insert into payment (customer_id, amount, paid_at)
                select a_customer, testing.below(100), timestamptz '2024-06-01' + n * interval '200 days'
                from generate_series(0, testing.below(5)) as n where a_customer is not null;
            update payment set paid_at = paid_at + interval '1 year', amount = amount + 1 -- into another partition
                where customer_id = a_customer and paid_at < '2026-01-01';
            update payment set customer_id = a_customer
                where (payment_id, paid_at) = (select payment_id, paid_at from payment order by random() limit 1);
            delete from payment where customer_id = a_customer and testing.chance(0.3);
        end case;
        perform testing.doze();
    end loop;
end
$$;
