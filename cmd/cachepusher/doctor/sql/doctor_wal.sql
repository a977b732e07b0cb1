-- Findings (doctor.h) about what the wal source needs of the server. $1: the slot. $2: megabytes of log it may retain. $3:
-- whether the source is wal at all: else only slots that nobody reads are looked at.
with slots as (
    select s.slot_name::text as name, s.slot_name = $1::name and $3::boolean as is_ours, s.active, s.active_pid, s.plugin,
           s.database, s.wal_status, coalesce((to_jsonb(s) ->> 'conflicting')::boolean, false)
               or to_jsonb(s) ->> 'invalidation_reason' is not null as is_invalid,
           pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn)::int8 as retained
    from pg_replication_slots s where s.slot_name = $1::name or starts_with(s.slot_name::text, 'cachepusher_')
), judged as (
    select slots.*, format('select pg_catalog.pg_drop_replication_slot(%L);', name) as drops,
           retained > $2::int8 * 1024 * 1024 as is_long
    from slots
), settings as (
    select current_setting('server_version_num')::int as version, current_setting('wal_level') as level,
           current_setting('max_wal_senders')::int - (select count(*) from pg_stat_replication) as senders,
           current_setting('max_replication_slots')::int - (select count(*) from pg_replication_slots) as slots
)
select verdict, point, message, cure
from (
    select 1 as place, case when level = 'logical' or version >= 190000 and level <> 'minimal' then 'ok' else 'wrong' end as verdict,
           'wal_level' as point,
           format('it is %s%s', level, case when level <> 'logical' then ', and the wal source needs logical' end) as message,
           'alter system set wal_level = ''logical''; then restart Postgres' as cure
    from settings where $3::boolean
    union all
    select 2, 'wrong', 'version', format('the wal source needs Postgres 14 or newer, and this is %s',
                                         current_setting('server_version')), 'have --source notify'
    from settings where $3::boolean and version < 140000
    union all
    select 3, case when rolsuper or rolreplication then 'ok' else 'wrong' end, 'role',
           format('%s %s', rolname, case when rolsuper or rolreplication then 'may replicate' else 'may not replicate' end),
           format('alter role %I with replication;', rolname)
    from pg_roles where rolname = current_user and $3::boolean
    union all
    select 4, case when senders > 0 or exists (select from slots where is_ours and active) then 'ok' else 'wrong' end, 'senders',
           format('%s of max_wal_senders are free', greatest(senders, 0)),
           format('alter system set max_wal_senders = %s; then restart Postgres', current_setting('max_wal_senders')::int + 2)
    from settings where $3::boolean
    union all
    select 5, 'wrong', 'slot', format('%s is not there, and none is free: all %s of max_replication_slots are in use', $1::text,
                                      current_setting('max_replication_slots')),
           format('cachepusher slot lists those of retired syncers; or: alter system set max_replication_slots = %s; then '
                  'restart Postgres', current_setting('max_replication_slots')::int + 2)
    from settings where $3::boolean and slots <= 0 and not exists (select from slots where is_ours)
    union all
    select 5, 'warning', 'slot', format('%s is not there yet: the first start makes it, once all transactions that write have '
                                        'ended', $1::text), '{setup}'
    from settings where $3::boolean and slots > 0 and not exists (select from slots where is_ours)
    union all
    select 5, case when plugin is distinct from 'pgoutput' or database <> current_database() or is_invalid or wal_status = 'lost'
                   then 'wrong' when is_long then 'warning' else 'ok' end, 'slot',
           format('%s %s', name,
                  case when plugin is distinct from 'pgoutput' then 'is not a logical one of plugin pgoutput'
                       when database <> current_database() then 'is of another database, ' || database
                       when is_invalid or wal_status = 'lost' then 'is lost: what it should have kept is gone'
                       when is_long then format('retains %s of write-ahead log, more than source_retained_mb%s',
                                                pg_size_pretty(retained), case when not active then ', and nobody reads it' end)
                       when active then format('is read by process %s, and retains %s', active_pid, pg_size_pretty(retained))
                       else format('is there, and retains %s; nobody reads it at present', pg_size_pretty(retained)) end),
           case when plugin is distinct from 'pgoutput' or database <> current_database()
                then 'give source_slot another name: --set source_slot=cachepusher_OTHER'
                when is_long then 'start cachepusher run, or if nothing is to go on with it: ' || drops
                else '{setup}' end
    from judged where is_ours
    union all
    select 6, 'warning', 'other slots',
           format('nobody reads %s, which retains %s of write-ahead log', name, coalesce(pg_size_pretty(retained), 'none')),
           'if its cachepusher has retired: ' || drops
    from judged where not is_ours and not active and database = current_database()
) as found
order by place, message
