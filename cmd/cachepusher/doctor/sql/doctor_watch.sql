-- Findings (doctor.h) about the watched tables. $1: these (setup_watched.sql). $2: the entities.
--
-- An index serves where the columns come first, for then a document's rows lie next to each other. A foreign key between
-- two watched tables wants one as well: without it each deletion reads the whole table.
with watched as (
    select distinct entity, "table", array_to_string(columns, ', ') as columns, relation as oid, attnums, missing
    from jsonb_to_recordset($1::jsonb) as w (entity text, "table" text, columns text[], relation oid, attnums int2[],
                                             missing text)
), channels as (
    select e ->> 'entity' as entity, jsonb_array_elements_text(e -> 'channels') as channel
    from jsonb_array_elements($2::jsonb) as e
), columns as (
    select oid, attnums from watched where attnums is not null
    union
    select conrelid, conkey[1:1] from pg_constraint
    where contype = 'f' and conrelid in (select oid from watched) and confrelid in (select oid from watched)
), named as (
    select k.*, format('%I.%I', n.nspname, c.relname) as name, c.relkind,
           (select string_agg(format('%I', a.attname), ', ' order by u.place)
            from unnest(k.attnums) with ordinality as u (attnum, place)
            join pg_attribute a on a.attrelid = k.oid and a.attnum = u.attnum) as shown
    from columns k join pg_class c using (oid) join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p')
), indexed as (
    select named.*, i.index, i.keys, i.indisprimary, i.indisvalid
    from named left join lateral (
        select x.relname as index, i.indnkeyatts as keys, i.indisprimary, i.indisvalid
        from pg_index i join pg_class x on x.oid = i.indexrelid
        where i.indrelid = named.oid and i.indpred is null
          and named.attnums <@ (i.indkey::int2[])[0:cardinality(named.attnums) - 1]
        order by i.indisvalid desc, i.indnatts desc, x.relname limit 1
    ) as i on true
), announcing as (
    select t.tgrelid, t.tgname, t.tgenabled, channel
    from channels cross join pg_trigger t join pg_proc p on p.oid = t.tgfoid
    where not t.tgisinternal
      and (position(convert_to(channel, getdatabaseencoding()) || '\x00'::bytea in t.tgargs) > 0
           or position(quote_literal(channel) in p.prosrc) > 0)
)
select verdict, point, message, cure
from (
    select 1 as place, 'wrong' as verdict, 'table' as point,
           format('%s: there is no %s that this role can see', entity, missing) as message,
           coalesce((select format('grant usage on schema %I to %I;', n.nspname, current_user)
                     from pg_class c join pg_namespace n on n.oid = c.relnamespace
                     where watched.oid is null and c.relname = (parse_ident("table"))[cardinality(parse_ident("table"))]::name
                       and not has_schema_privilege(n.oid, 'usage') limit 1),
                    format('correct "watch" of entity %s in the configuration, or the role''s search_path', entity)) as cure
    from watched where missing is not null
    union all
    select 1, 'ok', 'table', string_agg(distinct case when columns ~ ',' then format('%s.(%s)', "table", columns)
                                                        else format('%s.%s', "table", columns) end, ', ') || ': there', null
    from watched having bool_and(missing is null)
    union all
    select distinct 2, 'wrong', 'trigger',
           format('%s of %s is %s: changes of the table are not announced', tgname, tgrelid::regclass,
                  case tgenabled when 'D' then 'disabled' else 'for replicas only' end),
           format('alter table %s enable trigger %I;', tgrelid::regclass, tgname)
    from announcing where tgenabled in ('D', 'R')
    union all
    select 3, 'wrong', 'channel',
           format('%s: no trigger announces on %s', entity, string_agg(quote_ident(channel), ' or ' order by channel)),
           '{setup}'
    from channels where entity not in (select c.entity from channels c join announcing a using (channel)) group by entity
    union all
    select 3, 'ok', 'channel', format('%s: triggers announce on %s', entity, string_agg(distinct quote_ident(channel), ', ')), null
    from channels join announcing using (channel) group by entity
    union all
    select 4, case when index is null or not indisvalid then 'warning' else 'ok' end, 'index',
           case when index is null
                then format('%s(%s) has none: each document that is read, and each deletion, goes through the whole table', name,
                            shown)
                when not indisvalid then format('%s(%s) has only %I, which is invalid and not used', name, shown, index)
                when keys = cardinality(attnums) and not indisprimary
                then format('%s(%s): %I; if documents have these rows in an order, one with (%s, ORDER) saves the sorting', name,
                            shown, index, shown)
                else format('%s(%s): %I', name, shown, index) end,
           case when index is null
                then format('create index %son %s (%s);', case relkind when 'r' then 'concurrently ' end, name, shown)
                else format('reindex index concurrently %I;', index) end
    from indexed
) as found
order by place, message
