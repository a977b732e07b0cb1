-- What film/declaration.json means, by hand.
select 'film:' || f.film_id as key, row_to_json(document) as document
from film f, lateral (
    select f.film_id, f.title, f.release_year as year, f.rating, f.rental_rate, f.special_features,
           round(f.length / 60.0, 1) as hours,
           (select language from (select l.name from language l where l.language_id = f.language_id) as language) as language,
           (select language from (select l.name from language l where l.language_id = f.original_language_id) as language)
               as original_language,
           array(select line from (
               select c.name from film_category fc join category c using (category_id)
               where fc.film_id = f.film_id order by c.name
           ) as line) as categories,
           array(select line from (
               select a.actor_id, a.first_name || ' ' || a.last_name as name
               from film_actor fa join actor a using (actor_id)
               where fa.film_id = f.film_id order by a.last_name, a.actor_id desc
           ) as line) as actors,
           array(select line from (
               select i.inventory_id,
                      (select store from (select s.city from store s where s.store_id = i.store_id) as store) as store,
                      array(select loan from (
                          select r.rented_at, (
                              select customer from (
                                  select c.first_name, c.last_name from customer c where c.customer_id = r.customer_id
                              ) as customer
                          ) as "to"
                          from rental r
                          where r.inventory_id = i.inventory_id and r.returned_at is null order by r.rental_id
                      ) as loan) as lent
               from inventory i where i.film_id = f.film_id order by i.inventory_id
           ) as line) as copies
) as document
where f.active
union all
select 'customer:' || c.customer_id, row_to_json(document)
from customer c, lateral (
    select c.customer_id, c.first_name, c.last_name, c.email,
           array(select line from (
               select p.amount, p.paid_at from payment p
               where p.customer_id = c.customer_id order by p.paid_at desc, p.payment_id
           ) as line) as payments
) as document;
