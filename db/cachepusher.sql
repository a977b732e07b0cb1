-- cachepusher.sql: triggers that announce which documents a write has touched, for any table.
--
--   select cachepusher.watch('address', 'fk_customer', 'customer_updated');
--
-- From then on every INSERT, UPDATE, DELETE and TRUNCATE of address sends the distinct values that fk_customer had before
-- and has after the statement. They are sent on channel customer_updated when the transaction commits. An address that
-- moves from customer 1 to customer 2 announces both.
--
-- Partitions and other tables that inherit from a watched one are watched with it, so that direct writes to them are
-- announced too. After attaching one, call watch() again. Foreign tables cannot have such triggers.
--
-- watch() creates a trigger function for this table and column, in the table's schema. To stop watching, drop the
-- function; the triggers go with it. (If the names are long, it has another name: see \d address.)
--
--   drop function cachepusher_address__fk_customer() cascade;
--
-- Can be loaded any number of times. Tables stay watched as they are until watch() is called for them again. Requires
-- PostgreSQL 11 or newer.

set client_min_messages = warning;  -- hides "already exists, skipping"

create schema if not exists cachepusher;
grant usage on schema cachepusher to public;

-- A name for what watch() creates: the given names joined. A checksum takes their place if the result is longer than the
-- 63 bytes at which Postgres would cut it off, or if underscores make it ambiguous: another table's names could give the
-- same result.
create or replace function cachepusher.made_name(kind text, variadic names name[]) returns name
language sql stable
as $$
    select (kind || case when pg_catalog.octet_length(kind || plain) <= 63 and plain !~ '___|__.*__'
                         then plain else pg_catalog.md5(names::text) end)::name
    from pg_catalog.array_to_string(names, '__') as plain
$$;

-- The source of the trigger function for a column. The function is for statement-level triggers whose transition tables
-- are called old_rows and new_rows; its argument is the channel.
--
-- Most statements touch one id or a few. For these the function has queries that Postgres plans once per session, which
-- is why each column has a function of its own. A query built at run time is planned each time, and planning takes ten
-- times as long as running it. For many rows that is little, and a plan made for one row need not serve a million. Plans
-- are made anew after ALTER TABLE, and each trigger has its own, so tables whose columns differ can share a function.
--
-- The application's own write must never fail. If the column has been dropped or renamed, '*' is sent, which means: read
-- every document of this kind again. The same is sent for TRUNCATE, which has no rows to name, and for an id that is too
-- long for any payload.
create or replace function cachepusher.trigger_source(id_column name) returns text
language plpgsql stable
as $$
declare
    before constant text := pg_catalog.format('select %I as id from old_rows', id_column);
    after constant text := pg_catalog.format('select %I as id from new_rows', id_column);
    either constant text := before || ' union all ' || after;

    -- Ids are compared as text in the C collation, because citext and some collations treat different texts as equal.
    -- They are cast, not left to to_json(), which keeps the padding of char(n).
    --
    -- If the column is gone, its name inside the subquery resolves to the column of the same name outside, and the text
    -- there shows it. An exception handler would cost a subtransaction per statement, half as much as all the rest.
    texts constant text := $sql$
        from (select 'cachepusher: no such column' as %1$I) as missing, lateral (
            select id::text collate pg_catalog."C" as id,
                   pg_catalog.pg_typeof(id) = any ('{int2,int4,int8}'::pg_catalog.regtype[]) as is_number
            from (%2$s limit %3$s) as touched
        ) as texts$sql$;

    -- Ids travel as JSON arrays. The first query is for a single id that is short enough when quoted, the second for a few
    -- ids. Each reads one row more than it can announce, to notice that there are more.
    one_or_few constant text := $sql$
        select pg_catalog.pg_notify(tg_argv[0], '[' || case when pg_catalog.bool_and(texts.is_number)
                   then pg_catalog.min(texts.id) else pg_catalog.to_json(pg_catalog.min(texts.id))::text end || ']'
               ) is not null %1$s
        having pg_catalog.count(*) <= 2 and pg_catalog.min(texts.id) = pg_catalog.max(texts.id)
           and pg_catalog.octet_length(pg_catalog.min(texts.id)) <= 600
           and pg_catalog.min(texts.id) <> 'cachepusher: no such column'
        into announced;
        if announced then
            return null;
        end if;
        select pg_catalog.count(*), '[' || pg_catalog.string_agg(distinct
                   case when texts.is_number then texts.id
                        else pg_catalog.to_json(pg_catalog.left(texts.id, 3900))::text end, ',') || ']' %2$s
        into rows_seen, payload;$sql$;
    queries text[];

    -- As many ids to a payload as fit: Postgres refuses payloads of 8,000 bytes and more, and every notification costs
    -- a slot in its queue.
    --
    -- Ids are sorted, numbers by value (as text: shorter first). Neighbours are then read together, which takes Postgres
    -- little more than half as long as unsorted ids.
    --
    -- The running total of bytes decides which payload an id goes into. The total can exceed a payload's end by one id at
    -- most, so payloads are planned shorter than the limit by the length of the longest id.
    many constant text := $sql$
        with ids as (
            select distinct id::text collate pg_catalog."C" as id,
                   pg_catalog.pg_typeof(id) = any ('{int2,int4,int8}'::pg_catalog.regtype[]) as is_number
            from (%s) as touched where id is not null
        ), quoted as (
            select case when is_number then id else pg_catalog.to_json(id)::text end as id from ids
        ), measured as (
            select id, pg_catalog.octet_length(id) + 1 as bytes from quoted
        ), planned as (
            select id, bytes,
                   pg_catalog.sum(bytes) over (order by bytes, id rows unbounded preceding) as total,
                   pg_catalog.max(bytes) over () as longest
            from measured where bytes <= 3900
        ), payloads as (
            select '[' || pg_catalog.string_agg(id, ',' order by total) || ']' as payload
            from planned group by pg_catalog.div(total, 7990 - longest)
            union all
            select '*' where exists (select from measured where bytes > 3900)
        )
        select pg_catalog.count(pg_catalog.pg_notify($1, payload)) from payloads
    $sql$;
begin
    for n in 1 .. 3 loop
        queries[n] := pg_catalog.format(one_or_few,
            pg_catalog.format(texts, id_column, (array[either, after, before])[n], 3),
            pg_catalog.format(texts, id_column, (array[either, after, before])[n], 501));
    end loop;
    return pg_catalog.format($source$ -- made by cachepusher.watch()
#variable_conflict use_column
declare
    announced boolean;
    rows_seen bigint;
    payload text;
begin
    if tg_op = 'UPDATE' then %1$s
    elsif tg_op = 'INSERT' then %2$s
    elsif tg_op = 'DELETE' then %3$s
    else
        payload := '*';
    end if;

    if payload = '["cachepusher: no such column"]' then
        payload := '*';
    elsif rows_seen > 500 or pg_catalog.octet_length(payload) > 3900 then
        begin
            execute pg_catalog.format(%4$L,
                case tg_op when 'UPDATE' then %5$L when 'INSERT' then %6$L else %7$L end) using tg_argv[0];
            return null;
        exception when others then -- no space for its temporary files, for instance
            payload := '*';
        end;
    end if;
    if payload is not null then
        perform pg_catalog.pg_notify(tg_argv[0], payload);
    end if;
    return null;
end
$source$, queries[1], queries[2], queries[3], many, either, after, before);
end
$$;

-- Creates the trigger function, owned by the table's owner, and returns its name.
create or replace function cachepusher.make_function(watched regclass, id_column name) returns text
language plpgsql
as $$
declare
    table_owner regrole;
    made_owner regrole;
    made_schema regnamespace;
    made name;
    full_name text;
begin
    select relowner, relnamespace, cachepusher.made_name('cachepusher_', relname, id_column)
    from pg_catalog.pg_class where oid = watched
    into table_owner, made_schema, made;
    full_name := pg_catalog.format('%s.%I', made_schema, made);

    if not pg_catalog.has_schema_privilege(made_schema, 'create') then
        raise exception 'cachepusher.watch: the trigger function of table % needs CREATE on schema %',
                watched, made_schema
            using errcode = 'insufficient_privilege';
    end if;

    -- Replacing a function does not change its owner, who could then run code of his own for everyone that writes to the
    -- table.
    select proowner from pg_catalog.pg_proc
    where pronamespace = made_schema and proname = made and pronargs = 0
    into made_owner;
    if made_owner <> table_owner then
        raise exception 'cachepusher.watch: function % belongs to %, and table % to %',
            full_name, made_owner, watched, table_owner
            using errcode = 'insufficient_privilege', hint = 'Drop the function, or give it to the table''s owner.';
    end if;

    execute pg_catalog.format('create or replace function %s() returns trigger language plpgsql as %L',
        full_name, cachepusher.trigger_source(id_column));
    execute pg_catalog.format('alter function %s() owner to %s', full_name, table_owner);
    return full_name;
end
$$;

-- Watches a table. id_column holds the id of the document that a row belongs to. Deletions are announced on
-- deleted_channel if given, everything else on channel. Call it again to change channels, or after renaming the column.
create or replace function cachepusher.watch(
    watched regclass, id_column name, channel text, deleted_channel text default null
) returns void
language plpgsql
as $$
declare
    given text;
    operation text;
    tables text;
    target regclass;
    made_function text;
    made_trigger name;
    replaced name;
begin
    if not exists (select from pg_catalog.pg_attribute
                   where attrelid = watched and attname = id_column and attnum > 0 and not attisdropped) then
        raise exception 'cachepusher.watch: table % has no column "%"', watched, id_column
            using errcode = 'undefined_column';
    end if;
    -- Postgres' own limit. If only pg_notify() noticed, the application's writes would fail.
    foreach given in array array[channel, coalesce(deleted_channel, channel)] loop
        if pg_catalog.octet_length(given) between 1 and 63 is not true then
            raise exception 'cachepusher.watch: the name of a channel has 1 to 63 bytes, not %: "%"',
                coalesce(pg_catalog.octet_length(given), 0), coalesce(given, '')
                using errcode = 'invalid_parameter_value';
        end if;
    end loop;

    made_function := cachepusher.make_function(watched, id_column);
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
            made_trigger := cachepusher.made_name('cachepusher_' || operation || '_', id_column);
            -- Also drop triggers of columns that are gone: they would announce every document, forever.
            for replaced in
                select tgname from pg_catalog.pg_trigger
                where tgrelid = target and not tgisinternal
                  and pg_catalog.starts_with(tgname::text, 'cachepusher_' || operation || '_')
                  and (tgname = made_trigger or not exists (
                      select from pg_catalog.pg_attribute
                      where attrelid = target and attnum > 0 and not attisdropped
                        and cachepusher.made_name('cachepusher_' || operation || '_', attname) = tgname))
            loop
                execute pg_catalog.format('drop trigger %I on %s', replaced, target);
            end loop;
            tables := case operation
                when 'insert' then 'referencing new table as new_rows'
                when 'update' then 'referencing old table as old_rows new table as new_rows'
                when 'delete' then 'referencing old table as old_rows'
                else ''
            end;
            execute pg_catalog.format('create trigger %I after %s on %s %s for each statement execute function %s(%L)',
                made_trigger, operation, target, tables, made_function,
                case operation when 'delete' then coalesce(deleted_channel, channel) else channel end);
        end loop;
    end loop;
end
$$;

reset client_min_messages;
