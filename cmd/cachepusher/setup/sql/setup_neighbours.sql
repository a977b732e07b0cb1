-- What other configurations have set up: the documents in cachepusher.document that this one does not declare. $1: the names
-- that it does, as JSON. One row: JSON, an array of objects, one for each of these documents and each table and columns that
-- it watches, or without a table where it watches none.
select coalesce(jsonb_agg(jsonb_build_object('document', name, 'relation', relation, 'names', names)), '[]')
from (
    select distinct d.name, to_regclass(w.value ->> 'table')::oid as relation, c.names
    from cachepusher.document d
    left join lateral jsonb_array_elements(d.entity::jsonb -> 'watch') as w (value) on true
    left join lateral (
        select array_agg((parse_ident(k.name))[1]::name order by k.place) as names
        from jsonb_array_elements_text(case when jsonb_typeof(w.value -> 'column') = 'array' then w.value -> 'column'
                                            else jsonb_build_array(w.value -> 'column') end) with ordinality as k (name, place)
    ) as c on true
    where not $1::jsonb ? d.name
) as watched
