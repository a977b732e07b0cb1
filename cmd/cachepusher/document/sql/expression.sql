-- What Postgres understands of an expression of a single table, which is in the check of a temporary table cachepusher_check,
-- or in the order of a view of that name: rows ('column', attnum), ('sql', the expression as Postgres writes it), or
-- ('refused', why). $1: the table's oid. $2: value, condition or order. $3: the expression.
--
-- The parsed expression is looked at as text for what it calls, since dependencies on Postgres' own functions are not
-- recorded.
with relation as (
    select c.oid from pg_class c where c.relname = 'cachepusher_check' and c.relnamespace = pg_my_temp_schema()
), made as (
    select k.conbin::text as tree, pg_get_expr(k.conbin, k.conrelid) as written, k.conkey, null::oid as rule
    from pg_constraint k where k.conrelid = (table relation) and k.contype = 'c'
    union all
    select r.ev_action::text, pg_get_viewdef(r.ev_class), null, r.oid from pg_rewrite r where r.ev_class = (table relation)
), called as (
    select distinct p.proname, p.provolatile, p.pronamespace, p.oid::regprocedure::text as signature
    from made, regexp_matches(tree, ':(?:funcid|opfuncid|aggfnoid|winfnoid) (\d+)', 'g') as found
    join pg_proc p on p.oid = found[1]::oid
), types as ( -- of constants, and of what is read from texts
    select distinct found[1] = 'CONST :consttype' as is_constant, t.typname, t.typcategory, e.typname as element,
           e.typcategory as element_category, t.oid::regtype::text as name
    from made, regexp_matches(tree, '\{(CONST :consttype|COERCEVIAIO :arg .*? :resulttype) (\d+)', 'g') as found
    join pg_type t on t.oid = found[2]::oid left join pg_type e on e.oid = t.typelem and t.typcategory = 'A'
), read as (
    select a.attnum::int as number
    from made, unnest(conkey) as key (number)
    join pg_attribute own on own.attrelid = (table relation) and own.attnum = key.number
    join pg_attribute a on a.attrelid = $1::oid and a.attname = own.attname
    union
    select d.refobjsubid from made join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = made.rule
    where d.refclassid = 'pg_class'::regclass and d.refobjid = $1::oid
), written as (
    select case $2::text when 'value' then substring(written from '^\((.*) IS (?:NULL|NOT DISTINCT FROM NULL)\)$')
                         when 'condition' then written
                         else substring(written from '\n  ORDER BY (.*);$') end as sql
    from made
)
select 'refused', 'expected one expression and no more'
where (select count(*) from made) <> 1
   or $2::text = 'value' and not exists (select from made where tree like '{NULLTEST %')
union all
select 'refused', 'it reads rows of a query, and nobody would watch these' from made
where tree ~ '\{SUBLINK ' or (select count(*) from regexp_matches(tree, '\{RTE ', 'g')) > case when rule is null then 0 else 3 end
union all
select 'refused', 'expected what stands behind ORDER BY, and no other clause' from made
where rule is not null and (tree !~ ':limitOffset <> :limitCount <> ' or tree !~ ':rowMarks <> ' or tree !~ ':setOperations <> ')
union all
select 'refused', format('it calls %s, which is volatile: the document would change by itself', signature)
from called where provolatile = 'v'
union all
select 'refused', format('it calls %s, which is not immutable: it might read tables that nobody watches', signature)
from called where provolatile = 's' and pronamespace <> 'pg_catalog'::regnamespace
union all
select 'refused', format('it calls %s, whose result may change without any row of the table', signature)
from called
where provolatile = 's' and pronamespace = 'pg_catalog'::regnamespace
  and not (proname = 'age' and signature like '%,%')
  and proname !~ ('^(anytextcat|textanycat|array_to_(json|string)|concat(_ws)?|convert(_from|_to)?|date|date_(add|part|subtract|trunc)|'
                  '(date|timestamp|timestamptz)_(cmp|eq|ge|gt|le|lt|ne)_(date|timestamp|timestamptz)|enum_(first|last|range)|'
                  'extract|format|interval_pl_timestamptz|timestamptz_(mi|pl)_interval|jsonb?_build_(array|object)|'
                  'jsonb_path_(exists|match|query_array|query_first)_tz|jsonb?_to_tsvector|length|make_timestamptz|money|'
                  'numeric|overlaps|(phrase|plain|websearch_)?to_tsquery|quote_(literal|nullable)|row_to_json|time|'
                  'timestamp|timestamptz|timetz|timezone|to_(char|date|jsonb?|number|timestamp|tsvector)|ts_headline|xml|'
                  'xml_is_well_formed)$')
union all
select 'refused', 'the time, the user or the schema of a session is nothing that a table holds'
from made where tree like '%{SQLVALUEFUNCTION %'
union all
select 'refused', format('it makes %s of a text, which can mean another one tomorrow', name)
from types where not is_constant and ('D' in (typcategory, element_category) or 'R' in (typcategory, element_category)
                                      or coalesce(element, typname) like 'reg%')
union all
select 'refused', format('it names an object of the database (%s), which no row of the table holds', name)
from types where is_constant and coalesce(element, typname) like 'reg%' and coalesce(element, typname) <> 'regconfig'
union all
select 'refused', 'next to a date or a time, a word like now, today, tomorrow or yesterday, or a constant that is not written '
                  'plainly, would stand for the moment of setup'
where exists (select from types where is_constant and (typcategory in ('D', 'R', 'C') or element_category in ('D', 'R', 'C')))
  and $3::text ~* '(?:^|[^a-z])(?:now|today|tomorrow|yesterday)(?:[^a-z]|$)|\m(?:e|u&)''|''\s*\n\s*'''
union all
select 'refused', 'an aggregate, a window or a set has nothing to do in an order' from made
where tree ~ '\{(AGGREF|WINDOWFUNC) ' or tree ~ ':(funcretset|opretset) true'
union all
select 'refused', 'it reads whole rows; name the columns' from made where tree like '%:varattno 0 %'
union all
select 'column', number::text from read where number > 0
union all
select 'sql', sql from written
