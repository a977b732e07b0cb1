-- A plan (plan.h) that takes away what setup makes, for either source. $1: the watched tables
-- (setup_watched.sql). $2: the slot. $3: the publication. $4: what other configurations have set up
-- (setup_neighbours.sql), which keep the triggers that they need, and the schema.
--
-- A trigger's name is what cachepusher.trigger_name() makes; the schema may be gone already.
with slot as (
    select * from pg_replication_slots
    where slot_name = $2::name and plugin = 'pgoutput' and database = current_database()
), watched as (
    select relation, names from jsonb_to_recordset($1::jsonb) as w (relation oid, names name[])
), neighbours as (
    select document, relation, names from jsonb_to_recordset($4::jsonb) as n (document text, relation oid, names name[])
), columns as (
    select w.relation, w.names, w.document, k.kind || case when cardinality(names) > 1 then md5((''::name || names)::text)
                                      when octet_length(k.kind || names[1]) <= 63 and names[1] !~ '___|__.*__' then names[1]
                                      else md5(names::text) end as trigger
    from (select relation, names, null as document from watched union all
          select relation, names, document from neighbours where relation is not null) as w, unnest('{cachepusher_insert_,cachepusher_update_,cachepusher_delete_,cachepusher_truncate_}'::text[]) as k (kind)
), made as (
    select p.oid, p.proowner from pg_proc p where starts_with(p.prosrc, ' -- made by cachepusher.watch()')
), used as (
    select made.*, columns.* from columns join pg_trigger t on t.tgrelid = columns.relation and t.tgname = columns.trigger
    join made on made.oid = t.tgfoid
), shared as (
    select distinct on (u.oid, n.document) u.oid, u.relation, u.names, n.document
    from used u join used n on n.oid = u.oid and n.document is not null where u.document is null
    order by u.oid, n.document, u.relation
), ours as (
    select distinct oid, proowner from used where document is null and oid not in (select oid from shared)
), schema as (
    select coalesce(obj_description(oid, 'pg_namespace') ~ '^cachepusher\.sql [0-9a-f]{32}$', false) as is_ours
    from pg_namespace where nspname = 'cachepusher' and pg_has_role(nspowner, 'usage')
), left_over as ( -- what the schema stays for
    select format('document %s is in it', document) as what, 1 as place from neighbours
    union
    select 'it was loaded by hand; if nothing else needs it: drop schema cachepusher cascade;', 3
    from schema where not is_ours
    union
    select format('function %s is of watch()', oid::regprocedure), 2 from made where oid not in (select oid from ours)
), members as (
    select distinct m.relid::oid as member
    from watched as w,
        lateral (select relid from pg_partition_tree(w.relation::regclass) union select w.relation) as m
)
select kind, body, why
from (
    select 'error' as kind, format('replication slot %I is in use by %s: stop it first', slot_name,
               coalesce((select format('%s, process %s of role %s', coalesce(nullif(application_name, ''), 'an application'),
                                       pid, usename) from pg_stat_replication where pid = active_pid),
                        'process ' || active_pid)) as body, null as why, 1 as place
    from slot where active
    union all
    select 'error', format('role %I may not drop a replication slot: alter role %I with replication, or run it as another '
               'role', current_user, current_user), null, 1
    from slot where not exists (select from pg_roles where rolname = current_user and (rolsuper or rolreplication))
    union all
    select 'error', format('publication %I belongs to %I: run it as that role, or as a superuser', pubname,
               pg_get_userbyid(pubowner)), null, 1
    from pg_publication where pubname = $3::name and not pg_has_role(pubowner, 'usage')
    union all
    select 'error', format('function %s belongs to %I: run it as that role, or as a superuser', oid::regprocedure,
               pg_get_userbyid(proowner)), null, 1
    from ours where not pg_has_role(proowner, 'usage')
    union all
    select 'run', format('select pg_catalog.pg_drop_replication_slot(%L)', slot_name), null, 2 from slot
    union all
    select 'run', format('drop publication %I', pubname), null, 3 from pg_publication where pubname = $3::name
    union all
    select 'run', format('drop function %s cascade', oid::regprocedure), null, 4 from ours
    union all
    select 'run', 'drop schema cachepusher cascade', null, 5 from schema where not exists (select from left_over)
    union all
    select 'note', format('schema cachepusher stays: %s%s', (select what from left_over order by place, what limit 1),
               case when n > 1 then format(', and %s more', n - 1) else '' end), null, 6
    from schema, (select count(*) as n from left_over) as c where n > 0
    union all
    select 'note', format('the triggers of %s (%s) stay: document %s is made of it, which another configuration declares; '
               'if none does any more: delete from cachepusher.document where name = %L;', relation::regclass,
               array_to_string(names, ', '), document, document), null, 6
    from shared
    union all
    -- Nobody notes whose wish it was.
    select 'note', format('table %s keeps its replica identity (%s); if nothing else needs it: alter table only %s replica '
               'identity default;', member::regclass, case relreplident when 'f' then 'full' else 'an index' end,
               member::regclass), null, 6
    from members join pg_class on pg_class.oid = member where relreplident in ('f', 'i')
) as plan
order by place, body
