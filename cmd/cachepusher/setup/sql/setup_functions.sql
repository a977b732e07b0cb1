-- A plan (plan.h): schema cachepusher. $1: the text of db/cachepusher.sql, which leaves its checksum as a comment.
with schema as (
    select to_regnamespace('cachepusher')::oid as oid
), is_due as (
    select oid from schema
    where split_part(obj_description(oid, 'pg_namespace'), ',', 1)
          is distinct from substring($1::text from 'cachepusher\.sql [0-9a-f]{32}')
)
select kind, body, why
from (
    select 'error' as kind, format('role %I may not make schema cachepusher: grant create on database %I to it, or run it as '
               'another role', current_user, current_database()) as body, null as why, 1 as place
    from is_due where oid is null and not has_database_privilege(current_database(), 'create')
    union all
    select 'error', format('schema cachepusher belongs to %I, and %I may not bring it up to date: run it as that role, or as '
               'a superuser', pg_get_userbyid(nspowner), current_user), null, 1
    from is_due join pg_namespace n using (oid) where not pg_has_role(nspowner, 'usage')
    union all
    select 'load', null, case when oid is null then 'schema cachepusher is missing'
                              else 'schema cachepusher is of another version' end, 2
    from is_due
) as plan
order by place
