#!/bin/bash
# Tests what is said where somebody new to it has gone wrong: each mistake is made once, and what names it has to say what
# mends it.
#
# Usage: scripts/with-servers test/integration/cli/cli-mistakes.sh DIRECTORY_OF_THE_COMMANDS
#
# Prints a line for each check.

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

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
