-- A plan (plan.h): the replication slot. $1: its name.
with slot as (
    select *, to_jsonb(s) as all_of_it from pg_replication_slots s where slot_name = $1::name
), judged as (
    select slot.*, wal_status = 'lost' or coalesce((all_of_it ->> 'conflicting')::boolean, false)
                   or all_of_it ->> 'invalidation_reason' is not null as is_lost
    from slot
)
select kind, body, why
from (
    select 'error' as kind, format('replication slot %I is there already, and is %s: drop it, or set source_slot to another '
               'name', slot_name,
               case when slot_type <> 'logical' then 'a physical one' when plugin <> 'pgoutput'
                    then 'of plugin ' || quote_ident(plugin)
                    when database <> current_database() then 'of database ' || quote_ident(database)
                    when temporary then 'a temporary one' else 'made for two-phase commit (two_phase)' end) as body,
           null as why, 1 as place
    from slot
    where (slot_type = 'logical' and plugin = 'pgoutput' and database = current_database() and not temporary
           and not two_phase) is not true
    union all
    select 'error', format('role %I may not make a replication slot: alter role %I with replication, or run it as another '
               'role', current_user, current_user), null, 2
    where not exists (select from judged where not is_lost)
      and not exists (select from pg_roles where rolname = current_user and (rolsuper or rolreplication))
    union all
    select 'run', format('select pg_catalog.pg_drop_replication_slot(%L)', slot_name),
           'the slot is lost: what it should have kept is gone', 3
    from judged where is_lost
    union all
    select 'wait', format('select pg_catalog.pg_create_logical_replication_slot(%L, ''pgoutput'', false, false%s)', $1::name,
               case when current_setting('server_version_num')::int >= 170000 then ', failover => true' end),
           'waits until the transactions that write now have ended, for a minute at most', 4
    where not exists (select from judged where not is_lost)
) as plan
order by place
