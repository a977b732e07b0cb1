-- What has been made of a declared document, the last first. $1: the entity's name.
select d.digest, d.version, d.entity::text, d.entity ->> 'fetch_many',
       format('%s(%s[])', d.entity ->> 'fetch_many', d.entity ->> 'id_type') as signature,
       case when p.provolatile = 's' and p.proconfig is null and not p.prosecdef and l.lanname = 'sql' then p.prosrc end
from cachepusher.document d
left join pg_proc p on p.oid = to_regprocedure(format('%s(%s[])', d.entity ->> 'fetch_many', d.entity ->> 'id_type'))::oid
left join pg_language l on l.oid = p.prolang
where d.name = $1::text
order by d.made_at desc
