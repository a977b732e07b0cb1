#!/bin/bash
# Tests cachepusher doctor: each thing that it looks at is broken once, on real servers, seen to be told of with what mends
# it, and mended by just that.
#
# Usage: test/integration/cli/cli-doctor.sh DIRECTORY_OF_THE_COMMANDS
#
# Has servers of its own, which it stops, fills and reconfigures. Prints a line for each check.

# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
[[ ${2-} == inside ]] || exec "$repo/scripts/with-servers" "$0" "$bin" inside

dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=clid
prefix=customer
dsn="host=$PGHOST port=$PGPORT user=$PGUSER dbname=$name"
redis_uri=$CP_REDIS
unset CP_PREFIX NO_COLOR
export LC_ALL=C.UTF-8 CP_DSN=$dsn
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
cd "$dir"

pg_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
as_owner=(setpriv --pdeathsig KILL)
((EUID != 0)) || as_owner+=(--reuid postgres --regid postgres --init-groups)

# ---- what it says ----

said() { grep -cE "^  $1 " out || true; } # VERDICT
is_coherent() {                           # the summary and the exit code are what the points are
    local warnings wrong
    warnings=$(said warning)
    wrong=$(said WRONG)
    tail -n 1 out | grep -qE "^doctor: $(said 'ok     ') ok, $warnings warnings?, $wrong wrong\$" &&
        ((code == (wrong > 0))) && [[ ! -s err ]]
}
tell_why() { # WHAT
    echo "$1; not ok are:" >>why
    grep -A 1 -E '^  (WRONG|warning) ' out >>why || true
    return 1
}
all_right() { # [OPTION...]
    call "$command" doctor "$@"
    if ! is_coherent || ((code != 0 || $(said warning) != 0)); then
        tell_why 'not all right'
    fi
}
# The point is told of so, and the next line is what mends it.
finds() { # VERDICT POINT MESSAGE CURE [OPTION...]: a pattern, and a text
    local line
    call "$command" doctor "${@:5}"
    line=$(grep -nE "^  $1 +$2 +$3" out | head -n 1 | cut -d : -f 1)
    [[ -n $line ]] || tell_why "expected $1 $2 $3" || return 1
    [[ $(sed -n "$((line + 1))p" out) == "           mend: $4" ]] || tell_why "expected mend: $4" || return 1
    is_coherent || tell_why "exit code $code"
}
mend() { # CURE: run it, whether it is for a shell or for Postgres
    set -- "${1#*: }" # what goes before is for people
    if [[ $1 == cachepusher\ * ]]; then
        eval "$bin/$1" >/dev/null 2>&1 </dev/null
    else
        sql "$1" >/dev/null
    fi
}
broken() { # WHAT BREAK MEND VERDICT POINT MESSAGE CURE [OPTION...]: MEND empty: the cure itself
    sql "$2" >/dev/null
    check "$1" finds "${@:4}"
    mend "${3:-$7}"
    check "$1: mended" all_right "${@:8}"
}

# ---- a right world ----

createdb -T template0 "$name"
load_schema "$name"
"$command" setup >/dev/null
"$bin/cachepusher-fakedata" --customers 50 >/dev/null
"$command" warmup >/dev/null 2>&1
sql "create role weak login; grant select on customer, address to weak" >/dev/null
weak=(--dsn "$dsn user=weak")

everything() { # that it could change
    pg_dump "$name" | grep -v restrict # with a random word
    psql -qAtX -d "$name" -c "select * from pg_replication_slots" -c "select rolname, rolconfig from pg_roles order by 1"
    redis eval "local all = {}
        for _, key in ipairs(redis.call('keys', '*')) do
            all[#all + 1] = key .. redis.sha1hex(redis.call('dump', key)) .. redis.call('ttl', key)
        end
        table.sort(all) return all" 0
}
changes_nothing() { # [OPTION...]
    everything >before
    call "$command" doctor "$@"
    everything >after
    cmp before after >>why
}
check "all right" all_right
has_all_groups() {
    [[ $(grep -v '^ ' out | head -n -1 | tr '\n' ,) == 'Postgres,Documents,Tables and triggers,Redis,Sample,' ]] &&
        (($(said 'ok     ') >= 25))
}
check "every group is there" has_all_groups
check "all right for a role that may only read" all_right "${weak[@]}"
check "it changes nothing" changes_nothing

check "--help" prints '^usage: cachepusher doctor ' "$command" doctor --help
for each in --flush --repair --dry-run --wait; do
    check "takes no $each" exits 2 "^cachepusher: $each: " "$command" doctor "$each"
done
check "a configuration that is wrong" exits 2 'threads: "none" is not a number' "$command" doctor --set threads=none
printf '{ "entities": [ %s, %s ] }' '{ "name": "a", "key": "k:{id}", "channels": ["c"], "fetch": "f", "list": "select 1" }' \
    '{ "name": "b", "key": "k:{id}", "channels": ["c"], "fetch": "f", "list": "select 1" }' >same.json
check "one that is wrong as a whole" exits 2 'k:' "$command" doctor --config same.json

is_json_of() { # RESULT: a whole object whose counts are those of its points
    [[ $(psql -qAtX -d "$name" -v "json=$(cat out)" <<<"
        with j as (select :'json'::jsonb as j), p as (select jsonb_array_elements(j -> 'points') as p from j)
        select bool_and(p ->> 'verdict' in ('ok', 'warning', 'wrong') and p ? 'mend' and p ->> 'message' <> ''
                        and p ->> 'group' <> '' and p ->> 'point' <> '' and (p ->> 'verdict' = 'ok') = (p ->> 'mend' is null))
            and (select j ->> 'result' = '$1' and (j ->> 'ok')::int = (select count(*) from p where p ->> 'verdict' = 'ok')
                     and (j ->> 'wrong')::int = (select count(*) from p where p ->> 'verdict' = 'wrong') from j)
        from p") == t ]]
}
prints_json() { # CODE RESULT [OPTION...]
    call "$command" doctor --json "${@:3}"
    ((code == $1)) && [[ ! -s err ]] && (($(wc -l <out) == 1)) && is_json_of "$2"
}
check "--json" prints_json 0 ok
check "--json when something is wrong" prints_json 1 wrong --redis "unix:$dir/none"
colours() { # COMMAND
    script -qec "$1" /dev/null </dev/null >coloured && grep -q $'\033\\[32mok' coloured
}
check "colours on a terminal" colours "$command doctor"
no_colours() { ! colours "$1"; }
check "none where they are not wanted" no_colours "NO_COLOR=1 $command doctor"
check "none in a pipe" lacks $'\033' out

# ---- Postgres ----

start_it='start Postgres (systemctl start postgresql), or correct --dsn (CP_DSN, "postgres" of the configuration)'
goes_on_with_redis() {
    finds WRONG connection 'Postgres: .*No such file' "$start_it" --dsn "host=$dir" && grep -q '^  ok       rights' out &&
        grep -q '^  warning  equal  *not looked at: it takes both servers' out
}
check "Postgres is away, and Redis is looked at" goes_on_with_redis
check "a role that is not there" finds WRONG connection 'Postgres: .*role "nobody" does not exist' \
    'create it (createuser, createdb), or correct --dsn' --dsn "$dsn user=nobody"
broken "few connections are left" 'alter role weak connection limit 5' 'alter role weak connection limit -1' \
    warning connections '[0-9] are free, and a daemon needs 10' \
    "have fewer --threads, or: alter system set max_connections = 210; then restart Postgres (or raise the limit of the role or \
database)" "${weak[@]}"

sql "create role other login" >/dev/null
PGUSER=other hold_by "select pg_advisory_lock(hashtextextended('cachepusher customer', 0)), 'held';"
somebody_holds_it() {
    local pid
    pid=$(sql "select pid from pg_locks where locktype = 'advisory' and database =
               (select oid from pg_database where datname = '$name')")
    finds warning writer 'the lock of the name customer is held by another role: ' \
        "run the doctor as the daemon's role (--dsn); if it is no cachepusher: select pg_catalog.pg_terminate_backend($pid);"
}
check "somebody else holds the lock" somebody_holds_it
release

cat >shim.c <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *now)
{
    int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int failure = real(clock, now);
    now->tv_sec += clock == CLOCK_REALTIME ? 3600 : 0;
    return failure;
}
END
cc -shared -fPIC -o shim.so shim.c -ldl
clock_is_wrong() { # SERVER
    local -x LD_PRELOAD=$dir/shim.so ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS-}
    finds warning clock "$1 is 3(599|600)\.[0-9] s behind this host" 'timedatectl set-ntp true'
}
check "Postgres' clock" clock_is_wrong Postgres
check "Redis' clock" clock_is_wrong Redis

make_pooler() {
    mkdir pooler
    chmod 755 . pooler
    printf '[databases]\n* = host=%s user=postgres\n[pgbouncer]\npool_mode = transaction\nauth_type = any\n' "$PGHOST" \
        >pooler/pgbouncer.ini
    printf 'unix_socket_dir = %s/pooler\nlisten_port = 6432\n' "$dir" >>pooler/pgbouncer.ini
    ((EUID != 0)) || chown -R postgres: pooler
    "${as_owner[@]}" pgbouncer --quiet pooler/pgbouncer.ini </dev/null >pooler.log 2>&1 &
    pids+=("$!")
    wait_for psql -qX -h "$dir/pooler" -p 6432 -d "$name" -c 'select'
}
make_pooler
busy_pooler() { # a session there is lent to one after another: this one is not free
    hold_by "begin; select 'held';"
    psql -qX -h "$dir/pooler" -p 6432 -d "$name" -c 'select' >/dev/null
}
busy_pooler
behind_a_pooler() {
    finds WRONG notification 'one to ourselves was not heard within 5 s: a pooler in transaction mode is in between' \
        'connect to Postgres itself (--dsn), or put the pooler into session mode (PgBouncer: pool_mode = session)' \
        --dsn "host=$dir/pooler port=6432 user=postgres dbname=$name" && ! grep -q '^Documents' out
}
check "a pooler in transaction mode" behind_a_pooler
release

make_standby() {
    echo 'local replication all trust' >>"$CP_SERVERS_DIR/data/pg_hba.conf"
    sql 'select pg_reload_conf()' >/dev/null
    wait_for psql -qAtX "dbname=$name replication=true" -c IDENTIFY_SYSTEM
    "${as_owner[@]}" mkdir "$CP_SERVERS_DIR/2"
    "${as_owner[@]}" "$pg_bin/pg_basebackup" -D "$CP_SERVERS_DIR/2/data" -R -X stream -c fast --no-sync
    printf "unix_socket_directories = '%s'\nhot_standby = on\n" "$CP_SERVERS_DIR/2" \
        >>"$CP_SERVERS_DIR/2/data/postgresql.auto.conf"
    "${as_owner[@]}" "$pg_bin/postgres" -D "$CP_SERVERS_DIR/2/data" </dev/null >standby.log 2>&1 &
    pids+=("$!")
    wait_for "$pg_bin/pg_isready" -q -h "$CP_SERVERS_DIR/2"
}
make_standby
check "a standby" finds WRONG standby 'Postgres: the server is a standby; the primary is needed' \
    "name the primary in --dsn, or both servers: 'host=a,b'" --dsn "host=$CP_SERVERS_DIR/2 user=$PGUSER dbname=$name"

createdb -T template0 -E LATIN1 --locale=C latin
printf '{ "entities": [ { "name": "e", "key": "e:{id}", "channels": ["c"], "fetch": "f", "id_type": "text",
    "list": "select t from e" } ] }' >text.json
psql -qX -d latin -c "create table e (t text); create function f(text) returns json stable language sql as 'select null::json'"
check "an encoding that UTF-8 cannot spell" finds warning encoding "the database's encoding is LATIN1: .*\(e\)" \
    'createdb --encoding UTF8 --template template0 NAME, and restore a dump into it' --config text.json --dsn "$dsn dbname=latin"
dropdb latin

# ---- documents ----

many='customer_get_many(integer[])'
broken "a fetch function that is not there" 'alter function customer_get_many rename to gone' \
    'alter function gone rename to customer_get_many' WRONG function 'customer: there is no function customer_get_many that' \
    'create it: create function customer_get_many(integer[]) ...; for the customer example: psql -f db/cachepusher.sql -f '`
        `'db/schema.sql'
broken "no right to execute it" "revoke execute on function $many from public" '' WRONG function \
    'customer: customer_get_many\(integer\[\]\), which role weak may not execute' "grant execute on function $many to weak;" \
    "${weak[@]}"
broken "no right to use its schema" 'revoke usage on schema public from public' '' WRONG function \
    'customer: there is no function customer_get_many that role weak can see; there is public\.' \
    'grant usage on schema public to weak;' "${weak[@]}"
no_right_to_the_schema() {
    sql 'revoke usage on schema public from weak' &&
        finds WRONG table 'customer: there is no table address' 'grant usage on schema public to weak;' "${weak[@]}" &&
        sql 'grant usage on schema public to public'
}
check "and so for the tables" no_right_to_the_schema
broken "a volatile one" "alter function $many volatile" '' warning volatility 'customer: .* is volatile' \
    "alter function $many stable;"
broken "an immutable one" "alter function $many immutable" '' WRONG volatility 'customer: .* is immutable' \
    "alter function $many stable;"
sql "create function get_int(integer) returns integer stable language sql as 'select 1';
     create function writes(integer) returns json language sql as 'delete from customer where id_customer < 0;
         select customer_get(\$1)';
     create function fails(integer) returns json stable language sql as 'select (1 / (\$1 - \$1))::text::json';
     create function nothing(integer) returns json stable language sql as 'select null::json';
     create function dies(integer) returns json stable language sql as
         'select to_json(pg_terminate_backend(pg_backend_pid()))';
     create function fails_later(integer) returns json stable language sql as
         'select case when \$1 between 10 and 12 then (1 / (\$1 - \$1))::text::json else customer_get(\$1) end';
     create table country (id int primary key, name text);
     create function more(integer) returns json stable language sql as
         'select json_build_array(customer_get(\$1), (select count(*) from country))';
     create procedure warm() language sql as 'select 1'; revoke execute on procedure warm from public" >/dev/null
entity() { # FETCH [WATCH [MORE]]: a configuration in e.json
    printf '{ "entities": [ { "name": "e", "key": "customer:{id}", "channels": ["customer_updated", "customer_deleted"],
        "fetch": "%s", "list": "select id_customer from customer" %s %s } ] }' "$1" "${2:+, \"watch\": [$2]}" "${3-}" >e.json
}
entity_finds() { # FETCH VERDICT POINT MESSAGE CURE [OPTION...]
    entity "$1"
    finds "${@:2:4}" --config e.json "${@:6}"
}
check "it returns no document" entity_finds get_int WRONG types 'entity "e": fetch function get_int returns a type' \
    'make it: create function get_int(integer) returns json, or correct "id_type" and "fetch"'
check "it writes" entity_finds writes warning document 'e: the fetch function writes, and is called often: ' \
    'have the fetch function read only'
fails_of_itself() {
    entity fails
    call "$command" doctor --config e.json
    grep -qE '^  WRONG +document +Postgres: division by zero' out && is_coherent
}
check "it fails" fails_of_itself
fails_now_and_then() {
    entity_finds fails_later WRONG readable '3 documents cannot be read: ' \
        'cachepusher verify, whose log names them and says why' --sample 50
}
check "it fails for a few" fails_now_and_then
dies_of_itself() {
    entity_finds dies WRONG document 'Postgres: .*; what else there is to ask of Postgres is left out' \
        "run cachepusher doctor again, or look at Postgres' log" && grep -q '^  ok       rights' out &&
        ! grep -q '^  [a-zA-Z]*  *table ' out
}
check "it ends the connection" dies_of_itself
check "it has no document of what is listed" entity_finds nothing warning document 'e: 1 is listed, and the fetch function' \
    'have "list" and the fetch function agree on what exists'
check "it reads what nobody watches" entity_finds more warning reads \
    'e: documents read public.country, which nothing watches: ' \
    'add {"table": "public.country", "column": "THE COLUMN WITH THE ID OF THE E"} to "watch" of entity e, then: cachepusher setup '`
        `'--config e.json; where no column has it, {"table": "public.country", "column": "ITS KEY", '`
        `"\"maps\": \"select THE ID OF THE E from ... where ITS KEY = any (\$1)\"}"
entity more '{"table": "country", "column": "id"}'
reads_all() { call "$command" doctor --config e.json; } # its triggers are missing, but it is declared
check "until it is watched" eval 'reads_all; grep -qE "^  ok +reads +e: documents read public.address, public.country" out'
broken "what is listed is not there" 'alter table customer rename to gone' 'alter table gone rename to customer' WRONG list \
    'entity "customer": listing query: .*relation "customer" does not exist' \
    'correct "list" of the entity in the configuration, or create what it reads'
broken "no right to list" 'revoke select on customer from weak' '' WRONG list '.*permission denied for table customer' \
    'grant select on table customer to weak;' "${weak[@]}"
broken "no right to what documents are made of" 'revoke select on address from weak' '' WRONG document \
    'Postgres: permission denied for table address' 'grant select on table address to weak;' "${weak[@]}"
entity customer_get '' ', "warmup_procedure": "warm"'
check "a warm-up procedure that is not ours" finds WRONG procedure 'e: warm-up procedure warm is not ours to execute' \
    'grant execute on routine warm() to weak;' --config e.json --warmup touch "${weak[@]}"
entity customer_get '' ', "warmup_procedure": "nowhere"'
check "one that is not there" finds WRONG procedure 'e: warm-up procedure nowhere is not there' \
    'correct "warmup_procedure" in the configuration, or have --warmup scan' --config e.json --warmup touch
sql 'drop function get_int, writes, fails, fails_later, dies, nothing, more; drop procedure warm; drop table country' >/dev/null
hold_by "begin; lock table address; select 'held';"
held_up() {
    call "$command" doctor
    ((code == 1)) && grep -qE '^  WRONG +document +Postgres: canceling statement' out && is_coherent
}
check "a lock is not waited for long" held_up
release

# ---- tables and triggers ----

search_path='correct "watch" of entity customer in the configuration, or the role'\''s search_path'
broken "a watched table that is not there" 'alter table address rename to gone' 'alter table gone rename to address' WRONG \
    table 'customer: there is no table address that' "$search_path"
broken "a column that is not there" 'alter table address rename fk_customer to gone' \
    'alter table address rename gone to fk_customer' WRONG table 'customer: there is no column fk_customer in table address' \
    "$search_path"
broken "a trigger that is disabled" 'alter table address disable trigger cachepusher_update_fk_customer' '' WRONG trigger \
    'cachepusher_update_fk_customer of public.address is disabled: ' \
    'alter table public.address enable trigger cachepusher_update_fk_customer;'
broken "one for replicas" 'alter table address enable replica trigger cachepusher_update_fk_customer' '' WRONG trigger \
    'cachepusher_update_fk_customer of public.address is for replicas only: ' \
    'alter table public.address enable trigger cachepusher_update_fk_customer;'
broken "one that is missing" 'drop trigger cachepusher_update_fk_customer on address' '' WRONG triggers 'some are missing' \
    "select cachepusher.watch('public.address', 'fk_customer', 'customer_updated', announce => 'notify');"
broken "all are missing" 'set client_min_messages = warning; drop function cachepusher_address__fk_customer, cachepusher_customer__id_customer cascade' '' \
    WRONG channel 'customer: no trigger announces on customer_deleted or customer_updated' 'cachepusher setup'
broken "functions of another version" 'comment on schema cachepusher is null' '' warning schema \
    'schema cachepusher is of another version' 'cachepusher setup'
sql "comment on schema cachepusher is 'cachepusher.sql'"
an_owners_matter() {
    finds warning schema 'schema cachepusher is of another version' 'cachepusher setup' "${weak[@]}" &&
        finds warning schema 'schema cachepusher belongs to .*, and weak may not bring it up to date: run it as that role' \
            'cachepusher setup' "${weak[@]}" && (($(said WRONG) == 0)) && grep -q '^  ok       triggers' out
}
check "for a role that may only read nothing is wrong with them" an_owners_matter
psql -qX -v ON_ERROR_STOP=1 -d "$name" -f "$repo/db/cachepusher.sql"
check "those of this version, loaded by hand" all_right "${weak[@]}"
broken "no functions" 'alter schema cachepusher rename to gone' \
    'alter schema gone rename to cachepusher' WRONG schema 'schema cachepusher is missing' 'cachepusher setup'
broken "no index" 'drop index address_of_customer' '' warning index 'public.address\(fk_customer\) has none: ' \
    'create index concurrently on public.address (fk_customer);'
check "an index of the column alone" grep -qF 'one with (fk_customer, ORDER) saves the sorting' out
sql 'drop index address_fk_customer_idx; create index address_of_customer on address (fk_customer, id_address)'
broken "an invalid index" "update pg_index set indisvalid = false where indexrelid = 'address_of_customer'::regclass" '' \
    warning index 'public.address\(fk_customer\) has only address_of_customer, which is invalid' \
    'reindex index concurrently address_of_customer;'

# ---- the log ----

wal=(--source wal)
"$command" setup "${wal[@]}" >/dev/null
check "all right for the wal source" all_right "${wal[@]}"
check "and it changes nothing" changes_nothing "${wal[@]}"
slot=cachepusher_customer
setup='cachepusher setup --set source=wal'
broken "a role that may not replicate" 'select' '' WRONG role 'weak may not replicate' 'alter role weak with replication;' \
    "${wal[@]}" "${weak[@]}"
broken "no publication" "drop publication $slot" '' WRONG publication 'it is missing' \
    "create publication $slot for table public.address, public.customer with (publish = 'insert, update, delete, truncate', "`
        `'publish_via_partition_root = true);' "${wal[@]}"
broken "a table is not published" "alter publication $slot drop table address" '' WRONG publication \
    'public.address: what changed before' "alter publication $slot add table public.address;" "${wal[@]}"
sql 'create table unwatched (id int primary key)'
broken "one is published for nothing" "alter publication $slot add table unwatched" '' warning publication \
    'public.unwatched is published but not watched' "alter publication $slot drop table public.unwatched;" "${wal[@]}"
broken "an identity that does not tell the id" 'alter table address replica identity default' '' WRONG identity \
    'public.address: no unique index' 'alter table only public.address replica identity full;' "${wal[@]}"
broken "a table that is in no log" "alter publication $slot drop table address; alter table address set unlogged" \
    "alter table address set logged; alter publication $slot add table address" WRONG tables \
    'public.address is unlogged: ' "$setup" "${wal[@]}"
broken "no slot" "select pg_drop_replication_slot('$slot')" '' warning slot "$slot is not there yet: " "$setup" "${wal[@]}"
entity customer_get '{"table": "nowhere", "column": "id"}'
check "a watched table that is not there" finds WRONG tables 'the wal source reads the tables that are watched, and not all' \
    'correct "watch" of the entity in the configuration, or create the table' --config e.json "${wal[@]}"
write_log() {
    sql "insert into unwatched select generate_series(1, 60000); delete from unwatched" && sql 'checkpoint'
}
check "much log is written" write_log
check "the slot retains it" finds warning slot "$slot retains [0-9]+ .B of write-ahead log, more than source_retained_mb, and" \
    "start cachepusher run, or if nothing is to go on with it: select pg_catalog.pg_drop_replication_slot('$slot');" \
    "${wal[@]}" --set source_retained_mb=1
sql "select pg_drop_replication_slot('$slot'); select pg_create_logical_replication_slot('$slot', 'test_decoding')" >/dev/null
check "a slot of another plugin" finds WRONG slot "$slot is not a logical one of plugin pgoutput" \
    'give source_slot another name: --set source_slot=cachepusher_OTHER' "${wal[@]}"
sql "select pg_drop_replication_slot('$slot')" >/dev/null
"$command" setup "${wal[@]}" >/dev/null
broken "a slot that nobody reads" 'select' '' warning 'other slots' "nobody reads $slot, which retains" \
    "if its cachepusher has retired: select pg_catalog.pg_drop_replication_slot('$slot');" --set name=elsewhere

messages=(--source wal --set source_announce=messages)
setup="$setup --set source_announce=messages"
check "all is missing for messages" finds WRONG triggers 'some are missing' \
    "select cachepusher.watch('public.address', 'fk_customer', 'customer_updated', announce => 'message');" "${messages[@]}"
sql "drop publication $slot"
mend "$setup"
check "all right for messages" all_right "${messages[@]}"
"$command" teardown "${messages[@]}" >/dev/null
"$command" setup >/dev/null
check "all right for notifications again" all_right

# ---- servers that will not do ----

on_a_server() { # CONFIGURATION OPTION...: leaves what it says there
    # shellcheck disable=SC2016 # for the shell inside
    CP_SERVERS_CONF=$1 "$repo/scripts/with-servers" env -u CP_PREFIX "before=${before-}" "command=$command" bash -c '
        cat "$0/db/cachepusher.sql" "$0/db/schema.sql" | PGOPTIONS="-c client_min_messages=error" psql -qX >/dev/null 2>&1
        eval "$before"
        "$@"' "$repo" "$command" doctor "${@:2}" </dev/null >there 2>there.err || true
}
found_there() { # VERDICT POINT MESSAGE CURE
    local line
    line=$(grep -nE "^  $1 +$2 +$3" there | head -n 1 | cut -d : -f 1)
    [[ -n $line && $(sed -n "$((line + 1))p" there) == "           mend: $4" ]] || { cat there there.err >>why && return 1; }
}
on_a_server $'wal_level = replica\nmax_prepared_transactions = 5\nmax_wal_senders = 0\nmax_replication_slots = 0' "${wal[@]}"
check "wal_level replica" found_there WRONG wal_level 'it is replica, and the wal source needs logical' \
    "alter system set wal_level = 'logical'; then restart Postgres"
check "no sender" found_there WRONG senders '0 of max_wal_senders are free' \
    'alter system set max_wal_senders = 2; then restart Postgres'
check "no slot is free" found_there WRONG slot "$slot is not there, and none is free: all 0 of max_replication_slots" \
    'cachepusher slot lists those of retired syncers; or: alter system set max_replication_slots = 2; then restart Postgres'
check "no replication" grep -qE '^  WRONG +replication ' there
# shellcheck disable=SC2016 # for the shell there
before='"$command" setup --source wal >/dev/null
    for each in 1 2 3 4; do
        psql -qAtX -c "insert into customer default values" -c "select pg_switch_wal()" -c checkpoint >/dev/null
    done'
on_a_server 'max_slot_wal_keep_size = 1MB' "${wal[@]}"
check "a slot that is lost" found_there WRONG slot "$slot is lost: what it should have kept is gone" \
    'cachepusher setup --set source=wal'
before=
on_a_server 'max_prepared_transactions = 5'
check "two-phase commit" found_there warning two-phase 'max_prepared_transactions is 5, and no transaction' \
    'if nothing uses PREPARE TRANSACTION: alter system set max_prepared_transactions = 0; then restart Postgres'

# ---- Redis ----

start_redis_as='start Redis (systemctl start redis-server), or correct --redis (CP_REDIS, "redis" of the configuration)'
goes_on_with_postgres() {
    finds WRONG connection 'Redis at unix:.*: No such file' "$start_redis_as" --redis "unix:$dir/none" &&
        grep -q '^  ok       triggers' out && grep -q '^  warning  equal  *not looked at: it takes both servers' out
}
check "Redis is away, and Postgres is looked at" goes_on_with_postgres
redis config set requirepass secret >/dev/null
check "a password is wanted" finds WRONG connection '.*NOAUTH' "give the password: CP_REDIS='redis://:PASSWORD@HOST:PORT'"
check "a wrong one" finds WRONG connection '.*WRONGPASS' \
    "correct the password or user in CP_REDIS='redis://USER:PASSWORD@HOST:PORT'" --redis "redis://:wrong@$CP_REDIS_TCP"
REDISCLI_AUTH=secret redis config set requirepass '' >/dev/null
redis replicaof 127.0.0.1 1 >/dev/null
check "a replica" finds WRONG connection '.*replica' \
    'name the primary in --redis (CP_REDIS, "redis" of the configuration); redis-cli info replication tells it'
redis replicaof no one >/dev/null
own_redis() { # DIRECTORY OPTION...: on a socket in it
    mkdir "$1"
    (cd "$1" && exec setpriv --pdeathsig KILL redis-server "${@:2}" </dev/null >log 2>&1) &
    pids+=("$!")
    wait_for redis-cli -s "$dir/$1/socket" ping
}
own_redis cluster --port 0 --unixsocket "$dir/cluster/socket" --cluster-enabled yes --cluster-port 23456 --save ''
check "a node of a cluster" finds WRONG mode 'the server is in cluster mode' \
    'name a single primary in --redis, neither a node of a cluster nor a Sentinel' --redis "unix:$dir/cluster/socket"
printf 'port 0\nunixsocket %s/sentinel/socket\n' "$dir" >sentinel.conf
own_redis sentinel "$dir/sentinel.conf" --sentinel
check "a Sentinel" finds WRONG mode 'the server is in sentinel mode' \
    'name a single primary in --redis, neither a node of a cluster nor a Sentinel' --redis "unix:$dir/sentinel/socket"
redis_broken() { # WHAT SETTING VALUE VERDICT POINT MESSAGE CURE [OPTION...]
    local before
    before=$(redis config get "$2" | tail -n 1)
    redis config set "$2" "$3" >/dev/null
    check "$1" finds "${@:4}"
    redis config set "$2" "$before" >/dev/null
    check "$1: mended" all_right "${@:8}"
}
redis_broken "an evicting memory policy" maxmemory-policy allkeys-lru warning memory 'maxmemory-policy is allkeys-lru: ' \
    'redis-cli config set maxmemory-policy noeviction, and the same in redis.conf'
redis_broken "little memory is left" maxmemory "$(($(redis info memory | sed -n 's/^used_memory:\([0-9]*\).*/\1/p') + 100000))" \
    warning memory '9[0-9] % of maxmemory is used; ' 'redis-cli config set maxmemory, to more'
redis_broken "few clients may connect" maxclients 8 warning clients '[0-9] more may connect, and a daemon needs 12' \
    'redis-cli config set maxclients, to more; or have fewer --threads'
redis acl setuser doctor on '>secret' '~*' '+@all' >/dev/null
as_doctor=(--redis "redis://doctor:secret@$CP_REDIS_TCP")
check "all right for a user of its own" all_right "${as_doctor[@]}"
forbidden() { # WHAT RULE VERDICT POINT MESSAGE CURE: the cure is a rule that is run
    eval "redis acl setuser doctor $2" >/dev/null
    check "$1" finds "${@:3}" "${as_doctor[@]}"
    eval "redis acl setuser doctor ${6#redis-cli ACL SETUSER doctor }" >/dev/null
    check "$1: mended" all_right "${as_doctor[@]}"
}
forbidden "CLIENT KILL is not allowed" "'-client|kill'" WRONG rights '.*cachepusher needs CLIENT KILL' \
    'redis-cli ACL SETUSER doctor '\''+client|kill'\'
forbidden "GET is not allowed" '-get' WRONG rights '.*documents at customer:\* cannot be kept without GET' \
    'redis-cli ACL SETUSER doctor +set +del +get +exists +scan'
forbidden "the marker is not allowed" '-incr' warning rights '.*without the marker, ' \
    'redis-cli ACL SETUSER doctor +set +incr +del'
forbidden "INFO is not allowed" '-info' warning version '.*it does not tell, since INFO is not allowed' \
    'redis-cli ACL SETUSER doctor +info'
forbidden "the marker's key is not allowed" "resetkeys '~customer:*'" warning rights '.*without the marker, ' \
    "redis-cli ACL SETUSER doctor +set +incr +del '~cachepusher:marker:*'"
redis acl setuser doctor resetkeys '~cachepusher:*' >/dev/null
check "the documents' keys are not allowed" finds warning rights '.*documents whose keys are not allowed will be refused' \
    "redis-cli ACL SETUSER doctor '~customer:*'" "${as_doctor[@]}"
redis mset customer:lock x customer:x:y z >/dev/null
check "somebody else's keys" finds warning prefix 'customer: 2 keys that begin with customer: are no documents, such as customer:' \
    'give either of the two another prefix: --prefix, or "key" of the entity'
redis del customer:lock customer:x:y >/dev/null

# ---- the sample ----

forget_keys customer
check "Redis is empty, and nothing writes" finds warning equal 'of 50 looked at, 50 missing, .*; nobody writes at present' \
    'cachepusher run'
redis flushall >/dev/null
check "Redis has never been filled" finds warning equal 'Redis has none of 50 documents: nothing has filled it yet' \
    'cachepusher run, or cachepusher warmup'
check "a daemon" start_ready
check "all right beside it" all_right
is_told_who_writes() { grep -qE '^  ok +writer +Postgres process [0-9]+ of role postgres writes under the name customer' out; }
check "it says who writes" is_told_who_writes
redis set customer:1 stale >/dev/null
check "a document that stays wrong" finds WRONG equal 'of 50 looked at, 0 missing, 1 different, .*, although a daemon writes' \
    'cachepusher verify --repair'
check "it is mended" call "$command" verify --repair
check "and all is right" all_right
createdb -T "$name" other 2>/dev/null || createdb -T template0 other
other=(--dsn "$dsn dbname=other")
load_schema other
PGDATABASE=other psql -qX -c 'truncate customer, address'
clash() {
    finds WRONG equal 'of [0-9]+ looked at, 0 missing, 0 different, 50 without a document, .*another cachepusher may write' \
        'give either of the two another --prefix and name' "${other[@]}" &&
        grep -qE '^  ok +others +another cachepusher, .* writes to this database from' out
}
check "another cachepusher has the same keys" clash
check "the daemon stops" stop
dropdb other

# ---- deadlines ----

takes_less_than() { # SECONDS COMMAND...
    local began=$SECONDS
    "${@:2}" && ((SECONDS - began < $1))
}
quick=(--set connect_timeout_ms=500 --set redis_timeout_ms=500)
redis_pid=$(redis info server | sed -n 's/^process_id:\([0-9]*\).*/\1/p')
kill -STOP "$redis_pid"
check "Redis hangs" takes_less_than 20 finds WRONG connection 'Redis at .*: no answer in time' "$start_redis_as" "${quick[@]}"
kill -CONT "$redis_pid"
postgres_pid=$(head -n 1 "$CP_SERVERS_DIR/data/postmaster.pid")
kill -STOP "$postgres_pid"
check "Postgres hangs" takes_less_than 20 finds WRONG connection 'Postgres: no answer in time' "$start_it" "${quick[@]}"
kill -CONT "$postgres_pid"

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
