#!/bin/bash
# Tests two daemons of one name as real processes: one that is killed, and one that is frozen and goes on later.
#
# Usage: scripts/with-servers test/integration/cli-standby.sh DIRECTORY_OF_THE_COMMANDS
#
# Works in a database and under a key prefix of its own. Prints a line for each check.

# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=clis_$$
prefix=$name
dsn="host=$PGHOST port=${PGPORT-5432} user=$PGUSER dbname=$name"
redis_uri=$CP_REDIS
unset CP_PREFIX
export LC_ALL=C.UTF-8 CP_DSN=$dsn
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
cd "$dir"

createdb -T template0 "$name"
load_schema "$name"
"$bin/cachepusher-fakedata" --dsn "$dsn" --customers 1000 --quiet >/dev/null
# A document that says so is read and then held, for as long as a psql of ours holds a lock.
psql -qX -v ON_ERROR_STOP=1 -d "$name" <<END
create function held_get(id integer) returns json language plpgsql as \$\$
declare document json := customer_get(id);
begin
    if document->>'name' = 'held' then perform pg_advisory_xact_lock_shared(77); end if;
    return document;
end \$\$;
END
cat >held.json <<END
{ "prefix": "$prefix", "entities": [ { "name": "customer", "key": "{prefix}:{id}", "id_type": "integer",
  "channels": ["customer_updated", "customer_deleted"], "fetch": "held_get",
  "list": "select id_customer from customer" } ] }
END

everything_follows() {
    cmp <(sql 'select customer_get(id_customer) from customer order by id_customer') \
        <(sql "select 'get $prefix:' || id_customer from customer order by id_customer" | redis --raw)
}

# ---- killed ----

start_ready --config held.json
first=$daemon
mv log first.log
start --config held.json
second=$daemon
check "a second daemon stands by" wait_for logged 'standing by: another cachepusher named "'
says_so_detached() { # and to the terminal
    exits 0 '^cachepusher: started, and standing by: another instance of its name writes' "$command" run -d \
        --prefix "$prefix" --config held.json --pidfile third.pid --log-file third.log &&
        detached=$(cat third.pid) && kill "$detached" && wait_for is_gone "$detached"
}
check "run -d tells the terminal of it, too" says_so_detached
takes_over() { # SECONDS SINCE: ready again at most so long after
    wait_for logged ' taking over' && (($(date +%s) - $2 <= $1)) && wait_for logged ' ready: '
}
update_all() { sql "update customer set name = '$1 ' || id_customer"; }
refuses_beside() { exits 1 'writes already \(Postgres process [0-9]+ of role [a-z]+\): stop it first' "$command" "$@"; }
check "warmup is refused beside a daemon" refuses_beside warmup --prefix "$prefix"
check "run --flush is refused beside a daemon" refuses_beside run --prefix "$prefix" --flush --log-level warn
check "warmup of another name is not" prints '^warmup: 1000 documents' \
    "$command" warmup --prefix "$prefix" --set name=another
kill -KILL "$first"
since=$(date +%s)
update_all "without a daemon"
check "it takes over within 5 s of the first one's kill -9" takes_over 5 "$since"
check "what was missed is found" wait_for everything_follows

# ---- frozen ----

mv log second.log
start --config held.json
third=$daemon
check "a third one stands by" wait_for logged 'standing by'
hold
sql "update customer set name = 'held' where id_customer = 17"
check "the owner has an old document in its hands" wait_for is_held
kill -STOP "$second"
since=$(date +%s)
sql "update customer set name = 'new' where id_customer = 17"
# So many notifications that nobody reads block its session in Postgres, which no timeout of an idle one would end.
sql "do 'begin for i in 1..5000 loop update customer set name = i where id_customer = 18; commit; end loop; end'"
check "a frozen owner is replaced within 20 s, on a busy database" takes_over 20 "$since"
check "its successor stores what is new" wait_for redis_has 17 '"name":"new"'
release
kill -CONT "$second"
stands_by_again() { grep -q 'standing by' second.log; }
check "the frozen one goes on and stands by" wait_for stands_by_again
check "it has overwritten nothing" everything_follows
update_all "with two daemons"
check "the successor follows" wait_for everything_follows
kill -TERM "$third"
daemon=$third
check "the successor ends" ends 0
mv second.log log
check "and the frozen one is the owner again" wait_for logged ' taking over'
update_all "with the first again"
check "which follows" wait_for everything_follows
daemon=$second
check "and ends" stop

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
