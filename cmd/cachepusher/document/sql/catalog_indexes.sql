-- The btree indexes of a catalog's tables that find every row by columns, by table; the primary key first. $1: the tables'
-- oids.
select i.indrelid, c.relname, i.indisprimary, i.indisunique, i.indnkeyatts, i.indkey::int2[]
from unnest($1::oid[]) as of (relation)
join pg_index i on i.indrelid = of.relation
join pg_class c on c.oid = i.indexrelid join pg_am m on m.oid = c.relam
where m.amname = 'btree' and i.indisvalid and i.indpred is null and i.indexprs is null
order by i.indrelid, i.indisprimary desc, c.relname
