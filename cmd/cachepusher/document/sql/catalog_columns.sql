-- The columns of a catalog's tables, by table and number. $1: the tables' oids.
with recursive domains as ( -- what a domain is made of
    select oid as declared, typbasetype as type from pg_type where typtype = 'd'
    union all
    select d.declared, t.typbasetype from domains d join pg_type t on t.oid = d.type where t.typtype = 'd'
)
select a.attrelid, a.attnum, a.attname, quote_ident(a.attname), format_type(a.atttypid, null),
       format_type(coalesce(d.type, a.atttypid), null), a.attnotnull, a.attgenerated <> '',
       coalesce(equal.name, 'operator(pg_catalog.=)'), c.collisdeterministic is not false,
       coalesce(quote_ident(n.nspname) || '.' || quote_ident(c.collname), '')
from unnest($1::oid[]) as of (relation)
join pg_attribute a on a.attrelid = of.relation and a.attnum > 0 and not a.attisdropped
left join domains d on d.declared = a.atttypid and not exists (select from pg_type t where t.oid = d.type and t.typtype = 'd')
left join pg_collation c on c.oid = a.attcollation left join pg_namespace n on n.oid = c.collnamespace
left join lateral ( -- what a key of that type is told apart by
    select format('operator(%I.%s)', os.nspname, o.oprname) as name
    from pg_opclass k join pg_am m on m.oid = k.opcmethod and m.amname = 'btree'
    join pg_amop x on x.amopfamily = k.opcfamily and x.amoplefttype = k.opcintype and x.amoprighttype = k.opcintype
                      and x.amopstrategy = 3
    join pg_operator o on o.oid = x.amopopr join pg_namespace os on os.oid = o.oprnamespace
    where k.opcdefault and k.opcintype = coalesce(d.type, a.atttypid)
) as equal on true
order by a.attrelid, a.attnum
