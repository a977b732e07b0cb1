-- The tables of a catalog (catalog.h), by oid. What the role's search_path finds is part of the answer, so it is not pinned
-- to pg_catalog yet, and every name is qualified.
select c.oid, n.nspname, c.relname,
       case when pg_catalog.pg_table_is_visible(c.oid) then pg_catalog.quote_ident(c.relname)
            else pg_catalog.format('%I.%I', n.nspname, c.relname) end,
       pg_catalog.format('%I.%I', n.nspname, c.relname), c.relkind, c.relispartition, c.reltuples,
       c.relkind operator(pg_catalog.=) 'r'
       and exists (select from pg_catalog.pg_inherits i where i.inhparent operator(pg_catalog.=) c.oid)
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
where c.relkind operator(pg_catalog.=) any ('{r,p,v,m,f}'::pg_catalog."char"[])
  and n.nspname operator(pg_catalog.!~) '^pg_'
  and n.nspname operator(pg_catalog.<>) all ('{information_schema,cachepusher}'::pg_catalog.name[])
  and pg_catalog.has_schema_privilege(n.oid, 'usage')
order by c.oid
