-- The watched tables, looked up by the role's own search_path, which is why every name here has its schema. $1: the
-- entities. One row: JSON, what setup's plans
-- take (tables.h), and whether there are any, and all of them exist.
select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(w) order by w.place), '[]'),
       coalesce(pg_catalog.array_agg(w.oid order by w.place) filter (where w.attnum is not null), '{}'),
       coalesce(pg_catalog.array_agg(w.attnum order by w.place) filter (where w.attnum is not null), '{}'),
       coalesce(pg_catalog.array_agg(w.id_type order by w.place) filter (where w.attnum is not null), '{}'),
       coalesce(pg_catalog.array_agg(w.channel order by w.place) filter (where w.attnum is not null), '{}'),
       coalesce(pg_catalog.array_agg(w.deleted order by w.place) filter (where w.attnum is not null), '{}'),
       pg_catalog.count(*) operator(pg_catalog.>) 0 and pg_catalog.bool_and(w.attnum is not null)
from (
    select pg_catalog.row_number() over () as place, e.entity, e.id_type, e.channel, e.deleted, t."table", t."column", t.oid, a.attnum
    from pg_catalog.jsonb_to_recordset($1::pg_catalog.jsonb)
             as e (entity pg_catalog.text, id_type pg_catalog.text, channel pg_catalog.text, deleted pg_catalog.text,
                   watch pg_catalog.jsonb)
    cross join lateral (select w."table", w."column", pg_catalog.to_regclass(w."table")::pg_catalog.oid as oid
                        from pg_catalog.jsonb_to_recordset(e.watch) as w ("table" pg_catalog.text, "column" pg_catalog.text)) as t
    left join pg_catalog.pg_attribute a on a.attrelid operator(pg_catalog.=) t.oid
        and a.attname operator(pg_catalog.=) (pg_catalog.parse_ident(t."column"))[1]::pg_catalog.name
        and a.attnum operator(pg_catalog.>) 0::pg_catalog.int2 and not a.attisdropped
) as w
