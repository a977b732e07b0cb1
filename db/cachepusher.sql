-- cachepusher.sql: triggers that announce which documents a write has touched, for any table.
--
--   select cachepusher.watch('address', 'fk_customer', 'customer_updated');
--
-- From then on every INSERT, UPDATE, DELETE and TRUNCATE of address sends the distinct values that fk_customer had before
-- and has after the statement. They are sent on channel customer_updated when the transaction commits. An address that
-- moves from customer 1 to customer 2 announces both.
--
-- An id may be made of several columns. Announced is one text, their values joined by ":", with "%25" for "%" and "%3A" for
-- ":" in them; a row where one of them is null announces nothing:
--
--   select cachepusher.watch('line', array['tenant', 'order_id'], 'order_changed');
--
-- An update of what no document reads (a counter, a last_login) need not be announced. Say which columns documents read,
-- besides those of the id, and only rows are announced of which one of these has become another value, whoever has changed
-- it: 1.00 instead of 1.0 is another value, since documents show it.
--
--   select cachepusher.watch('customer', 'id_customer', 'customer_updated', reads => '{name}');
--
-- If one of them is dropped or renamed, each update is announced until watch() is called again.
--
-- watch() itself announces '*', so that whatever was missed before is read: every document of the kind. What is as it
-- should be stays as it is. Call it again at any time: where something has to be made or replaced, it waits for the writes
-- to the table that are under way, and others wait for it.
--
-- Partitions and other tables that inherit from a watched one are watched with it, so that direct writes to them are
-- announced too. After attaching one, call watch() again. Foreign tables cannot have such triggers.
--
-- ENABLE ALWAYS, ENABLE REPLICA and DISABLE are kept, for each table and partition. Beware: what logical replication
-- applies on a subscriber fires no statement-level triggers, even with ENABLE ALWAYS. For a table that is written so:
--
--   select cachepusher.watch('address', 'fk_customer', 'customer_updated', for_subscriber => true);
--
-- makes triggers for each row, enabled always. They cost more for each row. A call that does not say for_subscriber keeps
-- them, and makes them where a subscription has the table already.
--
-- Two-phase commit: Postgres refuses PREPARE TRANSACTION to a transaction that has notified, so nobody could prepare one
-- (XA, JTA) that has touched a watched table. Where max_prepared_transactions is not 0, watch() therefore refuses. If
-- nothing that writes to the table is ever prepared, say so: watch(..., allow_prepared => true). For tables where it is,
-- have the application call pg_notify() in a transaction of its own, after COMMIT PREPARED. Or have messages announced.
--
-- Messages: for the wal source (source_announce messages) the triggers write into the write-ahead log instead of notifying:
--
--   select cachepusher.watch('address', 'fk_customer', 'customer_updated', announce => 'message');
--
-- The message's prefix is cachepusher: and the channel, its content what would have been notified. It belongs to its
-- transaction, takes no lock, and does not mind PREPARE TRANSACTION. announce => 'notify' goes back; a call that does not
-- say announce keeps what there is. A table announces in one way only.
--
-- watch() creates a trigger function for this table and column, in the table's schema. (If the names are long, or the
-- columns several, it has another name: see \d address.) To stop watching, which its owner may:
--
--   select cachepusher.unwatch('address', 'fk_customer');    -- or those of all columns: unwatch('address')
--
-- It returns how many triggers it has dropped: four of each table and partition. Where schema cachepusher is gone, drop
-- the function; the triggers go with it:
--
--   drop function cachepusher_address__fk_customer() cascade;
--
-- Can be loaded any number of times. Tables stay watched as they are until watch() is called for them again. Requires
-- PostgreSQL 11 or newer.
--
-- Whose code runs: trigger functions run as whoever writes to the table, and the functions here as whoever calls them.
-- Nobody else's function, operator or type may slip in because it comes first in a search_path, or fits more exactly. So
-- the functions here have a search_path of their own, where pg_temp comes last instead of first, and the functions that
-- they make name every schema: setting a search_path would be paid by each statement. A name with a schema is looked up
-- there only, in all versions. integer, bigint and boolean are no names but words of the grammar, which mean
-- pg_catalog's types. What takes an operator without naming it (IN, CASE x WHEN, IS DISTINCT FROM, BETWEEN, LIKE, USING)
-- is not used; ORDER BY, DISTINCT and GROUP BY take the type's own operators.

set client_min_messages = warning;  -- hides "already exists, skipping"

-- What somebody else owns in this schema, he can change: his code would run as whoever calls watch().
do $$
declare
    nobodys constant pg_catalog.text := 'His code would run as whoever calls cachepusher.watch(). '
        'Load this file as that role, or drop what is his: see \dn+ cachepusher and \df+ cachepusher.*';
    found_here pg_catalog.text;
begin
    if pg_catalog.to_regnamespace('cachepusher') is null then
        create schema cachepusher;
        return;
    end if;
    with trusted as (
        select oid from pg_catalog.pg_roles
        where rolsuper or rolname operator(pg_catalog.=) current_user
    ), mine as (
        select oid, nspowner, nspacl from pg_catalog.pg_namespace where nspname operator(pg_catalog.=) 'cachepusher'
    ), found as (
        select pg_catalog.format('schema cachepusher belongs to %s', pg_catalog.pg_get_userbyid(nspowner)) as what
        from mine where not exists (select from trusted where oid operator(pg_catalog.=) nspowner)
        union all
        select pg_catalog.format('%s may create functions in schema cachepusher',
                   case when grantee operator(pg_catalog.=) 0::pg_catalog.oid then 'everybody'
                        else pg_catalog.pg_get_userbyid(grantee)::pg_catalog.text end)
        from mine, pg_catalog.aclexplode(nspacl)
        where privilege_type operator(pg_catalog.=) 'CREATE'
          and not exists (select from trusted where oid operator(pg_catalog.=) grantee)
        union all
        select pg_catalog.format('function %s belongs to %s', pg_proc.oid::pg_catalog.regprocedure,
                   pg_catalog.pg_get_userbyid(proowner))
        from pg_catalog.pg_proc join mine on pronamespace operator(pg_catalog.=) mine.oid
        where not exists (select from trusted where oid operator(pg_catalog.=) proowner)
        union all
        select pg_catalog.format('table %s belongs to %s', pg_class.oid::pg_catalog.regclass,
                   pg_catalog.pg_get_userbyid(relowner))
        from pg_catalog.pg_class join mine on relnamespace operator(pg_catalog.=) mine.oid
        where relname operator(pg_catalog.=) 'document' and not exists (select from trusted where oid operator(pg_catalog.=) relowner)
    )
    select what from found limit 1 into found_here;
    if found_here is not null then
        raise exception 'cachepusher.sql: %', found_here
            using errcode = 'insufficient_privilege', hint = nobodys;
    end if;
end
$$;

grant usage on schema cachepusher to public;

-- Of versions before this one.
drop function if exists cachepusher.watch(pg_catalog.regclass, pg_catalog.name, pg_catalog.text, pg_catalog.text);
drop function if exists cachepusher.watch(pg_catalog.regclass, pg_catalog.name, pg_catalog.text, pg_catalog.text, boolean,
                                          boolean);
drop function if exists cachepusher.make_function(pg_catalog.regclass, pg_catalog.name);
drop function if exists cachepusher.make_function(pg_catalog.regclass, pg_catalog.name, boolean);
drop function if exists cachepusher.trigger_source(pg_catalog.name);
drop function if exists cachepusher.statement_source(pg_catalog.name);
drop function if exists cachepusher.row_source(pg_catalog.name);
drop function if exists cachepusher.watch(pg_catalog.regclass, pg_catalog.name, pg_catalog.text, pg_catalog.text, boolean,
                                          boolean, pg_catalog.text);
drop function if exists cachepusher.make_function(pg_catalog.regclass, pg_catalog.name, boolean, pg_catalog.text);
drop function if exists cachepusher.make_function(pg_catalog.regclass, pg_catalog.name[], pg_catalog.name[], boolean,
                                                  pg_catalog.text);
drop function if exists cachepusher.source_header(pg_catalog.name[], pg_catalog.text, boolean);
drop function if exists cachepusher.make_trigger(pg_catalog.regclass, pg_catalog.text, pg_catalog.name, pg_catalog.text,
                                                 pg_catalog.regprocedure, boolean, pg_catalog."char");
drop function if exists cachepusher.statement_source(pg_catalog.name, pg_catalog.text);
drop function if exists cachepusher.row_source(pg_catalog.name, pg_catalog.text);

-- Ids that are made of several columns: one text, the columns' values joined by ":", with "%25" for "%" and "%3A" for ":"
-- in them. Null if one of them is null. id_part() gives the n-th value back; '' if there is none.
--
-- These and the casts below are in queries of many rows, so they are expressions that Postgres inlines: without a
-- search_path of their own, and with no query inside; the function for any number of columns is the exception. The C
-- collation is for columns of a nondeterministic one, where looking for a character would fail.
create or replace function cachepusher.id_escaped(value pg_catalog.text) returns pg_catalog.text
language sql immutable parallel safe
as $$
    select pg_catalog.replace(pg_catalog.replace(value collate pg_catalog."C", '%', '%25'), ':', '%3A')
$$;

create or replace function cachepusher.id_text(a pg_catalog.text, b pg_catalog.text) returns pg_catalog.text
language sql immutable parallel safe
as $$
    select cachepusher.id_escaped(a) operator(pg_catalog.||) ':' operator(pg_catalog.||) cachepusher.id_escaped(b)
$$;

create or replace function cachepusher.id_text(a pg_catalog.text, b pg_catalog.text, c pg_catalog.text)
returns pg_catalog.text
language sql immutable parallel safe
as $$
    select cachepusher.id_escaped(a) operator(pg_catalog.||) ':' operator(pg_catalog.||) cachepusher.id_escaped(b)
           operator(pg_catalog.||) ':' operator(pg_catalog.||) cachepusher.id_escaped(c)
$$;

create or replace function cachepusher.id_text(variadic parts pg_catalog.text[]) returns pg_catalog.text
language sql immutable parallel safe
as $$
    select case when pg_catalog.cardinality(parts) operator(pg_catalog.=) 1 then pg_catalog.min(part.value)
                when pg_catalog.count(part.value) operator(pg_catalog.=) pg_catalog.cardinality(parts)
                then pg_catalog.string_agg(cachepusher.id_escaped(part.value), ':' order by part.place) end
    from pg_catalog.unnest(parts) with ordinality as part (value, place)
$$;

create or replace function cachepusher.id_part(id pg_catalog.text, n integer) returns pg_catalog.text
language sql immutable parallel safe
as $$
    select pg_catalog.replace(pg_catalog.replace(pg_catalog.split_part(id collate pg_catalog."C", ':', n), '%3A', ':'),
                              '%25', '%')
$$;

-- A value of an id's type; null for a text that is none, instead of an error, and for one that Postgres would write
-- otherwise: nothing has that id. CASE in CASE, since Postgres works out what is constant beforehand, all of a condition.
create or replace function cachepusher.id_integer(id pg_catalog.text) returns integer
language sql immutable parallel safe
as $$
    select case when (id collate pg_catalog."C") operator(pg_catalog.~) '^(0|-?[1-9][0-9]{0,9})$'
                then case when id::bigint operator(pg_catalog.>=) '-2147483648'::bigint
                           and id::bigint operator(pg_catalog.<=) '2147483647'::bigint then id::integer end end
$$;

create or replace function cachepusher.id_bigint(id pg_catalog.text) returns bigint
language sql immutable parallel safe
as $$
    select case when (id collate pg_catalog."C") operator(pg_catalog.~) '^(0|-?[1-9][0-9]{0,18})$'
                then case when id::numeric operator(pg_catalog.>=) '-9223372036854775808'::numeric
                           and id::numeric operator(pg_catalog.<=) '9223372036854775807'::numeric then id::bigint end end
$$;

create or replace function cachepusher.id_uuid(id pg_catalog.text) returns pg_catalog.uuid
language sql immutable parallel safe
as $$
    select case when (id collate pg_catalog."C") operator(pg_catalog.~)
                         '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
                then id::pg_catalog.uuid end
$$;

-- A name for what watch() creates: the given names joined. A checksum takes their place if the result is longer than the
-- 63 bytes at which Postgres would cut it off, or if underscores make it ambiguous: another table's names could give the
-- same result.
create or replace function cachepusher.made_name(kind pg_catalog.text, variadic names pg_catalog.name[])
returns pg_catalog.name
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select (kind || case when octet_length(kind || plain) <= 63 and plain !~ '___|__.*__'
                         then plain else md5(names::text) end)::name
    from array_to_string(names, '__') as plain
$$;

-- The name of a trigger. Of several columns it is always a checksum: a column may be called a__b.
create or replace function cachepusher.trigger_name(operation pg_catalog.text, id_columns pg_catalog.name[])
returns pg_catalog.name
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select cachepusher.made_name('cachepusher_' || operation || '_',
                                 variadic case when cardinality(id_columns) > 1 then ''::name || id_columns else id_columns end)
$$;

-- The columns that documents read besides these, in the order in which the source has them; null: all.
create or replace function cachepusher.read_columns(id_columns pg_catalog.name[], reads pg_catalog.name[])
returns pg_catalog.name[]
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case when reads is not null then array(select distinct name from unnest(reads) as name
                                                  where name <> all (id_columns) order by name) end
$$;

-- The first lines of what watch() makes: how it announces, of several columns, which, and what it reads unless that is all.
create or replace function cachepusher.source_header(id_columns pg_catalog.name[], reads pg_catalog.name[],
                                                     announce pg_catalog.text, for_each_row boolean)
returns pg_catalog.text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select ' -- made by cachepusher.watch()' || case when for_each_row then ', for each row' else '' end
           || case announce when 'message' then ', as messages' else '' end
           || case when cardinality(id_columns) > 1 then E'\n-- ' || to_json(id_columns)::text else '' end
           || case when reads is not null then E'\n-- reads ' || to_json(reads)::text else '' end
$$;

-- The columns that are read according to a source's first lines; null: all.
create or replace function cachepusher.made_reads(source pg_catalog.text) returns pg_catalog.name[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case when lines.made_of is not null
                then array(select name::name from json_array_elements_text(lines.made_of::json) as name) end
    from (select coalesce(substring(split_part(source, E'\n', 2), '^-- reads (\[.*\])$'),
                          substring(split_part(source, E'\n', 3), '^-- reads (\[.*\])$')) as made_of) as lines
$$;

-- An expression for a row's id. place stands before the names of its columns. Of several columns it is the text that
-- id_text() makes, which cannot be called here: schema cachepusher may be dropped. A column that has gone makes it the
-- text that says so.
create or replace function cachepusher.id_expression(id_columns pg_catalog.name[], place pg_catalog.text)
returns pg_catalog.text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select case when cardinality(id_columns) = 1 then format('%s%I', place, id_columns[1])
                else format('case when %s then ''cachepusher: no such column'' else %s end',
                            string_agg(value || ' operator(pg_catalog.=) ''cachepusher: no such column''', ' or ' order by n),
                            string_agg(format('pg_catalog.replace(pg_catalog.replace(%s, ''%%'', ''%%25''), '':'', ''%%3A'')',
                                              value), ' operator(pg_catalog.||) '':'' operator(pg_catalog.||) ' order by n)) end
    from unnest(id_columns) with ordinality as u (name, n),
         lateral (select format('(%s%I::pg_catalog.text collate pg_catalog."C")', place, name) as value) as t
$$;

-- One side of an update: the rows of old_rows or new_rows in the order in which they were written, with their ids and the
-- image of all that documents read of them; the first few of them, or all if that is null. If a column has gone, its name means that of the query outside. What documents
-- read is then not equal on both sides, and an id is named by the old side alone.
create or replace function cachepusher.side_source(
    side pg_catalog.text, id_columns pg_catalog.name[], reads pg_catalog.name[], row_limit integer
) returns pg_catalog.text
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select format('(select side.n, side.id, side.image from (select %s) as missing, lateral ('
                  'select pg_catalog.row_number() over () as n, %s as id, row(%s)::pg_catalog.record as image from %I%s) as side)',
                  string_agg(format('%s::pg_catalog.text as %I',
                                    case when side = 'new_rows' then 'null' else '''cachepusher: no such column''' end, name),
                             ', ' order by n),
                  cachepusher.id_expression(id_columns, ''), string_agg(format('%I', name), ', ' order by n), side,
                  ' limit ' || row_limit)
    from (select name, min(n) as n from unnest(id_columns || reads) with ordinality as u (name, n) group by name) as columns
$$;

-- The beginning of a call that announces, up to the channel.
create or replace function cachepusher.announcing_call(announce pg_catalog.text) returns pg_catalog.text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case announce when 'message'
        then 'pg_catalog.pg_logical_emit_message(true, ''cachepusher:'' operator(pg_catalog.||) '
        else 'pg_catalog.pg_notify(' end
$$;

-- The source of the trigger function for a table's id columns, which announces by 'notify' or 'message'. The function is
-- for statement-level triggers whose transition tables are called old_rows and new_rows; its argument is the channel.
--
-- Most statements touch one id or a few. For these the function has queries that Postgres plans once per session, which
-- is why each column has a function of its own. A query built at run time is planned each time, and planning takes ten
-- times as long as running it. For many rows that is little, and a plan made for one row need not serve a million. Plans
-- are made anew after ALTER TABLE, and each trigger has its own, so tables whose columns differ can share a function.
--
-- The application's own write must never fail. If the column has been dropped or renamed, '*' is sent, which means: read
-- every document of this kind again. The same is sent for TRUNCATE, which has no rows to name, and for an id that is too
-- long for any payload.
--
-- reads: an update announces only rows of which it has changed an id or one of these columns; null: all. The rows of both
-- transition tables are paired in the order in which they stand there, in which a row's old and new version have the same
-- place (unless a BEFORE trigger keeps a row from entering another partition). Any pairing would do: what is left out are
-- pairs of equal images, so of each id as many equal images before as after, and if all of them are left out, the id's
-- document has read the same rows before and after. Images, not values, are compared: 1.0 and 1.00 are different text.
create or replace function cachepusher.statement_source(
    id_columns pg_catalog.name[], reads pg_catalog.name[], announce pg_catalog.text
) returns pg_catalog.text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    id constant text := cachepusher.id_expression(id_columns, '');
    before constant text := format('select %s as id from old_rows', id);
    after constant text := format('select %s as id from new_rows', id);
    either constant text := case when reads is null then before || ' union all ' || after
        else format('select changed.id from %s as before full join %s as after on before.n operator(pg_catalog.=) after.n, '
                    'lateral (values (before.id), (case when (before.id::pg_catalog.text collate pg_catalog."C" '
                    'operator(pg_catalog.=) after.id::pg_catalog.text) is not true then after.id end)) as changed (id) '
                    'where (before.image operator(pg_catalog.*=) after.image) is not true',
                    cachepusher.side_source('old_rows', id_columns, reads, null),
                    cachepusher.side_source('new_rows', id_columns, reads, null)) end;
    missing text;
    call constant text := cachepusher.announcing_call(announce);

    -- Ids are compared as text in the C collation, because citext and some collations treat different texts as equal.
    -- They are cast, not left to to_json(), which keeps the padding of char(n).
    --
    -- If the column is gone, its name inside the subquery resolves to the column of the same name outside, and the text
    -- there shows it. An exception handler would cost a subtransaction per statement, half as much as all the rest.
    --
    -- The outermost select hides that column: called tg_argv, it would be taken for the trigger's argument.
    --
    -- 20, 21 and 23 are int8, int2 and int4, in every database.
    texts constant text := $sql$
        from (select texts.id, texts.is_number
              from (select %1$s) as missing, lateral (
                  select touched.id::pg_catalog.text collate pg_catalog."C" as id,
                         pg_catalog.pg_typeof(touched.id)::pg_catalog.oid operator(pg_catalog.=)
                             any ('{20,21,23}'::pg_catalog.oid[]) as is_number
                  from (%2$s limit %3$s) as touched
              ) as texts
        ) as texts$sql$;

    -- Ids travel as JSON arrays. The first query is for a single id that is short enough when quoted, the second for a few
    -- ids. Each reads one row more than it can announce, to notice that there are more.
    one constant text := $sql$
        select %2$stg_argv[0], '[' operator(pg_catalog.||)
                   case when pg_catalog.bool_and(texts.is_number) then pg_catalog.min(texts.id)
                        else pg_catalog.to_json(pg_catalog.min(texts.id))::pg_catalog.text end
                   operator(pg_catalog.||) ']') is not null %1$s
        having pg_catalog.count(*) operator(pg_catalog.<=) 2
           and pg_catalog.min(texts.id) operator(pg_catalog.=) pg_catalog.max(texts.id)
           and pg_catalog.octet_length(pg_catalog.min(texts.id)) operator(pg_catalog.<=) 600
           and pg_catalog.min(texts.id) operator(pg_catalog.<>) 'cachepusher: no such column'
        into announced;
        if announced then
            return null;
        end if;$sql$;
    -- The same for an update of a single row, with columns that are read.
    one_row constant text := $sql$
        select case when pg_catalog.bool_and(texts.is_same) then true
                    when pg_catalog.min(texts.before) operator(pg_catalog.=) pg_catalog.min(texts.after)
                     and pg_catalog.octet_length(pg_catalog.min(texts.before)) operator(pg_catalog.<=) 600
                     and pg_catalog.min(texts.before) operator(pg_catalog.<>) 'cachepusher: no such column'
                    then %3$stg_argv[0], '[' operator(pg_catalog.||)
                             case when pg_catalog.bool_and(texts.is_number) then pg_catalog.min(texts.before)
                                  else pg_catalog.to_json(pg_catalog.min(texts.before))::pg_catalog.text end
                             operator(pg_catalog.||) ']') is not null end
        from (select before.id::pg_catalog.text collate pg_catalog."C" as before,
                     after.id::pg_catalog.text collate pg_catalog."C" as after,
                     pg_catalog.pg_typeof(before.id)::pg_catalog.oid operator(pg_catalog.=)
                         any ('{20,21,23}'::pg_catalog.oid[]) as is_number,
                     (before.image operator(pg_catalog.*=) after.image) is true as is_same
              from %1$s as before, %2$s as after
        ) as texts
        having pg_catalog.count(*) operator(pg_catalog.=) 1
        into announced;
        if announced then
            return null;
        end if;
        if exists (select from old_rows offset 500) then
            rows_seen := 501; -- pairing them for the next query and once more is too dear
        else$sql$;
    few constant text := $sql$
        select pg_catalog.count(*), '[' operator(pg_catalog.||) pg_catalog.string_agg(distinct
                   case when texts.is_number then texts.id
                        else pg_catalog.to_json(pg_catalog.left(texts.id, 3900))::pg_catalog.text end, ',')
                   operator(pg_catalog.||) ']' %1$s
        into rows_seen, payload;$sql$;
    queries text[];

    -- Nobody knows how many rows there are, so the query looks dear enough to be compiled, which takes longer than all the
    -- rest (350 of 510 ms for 100,000 rows): the function has jit off meanwhile, for this transaction at most.
    --
    -- What says that a column has gone counts as an id that is too long.
    --
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
            select distinct touched.id::pg_catalog.text collate pg_catalog."C" as id,
                   pg_catalog.pg_typeof(touched.id)::pg_catalog.oid operator(pg_catalog.=)
                       any ('{20,21,23}'::pg_catalog.oid[]) as is_number
            from (%s) as touched where touched.id is not null
        ), quoted as (
            select case when is_number then id else pg_catalog.to_json(id)::pg_catalog.text end as id from ids
        ), measured as (
            select id, case when id operator(pg_catalog.=) '"cachepusher: no such column"' then 8000
                            else pg_catalog.octet_length(id) operator(pg_catalog.+) 1 end as bytes
            from quoted
        ), planned as (
            select id, bytes,
                   pg_catalog.sum(bytes) over (order by bytes, id rows unbounded preceding) as total,
                   pg_catalog.max(bytes) over () as longest
            from measured where bytes operator(pg_catalog.<=) 3900
        ), payloads as (
            select '[' operator(pg_catalog.||) pg_catalog.string_agg(id, ',' order by total)
                       operator(pg_catalog.||) ']' as payload
            from planned group by pg_catalog.div(total, 7990 operator(pg_catalog.-) longest)
            union all
            select '*' where exists (select from measured where bytes operator(pg_catalog.>) 3900)
        )
        select pg_catalog.count($sql$ || call || '$1, payload)) from payloads';
begin
    select string_agg(format('''cachepusher: no such column'' as %I', name), ', ' order by n)
    from unnest(id_columns) with ordinality as u (name, n) into missing;
    for n in 1 .. 3 loop
        queries[n] := case when n = 1 and reads is not null
                then format(one_row, cachepusher.side_source('old_rows', id_columns, reads, 2),
                            cachepusher.side_source('new_rows', id_columns, reads, 2), call)
                else format(one, format(texts, missing, (array[either, after, before])[n], 3), call) end
            || format(few, format(texts, missing, (array[either, after, before])[n], 501))
            || case when n = 1 and reads is not null then E'\n        end if;' else '' end;
    end loop;
    return format($source$%8$s
#variable_conflict use_column
declare
    announced boolean;
    rows_seen bigint;
    payload pg_catalog.text;
    jit pg_catalog.text;
begin
    if tg_op operator(pg_catalog.=) 'UPDATE' then %1$s
    elsif tg_op operator(pg_catalog.=) 'INSERT' then %2$s
    elsif tg_op operator(pg_catalog.=) 'DELETE' then %3$s
    else
        payload := '*';
    end if;

    if payload operator(pg_catalog.=) '["cachepusher: no such column"]' then
        payload := '*';
    elsif rows_seen operator(pg_catalog.>) 500 or pg_catalog.octet_length(payload) operator(pg_catalog.>) 3900 then
        begin
            jit := pg_catalog.current_setting('jit');
            perform pg_catalog.set_config('jit', 'off', true);
            execute pg_catalog.format(%4$L, case when tg_op operator(pg_catalog.=) 'UPDATE' then %5$L
                when tg_op operator(pg_catalog.=) 'INSERT' then %6$L else %7$L end) using tg_argv[0];
            perform pg_catalog.set_config('jit', jit, true);
            return null;
        exception when others then -- no space for its temporary files, for instance
            payload := '*';
        end;
    end if;
    if payload is not null then
        perform %9$stg_argv[0], payload);
    end if;
    return null;
end
$source$, queries[1], queries[2], queries[3], many, either, after, before,
    cachepusher.source_header(id_columns, reads, announce, false), call);
end
$$;

-- The same for triggers that fire for each row. Nothing here has columns that a name could be taken for. The first
-- exception handler is for a column that has changed its type since the session has made its plans, which are not made
-- anew then; the second for one that has gone.
create or replace function cachepusher.row_source(
    id_columns pg_catalog.name[], reads pg_catalog.name[], announce pg_catalog.text
) returns pg_catalog.text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
    read_old text;
    read_new text;
    quoted constant text := $sql$case
                when pg_catalog.pg_typeof(%1$s)::pg_catalog.oid operator(pg_catalog.=)
                     any ('{20,21,23}'::pg_catalog.oid[]) then %1$s::pg_catalog.text
                else pg_catalog.to_json(%1$s::pg_catalog.text)::pg_catalog.text end$sql$;
begin
    select string_agg(format('old.%I', name), ', ' order by name), string_agg(format('new.%I', name), ', ' order by name)
    from (select distinct unnest(id_columns || reads) as name) as columns into read_old, read_new;
    return format($source$%4$s
declare
    before pg_catalog.text;
    after pg_catalog.text;
    payload pg_catalog.text;
begin
    begin
        if tg_op operator(pg_catalog.=) 'TRUNCATE' then
            payload := '*';
        else%6$s
            if tg_op operator(pg_catalog.<>) 'INSERT' then
                before := %1$s;
            end if;
            if tg_op operator(pg_catalog.<>) 'DELETE' then
                after := %2$s;
            end if;
        end if;
    exception when others then
        begin
            if tg_op operator(pg_catalog.<>) 'INSERT' then
                execute %3$L into before using old;
            end if;
            if tg_op operator(pg_catalog.<>) 'DELETE' then
                execute %3$L into after using new;
            end if;
        exception when others then
            payload := '*';
        end;
    end;
    if payload is null then
        if before is null and after is null then
            return null;
        end if;
        payload := pg_catalog.concat('[', pg_catalog.concat_ws(',', before, case when
            (before collate pg_catalog."C" operator(pg_catalog.=) after) is not true then after end), ']');
        if pg_catalog.octet_length(payload) operator(pg_catalog.>=) 8000 then
            payload := '*';
        end if;
    end if;
    perform %5$stg_argv[0], payload);
    return null;
end
$source$, format(quoted, cachepusher.id_expression(id_columns, 'old.')),
    format(quoted, cachepusher.id_expression(id_columns, 'new.')),
    'select ' || format(quoted, cachepusher.id_expression(id_columns, '($1).')),
    cachepusher.source_header(id_columns, reads, announce, true), cachepusher.announcing_call(announce),
    case when reads is not null then format($sql$
            if tg_op operator(pg_catalog.=) 'UPDATE' then
                if row(%s)::pg_catalog.record operator(pg_catalog.*=) row(%s)::pg_catalog.record then
                    return null;
                end if;
            end if;$sql$, read_old, read_new) end);
end
$$;

-- Whether a trigger function has this source, and nothing that changes what it does.
create or replace function cachepusher.is_right_function(made_function pg_catalog.oid, source pg_catalog.text)
returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select prosrc = source and prorettype::regtype::text = 'trigger' and not prosecdef and proconfig is null
    from pg_proc where oid = made_function
$$;

-- Creates the trigger function, owned by the table's owner, and returns its oid. One that is right is left alone.
create or replace function cachepusher.make_function(
    watched pg_catalog.regclass, id_columns pg_catalog.name[], source pg_catalog.text
) returns pg_catalog.regprocedure
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    table_owner regrole;
    made_owner regrole;
    made_schema regnamespace;
    made name;
    full_name text;
    is_right boolean;
begin
    select relowner, relnamespace, cachepusher.made_name('cachepusher_', variadic relname || id_columns)
    from pg_class where oid = watched::oid
    into table_owner, made_schema, made;
    full_name := format('%s.%I', made_schema, made);

    if not has_schema_privilege(made_schema, 'create') then
        raise exception 'cachepusher.watch: the trigger function of table % needs CREATE on schema %',
                watched, made_schema
            using errcode = 'insufficient_privilege';
    end if;

    -- Replacing a function does not change its owner, who could then run code of his own for everyone that writes to the
    -- table.
    select proowner, cachepusher.is_right_function(oid, source)
    from pg_proc
    where pronamespace = made_schema::oid and proname = made and pronargs = 0
    into made_owner, is_right;
    if made_owner::oid <> table_owner::oid then
        raise exception 'cachepusher.watch: function % belongs to %, and table % to %',
            full_name, made_owner, watched, table_owner
            using errcode = 'insufficient_privilege', hint = 'Drop the function, or give it to the table''s owner.';
    end if;

    if is_right is not true then
        execute format('create or replace function %s() returns trigger language plpgsql as %L', full_name, source);
        execute format('alter function %s() owner to %s', full_name, table_owner);
    end if;
    return format('%s()', full_name)::regprocedure;
end
$$;

-- The triggers of a table that stand where this one should, and whether they are as it should be. Also those of columns
-- that are gone: they would announce every document, forever.
create or replace function cachepusher.existing_triggers(
    target pg_catalog.regclass, operation pg_catalog.text, id_columns pg_catalog.name[], channel pg_catalog.text,
    made_function pg_catalog.oid, for_each_row boolean
) returns table (name pg_catalog.name, state pg_catalog."char", is_right boolean)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with expected as (
        select 'cachepusher_' || operation || '_' as kind, cachepusher.trigger_name(operation, id_columns) as made,
               for_each_row and operation <> 'truncate' as per_row
    ), bits as ( -- of tgtype
        select expected.*, per_row::int + case operation
                   when 'insert' then 4 when 'delete' then 8 when 'update' then 16 else 32 end as type,
               case when not per_row and operation in ('update', 'delete') then 'old_rows'::name end as old_rows,
               case when not per_row and operation in ('update', 'insert') then 'new_rows'::name end as new_rows
        from expected
    )
    select tgname, tgenabled,
           tgname = made and tgfoid = made_function and tgtype = type and tgqual is null
               and tgattr = '' and tgoldtable is not distinct from old_rows
               and tgnewtable is not distinct from new_rows
               and tgargs = convert_to(channel, getdatabaseencoding()) || decode('00', 'hex')
    from bits, pg_trigger
    where tgrelid = target::oid and not tgisinternal and starts_with(tgname::text, kind)
      and (tgname = made or not exists (
          with columns as (
              select attname from pg_attribute where attrelid = target::oid and attnum > 0 and not attisdropped
          )
          select from columns where cachepusher.made_name(kind, attname) = tgname
          union all
          select from pg_proc, substring(split_part(prosrc, E'\n', 2), '^-- (\[.*\])$') as made_of
          where pg_proc.oid = tgfoid and made_of is not null
            and not exists (select from json_array_elements_text(made_of::json) as name
                            where name not in (select attname::text from columns))))
    order by tgname = made
$$;

-- Makes one trigger of a table what it should be. It keeps its state of being enabled; a new one takes that of the trigger
-- it replaces, else the given one. Returns the state.
create or replace function cachepusher.make_trigger(
    target pg_catalog.regclass, operation pg_catalog.text, id_columns pg_catalog.name[], channel pg_catalog.text,
    made_function pg_catalog.regprocedure, for_each_row boolean, initial pg_catalog."char"
) returns pg_catalog."char"
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    made constant name := cachepusher.trigger_name(operation, id_columns);
    per_row constant boolean := for_each_row and operation <> 'truncate';
    old_rows constant name := case when not per_row and operation in ('update', 'delete') then 'old_rows' end;
    new_rows constant name := case when not per_row and operation in ('update', 'insert') then 'new_rows' end;
    existing record;
    state "char";
    is_right boolean := false;
begin
    for existing in
        select * from cachepusher.existing_triggers(target, operation, id_columns, channel, made_function::oid, for_each_row)
    loop
        state := existing.state;
        if existing.is_right then
            is_right := true;
        else
            execute format('drop trigger %I on %s', existing.name, target);
        end if;
    end loop;
    if not is_right then
        execute format('create trigger %I after %s on %s %s %s %s for each %s execute function %s(%L)',
            made, operation, target, case when coalesce(old_rows, new_rows) is not null then 'referencing' end,
            'old table as ' || old_rows, 'new table as ' || new_rows, case when per_row then 'row' else 'statement' end,
            made_function::regproc, channel);
    end if;

    state := coalesce(state, initial);
    if for_each_row and state = 'O' then
        state := 'A'; -- which is what they are for
    end if;
    if not exists (select from pg_trigger where tgrelid = target::oid and tgname = made and tgenabled = state) then
        execute format('alter table only %s %s trigger %I', target, case state when 'A' then 'enable always'
            when 'R' then 'enable replica' when 'D' then 'disable' else 'enable' end, made);
    end if;
    return state;
end
$$;

-- A table with its partitions and others that inherit from it, as watch() goes through them.
create or replace function cachepusher.family(watched pg_catalog.regclass)
returns table (target pg_catalog.regclass, kind pg_catalog."char")
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with recursive family as (
        select watched::oid as relation, 0 as depth
        union
        select inhrelid, depth + 1 from pg_inherits join family on inhparent = relation
    )
    select relation::regclass, relkind from family join pg_class on pg_class.oid = relation
    where relkind in ('r', 'p') or relation = watched::oid
    group by relation, relkind order by min(depth), relation
$$;

-- Unless all is right already: has the writes to the family that are under way end, and others wait, before anything is
-- replaced. A function can be replaced under a transaction that has written with it, and what that did not announce
-- nobody would read again: '*' and whatever is read after it would come before its commit. Where triggers have to be
-- dropped, reads wait as well from the beginning: one that goes on to write would wait for this, and this for it.
create or replace function cachepusher.lock_family(
    watched pg_catalog.regclass, id_columns pg_catalog.name[], channel pg_catalog.text, deletions pg_catalog.text,
    source pg_catalog.text, for_each_row boolean
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    target regclass;
    has_function boolean;
    has_triggers boolean;
    has_others boolean;
begin
    with made as (
        select pg_proc.oid, cachepusher.is_right_function(pg_proc.oid, source) as is_right
        from pg_class join pg_proc on pronamespace = relnamespace and pronargs = 0
         and proname = cachepusher.made_name('cachepusher_', variadic relname || id_columns)
        where pg_class.oid = watched::oid
    )
    select bool_and(made.is_right),
           bool_and(there.is_right is true or for_each_row and f.kind = 'p' and operation <> 'truncate'),
           coalesce(bool_or(not there.is_right), false)
    from cachepusher.family(watched) as f
    cross join unnest('{insert,update,delete,truncate}'::text[]) as operation
    left join made on true
    left join lateral cachepusher.existing_triggers(
        f.target, operation, id_columns, case operation when 'delete' then deletions else channel end, made.oid,
        for_each_row) as there on true
    into has_function, has_triggers, has_others;
    if has_function and has_triggers and not has_others then
        return;
    end if;
    for target in select f.target from cachepusher.family(watched) as f where f.kind in ('r', 'p') loop
        execute format('lock table only %s in %s mode', target,
                       case when has_others then 'access exclusive' else 'share row exclusive' end);
    end loop;
end
$$;

-- Watches a table. id_columns hold the id of the document that a row belongs to. Deletions are announced on
-- deleted_channel if given, everything else on channel. Call it again to change channels, or after renaming a column.
--
-- reads: the columns that documents read besides these: an update that changes none of them announces nothing. null: each
-- update announces.
-- allow_prepared: nothing that writes to the table is prepared for two-phase commit, although the server allows it.
-- for_subscriber: triggers for each row, enabled always, since what logical replication applies fires no others. If null,
-- so it is where there are such triggers already, or where a subscription has the table.
-- announce: 'notify' or 'message'. If null, what the column's triggers do, else any of watch()'s triggers of the table, else
-- notify.
create or replace function cachepusher.watch(
    watched pg_catalog.regclass, id_columns pg_catalog.name[], channel pg_catalog.text,
    deleted_channel pg_catalog.text default null, allow_prepared boolean default false,
    for_subscriber boolean default null, announce pg_catalog.text default null, reads pg_catalog.name[] default null
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    given text;
    operation text;
    source text;
    target regclass;
    made_function regprocedure;
    kind "char";
    state "char";
    states jsonb := '{}';
begin
    if cardinality(id_columns) between 1 and 8 is not true then
        raise exception 'cachepusher.watch: an id is made of 1 to 8 columns, not %', coalesce(cardinality(id_columns), 0)
            using errcode = 'invalid_parameter_value';
    end if;
    foreach given in array id_columns::text[] || reads::text[] loop
        if not exists (select from pg_attribute
                       where attrelid = watched::oid and attname = given::name and attnum > 0 and not attisdropped) then
            raise exception 'cachepusher.watch: table % has no column "%"', watched, given
                using errcode = 'undefined_column';
        end if;
    end loop;
    reads := cachepusher.read_columns(id_columns, reads);
    -- Postgres' own limit. If only pg_notify() noticed, the application's writes would fail.
    foreach given in array array[channel, coalesce(deleted_channel, channel)] loop
        if octet_length(given) between 1 and 63 is not true then
            raise exception 'cachepusher.watch: the name of a channel has 1 to 63 bytes, not %: "%"',
                coalesce(octet_length(given), 0), coalesce(given, '')
                using errcode = 'invalid_parameter_value';
        end if;
    end loop;
    if announce is null then
        select case when split_part(prosrc, E'\n', 1) in (' -- made by cachepusher.watch(), as messages',
                                                          ' -- made by cachepusher.watch(), for each row, as messages')
                    then 'message' else 'notify' end
        from pg_trigger join pg_proc on pg_proc.oid = tgfoid
        where tgrelid = watched::oid and not tgisinternal and starts_with(prosrc, ' -- made by cachepusher.watch()')
        order by tgname = cachepusher.trigger_name('insert', id_columns) desc,
                 tgname = cachepusher.trigger_name('truncate', id_columns) desc, tgname
        limit 1
        into announce;
        announce := coalesce(announce, 'notify');
    elsif announce not in ('notify', 'message') then
        raise exception 'cachepusher.watch: announce is notify or message, not "%"', announce
            using errcode = 'invalid_parameter_value';
    end if;
    if announce = 'notify' and current_setting('max_prepared_transactions')::int > 0 and allow_prepared is not true then
        raise exception 'cachepusher.watch: no transaction that has touched table % could be prepared (two-phase commit), '
            'and this server allows that: max_prepared_transactions is %', watched,
            current_setting('max_prepared_transactions')
            using errcode = 'object_not_in_prerequisite_state',
            detail = 'Postgres refuses PREPARE TRANSACTION to a transaction that has notified, as the triggers do.',
            hint = 'If nothing that writes to the table is ever prepared: cachepusher.watch(..., allow_prepared => true). '
                   'Else have messages announced (announce => ''message''), or call pg_notify() in a transaction of its '
                   'own after COMMIT PREPARED.';
    end if;

    if for_subscriber is null then
        for_subscriber := exists (
            with recursive family as (
                select watched::oid as relation
                union
                select inhrelid from pg_inherits join family on inhparent = relation
            )
            select from pg_subscription_rel join family on srrelid = relation
            union all
            select from pg_trigger join family on tgrelid = relation
            where tgtype & 1 = 1 and tgname in (cachepusher.trigger_name('insert', id_columns),
                                                cachepusher.trigger_name('update', id_columns),
                                                cachepusher.trigger_name('delete', id_columns)));
    end if;
    source := case when for_subscriber then cachepusher.row_source(id_columns, reads, announce)
                   else cachepusher.statement_source(id_columns, reads, announce) end;
    perform cachepusher.lock_family(watched, id_columns, channel, coalesce(deleted_channel, channel), source,
                                    for_subscriber);
    made_function := cachepusher.make_function(watched, id_columns, source);
    for target, kind in select * from cachepusher.family(watched) loop
        foreach operation in array array['insert', 'update', 'delete', 'truncate'] loop
            -- A partitioned table hands row-level triggers on to its partitions; they have their own.
            if for_subscriber and kind = 'p' and operation <> 'truncate' then
                for given in
                    select tgname from pg_trigger where tgrelid = target::oid and not tgisinternal
                      and tgname = cachepusher.trigger_name(operation, id_columns)
                loop
                    execute format('drop trigger %I on %s', given, target);
                end loop;
                continue;
            end if;
            -- New partitions do as the watched table does.
            state := cachepusher.make_trigger(target, operation, id_columns,
                case operation when 'delete' then coalesce(deleted_channel, channel) else channel end,
                made_function, for_subscriber, coalesce(states ->> operation, 'O')::"char");
            states := jsonb_build_object(operation, state) || states;
        end loop;
    end loop;

    if announce = 'message' then
        perform pg_logical_emit_message(true, 'cachepusher:' || channel, '*');
    else
        perform pg_notify(channel, '*');
    end if;
end
$$;

-- The same for an id of one column.
create or replace function cachepusher.watch(
    watched pg_catalog.regclass, id_column pg_catalog.name, channel pg_catalog.text,
    deleted_channel pg_catalog.text default null, allow_prepared boolean default false,
    for_subscriber boolean default null, announce pg_catalog.text default null, reads pg_catalog.name[] default null
) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
    select cachepusher.watch(watched, array[id_column], channel, deleted_channel, allow_prepared, for_subscriber, announce,
                             reads)
$$;

-- The triggers of watch() on a table with all that inherits from it: of these columns, or of any; of those that announce on
-- this channel, or on any. The triggers of one function go together: deletions may have a channel of their own.
create or replace function cachepusher.watching_triggers(
    watched pg_catalog.regclass, id_columns pg_catalog.name[], channel pg_catalog.text
) returns table (target pg_catalog.regclass, name pg_catalog.name, made_function pg_catalog.oid, announces pg_catalog.text)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    with found as (
        select f.target, f.place, tgname, tgfoid, tgtype & 8 <> 0 as is_for_deletions,
               case when tgnargs = 1 then convert_from(substring(tgargs for length(tgargs) - 1), getdatabaseencoding())
               end as announces
        from cachepusher.family(watched) with ordinality as f (target, kind, place)
        join pg_trigger on tgrelid = f.target::oid and not tgisinternal
        join pg_proc on pg_proc.oid = tgfoid and starts_with(prosrc, ' -- made by cachepusher.watch()')
    )
    select target, tgname, tgfoid, announces
    from found
    where (id_columns is null or tgname in (select cachepusher.trigger_name(operation, id_columns)
                                            from unnest('{insert,update,delete,truncate}'::text[]) as operation))
      and (channel is null or tgfoid in (select f.tgfoid from found as f
                                         where f.announces = channel and not f.is_for_deletions))
    order by place, tgname
$$;

-- The opposite of watch(): takes its triggers away from a table and all that inherits from it, and the functions that no
-- trigger is left of. Without columns those of all columns, without a channel those of all channels. Returns how many
-- triggers there were; it is an error if there were none. A column may have been renamed or dropped: it is meant by the
-- name it had. What has been announced is still read; what is written from now on is not announced.
create or replace function cachepusher.unwatch(
    watched pg_catalog.regclass, id_columns pg_catalog.name[] default null, channel pg_catalog.text default null
) returns integer
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    statement text;
    drops constant text[] := array(select format('drop trigger %I on %s', name, target)
                                   from cachepusher.watching_triggers(watched, id_columns, channel));
    functions constant oid[] := array(select made_function
                                      from cachepusher.watching_triggers(watched, id_columns, channel));
    others text;
begin
    if cardinality(drops) = 0 then
        select concat('; it has ' || string_agg(format('%s on %s', name, announces), ', '))
        from cachepusher.watching_triggers(watched, null, null) where target = watched into others;
        raise exception 'cachepusher.unwatch: table % has no triggers of watch()%', watched,
            concat(' for (' || array_to_string(id_columns, ', ') || ')', ' that announce on "' || channel || '"', others)
            using errcode = 'undefined_object';
    end if;
    foreach statement in array drops loop
        execute statement;
    end loop;
    for statement in
        select format('drop function %s', pg_proc.oid::regprocedure) from pg_proc
        where pg_proc.oid = any (functions) and not exists (select from pg_trigger where tgfoid = pg_proc.oid)
    loop
        execute statement;
    end loop;
    return cardinality(drops);
end
$$;

-- The same for an id of one column.
create or replace function cachepusher.unwatch(
    watched pg_catalog.regclass, id_column pg_catalog.name, channel pg_catalog.text default null
) returns integer
language sql
set search_path = pg_catalog, pg_temp
as $$
    select cachepusher.unwatch(watched, case when id_column is not null then array[id_column] end, channel)
$$;

-- What cachepusher setup has made of declared documents (a configuration's "document"), for the daemon to look up. digest
-- is that of the declaration; it can be resolved anew, when a table has another column: that is another version, and the
-- last one counts. The former one stays beside it, with its function, for a daemon that has not been restarted yet.
create table if not exists cachepusher.document (
    name        pg_catalog.text not null,
    digest      pg_catalog.text not null,
    version     pg_catalog.text not null, -- which is in the function's name, too
    declaration pg_catalog.text not null,
    entity      pg_catalog.json not null, -- id_type, fetch_many, list, watch
    made_at     pg_catalog.timestamptz not null default pg_catalog.clock_timestamp(),
    primary key (name, digest, version)
);
grant select on cachepusher.document to public;

-- By this checksum of the file cachepusher setup knows what is loaded; what it has loaded itself teardown takes away.
-- db/check-sql --fix brings it up to date.
do $$
begin
    if (select pg_catalog.pg_has_role(nspowner, 'usage') from pg_catalog.pg_namespace
        where nspname operator(pg_catalog.=) 'cachepusher') then
        comment on schema cachepusher is 'cachepusher.sql aea2374edf0ed0c7596f7b4a88407bd9, by hand';
    end if;
end
$$;

reset client_min_messages;
