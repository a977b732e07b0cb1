-- A plan (plan.h): whether this server and role will do for the wal source. $1: announce (tables, messages). $2: slot.
select 'error', message, null
from (values
    (pg_is_in_recovery(), 'this server is a standby: run it on the primary'),
    (current_setting('server_version_num')::int < 140000,
     format('the wal source needs Postgres 14 or newer, and this is %s: use --source notify',
            current_setting('server_version'))),
    -- From 19 on, making a logical slot raises the effective level by itself, without a restart.
    (case when current_setting('server_version_num')::int >= 190000
          then current_setting('wal_level') = 'minimal' else current_setting('wal_level') <> 'logical' end,
     format('wal_level is %s, and the wal source needs logical: alter system set wal_level = ''logical''; then restart '
            'Postgres', current_setting('wal_level'))),
    (current_setting('max_wal_senders')::int = 0,
     'max_wal_senders is 0, and the wal source needs one: raise it and restart Postgres'),
    (not exists (select from pg_replication_slots where slot_name = $2::name)
     and (select count(*) from pg_replication_slots) >= current_setting('max_replication_slots')::int,
     format('no replication slot is free: all %s of max_replication_slots are in use; drop one (cachepusher slot lists '
            'those of retired syncers), or raise it and restart Postgres', current_setting('max_replication_slots')))
) as checks (fails, message)
where fails and $1::text is not null
limit 1
