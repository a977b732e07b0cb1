-- Findings (doctor.h): what documents of entity $3 read that nothing watches. $1: the watched tables (setup_watched.sql).
-- $2: the entities. $4: the fetch function's oid. To be asked in the transaction that has read a document: what it has
-- locked it has read.
with recursive channels as (
    select jsonb_array_elements_text(e -> 'channels') as channel from jsonb_array_elements($2::jsonb) as e
    where e ->> 'entity' = $3::text
), announced as (
    select w.relation as oid from jsonb_to_recordset($1::jsonb) as w (entity text, relation oid)
    where entity = $3::text and relation is not null
    union
    select t.tgrelid from pg_trigger t join pg_proc p on p.oid = t.tgfoid, channels
    where not t.tgisinternal and t.tgenabled in ('O', 'A')
      and (position(convert_to(channel, getdatabaseencoding()) || '\x00'::bytea in t.tgargs) > 0
           or position(quote_literal(channel) in p.prosrc) > 0)
), family(oid) as ( -- partitions, and what they are partitions of
    select oid from announced
    union
    select case when i.inhparent = f.oid then i.inhrelid else i.inhparent end
    from family f join pg_inherits i on f.oid in (i.inhparent, i.inhrelid)
), read as (
    select relation as oid from pg_locks
    where pid = pg_backend_pid() and locktype = 'relation'
      and database = (select oid from pg_database where datname = current_database())
    union
    select refobjid from pg_depend
    where classid = 'pg_proc'::regclass and objid = $4::oid and refclassid = 'pg_class'::regclass
), tables as (
    select c.oid, format('%I.%I', n.nspname, c.relname) as name, c.oid in (select oid from family) as is_watched
    from read join pg_class c using (oid) join pg_namespace n on n.oid = c.relnamespace
    where c.oid >= 16384 and c.relkind in ('r', 'p', 'f') and c.relpersistence <> 't'
)
select 'warning', 'reads',
       format('%s: documents read %s, which nothing watches: a change there is seen by the next resync only', $3::text, name),
       format('add {"table": %s, "column": "THE COLUMN WITH THE ID OF THE %s"} to "watch" of entity %s, then: {setup}; where no '
              'column has it, {"table": %s, "column": "ITS KEY", "maps": "select THE ID OF THE %s from ... where ITS KEY = any ($1)"}',
              to_json(name), upper($3::text), $3::text, to_json(name), upper($3::text))
from tables where not is_watched
union all
select 'ok', 'reads', format('%s: documents read %s, and all of it is watched', $3::text, string_agg(name, ', ' order by name)),
       null
from tables having bool_and(is_watched)
