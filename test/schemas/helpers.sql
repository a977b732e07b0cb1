-- helpers.sql: what the random writers of every schema use. In a schema of its own, so that generate does not find it.

create schema testing;

create function testing.below(n integer) returns integer
language sql volatile as $$ select floor(random() * n)::integer $$;

create function testing.chance(probability double precision) returns boolean
language sql volatile as $$ select random() < probability $$;

-- Texts that have to be escaped in JSON, are empty, or take several bytes a character.
create function testing.word() returns text
language sql volatile as $$
    select (array['plain', 'Ä "quoted" ß', E'tab\tand\nline', 'back\slash', '50 % : off', '', '😀 </b>', '{"a": [1]}'])
               [1 + testing.below(8)] || ' ' || testing.below(1000)
$$;

-- The columns, as SQL, of any row; null if there is none.
create function testing.pick(relation regclass, columns text) returns text
language plpgsql volatile as $$
declare
    picked text;
begin
    execute format('select (%s)::text from %s order by random() limit 1', columns, relation) into picked;
    return picked;
end
$$;

-- Now and then, holds the transaction open, so that others commit meanwhile.
create function testing.doze() returns void
language plpgsql volatile as $$
begin
    if testing.chance(0.2) then
        perform pg_sleep(0.002 + 0.01 * random());
    end if;
end
$$;

create function testing.seed(seed bigint) returns void
language sql volatile as $$ select setseed(hashint8(seed) / 2147483648.0) $$;

-- Now and then, deletes a tenth of the rows at once if there are more than this: writers may go on for long.
create function testing.prune(relation regclass, columns text, most bigint) returns void
language plpgsql volatile as $$
declare
    found_rows bigint;
begin
    if testing.chance(0.02) then
        execute format('select count(*) from %s', relation) into found_rows;
        if found_rows > most then
            execute format('delete from %1$s where (%2$s) in (select %2$s from %1$s order by random() limit %3$s)',
                           relation, columns, found_rows / 10);
        end if;
    end if;
end
$$;
