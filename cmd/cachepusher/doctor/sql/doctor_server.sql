-- Findings (doctor.h) about the server and the role. $1: connections that a daemon needs. $2: whether triggers announce.
-- $3: the entities.
with connections as (
    select least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
                     - (select count(*) from pg_stat_activity where backend_type = 'client backend'),
                 (select nullif(datconnlimit, -1) - numbackends from pg_database d join pg_stat_database s on s.datid = d.oid
                  where d.datname = current_database()),
                 (select nullif(rolconnlimit, -1) - (select count(*) from pg_stat_activity where usename = rolname)
                  from pg_roles where rolname = current_user)) as free
), texts as (
    select string_agg(e ->> 'entity', ', ') as entities from jsonb_array_elements($3::jsonb) as e where e ->> 'id_type' = 'text'
)
select verdict, point, message, cure
from (
    select 1 as place, 'ok' as verdict, 'version' as point,
           format('Postgres %s, database %s, role %s%s', current_setting('server_version'), current_database(), current_user,
                  case when inet_server_addr() is not null
                       then format(', at %s:%s', host(inet_server_addr()), inet_server_port()) end) as message,
           null as cure
    union all
    select 2, 'ok', 'standby', 'this is a primary', null
    union all
    select 3, case when free >= $1::int then 'ok' else 'warning' end, 'connections',
           format('%s are free, and a daemon needs %s', greatest(free, 0), $1::int),
           'have fewer --threads, or: alter system set max_connections = ' || current_setting('max_connections')::int + $1::int
               || '; then restart Postgres (or raise the limit of the role or database)'
    from connections
    union all
    select 4, 'warning', 'encoding',
           format('the database''s encoding is %s: a text id that UTF-8 cannot spell would keep its neighbours from being '
                  'listed (%s)', current_setting('server_encoding'), entities),
           'createdb --encoding UTF8 --template template0 NAME, and restore a dump into it'
    from texts where entities is not null and current_setting('server_encoding') not in ('UTF8', 'SQL_ASCII')
    union all
    select 5, 'warning', 'two-phase',
           format('max_prepared_transactions is %s, and no transaction that has fired a trigger of cachepusher can be prepared',
                  current_setting('max_prepared_transactions')),
           'if nothing uses PREPARE TRANSACTION: alter system set max_prepared_transactions = 0; then restart Postgres'
    where $2::boolean and current_setting('max_prepared_transactions')::int > 0
    union all
    select 6, case when usage < 0.25 then 'ok' else 'warning' end, 'queue',
           format('the notification queue is %s %% full%s', round((100 * usage)::numeric, 1),
                  case when usage >= 0.25 then ': a session listens and does not read, or its transaction does not end; once '
                       'it is full, the application''s commits fail' end),
           'end what holds it up: select pid, usename, application_name, xact_start from pg_stat_activity where xact_start '
           'is not null order by xact_start limit 3;'
    from pg_notification_queue_usage() as usage
) as found
order by place
