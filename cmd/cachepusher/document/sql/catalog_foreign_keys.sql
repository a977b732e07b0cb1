-- The foreign keys between a catalog's tables, by the table they are of. $1: the tables' oids. Those that a partition has
-- from its parent, or on its parent's behalf, are the parent's.
select f.conname, f.conrelid, f.conkey, f.confrelid, f.confkey
from pg_constraint f
where f.contype = 'f' and f.conparentid = 0 and f.conrelid = any ($1::oid[]) and f.confrelid = any ($1::oid[])
order by f.conrelid, f.conkey, f.conname
