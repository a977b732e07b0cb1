-- A plan (plan.h): the publication. $1: the watched tables' oids; none where messages announce. $2: which half of it to do
-- (before, after the identities are made; all). $3: its name.
--
-- What is of Postgres 15 (column lists, row filters, schemas) is looked at in a way that 14 understands.
with watched as (
    select distinct w.relation, format('%I.%I', n.nspname, c.relname) as name, c.relowner,
           format('%I', n.nspname) as schema, n.nspname, c.relname
    from unnest($1::oid[]) as w (relation)
    join pg_class c on c.oid = w.relation join pg_namespace n on n.oid = c.relnamespace
), publication as (
    select oid, pubname, pubowner, puballtables, pubinsert and pubupdate and pubdelete and pubtruncate and pubviaroot as is_whole
    from pg_publication where pubname = $3::name
), listed as (
    select r.prrelid, coalesce(to_jsonb(r) ->> 'prattrs', to_jsonb(r) ->> 'prqual') is not null as is_partial
    from pg_publication_rel r join publication on publication.oid = r.prpubid
), missing as (
    select * from watched w
    where exists (select from publication where not puballtables) and relation not in (select prrelid from listed)
      and not exists (select from pg_publication_tables t
                      where t.pubname = $3::name and t.schemaname = w.nspname and t.tablename = w.relname)
), partial as (
    select w.* from watched w join listed on prrelid = relation where is_partial
), changes as (
    select not exists (select from publication) as makes, exists (select from missing union all select from partial)
               or exists (select from publication where not is_whole) as alters
)
select kind, body, why
from (
    select 'error' as kind, format('role %I may not make a publication: grant create on database %I to it, or run it as '
               'another role', current_user, current_database()) as body, null as why, 1 as place, null as name
    from changes where makes and not has_database_privilege(current_database(), 'create')
    union all
    select 'error', format('publication %I belongs to %I, and %I may not change it: run it as that role, or as a superuser',
               pubname, pg_get_userbyid(pubowner), current_user), null, 1, null
    from publication, changes where alters and not pg_has_role(pubowner, 'usage')
    union all
    select 'error', format('the owner of table %s has to publish it, and %I is not: run it as %I, or as a superuser', name,
               current_user, pg_get_userbyid(relowner)), null, 2, name
    from watched, changes where (makes or relation in (select relation from missing union all select relation from partial))
      and not pg_has_role(relowner, 'usage')
    union all
    select 'run', format('create publication %I%s with (publish = ''insert, update, delete, truncate'', '
               'publish_via_partition_root = true)', $3::name,
               ' for table ' || (select string_agg(name, ', ' order by name) from watched)),
           null, 3, null
    from changes where makes
    union all
    -- In one transaction: no change is missed in between.
    select 'run', format('begin; alter publication %I drop table %s; alter publication %I add table %s; commit', $3::name,
               name, $3::name, name),
           format('%s: the publication has a column list or a row filter, which would hide changes', name), 4, name
    from partial
    union all
    select 'run', format('alter publication %I set (publish = ''insert, update, delete, truncate'', '
               'publish_via_partition_root = true)', pubname), 'some of the changes are not published', 5, null
    from publication where not is_whole
    union all
    select 'run', format('alter publication %I add table %s', $3::name, name),
           format('%s: what changed before is not in the slot; a resync reads it', name), 7, name
    from missing
    union all
    select 'note', format('%s is published but not watched: alter publication %I drop table %s;', prrelid::regclass,
               $3::name, prrelid::regclass), null, 8, prrelid::regclass::text
    from listed where prrelid <> all ($1::oid[])
) as plan
-- Lists and filters go before an identity becomes FULL, which they would make updates fail with. What publishes more comes
-- after it: without an identity, updates would fail.
where $2::text in ('all', case when place in (1, 2, 4) then 'before' else 'after' end)
order by place, name
