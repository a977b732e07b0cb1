#!/bin/bash
# Tests where the configuration and its passwords come from, that it is read again while the daemon runs, and what the log
# says of failures that come again and again.
#
# Usage: scripts/with-servers test/integration/cli/cli-config.sh DIRECTORY_OF_THE_COMMANDS
#
# Works in a database and under key prefixes of its own. Prints a line for each check.

# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=clic_$$
prefix=$name
dsn="host=$PGHOST port=${PGPORT-5432} user=$PGUSER dbname=$name"
redis_uri=$CP_REDIS
unset CP_PREFIX CREDENTIALS_DIRECTORY
export LC_ALL=C.UTF-8 CP_DSN=$dsn
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
cd "$dir"

createdb -T template0 "$name"
load_schema "$name"
"$bin/cachepusher-fakedata" --dsn "$dsn" --customers 100 --quiet >/dev/null
psql -qX -v ON_ERROR_STOP=1 -d "$name" <<END
grant select on customer, address to cp_password;
create function failing_get(id integer) returns json language plpgsql as \$\$
begin
    if id between 11 and 60 then raise 'no luck'; end if;
    return customer_get(id);
end \$\$;
END

# ---- the file ----

warms() { # PREFIX [ARGUMENT...]
    call "$command" warmup "${@:2}"
    ((code == 0)) && has_keys "$1" 100
}
printf '{ "prefix": "%s" }' "${prefix}_env" >env.json
printf '{ "prefix": "%s" }' "${prefix}_flag" >flag.json
found_by_environment() { CP_CONFIG=env.json warms "${prefix}_env"; }
check "CP_CONFIG names the file" found_by_environment
flag_beats_it() { CP_CONFIG=env.json warms "${prefix}_flag" --config flag.json; }
check "--config beats it" flag_beats_it
check "CP_CONFIG of a file that is not there" exits 2 '^cachepusher: configuration: none\.json: No such file' \
    env CP_CONFIG=none.json "$command" run
check "the same of setup" exits 2 '^cachepusher: configuration: none\.json: No such file' \
    env CP_CONFIG=none.json "$command" setup
export CP_CONFIG= # and no file of this machine

# ---- passwords ----

echo 'secret' >pg.password
chmod 600 pg.password
printf 'hush-hush\nanother line\n' >redis.password
chmod 600 redis.password
redis acl setuser "$name" on '>hush-hush' '~*' '&*' '+@all' >/dev/null
with_files=(--prefix "${prefix}_pw" --dsn "$dsn user=cp_password" --redis "redis://$name:@$CP_REDIS_TCP"
    --set "postgres_password_file=$dir/pg.password" --set "redis_password_file=$dir/redis.password")
shows_no_password() { lacks secret "$@" && lacks hush-hush "$@"; } # FILE...
by_files() {
    warms "${prefix}_pw" "${with_files[@]}" --log-level debug && grep -q "to Redis $CP_REDIS_TCP" err &&
        shows_no_password out err
}
check "both passwords are read from files, and shown nowhere" by_files
by_credentials() {
    CREDENTIALS_DIRECTORY=$dir warms "${prefix}_pw" "${with_files[@]:0:6}" --set postgres_password_file=pg.password \
        --set redis_password_file=redis.password
}
check "a relative path is a credential of systemd's" by_credentials
of_setup() {
    call "$command" setup --dsn "$dsn user=cp_password" --set "postgres_password_file=$dir/pg.password" --dry-run
    ! grep -qE 'no password|authentication' err && shows_no_password out err
}
check "setup reads it, too" of_setup
check "a password file that is not there" exits 2 ' error postgres_password_file: .*/none: No such file or directory$' \
    "$command" run --wait --log-level warn "${with_files[@]}" --set "postgres_password_file=$dir/none"
: >empty
check "an empty one" exits 2 ' error redis_password_file: .*/empty: its first line is empty$' \
    "$command" run --log-level warn "${with_files[@]}" --set "redis_password_file=$dir/empty"
check "two passwords for one server" exits 2 ' error redis_password_file: redis has a password already$' \
    "$command" run --log-level warn "${with_files[@]}" --redis "redis://$name:hush-hush@$CP_REDIS_TCP"
no_password_at_all() {
    exits 2 ' error redis: it has a user without a password' \
        "$command" run --log-level warn --prefix "$prefix" --redis "redis://$name:@$CP_REDIS_TCP"
}
check "a user without a password" no_password_at_all
chmod 644 redis.password
warned_of_mode() {
    call "$command" warmup "${with_files[@]}" && grep -q ' warn  redis_password_file: everybody on this machine can read ' err
}
check "one that everybody can read is warned of" warned_of_mode
chmod 600 redis.password

shown_to_nobody() { # /proc is what others see
    shows_no_password log "/proc/$daemon/cmdline" "/proc/$daemon/environ"
}
rotates() {
    start "${with_files[@]}" && wait_for logged ' ready: ' && shown_to_nobody || return 1
    redis acl setuser "$name" resetpass '>another-one' >/dev/null
    redis client kill user "$name" >/dev/null
    wait_for logged 'worker . *.*WRONGPASS|marker: .*WRONGPASS' || return 1
    echo another-one >redis.password
    sql "update customer set name = 'rotated' where id_customer = 5"
    prefix=${prefix}_pw wait_for redis_has 5 rotated && wait_for logged 'again after [0-9.]+ s \([0-9]+ tr' && stop &&
        lacks another-one log
}
check "a new password takes effect without a restart" rotates

# ---- read again ----

configuration() { # LOG_LEVEL THREADS [DSN]
    printf '{ "prefix": "%s", "log_level": "%s", "threads": %s }' "$prefix" "$1" "$2" >run.json.new
    mv run.json.new run.json
}
configuration info 4
check "log_level of the file" start_ready --config run.json
changes_level() {
    configuration debug 4 && kill -USR2 "$daemon" && wait_for logged ' info  SIGUSR2: log_level is debug' &&
        ! logged 'resync: request' && configuration warn 4 && kill -USR2 "$daemon" &&
        wait_for logged ' info  SIGUSR2: log_level is warn'
}
check "SIGUSR2 has the file read again, without a resync" changes_level
refuses_others() {
    configuration info 8 && kill -HUP "$daemon" && wait_for logged ' info  SIGHUP: log_level is info' &&
        wait_for logged ' warn  SIGHUP: threads has changed in the configuration; it takes a restart$' &&
        wait_for logged ' info  SIGHUP: reading every document again' && wait_for logged ' resync done: '
}
check "SIGHUP, too; what it does not take is said" refuses_others
unreadable_again() {
    echo '{' >run.json
    kill -USR2 "$daemon" && wait_for logged ' error SIGUSR2: --config: run.json:.*; going on with the configuration as it was'
}
check "a file that cannot be read changes nothing" unreadable_again
printf '{ "prefix": "%s", "threads": 4, "entities": [ { "name": "customer", "key": "{prefix}:{id}", "channels": ["x"],
    "fetch": "customer_get", "list": "select 1" } ] }' "$prefix" >run.json
entities_change() {
    kill -USR2 "$daemon" && wait_for logged ' warn  SIGUSR2: entities has changed in the configuration; it takes a restart$'
}
check "entities that have changed are said" entities_change
check "and it still runs" stop
configuration info 4
flag_stays() {
    start_ready --config run.json --log-level info && configuration debug 3 && kill -USR2 "$daemon" &&
        wait_for logged 'threads has changed' && lacks log_level log && stop
}
check "a flag beats the file then, too" flag_stays
detached_reads_again() {
    configuration info 4
    : >log
    call "$command" run -d --config run.json --pidfile d.pid --log-file log && wait_for logged ' ready: ' || return 1
    local detached
    detached=$(cat d.pid)
    configuration debug 4 && kill -USR2 "$detached" && wait_for logged 'SIGUSR2: log_level is debug' &&
        kill "$detached" && wait_for is_gone "$detached" && ! logged 'takes a restart'
}
check "in the background, where the directory is another" detached_reads_again

# ---- what is said ----

first_line() {
    start_ready --prefix "$prefix" && head -n 1 log >why &&
        grep -qE "info  cachepusher [0-9.]+: from Postgres $PGHOST:[0-9]+/$name to Redis .*, entity customer$" why && stop
}
check "the first line names version, servers and entities" first_line
many_bad_payloads() {
    start_ready --prefix "$prefix" || return 1
    sql "select pg_notify('customer_updated', 'bad' || n) from generate_series(1, 600) as n" >/dev/null
    wait_for logged 'customer: 600 announcements name what is no id within [0-9.]+ s, and it is over: none for 10 s' &&
        (($(grep -c 'warn .*is not a valid' log) == 1)) && stop
}
check "600 bad payloads: the first one, and their number" many_bad_payloads
failing_fields() {
    printf '{ "entities": [ { "name": "customer", "key": "{prefix}:{id}", "id_type": "integer",
        "channels": ["customer_updated"], "fetch": "failing_get", "list": "select id_customer from customer" } ] }' >failing.json
    start --config failing.json --log-format json && wait_for logged '"ready: ' &&
        wait_for logged '"message":"customer: 50 ids were set aside within [0-9.]+ s.*\(Postgres: no luck\)"' &&
        wait_for logged '"entity":"customer","duration_ms":[0-9]+,"count":50\}' &&
        logged "\"entity\":\"customer\",\"key\":\"$prefix:[0-9]+\"" &&
        (($(grep -c '"warn".*set aside, to be tried' log) == 3)) && is_json log || return 1
    sql "create or replace function failing_get(id integer) returns json language sql as 'select customer_get(id)'"
    wait_for logged '"no id is set aside any more, after [0-9.]+ s","duration_ms":' && kill "$daemon" && ends 0
}
check "ids that fail: some by name, their number, and that it is over" failing_fields
outage() {
    start_ready --prefix "$prefix" --log-format json --set catalog_check_ms=0 || return 1
    sql "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = '$name' and application_name = 'cachepusher lease'" >/dev/null
    wait_for logged '"warn","message":"lease: .*connecting again","host":"[^"]*/'"$name"'"}' &&
        wait_for logged '"info","message":"lease: held again after [0-9.]+ s \([0-9]+ tr[a-z]+\)","host":"[^"]*","duration_ms":[0-9]+,"count":[0-9]+}' &&
        kill "$daemon" && ends 0
}
start_ready() { start "$@" && wait_for logged 'ready: '; }
check "an outage: with the server, and how long it lasted" outage
one_document() {
    sql "create table single (id int primary key); insert into single values (1);
         create function single_get(which int) returns json language sql as
            'select to_json(s) from single as s where id = which'"
    printf '{ "entities": [ { "name": "single", "key": "{prefix}_s:{id}", "id_type": "integer", "channels": ["single"],
        "fetch": "single_get", "list": "select id from single" } ] }' >single.json
    start_ready --config single.json --set "name=${prefix}_s" && logged ' ready: 1 document in ' && stop
}
check "one document is one" one_document

redis acl deluser "$name" >/dev/null
if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
