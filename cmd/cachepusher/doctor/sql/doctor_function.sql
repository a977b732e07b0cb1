-- Findings (doctor.h) about a fetch function. $1: its name, as configured; $2: the entity; $3: the type it takes. Names are
-- looked up by the role's own search_path, which is why every name here has its schema.
--
-- A volatile function sees what has been committed since it began, statement by statement; the others see one moment.
with named as (
    select pg_catalog.to_regproc($1::pg_catalog.text)::pg_catalog.oid as oid,
           (pg_catalog.parse_ident($1::pg_catalog.text))[pg_catalog.cardinality(pg_catalog.parse_ident($1::pg_catalog.text))] as name
), function as (
    select p.provolatile, p.oid::pg_catalog.regprocedure as signature, p.prorettype, p.proretset,
           pg_catalog.has_function_privilege(p.oid, 'execute') as is_ours
    from named join pg_catalog.pg_proc p on p.oid operator(pg_catalog.=) named.oid
), others as (
    select pg_catalog.string_agg(p.oid::pg_catalog.regprocedure::pg_catalog.text, ', ' order by p.oid) as signatures,
           pg_catalog.min(pg_catalog.quote_ident(n.nspname)) filter (
               where not pg_catalog.has_schema_privilege(n.oid, 'usage')) as closed
    from named join pg_catalog.pg_proc p on p.proname operator(pg_catalog.=) named.name::pg_catalog.name
    join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) p.pronamespace
)
select case when is_ours then 'ok' else 'wrong' end, 'function',
       pg_catalog.format('%s: %s%s', $2::pg_catalog.text, signature,
                         case when not is_ours then pg_catalog.format(', which role %s may not execute', current_user) end),
       pg_catalog.format('grant execute on function %s to %I;', signature, current_user)
from function
union all
select case provolatile when 's' then 'ok' when 'v' then 'warning' else 'wrong' end, 'volatility',
       pg_catalog.format('%s: %s is %s', $2::pg_catalog.text, signature,
                         case provolatile when 's' then 'stable'
                              when 'v' then 'volatile: its queries each see another moment, and it cannot be inlined'
                              else 'immutable: Postgres may answer with what the tables held when it planned' end),
       pg_catalog.format('alter function %s stable;', signature)
from function
union all
select 'wrong', 'function',
       pg_catalog.format('%s: there is no function %s that role %s can see%s', $2::pg_catalog.text, $1::pg_catalog.text, current_user,
                         '; there is ' operator(pg_catalog.||) signatures),
       case when closed is not null then pg_catalog.format('grant usage on schema %s to %I;', closed, current_user)
            when signatures is not null then 'correct "fetch" or "fetch_many" in the configuration, or the role''s search_path'
            else pg_catalog.format('create it: create function %s(%s) ...; for the customer example: psql -f db/cachepusher.sql -f '
                                   'db/schema.sql', $1::pg_catalog.text, $3::pg_catalog.text) end
from named cross join others
where named.oid is null
  and not exists (select from pg_catalog.pg_proc p where p.proname operator(pg_catalog.=) named.name::pg_catalog.name
                  and pg_catalog.pg_function_is_visible(p.oid))
