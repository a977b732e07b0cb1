-- A plan (plan.h): what of the watched tables the wal source cannot follow. $1: these (setup_watched.sql). A column that
-- holds ids by itself has to be of their type; what is joined to a text has to be the same text as in Postgres' output.
with watched as (
    select w.relation, a.attnum, w.id_type, cardinality(w.attnums) > 1 as is_joined, c.relkind, c.relpersistence, a.attname,
           a.attgenerated, format('%I.%I', n.nspname, c.relname) as name, a.atttypid
    from jsonb_to_recordset($1::jsonb) as w (relation oid, attnums int2[], id_type text)
    cross join unnest(w.attnums) as k (attnum)
    join pg_class c on c.oid = w.relation join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = w.relation and a.attnum = k.attnum
), members as ( -- with their partitions, at all depths
    select w.relation, m.relid::oid as member from (select distinct relation, relkind from watched) as w,
        lateral (select relid from pg_partition_tree(w.relation::regclass) union select w.relation) as m
), base as ( -- what a domain is made of
    with recursive types as (
        select distinct atttypid as declared, atttypid as type from watched
        union
        select declared, typbasetype from types join pg_type on pg_type.oid = type where typbasetype <> 0
    )
    select declared, typname::text as type from types join pg_type on pg_type.oid = types.type where typbasetype = 0
)
select 'error', message, null
from (
    select format('%s is %s: it cannot be published; watch the tables that it is made of', name,
                  case relkind when 'v' then 'a view' when 'm' then 'a materialized view'
                               when 'f' then 'a foreign table' else 'no table' end) as message, 1 as place
    from watched where relkind not in ('r', 'p')
    union all
    select format('%s belongs to Postgres itself, and cannot be published', name), 2 from watched where relation < 16384
    union all
    select format('%s is %s: nothing of it is in the write-ahead log', c.oid::regclass,
                  case when c.relkind = 'f' then 'a foreign table' when c.relpersistence = 'u' then 'unlogged'
                       else 'temporary' end), 3
    from members join pg_class c on c.oid = member where c.relpersistence <> 'p' or c.relkind = 'f'
    union all
    select format('%s.%I is a generated column, which is not published: watch the columns it is made of, or have '
                  'source_announce messages', name, attname), 4
    from watched where attgenerated <> ''
    union all
    select format('%s.%I is of type %s, and cannot hold ids of type %s', name, attname, format_type(atttypid, null),
                  id_type), 5
    from watched join base on declared = atttypid
    where id_type <> '' and not case when id_type in ('integer', 'bigint') then type in ('int2', 'int4', 'int8')
                   when id_type = 'uuid' then type = 'uuid' else type not in ('bool', 'bpchar') end
    union all
    select format('%s.%I is of type %s, and cannot be one of several columns of an id', name, attname,
                  format_type(atttypid, null)), 5
    from watched join base on declared = atttypid where is_joined and type in ('bool', 'inet')
    union all
    select format('%s inherits from %s, and is published under its own name: watch it as well', i.inhrelid::regclass,
                  name), 6
    from watched join pg_inherits i on i.inhparent = relation
    where relkind = 'r' and i.inhrelid not in (select relation from watched)
) as found
order by place, message limit 1
