#!/bin/bash
# Tests `cachepusher verify` as a person or a script would use it.
#
# Usage: scripts/with-servers test/integration/cli-verify.sh DIRECTORY_OF_THE_COMMANDS
#
# Works in databases and under key prefixes of its own. Prints a line for each check.

# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=cliv_$$
prefix=$name
dsn="host=$PGHOST port=${PGPORT-5432} user=$PGUSER dbname=$name"
redis_uri=$CP_REDIS
unset CP_PREFIX
export LC_ALL=C.UTF-8 CP_DSN=$dsn
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
cd "$dir"

# ---- set up ----

createdb -T template0 "$name"
load_schema "$name"
"$bin/cachepusher-fakedata" --dsn "$dsn" --customers 1000 --quiet >/dev/null
psql -qX -v ON_ERROR_STOP=1 -d "$name" <<END
analyze;
create function held_get(id integer) returns json language plpgsql as \$\$
begin
    perform pg_advisory_xact_lock_shared(77);
    return customer_get(id);
end \$\$;
create function failing_get(id integer) returns json language plpgsql as \$\$
begin
    if id in (7, 8) then raise 'no luck with this one'; end if;
    return customer_get(id);
end \$\$;
END
entity() { # FETCH
    printf '{ "prefix": "%s", "warmup": "scan", "flush": true, "entities": [ { "name": "customer",
        "key": "{prefix}:{id}", "id_type": "integer", "channels": ["customer_updated", "customer_deleted"],
        "fetch": "%s", "list": "select id_customer from customer" } ] }' "$prefix" "$1"
}
entity held_get >held.json
entity failing_get >failing.json
entity customer_get >plain.json

verify() { # CODE [ARGUMENT...]: leaves out and err
    call "$command" verify --prefix "$prefix" "${@:2}"
    if ((code != $1)); then
        echo "exit code $code" >>why
        return 1
    fi
}
value() { # MEMBER: of the object in out, which has to be the one line of it
    (($(wc -l <out) == 1)) && psql -qAtX -v ON_ERROR_STOP=1 -d "$name" <<END
create temp table line (text text);
\copy line from 'out' with (format csv, delimiter E'\x01', quote E'\x02')
select text::json #>> '{$1}' from line;
END
}
holds() { # MEMBER=VALUE...
    for pair in "$@"; do
        [[ $(value "${pair%%=*}") == "${pair#*=}" ]] || {
            echo "not so: $pair" >>why
            return 1
        }
    done
}

# ---- what is said without any server ----

check "verify --help" prints '^usage: cachepusher verify' "$command" verify --help
help_is_narrow() { "$command" verify --help | awk 'length > 100 { exit 1 }'; }
check "verify --help fits 100 columns" help_is_narrow
for bad in 0 -1 x 1.5 '' 1000001 99999999999999999999 ' 5' 0x10; do
    check "--sample \"$bad\"" exits 2 '^cachepusher: --sample: "' "$command" verify --sample "$bad"
done
check "--sample without a value" exits 2 '^cachepusher: --sample: ' "$command" verify --sample
for flag in --warmup=scan --flush --wait --grace=1 --detach --pidfile=x; do
    check "verify takes no ${flag%=*}" exits 2 "^cachepusher: ${flag%=*}: not an option" "$command" verify "$flag"
done
for flag in --repair --sample=5 --json; do
    check "run takes no ${flag%=*}" exits 2 "^cachepusher: ${flag%=*}: not an option" "$command" run "$flag"
done
check "an argument" exits 2 '^cachepusher: argument 1' "$command" verify everything
check "a bad setting" exits 2 '^cachepusher: -t: "0"' "$command" verify -t 0
check "a --config that does not exist" exits 2 '^cachepusher: --config: none\.json' "$command" verify --config none.json
check "a --log-file that cannot be made" exits 2 '^cachepusher: --log-file: ' "$command" verify --log-file "$dir/none/log"

# ---- equal ----

"$command" warmup --prefix "$prefix" >/dev/null
equal() { verify 0 "$@" && [[ ! -s err ]] && (($(wc -l <out) == 1)) && grep -qE "$pattern" out; }
pattern='^verify: 1000 compared in [0-9.]+ s \([0-9]+/s\), 1000 equal$'
check "equal: exit 0, one line" equal
check "equal, with one thread" equal -t 1
check "equal, and nothing to repair; the file's \"flush\" is not for it" equal --config plain.json --repair
check "every key is still there" has_keys "$prefix" 1000
pattern='^verify: (1[0-9]|20) compared in [0-9.]+ s \([0-9]+/s\), (1[0-9]|20) equal$'
check "equal, by a sample" equal --sample 10
equal_json() { verify 0 --json && holds result=equal compared=1000 equal=1000 missing=0 examples=[] incomplete=false; }
check "equal, as JSON" equal_json

# ---- differences ----

damage() {
    redis del "$prefix:10" >/dev/null
    redis set "$prefix:20" $'{"id_customer":20,"name":"\e[31m\x01 \\"q\\""}' >/dev/null
    redis set "$prefix:5000" gone >/dev/null
    redis set "$prefix:20:cart" 'not ours' >/dev/null
}
damage
differs() {
    verify 1 && grep -qE '^verify: 1001 compared in .*, 998 equal; 1 missing, 1 different, 1 orphan$' out &&
        grep -qxE "  missing   $prefix:10" out && grep -qxE "  orphan    $prefix:5000" out &&
        grep -qE "^  different $prefix:20  at byte [0-9]+: Postgres .*\"name.* Redis .*\\\\x1b\[31m\\\\x01" out &&
        grep -qxF 'verify: 1 other key under the prefix, which is no document' out && ! grep -q $'\e' out
}
check "differences: exit 1, with examples, control characters escaped" differs
differs_json() {
    verify 1 --json && holds result=differs missing=1 different=1 orphans=1 unmanaged=1 equal=998 repaired=0 \
        examples,0,kind=missing "examples,0,key=$prefix:10" examples,1,entity=customer examples,2,kind=orphan &&
        [[ $(value examples,1,redis) == *$'\e[31m\x01'* ]]
}
check "differences, as JSON" differs_json
sampled() { verify 1 --json --sample 2000 && holds missing=1 different=1 orphans=1; }
check "differences, by a sample" sampled
repairs() {
    verify 0 --repair && grep -qxF 'verify: 3 of them repaired' out && all_follow 10 20 &&
        [[ $(redis exists "$prefix:5000" "$prefix:20:cart") == 1 ]]
}
check "--repair: exit 0, and Redis is right" repairs
equal_again() { verify 0 --json && holds result=equal equal=1000; }
check "and then all is equal" equal_again
repairs_by_daemon() {
    damage
    start_ready --warmup none && verify 0 --repair --json && holds result=equal repaired=3 && stop && all_follow 10 20
}
check "--repair while a daemon runs" repairs_by_daemon
sql "set session_replication_role = replica; update customer set name = 'unannounced' where id_customer <= 40" >/dev/null
many() { verify 1 && (($(grep -c "^  different $prefix:" out) == 10)) && grep -qxF '  different … and 30 more' out; }
check "many differences: ten examples" many

# ---- it cannot tell ----

no_redis() {
    verify 2 --redis "unix:$dir/none" && [[ ! -s out ]] && (($(wc -l <err) <= 5)) && grep -q 'error Redis at ' err &&
        ! grep 'trying again' err
}
check "Redis cannot be reached: exit 2, at once" no_redis
no_postgres_json() {
    verify 2 --json --dsn "host=$dir" && holds result=unknown compared=0 && [[ $(value error) == Postgres* ]]
}
check "Postgres cannot be reached: exit 2, as JSON" no_postgres_json
cannot_start() { verify 2 --repair --json --dsn "host=$dir" && holds result=unknown; }
check "--repair that cannot start: exit 2" cannot_start
missing_function() { verify 2 --dsn "$dsn dbname=postgres" && grep -q 'error .*customer' err; }
check "a missing table: exit 2" missing_function
"$command" warmup --prefix "$prefix" >/dev/null
unreadable() {
    verify 2 --config failing.json && grep -qxF 'verify: 2 could not be read: the fetch function fails' out
}
check "documents that cannot be read: exit 2" unreadable
unreadable_and_different() {
    redis del "$prefix:10" >/dev/null
    verify 1 --config failing.json --json && holds result=differs unreadable=2 missing=1
}
check "unreadable and different: exit 1" unreadable_and_different
repairs_by_nobody_that_can() {
    redis del "$prefix:7" >/dev/null
    verify 2 --config failing.json --json && holds unreadable=2
}
"$command" warmup --prefix "$prefix" >/dev/null
check "an unreadable document is not said to be missing" repairs_by_nobody_that_can

# ---- progress, signals ----

verifier=
start_verify() { # [ARGUMENT...]
    : >out
    : >err
    env --default-signal=INT "$command" verify --config held.json "$@" </dev/null >out 2>err &
    verifier=$!
    pids+=("$verifier")
}
"$command" warmup --prefix "$prefix" >/dev/null
plain_progress() {
    hold
    start_verify && wait_for grep -qE '^verify: 0 of ~[0-9]+ documents \(0%\), 0/s$' err
    local shown=$?
    release
    ((shown == 0)) && daemon=$verifier ends 0 && grep -q '^verify: 1000 compared' out && ! grep -q $'\r' out err
}
check "plain lines of progress when not on a terminal" plain_progress
interrupted() { # SIGNAL
    hold
    start_verify --json && wait_for is_held && kill "-$1" "$verifier" && daemon=$verifier ends 2 &&
        grep -q 'error interrupted' err && holds result=unknown error=interrupted
    local result=$?
    release
    return "$result"
}
check "SIGINT ends it, exit 2" interrupted INT
check "SIGTERM ends it, exit 2" interrupted TERM
full_disk() {
    call bash -c 'exec "$@" >/dev/full' bash "$command" verify --prefix "$prefix"
    ((code == 2)) && grep -q 'cannot write to stdout' err
}
check "stdout cannot be written: exit 2" full_disk
lost_report() { # REDIRECTION
    call bash -c "exec \"\$@\" $1" bash "$command" verify --prefix "$prefix" --json
    ((code == 2)) && grep -q 'cannot write to stdout' err
}
check "verify --json, stdout is full: exit 2" lost_report '>/dev/full'
check "verify --json, stdout is closed: exit 2" lost_report '>&-'
check "verify --json, stdin and stdout are closed: exit 2" lost_report '<&- >&-'

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
