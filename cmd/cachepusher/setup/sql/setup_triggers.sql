-- A plan (plan.h): the triggers of watch(). $1, $2: the watched tables' oids and columns (attnum), in pairs; $3, $4: the
-- channels of each pair's entity for changes and, or '', for deleted documents. $5: announce (notify, message). What is
-- there is compared with the sources that schema cachepusher has, so that has to be right before.
--
-- The second channel is for documents that are gone: rows of a table whose primary key is the watched column alone.
with watched as (
    select distinct w.relation, a.attname, c.relowner, format('%I.%I', n.nspname, c.relname) as name, w.channel,
           case when w.deleted <> '' and exists (select from pg_index i where i.indrelid = w.relation and i.indisprimary
                                                   and i.indnkeyatts = 1 and i.indkey[0] = w.attnum)
                then w.deleted else w.channel end as deleted
    from unnest($1::oid[], $2::int2[], $3::text[], $4::text[]) as w (relation, attnum, channel, deleted)
    join pg_class c on c.oid = w.relation join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = w.relation and a.attnum = w.attnum
), family as (
    with recursive family as (
        select relation, relation as member from watched
        union
        select relation, inhrelid from family join pg_inherits on inhparent = member
    )
    select family.*, relkind from family join pg_class on pg_class.oid = member where relkind in ('r', 'p')
), expected as (
    select w.*, f.member, f.relkind, o.operation,
           cachepusher.made_name('cachepusher_' || o.operation || '_', w.attname) as trigger,
           case o.operation when 'delete' then w.deleted else w.channel end as wanted
    from watched w join family f using (relation), unnest('{insert,update,delete,truncate}'::text[]) as o (operation)
), judged as (
    select e.*, t.tgenabled, t.is_right, coalesce(t.is_right, false) or for_rows and relkind = 'p' and operation <> 'truncate'
               as is_fine
    from (select e.*, exists (select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
                              where t.tgrelid = any (array(select f.member from family f where f.relation = e.relation))
                                and t.tgname = e.trigger and p.prosrc = cachepusher.row_source(e.attname, $5::text))
                     as for_rows
          from expected e) as e
    left join lateral (
        select t.tgenabled, t.tgargs = convert_to(e.wanted, getdatabaseencoding()) || decode('00', 'hex')
                   and t.tgqual is null and t.tgattr = ''
                   and p.prosrc in (cachepusher.statement_source(e.attname, $5::text),
                                    cachepusher.row_source(e.attname, $5::text)) as is_right
        from pg_trigger t join pg_proc p on p.oid = t.tgfoid where t.tgrelid = e.member and t.tgname = e.trigger
    ) as t on true
)
select kind, body, why
from (
    select 'error' as kind, format('%s.%I is watched for entities with different channels: have them share one', name, attname)
               as body, null as why, 1 as place, name
    from watched group by name, attname having count(*) > 1
    union all
    select 'error', format('the owner of table %s has to make its triggers, and %I is not: run it as %I, or as a superuser',
               name, current_user, pg_get_userbyid(relowner)), null, 2, name
    from judged where not is_fine and not pg_has_role(relowner, 'usage')
    union all
    select distinct 'run', format('select cachepusher.watch(%L, %L, %L%s, announce => %L)', name, attname, channel,
               case when deleted <> channel then format(', %L', deleted) end, $5::text), null, 3, name
    from judged where not is_fine
    union all
    select distinct 'note', format('%s of %s is disabled: alter table %s enable trigger %I;', trigger, member::regclass,
               member::regclass, trigger), null, 4, name
    from judged where is_right and tgenabled = 'D'
) as plan
order by place, name, body
