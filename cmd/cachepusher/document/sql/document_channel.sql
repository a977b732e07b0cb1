-- The channel that the triggers of table $1 announce on for columns $2 (JSON, their names), where it is one for all
-- operations. A trigger's name is what cachepusher.trigger_name() makes; the schema may not be there yet.
with watched as (
    select 'cachepusher_' || operation || '_' as kind, array(select json_array_elements_text($2::json)::name) as names
    from unnest('{insert,update,truncate,delete}'::text[]) as operation
)
select min(announced)
from (
    select convert_from(substring(t.tgargs for length(t.tgargs) - 1), getdatabaseencoding()) as announced
    from watched
    join pg_trigger t on t.tgrelid = $1::oid and not t.tgisinternal and t.tgnargs = 1
     and t.tgname = kind || case when cardinality(names) > 1 then md5((''::name || names)::text)
                                 when octet_length(kind || names[1]) <= 63 and names[1] !~ '___|__.*__' then names[1]
                                 else md5(names::text) end
    join pg_proc p on p.oid = t.tgfoid and starts_with(p.prosrc, ' -- made by cachepusher.watch()')
) as found
having min(announced) = max(announced)
