-- A plan (plan.h): whether the tables that several entities watch by the same columns announce on one channel, as one set
-- of triggers does, and whether that is the one of the triggers that are there, where somebody else may listen to it. $1:
-- the watched tables (setup_watched.sql). $2: what other configurations have set up (setup_neighbours.sql).
--
-- A trigger's name is what cachepusher.trigger_name() makes; the schema may not be there yet.
with given as (
    select w.*, format('%I.%I', n.nspname, c.relname) as name,
           case when w.deleted <> '' and exists (
               select from pg_index i where i.indrelid = w.relation and i.indisprimary
                 and i.indnkeyatts = cardinality(w.attnums) and w.attnums @> (i.indkey::int2[])[0:i.indnkeyatts - 1])
               then w.deleted end as deletions
    from jsonb_to_recordset($1::jsonb) as w (place int8, entity text, relation oid, names name[], attnums int2[], channel text,
                                             deleted text)
    join pg_class c on c.oid = w.relation join pg_namespace n on n.oid = c.relnamespace
), family as (
    with recursive family as (
        select relation, relation as member from given
        union
        select relation, inhrelid from family join pg_inherits on inhparent = member
    )
    select * from family
), present as ( -- triggers
    select g.*, f.member, o.place as operation,
           case when o.operation = 'delete' then coalesce(g.deletions, g.channel) else g.channel end as wanted,
           convert_from(substring(t.tgargs for length(t.tgargs) - 1), getdatabaseencoding()) as announced
    from given g join family f using (relation)
    cross join unnest('{insert,update,truncate,delete}'::text[]) with ordinality as o (operation, place)
    cross join lateral (select 'cachepusher_' || o.operation || '_' as kind) as k
    join pg_trigger t on t.tgrelid = f.member and not t.tgisinternal and t.tgnargs = 1
     and t.tgname = k.kind || case when cardinality(g.names) > 1 then md5((''::name || g.names)::text)
                                   when octet_length(k.kind || g.names[1]) <= 63 and g.names[1] !~ '___|__.*__' then g.names[1]
                                   else md5(g.names::text) end
    join pg_proc p on p.oid = t.tgfoid and starts_with(p.prosrc, ' -- made by cachepusher.watch()')
), neighbours as (
    select document, relation, names from jsonb_to_recordset($2::jsonb) as n (document text, relation oid, names name[])
)
select 'error', message, null
from (
    select format('entity %s and entity %s watch %s (%s), of which there is one set of triggers, but it would announce on %s for '
               'one and on %s for the other: give both watches the same "channel"', a.entity, b.entity, a.name,
               array_to_string(a.names, ', '), concat_ws(' and ', a.channel, a.deletions),
               concat_ws(' and ', b.channel, b.deletions)) as message, 1 as place, a.place as first, b.place as second
    from given a join given b using (relation, names)
    where (a.channel, coalesce(a.deletions, '')) <> (b.channel, coalesce(b.deletions, '')) and a.place < b.place
    union all
    select format('the triggers of %s (%s) announce on %s, which %s, and this configuration would have them announce on '
               '%s: give its watch of that table and column "channel": %s, or run teardown first if nobody listens there any more',
               p.member::regclass, array_to_string(p.names, ', '), p.announced,
               coalesce((select 'document ' || min(n.document) || ' of another configuration needs' from neighbours n
                         where n.relation in (p.relation, p.member) and n.names = p.names),
                        'another configuration or a running daemon may listen to'),
               p.wanted, to_json(p.announced)), 2, p.place, p.operation
    from present p
    where p.announced <> p.wanted
      and (starts_with(p.announced, 'cachepusher:') or exists (
          select from neighbours n where n.relation in (p.relation, p.member) and n.names = p.names))
) as found
order by place, first, second limit 1
