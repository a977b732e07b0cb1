-- A plan (plan.h): the indexes that documents need and do not have. $1: what is missing, as JSON (indexes.h). $2: whether
-- to make them.
with missing as (
    select m.*, format('%I.%I', n.nspname, c.relname) as name, c.relkind, c.reltuples, n.nspname
    from json_to_recordset($1::json)
         as m ("table" oid, entity text, keys json, includes json, covers boolean, replaces text)
    join pg_class c on c.oid = m."table" join pg_namespace n on n.oid = c.relnamespace
), columns as (
    select m.*, keys.list as key_list, includes.list as include_list,
           coalesce(keys.width, 0) + coalesce(includes.width, 0) as width, keys.numbers
    from missing m,
         lateral (select string_agg(quote_ident(a.attname), ', ' order by k.place) as list,
                         sum(coalesce(s.avg_width, case when a.attlen > 0 then a.attlen else 32 end)) as width,
                         array_agg(a.attnum order by k.place) as numbers
                  from json_array_elements_text(m.keys) with ordinality as k (number, place)
                  join pg_attribute a on a.attrelid = m."table" and a.attnum = k.number::int
                  left join pg_stats s on format('%I.%I', s.schemaname, s.tablename) = m.name and s.attname = a.attname
                 ) as keys,
         lateral (select string_agg(quote_ident(a.attname), ', ' order by k.place) as list,
                         sum(coalesce(s.avg_width, case when a.attlen > 0 then a.attlen else 32 end)) as width
                  from json_array_elements_text(m.includes) with ordinality as k (number, place)
                  join pg_attribute a on a.attrelid = m."table" and a.attnum = k.number::int
                  left join pg_stats s on format('%I.%I', s.schemaname, s.tablename) = m.name and s.attname = a.attname
                 ) as includes
), described as (
    select c.*, format('create index %son %s (%s)%s', case when relkind <> 'p' then 'concurrently ' end, name, key_list,
                       ' include (' || include_list || ')') as statement,
           case when covers then format('documents of %s would read %s from an index alone with it', entity, name)
                else format('documents of %s need it', entity) end
               || case when reltuples >= 0
                       then format('; about %s', pg_size_pretty((reltuples * (width + 16) / 0.9)::int8)) else '' end
               || coalesce('; ' || quote_ident(replaces) || ' is no longer needed then', '') as why
    from columns c
), broken as ( -- left behind by one that was interrupted
    select format('drop index concurrently %s', i.indexrelid::regclass) as statement, d.name, d.key_list
    from described d join pg_index i on i.indrelid = d."table" and not i.indisvalid
        and (i.indkey::int2[])[0:i.indnkeyatts - 1] = d.numbers
    where not exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)
)
select kind, body, why
from (
    select 'build' as kind, statement as body, 'it was not finished' as why, name, key_list, 1 as place
    from broken where $2::boolean
    union all
    select case when $2::boolean and relkind <> 'p' then 'build' else 'note' end,
           case when $2::boolean and relkind <> 'p' then statement
                else format('%s: %s%s', statement, why,
                            case when $2::boolean then '; a partitioned table cannot have it without being locked: make it '
                                                       'by hand' else ' (--indexes makes it)' end) end,
           why, name, key_list, 2
    from described
) as plan
order by name, key_list, place
