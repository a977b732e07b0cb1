-- The chaos test's additions to db/schema.sql: a version in each document, and one function that does all writing.

-- A writer locks the versions of the customers it is about to change, draws a number higher than any before, and writes
-- it here in the same transaction: so the versions of one customer, deleted or not, grow in the order of commit.
create table chaos_version (
    id      integer primary key,
    version bigint not null
) with (fillfactor = 50);

create or replace function customer_get(id integer) returns json
language sql stable
as $$
    select row_to_json(document)
    from (
        select c.id_customer, c.name, array_to_json(array(
            select row_to_json(line)
            from (select a.id_address, a.description from address a
                  where a.fk_customer = c.id_customer order by a.id_address) as line
        )) as addresses,
        (select v.version from chaos_version v where v.id = c.id_customer) as version
        from customer c where c.id_customer = customer_get.id
    ) as document
$$;

create or replace function customer_get_many(ids integer[]) returns table (id integer, document json)
language sql stable
as $$ select id_customer, customer_get(id_customer) from customer where id_customer = any (ids) $$;

-- Changes some of the customers and returns those that it has changed, and whether they exist afterwards. The caller
-- holds the locks. A version is only written where the triggers of customer or address have something to announce.
create function chaos_write(new_version bigint, operation text, ids integer[], body text)
    returns table (changed integer, stays boolean)
language plpgsql
as $$
declare
    touched integer[];
begin
    case operation
    when 'insert' then
        with done as (insert into customer (id_customer, name) select id, body from unnest(ids) as id
                      on conflict do nothing returning id_customer)
        select array_agg(id_customer) from done into touched;
        insert into address (description, fk_customer) select 'first ' || id, id from unnest(touched) as id;
    when 'rename' then
        with done as (update customer set name = body where id_customer = any (ids) returning id_customer)
        select array_agg(id_customer) from done into touched;
    when 'delete' then
        with done as (delete from customer where id_customer = any (ids) returning id_customer)
        select array_agg(id_customer) from done into touched;
    when 'replace' then
        with done as (delete from customer where id_customer = any (ids) returning id_customer)
        select array_agg(id_customer) from done into touched;
        insert into customer (id_customer, name) select id, body from unnest(touched) as id;
    when 'add' then
        with done as (insert into address (description, fk_customer)
                      select body, id_customer from customer where id_customer = any (ids)
                      and (select count(*) from address where fk_customer = id_customer) < 4 returning fk_customer)
        select array_agg(distinct fk_customer) from done into touched;
    when 'edit' then
        with done as (update address set description = body where fk_customer = any (ids) returning fk_customer)
        select array_agg(distinct fk_customer) from done into touched;
    when 'drop' then
        with done as (delete from address where fk_customer = any (ids) and id_address % 2 = new_version % 2
                      returning fk_customer)
        select array_agg(distinct fk_customer) from done into touched;
    when 'move' then
        with done as (update address set fk_customer = ids[2] where fk_customer = ids[1]
                      and exists (select from customer where id_customer = ids[2]) returning 1)
        select ids[1:2] where exists (select from done) into touched;
    when 'truncate' then
        select array_agg(distinct fk_customer) from address into touched;
        truncate address;
    end case;

    update chaos_version set version = new_version where id = any (touched);
    return query select id, exists (select from customer where id_customer = id) from unnest(touched) as id;
end
$$;

insert into chaos_version select id, 0 from generate_series(1, 1000) as id;
insert into customer (id_customer, name) select id, 'customer ' || id from generate_series(1, 1000) as id;
insert into address (description, fk_customer)
    select 'address ' || n, 1 + n % 1000 from generate_series(1, 2500) as n;
analyze;

-- The daemon's, with no more rights than it needs.
create role cachepusher login replication;
grant select on customer, address, chaos_version to cachepusher;

-- What the wal source reads. An address that moves, or goes, has to tell whose it was.
alter table address replica identity full;
create publication cachepusher_customer for table customer, address with (publish_via_partition_root = true);
