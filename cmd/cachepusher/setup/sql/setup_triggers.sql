-- A plan (plan.h): the triggers of watch(). $1: the watched tables (setup_watched.sql). $2: announce (notify, message). What
-- is there is compared with the sources that schema cachepusher has, so that has to be right before.
--
-- Whatever is watched by the same columns shares one set of triggers: one channel (setup_channels.sql), and all that
-- anybody's documents read. Triggers that are there go on announcing what they do: another configuration may need it, or a
-- daemon that has not been restarted.
-- The second channel is for documents that are gone: rows of a table whose primary key is the watched columns alone.
with given as (
    select w.*, c.relowner, format('%I.%I', n.nspname, c.relname) as name,
           case when w.deleted <> '' and exists (select from pg_index i where i.indrelid = w.relation and i.indisprimary
                                                   and i.indnkeyatts = cardinality(w.attnums)
                                                   and w.attnums @> (i.indkey::int2[])[0:i.indnkeyatts - 1])
                then w.deleted else w.channel end as deletions
    from jsonb_to_recordset($1::jsonb) as w (place int8, entity text, relation oid, names name[], attnums int2[],
                                             read_attnums int2[], channel text, deleted text)
    join pg_class c on c.oid = w.relation join pg_namespace n on n.oid = c.relnamespace
), watched as (
    select relation, names, relowner, name, min(channel) as channel, min(deletions) as deleted,
           case when bool_and(read_attnums is not null) then cachepusher.read_columns(names, array(
               select a.attname from given g, unnest(g.read_attnums) as r (attnum)
               join pg_attribute a on a.attnum = r.attnum
               where g.relation = given.relation and g.names = given.names and a.attrelid = given.relation)) end as needed,
           (select string_agg(format('%I', k.name), ', ' order by k.place)
            from unnest(names) with ordinality as k (name, place)) as shown,
           array(select cachepusher.trigger_name(o.operation, names)
                 from unnest('{insert,update,delete,truncate}'::text[]) as o (operation)) as triggers
    from given group by relation, names, relowner, name
), family as (
    with recursive family as (
        select relation, relation as member from watched
        union
        select relation, inhrelid from family join pg_inherits on inhparent = member
    )
    select family.*, relkind from family join pg_class on pg_class.oid = member where relkind in ('r', 'p')
), there as ( -- trigger functions
    select distinct w.relation, w.names, cachepusher.made_reads(p.prosrc) as reads
    from watched w join family f using (relation)
    join pg_trigger t on t.tgrelid = f.member and not t.tgisinternal and t.tgname = any (w.triggers)
    join pg_proc p on p.oid = t.tgfoid and starts_with(p.prosrc, ' -- made by cachepusher.watch()')
), wanted as (
    select w.*, case when w.needed is not null and not exists (
               select from there t where t.relation = w.relation and t.names = w.names and t.reads is null)
           then cachepusher.read_columns(w.names, w.needed || array(
               select a.attname from there t, unnest(t.reads) as r (name)
               join pg_attribute a on a.attname = r.name and a.attnum > 0 and not a.attisdropped
               where t.relation = w.relation and t.names = w.names and a.attrelid = w.relation)) end as reads
    from watched w
), sources as (
    select relation, names, cachepusher.statement_source(names, reads, $2::text) as for_statements,
           cachepusher.row_source(names, reads, $2::text) as for_rows
    from wanted
), expected as (
    select w.*, s.for_statements, s.for_rows, f.member, f.relkind, o.operation,
           cachepusher.trigger_name(o.operation, w.names) as trigger,
           case o.operation when 'delete' then w.deleted else w.channel end as wanted
    from wanted w join sources s using (relation, names) join family f using (relation),
        unnest('{insert,update,delete,truncate}'::text[]) as o (operation)
), judged as (
    select e.*, t.tgenabled, t.is_right, coalesce(t.is_right, false) or has_rows and relkind = 'p' and operation <> 'truncate'
               as is_fine
    from (select e.*, exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
                              where t.tgrelid = any (array(select f.member from family f where f.relation = e.relation))
                                and t.tgname = e.trigger and p.prosrc = e.for_rows) as has_rows
          from expected e) as e
    left join lateral (
        select t.tgenabled, t.tgargs = convert_to(e.wanted, getdatabaseencoding()) || decode('00', 'hex')
                   and t.tgqual is null and t.tgattr = '' and p.prosrc in (e.for_statements, e.for_rows) as is_right
        from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = e.member and t.tgname = e.trigger
    ) as t on true
)
select kind, body, why
from (
    select 'error' as kind, format('the owner of table %s has to make its triggers, and %I is not: run it as %I, or as a '
               'superuser', name, current_user, pg_get_userbyid(relowner)) as body, null as why, 2 as place, name
    from judged where not is_fine and not pg_has_role(relowner, 'usage')
    union all
    select distinct 'run', format('select cachepusher.watch(%L, %s, %L%s, announce => %L%s)', name,
               case when cardinality(names) = 1 then quote_literal(names[1]) else quote_literal(names) || '::name[]' end,
               channel, case when deleted <> channel then format(', %L', deleted) end, $2::text,
               ', reads => ' || quote_literal(reads)), null, 3, name
    from judged where not is_fine
    union all
    select distinct 'note', format('%s of %s is disabled: alter table %s enable trigger %I;', trigger, member::regclass,
               member::regclass, trigger), null, 4, name
    from judged where is_right and tgenabled = 'D'
    union all
    select 'note', format('the triggers of %s (%s) announce %s, which this configuration does not need: another one may, or a '
               'daemon that has not been restarted; when none does, teardown and setup begin anew', name, shown,
               case when reads is null then 'every update'
                    else 'updates of ' || (select string_agg(format('%I', r.name), ', ' order by r.name)
                                           from unnest(reads) as r (name) where r.name <> all (needed)) end), null, 4, name
    from wanted where needed is distinct from reads
) as plan
order by place, name, body
