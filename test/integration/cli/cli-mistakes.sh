#!/bin/bash
# Tests what is said where somebody new to it has gone wrong: each mistake is made once, and what names it has to say what
# mends it.
#
# Usage: scripts/with-servers test/integration/cli/cli-mistakes.sh DIRECTORY_OF_THE_COMMANDS
#
# Prints a line for each check.

# shellcheck disable=SC2016 # what looks like one of the shell's is Postgres' $1
# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=clim_$$
prefix=$name
dsn="host=$PGHOST port=${PGPORT-5432} user=$PGUSER dbname=$name"
redis_uri=$CP_REDIS
reader=${name}_reader
unset CP_PREFIX CP_CONFIG
export LC_ALL=C.UTF-8 CP_DSN=$dsn CP_REDIS=$redis_uri
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-document-lib.sh"
cd "$dir"

equal() { "$command" verify --config "$1" "${@:2}" </dev/null >verified 2>&1; } # FILE: Redis and Postgres
advises() { # PATTERN NEXT COMMAND...: a line of the doctor, and what mends it
    call "${@:3}"
    grep -A 1 -E -- "$1" out | grep -qE -- "^ +mend: .*$2"
}

createdb -T template0 "$name"
sql "create table tag (id int primary key, name text);
     create table project (id int primary key, name text);
     create table project_tag (project int references project, tag int references tag, primary key (project, tag));
     create index on project_tag (tag, project);
     insert into tag select i, 't' || i from generate_series(1, 10) i;
     insert into project select i, 'p' || i from generate_series(1, 50) i;
     insert into project_tag select i, 1 + i % 10 from generate_series(1, 50) i"

sql "create function project_get(id int) returns json language sql as
     'select json_build_object(''name'', p.name, ''tags'', array(select tag from project_tag where project = p.id order by 1))
      from project p where p.id = \$1'"
printf '{"prefix": "%s", "entities": [{"name": "project", "key": "{prefix}:hand:{id}", "channels": ["project_changed"],
    "watch": [{"table": "project", "column": "id"},
              {"table": "project_tag", "column": "project"},
              {"table": "tag", "column": "id", "maps": "select project from project_tag where tag = any ($1)"}],
    "fetch": "project_get", "list": "select id from project"}]}' "$prefix" >by_hand.json

# ---- a daemon of a former version ----

declare_to one.json project '{id}' '{"table": "project"}'
sed 's/"table": "project"/"table": "project", "columns": [{"name": "title", "column": "name"}]/' one.json >two.json
setup one.json
start_ready --config one.json --set catalog_check_ms=200
check "the version that runs is the last" equal one.json
check "setup makes another" setup two.json
check "of which the daemon tells" wait_for logged \
    'project: cachepusher setup has made another version of its document \(cachepusher.project_.*until a restart'
said_once() { (($(grep -c 'another version' log) == 1)); }
outdated='the daemon that writes serves another version'
check "as does the doctor" advises "warning  version +$outdated" 'restart the daemon' "$command" doctor --config two.json
differ() { advises "WRONG    equal .*$outdated" 'restart the daemon' "$command" doctor --config two.json; }
check "which does not advise to repair" differ
begun=$SECONDS
check "a repair says why it cannot" exits_loudly 1 "50 could not be repaired: $outdated" \
    "$command" verify --config two.json --repair
check "without having tried for half a minute" test $((SECONDS - begun)) -lt 25
check "also for programs" exits_loudly 1 '' "$command" verify --config two.json --repair --json
check "in a member" grep -q '"writer_differs":true' out
check "the daemon has said it once" said_once
stop
start_ready --config two.json --set catalog_check_ms=200
check "started again it has the last one" equal two.json
fine() { call "$command" doctor --config two.json && ! grep -q 'another version' out; }
check "and the doctor is content" fine
check "and the log" lacks 'another version' log
stop

# ---- a table that a configuration by hand watches, by another spelling ----

begin_anew() {
    call "$command" teardown --config two.json
    setup by_hand.json
}
declare_to tags.json tags '{id}' '{"table": "project", "include": [{"name": "tags", "table": "tag", "through": "project_tag"}]}'
check "a configuration by hand" begin_anew
check "and a declared document beside it" setup tags.json
check "twice" prints 'nothing to do' "$command" setup --config tags.json
check "leaves the other one as it is" prints 'nothing to do' "$command" setup --config by_hand.json
start_ready --config tags.json --set name="${name}_tags"
sql "update tag set name = 'renamed' where id = 3"
check "what is mapped is followed" wait_for equal tags.json
kept=$daemon
start --config by_hand.json
check "by both" wait_for logged ' ready: '
sql "delete from project_tag where tag = 4"
check "each of its own" wait_for equal by_hand.json
check "at the same time" wait_for equal tags.json
stop
daemon=$kept
stop

# ---- a template that names no column of the key ----

for template in '{nosuch}' '{id}:{name}' '{ID}:{id}'; do
    sed "s/project:{id}/project:$template/" two.json >template.json
    setup two.json
    refused="entities\[0\]\.key: the template .* has other columns than the key, .*expected \{id\}, or the key's columns: \{id\}"
    check "run refuses $template" exits 2 "$refused" "$command" warmup --config template.json
    check "as does setup" exits_loudly 1 "$refused" "$command" setup --config template.json
done
sed "s/project:{id}/project:{ID}/" two.json >template.json
check "a column is spelt as in SQL, for both" prints 'nothing to do' "$command" setup --config template.json
check "and followed" call "$command" warmup --config template.json
call "$command" teardown --config two.json

# ---- no configuration ----

example='\(no --config: this is the customer example\)$'
check "verify without a configuration says so" exits_loudly 2 "relation \"customer\" does not exist $example" "$command" verify
check "and run" exits_loudly 1 "does not exist.* $example" "$command" run
sed 's/select id from/select id from no_/' by_hand.json >no_table.json
check "not so with one" exits_loudly 1 'relation "no_" does not exist$' "$command" run --config no_table.json
check "which is told as it is" lacks 'customer example' err

# ---- a right that the daemon's role lacks ----

sql "create role $reader login; grant select on project to $reader; grant usage on schema public to $reader"
sed '/"maps"/d; s/"project_tag", "column": "project"},/"project_tag", "column": "project"}],/' by_hand.json >direct.json
start --config direct.json --dsn "$dsn user=$reader" --set flush=true # lest it be equal before
check "ready tells of what fails, and of the right" wait_for logged 'warn +ready: 0 documents in .*, 50 fail and are being '`
    `"retried: Postgres: permission denied for table project_tag \(grant select on table project_tag to the daemon's role\)"
sql "grant select on project_tag, tag to $reader"
check "which then is there" wait_for equal direct.json
stop
sql "drop owned by $reader; drop role $reader"

# ---- a query that maps one value ----

sed 's/any (\$1)/$1/' by_hand.json >one_value.json
one_value='maps rows of tag: its \$1 is of type integer; expected an array of values of the column: write "= any \(\$1\)"'
check "run refuses it" exits_loudly 1 "entity \"project\": the query that $one_value" "$command" run --config one_value.json
check "as does setup" exits 1 "entity \"project\": the query that $one_value" "$command" setup --config one_value.json
check "the doctor finds it" advises "WRONG    maps .*$one_value" 'correct "maps"' "$command" doctor --config one_value.json

# ---- ids that are larger than their type ----

sql "create table wide (id bigint primary key); insert into wide values (1), (3000000000);
     create function wide_get(id bigint) returns json language sql as 'select to_json(wide) from wide where wide.id = \$1'"
printf '{"prefix": "%s", "entities": [{"name": "wide", "key": "{prefix}:wide:{id}", "channels": ["wide"], "id_type": "integer",
    "fetch": "wide_get", "list": "select id from wide"}]}' "$prefix" >wide.json
call "$command" warmup --config wide.json
check "verify says what it could not compare" exits_loudly 2 '' "$command" verify --config wide.json
counts() { grep -q ', 1 equal$' out && grep -q '^verify: 1 could not be compared: what is listed is no id of' out; }
check "and counts it" counts
check "as JSON, too" exits_loudly 2 '' "$command" verify --config wide.json --json
check "in a member of its own" grep -q '"unfit":1' out
check "the doctor tells of it" advises 'WRONG    ids +1 listed id' 'give the entity the "id_type"' "$command" doctor --config wide.json

# ---- names ----

sed 's/"prefix"/"thread": 2, "prefix"/' one.json >thread.json
check "a setting that is like another" exits 2 'thread: unknown; did you mean threads\?' \
    "$command" run --config thread.json

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
