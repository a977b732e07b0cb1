-- A plan (plan.h): where an update or a delete would not tell the old id, what makes it. $1: the watched tables
-- (setup_watched.sql). $2: the publication.
--
-- Of a partitioned table each leaf has an identity of its own, which counts; what the root says is what pgoutput reports.
with watched as (
    select relation, array_agg(distinct attnum) as columns
    from jsonb_to_recordset($1::jsonb) as w (relation oid, attnums int2[]), unnest(attnums) as attnum group by relation
), members as (
    select w.relation, t.relid::oid as member, w.columns as root_columns
    from watched w, lateral (select relid, isleaf, level from pg_partition_tree(w.relation::regclass)
                             union all select w.relation::regclass, true, 0
                             where not exists (select from pg_partition_tree(w.relation::regclass))) as t
    where t.isleaf or t.level = 0
), tables as ( -- a column's number need not be the same in a partition
    select c.oid, format('%I.%I', n.nspname, c.relname) as name, c.relreplident, c.relowner, m.columns
    from (select member, array_agg(distinct own.attnum) as columns
          from members, unnest(root_columns) as root (attnum)
          join lateral (select leaf.attnum from pg_attribute a join pg_attribute leaf on leaf.attname = a.attname
                        where a.attrelid = relation and a.attnum = root.attnum and leaf.attrelid = member
                          and leaf.attnum > 0 and not leaf.attisdropped) as own on true
          group by member) as m
    join pg_class c on c.oid = m.member join pg_namespace n on n.oid = c.relnamespace
), indexes as (
    select i.indrelid, i.indexrelid, i.indisprimary, i.indisreplident, i.indnkeyatts,
           (select array_agg(k) from unnest((i.indkey::int2[])[0:i.indnkeyatts - 1]) as k) as columns
    from pg_index i join tables on tables.oid = i.indrelid
    where i.indisunique and i.indimmediate and i.indisvalid and i.indpred is null and i.indexprs is null
), judged as (
    select t.*,
           t.relreplident = 'f' or exists (
               select from indexes i where i.indrelid = t.oid and i.columns @> t.columns
                 and case t.relreplident when 'd' then i.indisprimary when 'i' then i.indisreplident end) as is_right,
           best.relname as best, best.indisprimary as best_is_primary,
           (select string_agg(format('%I', attname), ', ' order by attnum) from pg_attribute
            where attrelid = t.oid and attnum = any (t.columns)) as column_names
    from tables t
    left join lateral (
        select c.relname, i.indisprimary from indexes i join pg_class c on c.oid = i.indexrelid
        where i.indrelid = t.oid and i.columns @> t.columns
          and not exists (select from pg_attribute a where a.attrelid = t.oid and a.attnum = any (i.columns)
                          and (not a.attnotnull or a.attgenerated <> ''))
        order by i.indisprimary desc, i.indnkeyatts, i.indexrelid limit 1
    ) as best on true
), others as ( -- publications whose column list or row filter (Postgres 15) hangs on the identity that is there
    select j.oid, min(format('%I', p.pubname)) as publication
    from judged j join pg_publication_rel r on r.prrelid = j.oid
        or r.prrelid in (select relid from pg_partition_ancestors(j.oid::regclass))
    join pg_publication p on p.oid = r.prpubid
    where p.pubname <> $2::name and coalesce(to_jsonb(r) ->> 'prattrs', to_jsonb(r) ->> 'prqual') is not null
    group by j.oid
)
select kind, body, why
from (
    select 'error' as kind, format('the owner of table %s has to set its replica identity, and %I is not: run it as %I, or '
               'as a superuser', name, current_user, pg_get_userbyid(relowner)) as body, null as why, 1 as place, name
    from judged where not is_right and not pg_has_role(relowner, 'usage')
    union all
    select 'error', format('publication %s has a column list or row filter for table %s: with the replica identity that is '
               'needed here, updates of the table could fail; take it away, or have source_announce messages',
               publication, name), null, 2, name
    from judged join others using (oid) where not is_right
    union all
    -- From 18 on, such a table's updates and deletes would fail.
    select 'error', format('table %s has a generated column, and no unique index of columns that are not null has %s: '
               'with replica identity full its updates would fail; make such an index, or have source_announce messages',
               name, column_names), null, 3, name
    from judged
    where (not is_right and best is null or relreplident = 'f') and current_setting('server_version_num')::int >= 180000
      and exists (select from pg_attribute a where a.attrelid = judged.oid and a.attgenerated <> '')
    union all
    select 'run', case when best is null then format('alter table only %s replica identity full', name)
                       when best_is_primary then format('alter table only %s replica identity default', name)
                       else format('alter table only %s replica identity using index %I', name, best) end,
           case when best is null
                then format('%s: no unique index of columns that are not null has %s, so each update and delete will log '
                            'the whole old row', name, column_names)
                else format('%s: an update or delete has to tell the old %s', name, column_names) end, 4, name
    from judged where not is_right
) as plan
order by place, name
