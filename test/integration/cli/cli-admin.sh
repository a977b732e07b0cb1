#!/bin/bash
# Tests what a daemon tells over HTTP, the commands that ask it, and that its health cannot lie.
#
# Usage: scripts/with-servers test/integration/cli/cli-admin.sh DIRECTORY_OF_THE_COMMANDS
#
# Works in a database of its own, with a Redis of its own. Prints a line for each check.

# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=clia_$$
prefix=$name
redis_uri=unix:$dir/redis.sock
unset CP_PREFIX CP_ADMIN
export LC_ALL=C.UTF-8 CP_DSN="host=$PGHOST port=${PGPORT-5432} user=$PGUSER dbname=$name" CP_REDIS=$redis_uri
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
cd "$dir"

redis-server --port 0 --unixsocket "$dir/redis.sock" --save '' --daemonize no >/dev/null &
redis_pid=$!
pids+=("$redis_pid")
wait_for redis ping
createdb -T template0 "$name"
load_schema "$name"
"$bin/cachepusher-fakedata" --customers 200 --quiet >/dev/null

admin=unix:$dir/admin.sock
get() { # PATH [CURL_OPTION...]: the body, and the code in the last line
    curl -sS -m 5 -w '\n%{http_code}\n' --unix-socket admin.sock "${@:2}" "http://daemon$1" >got 2>&1
}
answers() { # CODE PATTERN PATH [CURL_OPTION...]
    get "${@:3}" && [[ $(tail -n 1 got) == "$1" ]] && grep -qE -- "$2" got
}
# Until that, at most: five seconds are promised, and a loaded machine takes its time to answer.
within=${CP_TEST_WITHIN_S-5}
soon() { # WHAT COMMAND...
    local deadline_s=$((within + 5)) began
    began=$(date +%s%N)
    wait_for "${@:2}" || return 1
    local took_ms=$((($(date +%s%N) - began) / 1000000))
    ((took_ms < within * 1000 + 1000)) || { echo "$1 was seen after $took_ms ms" >why && return 1; }
}

# ---- where it listens ----

check "an address that is none" exits 1 '--admin: nonsense: expected HOST:PORT, :PORT or unix:PATH' "$command" run --admin nonsense --prefix "$prefix"
check "a port that is none" exits 1 '--admin: :99999: expected HOST:PORT, :PORT or unix:PATH' "$command" run --admin :99999 --prefix "$prefix"
check "a port that is taken by the kernel's leave" exits 1 '--admin: 192.0.2.1:1: Cannot assign requested address' "$command" run --admin 192.0.2.1:1 --prefix "$prefix"
perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un("admin.sock"))' # and nobody listens
start_ready --admin unix:admin.sock
check "a stale socket is replaced" answers 200 '^alive$' /livez
second() { exits 1 "--admin: $admin: Address already in use" "$command" run --admin "$admin" --prefix "other_$prefix"; }
check "one that is in use is not" second
check "it is nobody else's" test "$(stat -c %a admin.sock)" = 660

# ---- what it answers ----

check "ready" answers 200 '^ready$' /readyz
check "not found" answers 404 'there are /, /status, /metrics' /nothing
check "another method" answers 405 '^GET and POST only' /status -X DELETE
check "the page" answers 200 '<title>' /
sql 'update customer set name = name || $$!$$ where id_customer <= 50' >/dev/null
settled() { get /metrics && grep -qE '^cachepusher_settle_seconds_count 50$' got; }
check "metrics: events to settled" wait_for settled
metrics_are_clean() { get /metrics && head -n -1 got | sed '$d' | promtool check metrics >checked 2>&1 && [[ ! -s checked ]]; }
check "metrics: promtool has nothing to say" metrics_are_clean
check "metrics: by entity" answers 200 '^cachepusher_entity_stored_total\{entity="customer"\} 250$' /metrics
check "metrics: of the build" answers 200 '^cachepusher_build_info\{version="[0-9.]+",name="'"$prefix"'"\} 1$' /metrics
check "metrics: resyncs by cause" answers 200 '^cachepusher_resyncs_begun_total\{cause="start"\} 1$' /metrics
status_is() { # JSON_PATH VALUE
    call "$command" status --json --admin "$admin"
    [[ $(psql -qAtX -d "$name" -v j="$(cat out)" <<<"select :'j'::json #>> '{$1}'") == "$2" ]]
}
check "status as JSON" status_is state ready
check "status: lanes" status_is lanes,3,parked 0
check "status: stats by label" status_is stats,cachepusher_resyncs_begun_total,start 1
check "status in a terminal" prints '^ready +'"$prefix"', cachepusher' "$command" status --admin "$admin"
check "status: what threads do" prints '^cp-listener +waits for work' "$command" status --admin "$admin"
check "status by the environment" prints '^ready ' env CP_ADMIN="$admin" "$command" status
check "status takes no --config" exits 2 'not an option' "$command" status --config x.json
nobody() { exits 2 "no answer from the daemon at unix:$dir/nobody: No such file or directory; is it running with --admin" "$command" status --admin unix:nobody; }
check "nobody is there" nobody

# ---- what fails ----

check "nothing is parked" prints '^nothing fails$' "$command" parked --admin "$admin"
sql "create function broken(id integer) returns json language plpgsql as \$\$ begin raise 'broken on purpose'; end \$\$;
     alter function customer_get_many rename to customer_many;
     create function customer_get_many(ids integer[]) returns table (id integer, document json) language sql as
     \$\$ select c.id, case when c.id = 7 then broken(c.id) else c.document end from customer_many(ids) as c(id, document) \$\$" >/dev/null
is_parked() { call "$command" parked --admin "$admin" && ((code == 1)) && grep -qE '^customer 7: .*broken on purpose' out; }
check "what is parked has its reason" wait_for is_parked
check "and no other entity has" prints '^nothing fails$' "$command" parked --admin "$admin" --id 8
check "it is in the status" prints 'customer 7: ' "$command" status --admin "$admin"
check "a stranger's page cannot have it tried" answers 403 'X-Cachepusher is missing' /parked/retry -d '{"entity": "customer", "id": "7"}'
check "what cannot be tried" answers 400 'there is no entity "nobody"' /parked/retry -H 'X-Cachepusher: 1' -d '{"entity": "nobody", "id": "7"}'
check "what is no JSON" answers 400 'expected \{' /parked/retry -H 'X-Cachepusher: 1' -d 'nonsense'
sql 'drop function customer_get_many; alter function customer_many rename to customer_get_many' >/dev/null
retries() { call "$command" parked --retry --admin "$admin"; ((code != 2)); }
is_well() { call "$command" parked --admin "$admin" && ((code == 0)); }
check "it is tried again" retries
check "and is well" wait_for is_well

# ---- health that cannot lie ----

perl -MSocket -e '
    $| = 1;
    socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die;
    bind($s, sockaddr_un("manager")) or die;
    while (defined recv($s, my $message, 4096, 0)) { print "$message\n" }' >told &
pids+=("$!")
wait_for test -S manager
stop
NOTIFY_SOCKET=$dir/manager start_ready --admin "$admin" -t 1
told() { grep -qE -- "$1" told; }
check "the watchdog hears of it" wait_for told '^WATCHDOG=1$'

kill -STOP "$redis_pid"
check "a frozen Redis: /readyz" soon "a frozen Redis" answers 503 '^degraded: .*Redis' /readyz
check "/livez, since a restart would not help" answers 200 alive /livez
is_not_ready() { call "$command" status --admin "$admin" && ((code == 1)) && grep -qE '^degraded: .*Redis' out; }
check "status" is_not_ready
check "the service manager" soon "a frozen Redis" told '^STATUS=degraded: .*Redis'
kill -CONT "$redis_pid"
check "and it is over" wait_for answers 200 '^ready$' /readyz

thread_of() { # NAME: its number
    local task
    for task in "/proc/$daemon/task"/*; do
        [[ $(cat "$task/comm") != "$1" ]] || basename "$task"
    done
}
freeze() { # TID: until thaw
    mkfifo freeze.in
    "$bin/freeze" "$1" <freeze.in >frozen 2>&1 &
    freezer=$!
    pids+=("$freezer")
    exec 7>freeze.in
    wait_for grep -q frozen frozen
}
thaw() {
    exec 7>&-
    wait "$freezer"
    rm freeze.in
}
no_pings() { # the watchdog is told nothing for two seconds
    : >told
    sleep 2
    ! told '^WATCHDOG=1$'
}

freeze "$(thread_of cp-worker-0)"
sql 'update customer set name = name where id_customer = 1' >/dev/null
check "a frozen worker: /livez" soon "a frozen worker" answers 503 'cp-worker-0 is stuck' /livez
check "/readyz" answers 503 'degraded: cp-worker-0 is stuck' /readyz
check "status" status_is alive false
check "the service manager" soon "a frozen worker" told '^STATUS=degraded: cp-worker-0 is stuck'
check "and no watchdog" no_pings
thaw
check "and it is over" wait_for answers 200 '^ready$' /readyz

freeze "$(thread_of cp-listener)"
check "a frozen listener" soon "a frozen listener" answers 503 'cp-listener is stuck|heard nothing from Postgres' /readyz
thaw
check "and it is over" wait_for answers 200 '^ready$' /readyz

freeze "$daemon"
check "a frozen main thread" soon "a frozen main thread" answers 503 'the main thread is stuck' /livez
thaw
check "and it is over" wait_for answers 200 '^alive$' /livez

: >told
freeze "$(thread_of cp-admin)"
check "a frozen admin thread: the service manager" soon "a frozen admin thread" told '^STATUS=the admin thread is stuck$'
check "and no watchdog" no_pings
thaw
check "and it is over" wait_for answers 200 '^alive$' /livez

kill -STOP "$redis_pid"
sql 'update customer set name = name where id_customer = 2' >/dev/null
kill "$daemon"
wait_for logged 'SIGTERM: stopping'
sleep 4 # longer than a thread may be silent
check "a stop that takes its time: /livez" answers 200 '^alive$' /livez
kill -CONT "$redis_pid"
check "it stops" ends 0
check "and leaves no socket" test ! -e admin.sock
start_ready --admin "$admin"
rm admin.sock
perl -MSocket -e 'socket(my $s, PF_UNIX, SOCK_STREAM, 0); bind($s, sockaddr_un("admin.sock"))'
check "it stops" stop
check "and leaves a socket that is somebody else's" test -S admin.sock

# ---- TCP ----

port=$(perl -MSocket -e 'socket(my $s, PF_INET, SOCK_STREAM, 0); bind($s, sockaddr_in(0, INADDR_LOOPBACK));
    print((sockaddr_in(getsockname($s)))[0])')
start_ready --admin ":$port"
check "a port of the loopback" prints '^ready ' "$command" status --admin ":$port"
check "by its name" prints '^ready ' "$command" status --admin "localhost:$port"
check "it stops" stop

# ---- rows that are mapped ----

sql "create table city (id integer primary key, name text); insert into city values (7, 'x'), (8, 'y');
     create function customers_of(ids integer[]) returns setof integer language plpgsql stable as
     \$\$ begin if 7 = any (ids) then raise 'no map'; end if; return query select 1; end \$\$;
     select cachepusher.watch('city', 'id', 'cachepusher:city.id')" >/dev/null
cat >rows.json <<'END'
{ "entities": [ { "name": "customer", "key": "{prefix}:{id}", "channels": ["customer_updated", "customer_deleted"],
    "fetch_many": "customer_get_many", "list": "select id_customer from customer",
    "watch": [ {"table": "city", "column": "id", "maps": "select c from customers_of($1) as c"} ] } ] }
END
start_ready --admin "$admin" --config rows.json
sql "update city set name = 'z' where id = 7" >/dev/null
row_is_parked() { call "$command" parked --admin "$admin" && ((code == 1)) && grep -qE '^city 7: rows of city cannot be mapped: .*no map' out; }
check "a row that cannot be mapped is parked" wait_for row_is_parked
retries_rows() { call "$command" parked --retry --admin "$admin" && ((code == 1)) && logged 'admin: city 7 is to be tried again'; }
check "it is the row that is tried again" retries_rows
sql 'create or replace function customers_of(ids integer[]) returns setof integer language sql stable as $$ select 1 $$' >/dev/null
check "and is well" wait_for is_well
get /metrics
mapped=$(sed -n 's/^cachepusher_mapped_rows_total //p' got)
check "one that nobody has announced" answers 202 '' /parked/retry -H 'X-Cachepusher: 1' -d '{"entity": "customer", "table": "city", "id": "8"}'
check "is mapped" wait_for answers 200 "^cachepusher_mapped_rows_total $((mapped + 1))\$" /metrics
check "a table that is not" answers 400 'entity "customer" maps no rows of "address"' /parked/retry -H 'X-Cachepusher: 1' -d '{"entity": "customer", "table": "address", "id": "8"}'
check "what is no table" answers 400 'expected \{.*"table" where it has one' /parked/retry -H 'X-Cachepusher: 1' -d '{"entity": "customer", "table": 1, "id": "8"}'
check "none" answers 202 '' /parked/retry -H 'X-Cachepusher: 1' -d '{"entity": "customer", "table": null, "id": "8"}'
check "it stops" stop

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
