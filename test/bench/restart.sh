#!/bin/bash
# How long a restart over the wal source takes: documents that have not changed are not read again. Makes customers in a
# private Postgres, warms Redis up, kills the daemon with kill -9, starts it again, and prints the time from the start of
# the process to the time stamp of its line "resumed", with which it is ready.
#
# Usage: scripts/with-servers test/bench/restart.sh [--customers N] [--runs K] [--bin DIR]
#   --customers N  1,000,000 without
#   --runs K       restarts; 3 without
#   --bin DIR      where cachepusher and cachepusher-fakedata are; build without
#
# Exit code: 0 if each restart has resumed.

set -euo pipefail
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; }
cd "$(dirname "$0")/../.."
customers=1000000 runs=3 bin=build
while (($#)); do
    case $1 in
    --customers) customers=$2 ;;
    --runs) runs=$2 ;;
    --bin) bin=$2 ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
    esac
    shift 2
done
[[ ${CP_SERVERS_DIR-} ]] || { usage >&2 && exit 2; }

deadline_s=300
daemon=
finish() { [[ -z $daemon ]] || kill -KILL "$daemon" 2>/dev/null || true; }
trap finish EXIT
die() {
    echo "restart: $*" >&2
    cat "$log" >&2
    exit 1
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
log=$CP_SERVERS_DIR/restart.log
start() {
    began_ms=$(now_ms)
    "$bin/cachepusher" run --source wal --redis "$CP_REDIS" 2>"$log" &
    daemon=$!
}
await() { # WHAT COMMAND...: until it succeeds
    local what=$1 until_s=$((SECONDS + deadline_s))
    shift
    until "$@"; do
        if ((SECONDS >= until_s)) || ! kill -0 "$daemon"; then
            die "$what: not so within $deadline_s s"
        fi
        sleep 0.01
    done
}
is_ready() { grep -qE 'info  (ready|resumed): ' "$log"; }
has_checkpoint() { # confirmed to the slot up to where everything is now
    [[ $(redis-cli -s "${CP_REDIS#unix:}" --scan --pattern 'cachepusher:marker:*:wal') ]] &&
        [[ $(psql -qAtc "select confirmed_flush_lsn >= '$position' from pg_replication_slots") == t ]]
}
said_ms() { # when the line with that text was logged
    local stamp
    stamp=$(grep -m 1 "$1" "$log" | cut -d ' ' -f 1)
    date -d "$stamp" +%s%3N
}

psql -qAtc 'set client_min_messages = warning' -f db/cachepusher.sql -f db/schema.sql >/dev/null
"$bin/cachepusher-fakedata" --customers "$customers" --quiet >/dev/null
psql -qAtc 'vacuum analyze'
"$bin/cachepusher" setup --source wal >/dev/null

start
await "ready for the first time" is_ready
grep -E ' ready: ' "$log"
for ((i = 0; i < runs; i++)); do
    position=$(psql -qAtc 'select pg_current_wal_lsn()')
    psql -qAtc 'update customer set name = name where id_customer = 1' >/dev/null
    await "a checkpoint" has_checkpoint
    kill -KILL "$daemon"
    wait "$daemon" 2>/dev/null || true
    start
    await "ready again" is_ready
    grep -q 'info  resumed: ' "$log" || die "it has not resumed"
    echo "restart $((i + 1)): ready $(($(said_ms 'info  resumed: ') - began_ms)) ms after its start;" \
        "$(sed -n 's/.*info  \(resumed: .*\)/\1/p' "$log")"
done
