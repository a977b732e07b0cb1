#!/bin/bash
# Two joins away, and both ends change at once: writers that rename actors, and writers that link actors to films and cut
# such links, in transactions held open for 20 ms. Whichever commits first, no film may keep a name that is no more.
#
# Usage: test/schemas/race.sh [OPTION...]
#   --seconds N      write for N seconds, in rounds of one, each of which is compared (default 10)
#   --source SOURCE  notify (the default) or wal
#   --way WAY        declared  a declared document (the default)
#                    maps      functions by hand, and a watch with "maps"
#                    triggers  functions by hand, and a trigger that joins: which cannot be right, and shows that this
#                              test finds it (notify only)
#   --bin DIR        where cachepusher is (default build/gcc)
#
# Works on servers of its own. Prints a line of what was compared. Exit code: 0 if nothing was stale, without a resync
# but the first.

# shellcheck disable=SC2317 # wait_for calls functions it takes for unreachable
set -euo pipefail
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

seconds=10 source=notify way=declared bin=$root/build/gcc
arguments=("$@")
while (($#)); do
    case $1 in
    --seconds) seconds=$2 ;;
    --source) source=$2 ;;
    --way) way=$2 ;;
    --bin) bin=$2 ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift 2
done
[[ $way:$source == @(declared|maps):@(notify|wal) || $way:$source == triggers:notify ]] || {
    usage >&2
    exit 2
}
on_private_servers "${arguments[@]}"
begin

# ---- tables, writers, documents ----

use_database race
load film 1
sql <<'END' >/dev/null
-- Few actors, so that one is renamed while it is linked; many films, so that most have no later change, which would
-- mend them.
delete from actor where actor_id > 6;

-- Held open as long after the change as it takes for another one to begin and end; pauses of their own, so that not all
-- go in step.
create procedure rename_for(seconds double precision) language plpgsql as $$
declare
    until constant timestamptz := clock_timestamp() + seconds * interval '1 second';
begin
    while clock_timestamp() < until loop
        update actor set first_name = 'name ' || clock_timestamp() where actor_id = 1 + testing.below(6);
        perform pg_sleep(0.02);
        commit;
        perform pg_sleep(0.01 * random());
        commit;
    end loop;
end
$$;
create procedure link_for(seconds double precision) language plpgsql as $$
declare
    until constant timestamptz := clock_timestamp() + seconds * interval '1 second';
    a_film integer;
    an_actor integer;
begin
    while clock_timestamp() < until loop
        a_film := testing.pick('film', 'film_id');
        an_actor := 1 + testing.below(6);
        delete from film_actor where (film_id, actor_id) = (a_film, an_actor);
        if not found then
            insert into film_actor (film_id, actor_id) values (a_film, an_actor) on conflict do nothing;
        end if;
        perform pg_sleep(0.02);
        commit;
        perform pg_sleep(0.01 * random());
        commit;
    end loop;
end
$$;

create function film_get_many(ids integer[]) returns table (id integer, document json) language sql stable as $$
    select film_id, row_to_json(document)
    from (
        select f.film_id, f.title, array(
            select line from (
                select a.actor_id, a.first_name from film_actor fa join actor a using (actor_id)
                where fa.film_id = f.film_id order by a.actor_id
            ) as line
        ) as actors
        from film f where f.film_id = any (ids)
    ) as document
$$;
create function announce_films() returns trigger language plpgsql as $$
begin
    perform pg_notify('film', film_id::text) from film_actor where actor_id = new.actor_id;
    return null;
end
$$;
END
echo "select 'film:' || id as key, document from film_get_many(array(select film_id from film));" >expected.sql

by_hand() { # MORE: of "watch"
    cat <<END
{"entities": [{"name": "film", "key": "film:{id}", "id_type": "integer", "channels": ["film"],
    "fetch_many": "film_get_many", "list": "select film_id from film",
    "watch": [{"table": "film", "column": "film_id"}, {"table": "film_actor", "column": "film_id"}$1]}]}
END
}
case $way in
declared)
    cat >config.json <<'END'
{"entities": [{"name": "film", "key": "film:{id}", "document": {"table": "film", "columns": ["film_id", "title"],
    "include": [{"name": "actors", "table": "actor", "through": "film_actor", "columns": ["actor_id", "first_name"]}]}}]}
END
    ;;
maps)
    # shellcheck disable=SC2016 # $1 is Postgres'
    by_hand ', {"table": "actor", "column": "actor_id",
        "maps": "select film_id from film_actor where actor_id = any($1)"}' >config.json
    ;;
triggers)
    by_hand '' >config.json
    sql -c "create trigger t after update on actor for each row execute function announce_films()"
    ;;
esac
set_up --config config.json --source "$source"
start

# ---- rounds ----

check() { are_equal expected.sql && verifies; }
wait_for 10 "the start" check || die "Redis does not equal Postgres before the first change"
for ((round = 1; round <= seconds; round++)); do
    writers=()
    for what in rename rename link link; do
        sql -c "call ${what}_for(1)" >/dev/null 2>>errors &
        writers+=("$!")
        pids+=("$!")
    done
    for writer in "${writers[@]}"; do
        wait "$writer" || die "a writer failed: $(tail -n 1 errors)"
    done
    wait_for 10 "all is equal" check || {
        show_differences
        die "$way, $source: stale after round $round"
    }
done
again=$(resyncs | paste -sd ',')
[[ -z $again ]] || die "$way, $source: what is equal may be so by a resync: $again"
stop
echo "race, $way, $source: $seconds rounds, nothing stale in $(wc -l <held) documents"
