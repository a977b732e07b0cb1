-- cachepusher.sql: tell cachepusher which documents a write has touched, for any table.
--
--   select cachepusher.watch('address', 'fk_customer', 'customer_updated');
--
-- From then on every INSERT, UPDATE, DELETE and TRUNCATE of address sends, on channel customer_updated and when the
-- transaction commits, the distinct values that fk_customer had before and has after the statement: an address that
-- moves from customer 1 to customer 2 names both.
--
-- Can be loaded any number of times. Needs PostgreSQL 11 or newer.

set client_min_messages = warning;  -- "already exists, skipping" is no news here

create schema if not exists cachepusher;
grant usage on schema cachepusher to public;

-- The trigger function. Arguments: channel, id column. It belongs on statement-level triggers whose transition tables
-- are called old_rows and new_rows; watch() below creates them.
--
-- Ids travel as JSON arrays, as many to a payload as fit: Postgres refuses payloads of 8,000 bytes and more, and every
-- notification costs a slot in its queue. An id too long for any payload, and TRUNCATE, which names no rows, are sent
-- as '*': read every document of this kind again. Failing the application's own write is never an option.
create or replace function cachepusher.notify() returns trigger
language plpgsql
as $$
declare
    channel constant text := tg_argv[0];
    ids text;
begin
    if tg_op = 'TRUNCATE' then
        perform pg_catalog.pg_notify(channel, '*');
        return null;
    end if;

    ids := case tg_op
        when 'INSERT' then pg_catalog.format('select %1$I as id from new_rows', tg_argv[1])
        when 'DELETE' then pg_catalog.format('select %1$I as id from old_rows', tg_argv[1])
        else pg_catalog.format('select %1$I as id from old_rows union all select %1$I from new_rows', tg_argv[1])
    end;

    -- An id goes into the payload that the running total of bytes has reached. The total may step over a payload's
    -- end by one id at most, so that payloads are planned shorter than the limit by the longest id.
    execute pg_catalog.format($sql$
        with ids as (
            select distinct id from (%s) as touched where id is not null
        ), quoted as (
            select pg_catalog.to_json(id)::text as id from ids
        ), measured as (
            select id, pg_catalog.octet_length(id) + 1 as bytes from quoted
        ), planned as (
            select id, bytes,
                   pg_catalog.sum(bytes) over (rows unbounded preceding) as total,
                   pg_catalog.max(bytes) over () as longest
            from measured where bytes <= 3900
        ), payloads as (
            select '[' || pg_catalog.string_agg(id, ',') || ']' as payload
            from planned group by pg_catalog.div(total, 7990 - longest)
            union all
            select '*' where exists (select from measured where bytes > 3900)
        )
        select pg_catalog.count(pg_catalog.pg_notify($1, payload)) from payloads
    $sql$, ids) using channel;
    return null;
end
$$;

-- Watch a table: id_column holds the id of the document a row belongs to. Deletes go to deleted_channel where one is
-- given, everything else to channel. Call it again to change channels; to stop watching, drop the four triggers
-- "cachepusher_<operation>_<id_column>".
create or replace function cachepusher.watch(
    watched regclass, id_column name, channel text, deleted_channel text default null
) returns void
language plpgsql
set client_min_messages = warning -- "does not exist, skipping"
as $$
declare
    operation text;
    tables text;
begin
    if not exists (select from pg_catalog.pg_attribute
                   where attrelid = watched and attname = id_column and attnum > 0 and not attisdropped) then
        raise exception 'cachepusher.watch: table % has no column "%"', watched, id_column
            using errcode = 'undefined_column';
    end if;

    foreach operation in array array['insert', 'update', 'delete', 'truncate'] loop
        tables := case operation
            when 'insert' then 'referencing new table as new_rows'
            when 'update' then 'referencing old table as old_rows new table as new_rows'
            when 'delete' then 'referencing old table as old_rows'
            else ''
        end;
        execute pg_catalog.format('drop trigger if exists %I on %s',
            'cachepusher_' || operation || '_' || id_column, watched);
        execute pg_catalog.format(
            'create trigger %I after %s on %s %s for each statement execute function cachepusher.notify(%L, %L)',
            'cachepusher_' || operation || '_' || id_column, operation, watched, tables,
            case operation when 'delete' then coalesce(deleted_channel, channel) else channel end, id_column);
    end loop;
end
$$;

reset client_min_messages;
