#!/bin/bash
# Tests what a service manager is told: when a daemon is ready, what it does, and that it stops.
#
# Usage: scripts/with-servers test/integration/cli/cli-service.sh DIRECTORY_OF_THE_COMMANDS
#
# Works in a database and under a key prefix of its own. Prints a line for each check.

# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=clin_$$
prefix=$name
redis_uri=$CP_REDIS
unset CP_PREFIX
export LC_ALL=C.UTF-8 CP_DSN="host=$PGHOST port=${PGPORT-5432} user=$PGUSER dbname=$name"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
cd "$dir"

createdb -T template0 "$name"
load_schema "$name"
"$bin/cachepusher-fakedata" --customers 100 --quiet >/dev/null

# The manager's end: each message goes to ./told, a line each.
perl -MSocket -e '
    $| = 1;
    socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die;
    bind($s, sockaddr_un("manager")) or die;
    while (defined recv($s, my $message, 4096, 0)) { print "$message\n" }' >told &
pids+=("$!")
wait_for test -S manager
export NOTIFY_SOCKET=$dir/manager
told() { grep -qE -- "$1" told; }

# The warm-up does not get on meanwhile.
hold_by "begin; lock table address in access exclusive mode; select 'held';"
start
check "it is told what a daemon does while it fills Redis" wait_for told '^STATUS=Filling Redis: 0 of about [0-9]+ documents$'
not_told_ready() { ! told '^READY=1$'; }
check "and not that it is ready" not_told_ready
release
check "it is told when Redis is full" wait_for told '^READY=1$'
check "and what goes on then" wait_for told '^STATUS=Following changes: 100 stored, 0 deleted, 0 pending, 0 failing$'
first=$daemon
mv log first.log

: >told
start
check "one that stands by is ready" wait_for told '^READY=1$'
check "and says so" wait_for told '^STATUS=Standing by: another instance of the name is the writer$'
check "it stops" stop
check "which is told" told '^STOPPING=1$'
daemon=$first
check "the first one ends" stop

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
