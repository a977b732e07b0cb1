-- What the view cachepusher_check, of a single table, reads: rows ('column', attnum), or ('refused', why). $1: the table's
-- oid.
--
-- The parsed query is looked at as text for the functions that it calls, since dependencies on Postgres' own ones are not
-- recorded.
with rule as (
    select r.oid, r.ev_action::text as query from pg_rewrite r
    where r.ev_class = (select c.oid from pg_class c where c.relname = 'cachepusher_check'
                        and c.relnamespace = pg_my_temp_schema())
), called as (
    select distinct p.oid, p.proname, p.provolatile, p.pronamespace, p.oid::regprocedure::text as signature
    from rule, regexp_matches(query, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') as found
    join pg_proc p on p.oid = found[1]::oid
), read as (
    select d.refobjid, d.refobjsubid from rule join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = rule.oid
    where d.refclassid = 'pg_class'::regclass
      and d.refobjid <> (select ev_class from pg_rewrite r where r.oid = rule.oid)
)
select 'refused', format('it reads %s, too, and nobody would watch that', refobjid::regclass)
from read where refobjid <> $1::oid
union all
select 'refused', format('it calls %s, which is volatile: the document would change by itself', signature)
from called where provolatile = 'v'
union all
select 'refused', format('it calls %s, which is not immutable: it might read tables that nobody watches', signature)
from called where provolatile = 's' and pronamespace <> 'pg_catalog'::regnamespace
union all
select 'refused', format('it calls %s, whose result changes without any row of the table', signature)
from called
where provolatile = 's' and pronamespace = 'pg_catalog'::regnamespace
  and (proname in ('now', 'transaction_timestamp', 'statement_timestamp', 'current_setting', 'obj_description',
                   'col_description', 'shobj_description', 'to_regclass', 'txid_current_snapshot', 'pg_current_snapshot')
       or proname = 'age' and signature not like '%,%' or proname ~ '^(has_.*_privilege|pg_(get|has|is|relation|table)_.*)$')
union all
select 'refused', 'the time, the user or the schema of a session is nothing that a table holds'
from rule where query like '%{SQLVALUEFUNCTION %'
union all
select 'refused', 'an aggregate has nothing to do in an order' from rule where query ~ '\{(AGGREF|WINDOWFUNC) '
union all
select 'refused', 'it reads whole rows; name the columns' from rule where query like '%:varattno 0 %'
union all
select 'column', refobjsubid::text from read where refobjid = $1::oid and refobjsubid > 0
