#!/bin/bash
# Tests cachepusher setup, teardown and slot, each in a database of its own.
#
# Usage: scripts/with-servers test/integration/cli/cli-setup.sh DIRECTORY_OF_THE_COMMANDS
#
# Prints a line for each check. The replication slots that it makes are gone at the end.

# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=clit_$$
prefix=$name
dsn="host=$PGHOST port=${PGPORT-5432} user=$PGUSER dbname=$name"
redis_uri=$CP_REDIS
export LC_ALL=C.UTF-8 CP_DSN=$dsn CP_PREFIX=$prefix
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
cd "$dir"
slot=cachepusher_$name
wal=(--source wal)
messages=(--source wal --set source_announce=messages)

drop_slots() {
    sql "select pg_drop_replication_slot(slot_name) from pg_replication_slots
         where slot_name like '%$name%' and database = '$name'" >/dev/null
}
drop_roles() { sql "drop owned by ${name}_weak cascade; drop role ${name}_weak"; }
trap 'set +e; drop_slots; drop_roles; finish' EXIT

begin_anew() {
    drop_slots
    dropdb --force "$name"
    createdb -T template0 "$name"
}
watch() { # FILE TABLE COLUMN [TABLE COLUMN]...: names as in JSON
    local file=$1 list=
    shift
    while (($# > 0)); do
        list+="${list:+, }{\"table\": \"$1\", \"column\": \"$2\"}"
        shift 2
    done
    printf '{ "entities": [ { "name": "e", "key": "e:{id}", "channels": ["updated", "deleted"], "fetch": "f",
        "id_type": "%s", "list": "select 1", "watch": [%s] } ] }' "${id_type-integer}" "$list" >"$file"
}
# Everything that the commands could change, as text.
state() {
    sql "select relname, relreplident from pg_class where relnamespace = 'public'::regnamespace order by 1, 2;
         select tgrelid::regclass, tgname, tgfoid::regproc, encode(tgargs, 'escape') from pg_trigger
         where not tgisinternal order by 1, 2;
         select nspname, proname from pg_proc join pg_namespace n on n.oid = pronamespace
         where proname like 'cachepusher%' or nspname = 'cachepusher' order by 1, 2;
         select pubname, puballtables, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot from pg_publication;
         select prrelid::regclass, prattrs, prqual is null from pg_publication_rel order by 1;
         select slot_name, plugin from pg_replication_slots where database = '$name'"
}
changes_nothing() { # COMMAND...
    state >before
    call "$@"
    state >after
    ((code == 0)) && cmp -s before after
}
runs_nothing() { # COMMAND...: and says so in one line
    changes_nothing "$@" && (($(wc -l <out) == 1)) && grep -q 'nothing to do' out && [[ ! -s err ]]
}
prints_what_it_runs() { # OPTION...: --dry-run and the run say the same
    changes_nothing "$command" setup --dry-run "$@" && mv out dry && call "$command" setup "$@" &&
        ((code == 0)) && cmp dry out >>why
}
identity() { # TABLE LETTER
    [[ $(sql "select relreplident from pg_class where oid = '$1'::regclass") == "$2" ]]
}
sets_up() { call "$command" setup "$@" && ((code == 0)); }
written() { grep -qF -- "$1" out; }

createdb -T template0 "$name"

# ---- usage ----

for each in setup teardown slot; do
    check "$each --help" prints "^usage: cachepusher $each " "$command" "$each" --help
    check "$each --help tells of the source" prints '--source SOURCE' "$command" "$each" --help
    check "$each takes no -t" exits 2 '^cachepusher: -t: ' "$command" "$each" -t 2
    check "$each takes no --redis" exits 2 '^cachepusher: --redis: ' "$command" "$each" --redis x
    check "$each: Postgres is away" exits 1 '^cachepusher: Postgres: ' "$command" "$each" --dsn "host=$dir"
done
check "slot takes no --dry-run" exits 2 '^cachepusher: --dry-run: ' "$command" slot --dry-run
check "setup takes no --json" exits 2 '^cachepusher: --json: ' "$command" setup --json
check "a table that is not there" exits 1 'entity customer: there is no table customer' "$command" setup "${wal[@]}"
sql 'create table customer (id int primary key)'
check "a column that is not there" exits 1 'no column id_customer in table customer' "$command" setup "${wal[@]}"
printf '{ "entities": [ { "name": "e", "key": "e:{id}", "channels": ["c"], "fetch": "f", "list": "select 1" } ] }' >no.json
check "nothing to watch" exits 1 '"watch"' "$command" setup --config no.json
check "teardown of nothing" runs_nothing "$command" teardown

# ---- notify ----

begin_anew
sql "create table customer (id_customer int primary key, name text);
     create table address (id_address int primary key, fk_customer int references customer)"
notify_dry_run() {
    changes_nothing "$command" setup --dry-run && written '\i db/cachepusher.sql'
}
check "a dry run changes nothing" notify_dry_run
check "the triggers are made" sets_up
notify_triggers() {
    written "select cachepusher.watch('public.customer', 'id_customer', 'customer_updated', 'customer_deleted'" &&
        written "select cachepusher.watch('public.address', 'fk_customer', 'customer_updated', announce" &&
        [[ $(sql "select count(*) from pg_trigger where not tgisinternal") == 8 ]]
}
check "deletions of documents have a channel of their own" notify_triggers
check "twice" runs_nothing "$command" setup
load_by_hand() { psql -qX -v ON_ERROR_STOP=1 -d "$name" -f "$repo/db/cachepusher.sql"; }
load_by_hand
check "functions that were loaded by hand are what this program has" runs_nothing "$command" setup
loads_again() { sets_up --source notify && [[ $(cat out) == '-- schema cachepusher is of another version'*'cachepusher.sql' ]]; }
for each in "'cachepusher.sql'" "'cachepusher.sql 0123456789abcdef0123456789abcdef, by hand'" null; do
    sql "comment on schema cachepusher is $each"
    check "those of another version are not: $each" loads_again
    check "and then that is enough" runs_nothing "$command" setup
done
sql 'drop trigger cachepusher_update_fk_customer on address'
one_trigger() { prints_what_it_runs && (($(wc -l <out) == 1)) && written "'public.address'"; }
check "a trigger that is missing" one_trigger
sql 'alter table address disable trigger cachepusher_update_fk_customer'
check "one that is disabled is told of" prints '^-- cachepusher_update_fk_customer of public.address is disabled' \
    "$command" setup
sql 'alter table address enable trigger cachepusher_update_fk_customer'

# ---- messages, from there ----

check "messages instead of notifications" prints_what_it_runs "${messages[@]}"
messages_are_set_up() {
    [[ $(sql "select count(*) from pg_proc where prosrc like '%pg_logical_emit_message%'
              and proname like 'cachepusher\\_%\\_\\_%'") == 2 ]] &&
        [[ $(sql "select count(*) from pg_publication_rel") == 0 ]] &&
        [[ $(sql "select plugin from pg_replication_slots where slot_name = '$slot'") == pgoutput ]]
}
check "triggers, an empty publication, a slot" messages_are_set_up
check "twice" runs_nothing "$command" setup "${messages[@]}"
check "and back" prints_what_it_runs
check "teardown dry" changes_nothing "$command" teardown --dry-run
check "teardown takes the other source's things, too" call "$command" teardown
nothing_is_left() {
    [[ -z $(sql "select nspname from pg_namespace where nspname = 'cachepusher' union all
                 select proname from pg_proc where proname like 'cachepusher%' union all
                 select tgname from pg_trigger where not tgisinternal union all
                 select pubname from pg_publication union all
                 select slot_name from pg_replication_slots where database = '$name'") ]]
}
check "nothing is left" nothing_is_left
load_by_hand
check "teardown keeps what was loaded by hand" changes_nothing "$command" teardown
check "and says so" written '-- schema cachepusher stays: it was loaded by hand; if nothing else needs it: drop schema'
sql 'set client_min_messages = warning; drop schema cachepusher cascade'

# ---- tables: identities ----

sql "create table address_u (id int primary key, fk int not null, no int not null, unique (fk, no));
     create table pk_has_it (fk int, no int, primary key (no, fk));
     create table nullable (id int primary key, fk int, unique (fk));
     create table partial (id int primary key, fk int not null);
     create unique index on partial (fk) where id > 0;
     create table deferred (id int primary key, fk int not null, unique (fk) deferrable);
     create table is_full (id int primary key, fk int); alter table is_full replica identity full;
     create table by_index (fk int not null unique); alter table by_index replica identity using index by_index_fk_key;
     create table to_nothing (fk int primary key); alter table to_nothing replica identity nothing;
     create table two (id int primary key, a int not null unique, b int not null);
     create table \"Mixed \"\"Case\"\"\" (\"The Fk\" int);
     create table p (id int, fk int, place int not null, primary key (id, place)) partition by range (place);
     create table p_1 partition of p for values from (0) to (10);
     create table p_2 (x int, place int not null, fk int not null unique, id int not null, primary key (id, place));
     alter table p_2 drop x; alter table p attach partition p_2 for values from (10) to (20);
     create table p_sub partition of p for values from (20) to (30) partition by range (place);
     create table p_3 partition of p_sub default"
watch all.json address_u fk pk_has_it fk nullable fk partial fk deferred fk is_full fk by_index fk to_nothing fk \
    two a two b public.p fk '\"Mixed \"\"Case\"\"\"' '\"The Fk\"'
all=(--config all.json "${wal[@]}")
check "each statement is printed" prints_what_it_runs "${all[@]}"
check "it says what it costs" written '-- public.nullable: no unique index of columns that are not null has fk'
for each in address_u:i pk_has_it:d nullable:f partial:f deferred:f is_full:f by_index:i to_nothing:d two:f p:f p_1:f \
    p_2:i p_sub:d p_3:f '"Mixed ""Case"""':f; do
    check "the identity of ${each%:*}" identity "${each%:*}" "${each##*:}"
done
check "twice" runs_nothing "$command" setup "${all[@]}"
updates_go_on() {
    sql "insert into p values (1, 1, 1), (2, 2, 11), (3, 3, 21); update p set fk = 7; delete from p;
         insert into nullable values (1, null); update nullable set fk = 2; delete from nullable;
         insert into \"Mixed \"\"Case\"\"\" values (1); update \"Mixed \"\"Case\"\"\" set \"The Fk\" = 2"
}
check "the application's writes go on" updates_go_on
sql "create table p_late partition of p for values from (40) to (50)"
a_late_leaf() { prints_what_it_runs "${all[@]}" && (($(grep -c ';$' out) == 1)) && identity p_late f; }
check "a partition attached later" a_late_leaf

# ---- tables: the publication ----

sql "alter publication $slot drop table address_u, nullable, partial;
     alter publication $slot set (publish = 'insert', publish_via_partition_root = false);
     alter publication $slot add table nullable (id, fk), partial where (id > 7);
     create table own (id int primary key); alter publication $slot add table own"
check "a publication that has been changed is mended" prints_what_it_runs "${all[@]}"
mended() {
    written "alter publication $slot add table public.address_u" && written "a column list or a row filter" &&
        written "-- public.own is published but not watched"
}
check "and says what was wrong" mended
sql "alter publication $slot drop table own"
check "twice" runs_nothing "$command" setup "${all[@]}"
begin_anew
sql "create table t (id int primary key, fk int, x int); create publication theirs for table t (id, fk)"
watch t.json t fk
t=(--config t.json "${wal[@]}")
refuses() { # PATTERN COMMAND...: with one line, and changes nothing
    state >before
    exits 1 "$@" || return 1
    state >after
    cmp before after >>why
}
check "somebody's column list would make updates fail" refuses 'publication theirs has a column list' \
    "$command" setup "${t[@]}"
sql 'drop publication theirs'

# ---- the slot ----

check "set up" sets_up "${t[@]}"
check "slot shows it" prints "^$slot: inactive, reserved" "$command" slot "${t[@]}"
json_is_right() {
    call "$command" slot "${t[@]}" --json && ((code == 0)) &&
        [[ $(psql -qAtX -d "$name" -v j="$(cat out)" <<<"select :'j'::json #>> '{slot,plugin}', :'j'::json ->> 'problem'") == 'pgoutput|' ]]
}
check "slot --json" json_is_right
sql "select pg_create_logical_replication_slot('cachepusher_old_$name', 'pgoutput')" >/dev/null
check "a retired syncer's slot is warned of" prints "pg_drop_replication_slot\\('cachepusher_old_$name'\\)" \
    "$command" slot "${t[@]}"
pg_recvlogical -d "$name" --slot="$slot" --start -f - -o proto_version=1 -o "publication_names=$slot" >/dev/null 2>&1 &
reader=$!
pids+=("$reader")
is_active() { [[ $(sql "select active from pg_replication_slots where slot_name = '$slot'") == "$1" ]]; }
check "a reader" wait_for is_active t
check "slot names it" prints "^$slot: active \\(process [0-9]+, pg_recvlogical\\)" "$command" slot "${t[@]}"
check "teardown is refused meanwhile" refuses "slot $slot is in use by pg_recvlogical, process [0-9]+" \
    "$command" teardown --config t.json
kill "$reader"
wait_for is_active f
check "teardown" call "$command" teardown "${t[@]}"
check "it tells of what stays" written 'alter table only public.t replica identity default'
sql "select pg_drop_replication_slot('cachepusher_old_$name')" >/dev/null
# Not alone on stderr or stdout: slots of tests beside this one may be told of, too.
check "a slot that is missing" exits_loudly 1 "slot $slot: it does not exist" "$command" slot "${t[@]}"
check "is no problem to notify" prints 'needs none' "$command" slot --config t.json --set source_slot=none
sql "select pg_create_logical_replication_slot('$slot', 'test_decoding')" >/dev/null
check "a slot of another plugin" refuses 'is of plugin test_decoding' "$command" setup "${t[@]}"
sql "select pg_drop_replication_slot('$slot')" >/dev/null

mkfifo writer.in
psql -qAtX -d "$name" <writer.in >writer.out 2>&1 &
pids+=("$!")
exec 8>writer.in
echo "begin; insert into t values (100); select 'has written';" >&8
wait_for grep -q written writer.out
export PGOPTIONS='-c statement_timeout=1s'
check "a slot waits for transactions, not for ever" exits_loudly 1 'the oldest: process [0-9]+ of role' \
    "$command" setup "${t[@]}"
unset PGOPTIONS
# Bash has what it puts into the background ignore SIGINT.
env --default-signal=INT "$command" setup "${t[@]}" </dev/null >out 2>err &
daemon=$!
pids+=("$daemon")
waits_for_writer() {
    [[ $(sql "select count(*) from pg_stat_activity where application_name = 'cachepusher setup'
              and wait_event = 'transactionid'") == 1 ]]
}
check "it waits" wait_for waits_for_writer
interrupted() { kill -INT "$daemon" && ends 1 && (($(wc -l <err) == 1)) && is_active ''; }
check "Ctrl-C ends it, and leaves no slot" interrupted
echo "rollback; \\q" >&8
exec 8>&-
check "no slot is left by that" is_active ''
check "and then it is made" sets_up "${t[@]}"

# ---- what cannot be published ----

begin_anew
sql "create table base (id int primary key, k text, n numeric, g int generated always as (id) stored, b bpchar);
     create view v as select * from base; create unlogged table u (id int primary key);
     create materialized view m as select * from base; create table parent (id int primary key);
     create table child () inherits (parent)"
cannot() { # TABLE COLUMN PATTERN
    watch bad.json "$1" "$2"
    refuses "$3" "$command" setup --config bad.json "${wal[@]}"
}
check "a view" cannot v id 'public.v is a view'
check "a materialized view" cannot m id 'is a materialized view'
check "an unlogged table" cannot u id 'u is unlogged'
check "Postgres' own tables" cannot pg_catalog.pg_class oid 'belongs to Postgres itself'
check "a generated column" cannot base g 'is a generated column'
check "a column of another type" cannot base k 'base.k is of type text, and cannot hold ids of type integer'
check "a number with decimals" cannot base n 'of type numeric'
id_type=text check "padded text" cannot base b 'of type character'
check "a table that others inherit from" cannot parent id 'child inherits from public.parent'

# ---- ids of several columns, and what documents read ----

begin_anew
sql "create table line (tenant text, number int, title text, price numeric, seen int, flag bool, primary key (tenant, number));
     create table actor (id int primary key, name text, born date, seen int)"
entity() { # NAME CHANNELS WATCH
    printf '{ "name": "%s", "key": "%s:{id}", "channels": [%s], "fetch": "f", "id_type": "text", "list": "select 1",
        "watch": [%s] }' "$1" "$1" "$2" "$3"
}
configure() { # FILE ENTITY...
    local IFS=,
    printf '{ "entities": [ %s ] }' "${*:2}" >"$1"
}
line='"table": "line", "column": ["tenant", "number"]'
# shellcheck disable=SC2016 # a parameter of the statement
mapped='"table": "actor", "column": "id", "maps": "select 1 where 1 = any($1)"'
configure shared.json "$(entity one '"changed", "gone"' "{$line, \"reads\": [\"title\"]}")" \
    "$(entity two '"two"' "{$line, \"reads\": [\"price\", \"number\"], \"channel\": \"changed\"}")"
check "two that watch the same share the triggers, and have to share the channels" refuses \
    'entity one and entity two watch public.line .tenant, number., .* on changed and gone for one and on changed for' \
    "$command" setup --config shared.json
configure shared.json "$(entity one '"changed"' "{$line, \"reads\": [\"title\"]}, {$mapped, \"reads\": [\"name\"]}")" \
    "$(entity two '"two"' "{$line, \"reads\": [\"price\", \"number\"], \"channel\": \"changed\"}")" \
    "$(entity three '"three"' "{$mapped, \"reads\": [\"born\"]}")"
both_read() {
    call "$command" setup --config shared.json && written '\i db/cachepusher.sql' &&
        written "watch('public.line', '{tenant,number}'::name[], 'changed', announce => 'notify', reads => '{price,title}')" &&
        written "watch('public.actor', 'id', 'cachepusher:actor.id', announce => 'notify', reads => '{born,name}')" &&
        [[ $(sql "select count(*) from pg_trigger where not tgisinternal") == 8 ]]
}
check "all that either reads counts" both_read
check "and then that is enough" runs_nothing "$command" setup --config shared.json
heard() { # STATEMENT: payloads
    printf '%s;\n' 'listen changed' "insert into line values ('a:', 1, 'x', 1, 0)" "$1" | psql -qAtX -d "$name" |
        sed -n 's/.* with payload "\(.*\)" received.*/\1/p'
}
announces() { # PAYLOADS STATEMENT
    local got
    got=$(heard "$2")
    [[ $got == "$1" ]] || { echo "announced $got" >>why && false; }
}
check "what is read is announced" announces $'["a%3A:1"]\n["a%3A:1"]' 'update line set price = 1.0'
sql 'delete from line'
check "what is not is not" announces '["a%3A:1"]' 'update line set seen = 2'
configure seen.json "$(entity other '"changed"' "{$line, \"reads\": [\"seen\"]}")"
widened() {
    prints_what_it_runs --config seen.json && written "reads => '{price,seen,title}'" &&
        written '-- the triggers of public.line (tenant, number) announce updates of price, title, which this configuration'
}
check "another configuration adds what it reads, and says what else there is" widened
sql 'delete from line'
check "the first one still has what it reads" announces $'["a%3A:1"]\n["a%3A:1"]' "update line set title = 'y'"
says_nothing_to_do() { changes_nothing "$command" setup "$@" && written 'nothing to do' && lacks ';$' out; }
check "twice" says_nothing_to_do --config seen.json
check "nor has the first one anything to do" says_nothing_to_do --config shared.json
configure all.json "$(entity one '"changed"' "{$line, \"reads\": [\"title\"]}")" \
    "$(entity two '"two"' "{$line, \"channel\": \"changed\"}")"
all_read() {
    prints_what_it_runs --config all.json &&
        written "watch('public.line', '{tenant,number}'::name[], 'changed', announce => 'notify')" &&
        sql 'delete from line' && announces $'["a%3A:1"]\n["a%3A:1"]' 'update line set seen = 3'
}
check "one that may read all has all announced" all_read
stays() { says_nothing_to_do --config shared.json && written 'public.line (tenant, number) announce every update, which this'; }
check "and goes on having it" stays
check "until it is taken away" call "$command" teardown --config all.json
check "another source's announcements" prints_what_it_runs --config shared.json "${messages[@]}"
check "twice" runs_nothing "$command" setup --config shared.json "${messages[@]}"
configure flag.json "$(entity one '"c"' '{"table": "line", "column": ["tenant", "flag"]}')"
check "a type whose text is not its output" refuses 'line.flag is of type boolean, and cannot be one of several columns' \
    "$command" setup --config flag.json "${wal[@]}"
sql 'alter table line replica identity nothing; alter table line add unique (number); alter table actor replica identity nothing'
both_in_identity() {
    prints_what_it_runs --config shared.json "${wal[@]}" && identity line d && identity actor d
}
check "all of the id's columns have to be in the identity" both_in_identity
check "what is read has not" runs_nothing "$command" setup --config shared.json "${wal[@]}"
configure gone.json "$(entity one '"c"' "{$line, \"reads\": [\"nowhere\"]}")"
check "a column that nobody can read" refuses 'entity one: there is no column nowhere in table line' \
    "$command" setup --config gone.json
takes_all_away() {
    call "$command" teardown --config gone.json "${wal[@]}" && call "$command" teardown --config shared.json "${wal[@]}" &&
        [[ $(sql "select count(*) from pg_trigger where not tgisinternal") == 0 ]]
}
check "teardown takes them away" takes_all_away

# ---- roles ----

begin_anew
sql "create role ${name}_weak login; create table t (id int primary key, fk int);
     grant select on t to ${name}_weak"
weak=(--dsn "$dsn user=${name}_weak")
check "notify: a role that may not make a schema" refuses 'may not make schema cachepusher: grant create on database' \
    "$command" setup --config t.json "${weak[@]}"
check "wal: one that may not make a publication" refuses 'may not make a publication: grant create on database' \
    "$command" setup "${t[@]}" "${weak[@]}"
sql "grant create on database $name to ${name}_weak"
check "wal: a role that does not own the table" refuses 'the owner of table public.t has to' \
    "$command" setup "${t[@]}" "${weak[@]}"
sql "alter table t owner to ${name}_weak"
check "wal: one without REPLICATION" refuses "alter role ${name}_weak with replication" \
    "$command" setup "${t[@]}" "${weak[@]}"
sql "alter role ${name}_weak with replication"
check "wal: one that may" sets_up "${t[@]}" "${weak[@]}"
check "another role finds nothing to do" runs_nothing "$command" setup "${t[@]}"

# ---- servers that will not do ----

on_a_server() { # CONFIGURATION COMMAND [ARGUMENT...]
    CP_SERVERS_CONF=$1 "$repo/scripts/with-servers" env -u CP_PREFIX bash -c \
        'psql -qX -c "create table t (id int, fk int)" && "$@" 2>&1 || echo "exit code $?"' bash "${@:2}"
}
call_here() { "$@" </dev/null >out 2>err || true; } # call() is for programs
wants() { # PATTERN CONFIGURATION OPTION...
    call_here on_a_server "$2" "$command" setup --config "$dir/t.json" "${@:3}"
    (($(wc -l <out) == 2)) && grep -q 'exit code 1' out && grep -qE "$1" out
}
check "wal_level replica" wants "wal_level is replica.*alter system set wal_level = 'logical'; then restart" \
    'wal_level = replica' "${wal[@]}"
check "with messages, too" wants 'wal_level is replica' 'wal_level = replica' "${messages[@]}"
check "no slot is free" wants 'no replication slot is free: all 0' 'max_replication_slots = 0' "${wal[@]}"
check "no sender" wants 'max_wal_senders is 0' 'max_wal_senders = 0' "${wal[@]}"

lose_a_slot() { # leaves what the commands say, before and after another setup
    # shellcheck disable=SC2016 # for the shell inside
    CP_SERVERS_CONF='max_slot_wal_keep_size = 1MB' "$repo/scripts/with-servers" env -u CP_PREFIX bash -c '
        run() { "$0" "$1" --config "$file" --source wal; }
        file=$1
        psql -qAtX -c "create table t (id int, fk int)"
        run setup >/dev/null
        for each in 1 2 3 4; do
            psql -qAtX -c "insert into t values (1)" -c "select pg_switch_wal()" -c checkpoint >/dev/null
        done
        run slot 2>&1 || echo "exit code $?"
        run setup 2>&1 && run slot' "$command" "$dir/t.json" </dev/null >out 2>err
}
a_lost_slot_is_made_anew() {
    lose_a_slot && grep -q 'slot cachepusher_customer: it is lost' out && grep -q 'exit code 1' out &&
        grep -q '^-- the slot is lost' out && tail -n 3 out | grep -q 'inactive, reserved'
}
check "a lost slot is told of, and made anew" a_lost_slot_is_made_anew

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
