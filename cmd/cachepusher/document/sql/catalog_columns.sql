-- The columns of a catalog's tables, by table and number. $1: the tables' oids.
with recursive domains as ( -- what a domain is made of
    select oid as declared, typbasetype as type from pg_type where typtype = 'd'
    union all
    select d.declared, t.typbasetype from domains d join pg_type t on t.oid = d.type where t.typtype = 'd'
)
select a.attrelid, a.attnum, a.attname, quote_ident(a.attname), format_type(a.atttypid, null),
       format_type(coalesce(d.type, a.atttypid), null), a.attnotnull, a.attgenerated <> ''
from unnest($1::oid[]) as of (relation)
join pg_attribute a on a.attrelid = of.relation and a.attnum > 0 and not a.attisdropped
left join domains d on d.declared = a.atttypid and not exists (select from pg_type t where t.oid = d.type and t.typtype = 'd')
order by a.attrelid, a.attnum
