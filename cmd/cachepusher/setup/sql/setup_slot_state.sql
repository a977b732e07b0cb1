-- One JSON object: the slot called $1 and those of retired syncers. $2: the source that is configured.
with slots as (
    select s.slot_name::text as name, s.slot_name = $1::name as is_ours, s.active, s.plugin, s.database, s.wal_status,
           s.safe_wal_size, r.application_name, s.active_pid,
           pg_wal_lsn_diff(here.lsn, s.restart_lsn)::int8 as retained, pg_wal_lsn_diff(here.lsn, s.confirmed_flush_lsn)::int8 as lag,
           coalesce(to_jsonb(s) ->> 'invalidation_reason',
                    case when (to_jsonb(s) ->> 'conflicting')::boolean then 'conflict' end) as invalidation
    from pg_replication_slots s left join pg_stat_replication r on r.pid = s.active_pid,
        (select case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end as lsn) as here
    where s.slot_name = $1::name or starts_with(s.slot_name::text, 'cachepusher_') and not s.active
), problems as (
    select case when plugin is distinct from 'pgoutput' then 'it is not a logical slot of plugin pgoutput'
                when database <> current_database() then format('it is of another database (%s)', database)
                when invalidation <> 'wal_removed' then format('it is invalid (%s)', invalidation)
                when wal_status = 'lost' then 'it is lost: WAL that it needs has been removed' end as problem
    from slots where is_ours
    union all
    select 'it does not exist' where $2::text = 'wal' and not exists (select from slots where is_ours)
), printed as (
    select is_ours, json_build_object('name', name, 'active', active, 'pid', active_pid, 'application', application_name,
               'plugin', plugin, 'database', database, 'wal_status', wal_status, 'retained_bytes', retained,
               'lag_bytes', lag, 'safe_wal_size', safe_wal_size, 'invalidation_reason', invalidation) as json,
           format(E'%s: %s, %s\n  plugin %s, database %s\n  retained WAL %s, lag %s%s\n', name,
               case when active then format('active (process %s%s)', active_pid,
                                            ', ' || nullif(application_name, '')) else 'inactive' end,
               wal_status, plugin, database, coalesce(pg_size_pretty(retained), 'unknown'),
               coalesce(pg_size_pretty(lag), 'unknown'), ', lost after another ' || pg_size_pretty(safe_wal_size)) as text,
           format(E'warning: %s is inactive and retains %s of WAL; if its syncer has retired:\n'
               '  select pg_catalog.pg_drop_replication_slot(%L);\n', name,
               coalesce(pg_size_pretty(retained), 'none'), name) as warning
    from slots
)
select (select problem from problems where problem is not null limit 1),
       json_build_object('slot', (select json from printed where is_ours),
                         'problem', (select problem from problems where problem is not null limit 1),
                         'inactive', (select coalesce(json_agg(json), '[]') from printed where not is_ours)),
       concat((select text from printed where is_ours),
              case when $2::text = 'notify' and not exists (select from slots where is_ours)
                   then format(E'%s: there is no such slot, and the notify source needs none\n', $1::name) end,
              (select string_agg(warning, '') from printed where not is_ours))
