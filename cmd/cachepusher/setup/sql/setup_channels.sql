-- A plan (plan.h): whether the tables that several entities watch by the same columns announce on one channel, as one set
-- of triggers does. $1: the watched tables (setup_watched.sql).
with given as (
    select w.*, format('%I.%I', n.nspname, c.relname) as name,
           concat_ws(' and ', w.channel, case when exists (
               select from pg_index i where i.indrelid = w.relation and i.indisprimary
                 and i.indnkeyatts = cardinality(w.attnums) and w.attnums @> (i.indkey::int2[])[0:i.indnkeyatts - 1])
               then nullif(w.deleted, '') end) as channels
    from jsonb_to_recordset($1::jsonb) as w (place int8, entity text, relation oid, names name[], attnums int2[], channel text,
                                             deleted text)
    join pg_class c on c.oid = w.relation join pg_namespace n on n.oid = c.relnamespace
)
select 'error', format('entity %s and entity %s watch %s (%s), of which there is one set of triggers, but it would announce on '
           '%s for one and on %s for the other: give both watches the same "channel"', a.entity, b.entity, a.name,
           array_to_string(a.names, ', '), a.channels, b.channels), null
from given a join given b using (relation, names)
where a.channels <> b.channels and a.place < b.place
order by a.place, b.place limit 1
