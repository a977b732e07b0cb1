-- The watched tables, looked up by the role's own search_path, which is why every name here has its schema. $1: as
-- watched_describe() writes them. One row:
--
--     watched   JSON: what was given, and of each the table's oid and the columns' numbers, or null
--     plan      the same of those that are there, as setup's plans take it
--     oids      of these, as an array
--     is_whole  whether there are any, and all that is named exists
--     missing   of the first that does not
select coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(w) order by w.place), '[]'),
       coalesce(pg_catalog.jsonb_agg(pg_catalog.to_jsonb(w) order by w.place) filter (where w.attnums is not null), '[]'),
       coalesce(pg_catalog.array_agg(w.relation order by w.place) filter (where w.attnums is not null), '{}'),
       pg_catalog.count(*) operator(pg_catalog.>) 0 and pg_catalog.bool_and(w.missing is null),
       (pg_catalog.array_agg(pg_catalog.format('entity %s: there is no %s that this role can see', w.entity, w.missing)
                             order by w.place) filter (where w.missing is not null))[1]
from (
    select e.*, t.relation, c.names, c.attnums, r.attnums as read_attnums,
           case when t.relation is null then pg_catalog.concat('table ', e."table")
                else 'column ' operator(pg_catalog.||) coalesce(c.missing, r.missing) operator(pg_catalog.||) ' in table '
                     operator(pg_catalog.||) e."table" end as missing
    from (
        select u.place, e.*
        from pg_catalog.jsonb_array_elements($1::pg_catalog.jsonb) with ordinality as u (value, place),
             pg_catalog.jsonb_to_record(u.value) as e (
                 entity pg_catalog.text, id_type pg_catalog.text, "table" pg_catalog.text, columns pg_catalog.text[],
                 reads pg_catalog.text[], channel pg_catalog.text, deleted pg_catalog.text)
    ) as e
    cross join lateral (select pg_catalog.to_regclass(e."table")::pg_catalog.oid as relation) as t
    cross join lateral (
        select pg_catalog.array_agg(a.attname order by n.place) as names,
               case when pg_catalog.bool_and(a.attnum is not null) then pg_catalog.array_agg(a.attnum order by n.place) end
                   as attnums,
               (pg_catalog.array_agg(n.name order by n.place) filter (where a.attnum is null))[1] as missing
        from pg_catalog.unnest(e.columns) with ordinality as n (name, place)
        left join pg_catalog.pg_attribute a on a.attrelid operator(pg_catalog.=) t.relation
            and a.attname operator(pg_catalog.=) (pg_catalog.parse_ident(n.name))[1]::pg_catalog.name
            and a.attnum operator(pg_catalog.>) 0::pg_catalog.int2 and not a.attisdropped
    ) as c
    cross join lateral (
        select case when e.reads is not null then coalesce(pg_catalog.array_agg(a.attnum), '{}') end as attnums,
               (pg_catalog.array_agg(n.name order by n.place) filter (where a.attnum is null))[1] as missing
        from pg_catalog.unnest(e.reads) with ordinality as n (name, place)
        left join pg_catalog.pg_attribute a on a.attrelid operator(pg_catalog.=) t.relation
            and a.attname operator(pg_catalog.=) (pg_catalog.parse_ident(n.name))[1]::pg_catalog.name
            and a.attnum operator(pg_catalog.>) 0::pg_catalog.int2 and not a.attisdropped
    ) as r
) as w
