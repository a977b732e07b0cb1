-- cachepusher.sql: tell cachepusher which documents a write has touched, for any table.
--
--   select cachepusher.watch('address', 'fk_customer', 'customer_updated');
--
-- From then on every INSERT, UPDATE, DELETE and TRUNCATE of address sends, on channel customer_updated and when the
-- transaction commits, the distinct values that fk_customer had before and has after the statement: an address that
-- moves from customer 1 to customer 2 names both.
--
-- Tables that inherit from a watched one, partitions above all, are watched with it, so that writes straight to them are
-- announced too; those attached later by another call of watch(). Foreign tables cannot have such triggers.
--
-- Can be loaded any number of times. Needs PostgreSQL 11 or newer.

set client_min_messages = warning;  -- "already exists, skipping" is no news here

create schema if not exists cachepusher;
grant usage on schema cachepusher to public;

-- The trigger function. Arguments: channel, id column. It belongs on statement-level triggers whose transition tables
-- are called old_rows and new_rows; watch() below creates them.
--
-- Ids travel as JSON arrays, as many to a payload as fit: Postgres refuses payloads of 8,000 bytes and more, and every
-- notification costs a slot in its queue. An id too long for any payload, TRUNCATE, which names no rows, and any write
-- after the column was dropped or renamed are sent as '*': read every document of this kind again. Failing the
-- application's own write is never an option.
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

    -- Distinct as text in the C collation, for citext and some collations hold different texts for equal. And cast
    -- rather than left to to_json(), which keeps the blanks that char(n) is padded with.
    --
    -- An id goes into the payload that the running total of bytes has reached. The total may step over a payload's
    -- end by one id at most, so that payloads are planned shorter than the limit by the longest id.
    execute pg_catalog.format($sql$
        with ids as (
            select distinct id::text collate "C" as id,
                   pg_catalog.pg_typeof(id) = any ('{int2,int4,int8}'::pg_catalog.regtype[]) as is_number
            from (%s) as touched where id is not null
        ), quoted as (
            select case when is_number then id else pg_catalog.to_json(id)::text end as id from ids
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
exception when undefined_column then
    perform pg_catalog.pg_notify(channel, '*');
    return null;
end
$$;

-- Watch a table: id_column holds the id of the document a row belongs to. Deletes go to deleted_channel where one is
-- given, everything else to channel. Call it again to change channels; to stop watching, drop the four triggers
-- "cachepusher_<operation>_<id_column>" of the table and of those that inherit from it.
create or replace function cachepusher.watch(
    watched regclass, id_column name, channel text, deleted_channel text default null
) returns void
language plpgsql
set client_min_messages = warning -- "does not exist, skipping"
as $$
declare
    given text;
    operation text;
    tables text;
    target regclass;
begin
    if not exists (select from pg_catalog.pg_attribute
                   where attrelid = watched and attname = id_column and attnum > 0 and not attisdropped) then
        raise exception 'cachepusher.watch: table % has no column "%"', watched, id_column
            using errcode = 'undefined_column';
    end if;
    -- Postgres' own limit. Found out by pg_notify() it would fail the application's writes.
    foreach given in array array[channel, coalesce(deleted_channel, channel)] loop
        if pg_catalog.octet_length(given) between 1 and 63 is not true then
            raise exception 'cachepusher.watch: the name of a channel has 1 to 63 bytes, not %: "%"',
                coalesce(pg_catalog.octet_length(given), 0), coalesce(given, '')
                using errcode = 'invalid_parameter_value';
        end if;
    end loop;

    for target in
        with recursive family as (
            select watched::oid as relation
            union
            select inhrelid from pg_catalog.pg_inherits join family on inhparent = relation
        )
        select relation::regclass from family join pg_catalog.pg_class on pg_class.oid = relation
        where relkind in ('r', 'p') or relation = watched
    loop
        foreach operation in array array['insert', 'update', 'delete', 'truncate'] loop
            tables := case operation
                when 'insert' then 'referencing new table as new_rows'
                when 'update' then 'referencing old table as old_rows new table as new_rows'
                when 'delete' then 'referencing old table as old_rows'
                else ''
            end;
            execute pg_catalog.format('drop trigger if exists %I on %s',
                'cachepusher_' || operation || '_' || id_column, target);
            execute pg_catalog.format(
                'create trigger %I after %s on %s %s for each statement execute function cachepusher.notify(%L, %L)',
                'cachepusher_' || operation || '_' || id_column, operation, target, tables,
                case operation when 'delete' then coalesce(deleted_channel, channel) else channel end, id_column);
        end loop;
    end loop;
end
$$;

reset client_min_messages;
