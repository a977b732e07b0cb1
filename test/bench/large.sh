#!/bin/bash
# What one large transaction costs over the wal source, in seconds of processors, by process: while it is open, and from its
# commit to the last document in Redis; and of the warm-up of as many, before. Times pass slower on a busy machine,
# processors' seconds hardly do.
#
# Usage: scripts/with-servers test/bench/large.sh [--customers N] [--runs K] [--bin DIR]
#   --customers N  all of them are updated by one statement; 500,000 without
#   --runs K       3 without
#   --bin DIR      where cachepusher and cachepusher-fakedata are; build without
#
# Prints a line of each run: the statement's time, the time from its commit to the last document, and the two sums with
# what they are made of.

set -euo pipefail
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; }
cd "$(dirname "$0")/../.."
customers=500000 runs=3 bin=build
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

daemon=
finish() { [[ -z $daemon ]] || kill -KILL "$daemon" 2>/dev/null || true; }
trap finish EXIT

redis() { redis-cli -s "${CP_REDIS#unix:}" "$@"; }
sets() { redis info commandstats | sed -n 's/^cmdstat_set:calls=\([0-9]*\),.*/\1/p'; }
now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
postmaster=$(head -n 1 "$CP_SERVERS_DIR"/data/postmaster.pid)
redis_pid=$(redis info server | sed -n 's/^process_id:\([0-9]*\).*/\1/p')

# spent: NAME PID TICKS of each process there is, a line each. It forks nothing, which would take longer than what is measured.
spent() {
    local pid stat title name fields
    for pid in "$daemon" "$redis_pid" $(<"/proc/$postmaster/task/$postmaster/children"); do
        { IFS= read -r stat <"/proc/$pid/stat" && IFS= read -r -d '' title <"/proc/$pid/cmdline"; } 2>/dev/null || continue
        case $pid/$title in
        "$daemon"/*) name=daemon ;;
        "$redis_pid"/*) name=redis ;;
        */*walsender*) name=walsender ;;
        */*"[local]"*) name=backends ;;
        *) continue ;;
        esac
        read -r -a fields <<<"${stat##*) }"
        echo "$name $pid $((fields[11] + fields[12]))"
    done
}
# between BEFORE AFTER: seconds, the sum first.
between() {
    awk -v per_s="$(getconf CLK_TCK)" 'NR == FNR { before[$2] = $3; next }
        { by[$1] += ($3 - before[$2]) / per_s; sum += ($3 - before[$2]) / per_s }
        END { printf "%.2f s (", sum
              for (name in by) { printf "%s%s %.2f", comma, name, by[name]; comma = ", " }
              print ")" }' \
        <(echo "$1") <(echo "$2")
}
await_sets() { # NUMBER
    until (($(sets) >= $1)); do
        kill -0 "$daemon" && sleep 0.02
    done
}

psql -qAtc 'set client_min_messages = warning' -f db/cachepusher.sql -f db/schema.sql >/dev/null
"$bin/cachepusher-fakedata" --customers "$customers" --quiet >/dev/null
psql -qAtc 'vacuum analyze'
"$bin/cachepusher" setup --source wal >/dev/null
redis set a b >/dev/null # so that there is something to count
begun=$(spent) begun_ms=$(now_ms)
"$bin/cachepusher" run --source wal --redis "$CP_REDIS" 2>"$CP_SERVERS_DIR/large.log" &
daemon=$!
until grep -qE 'info  ready: ' "$CP_SERVERS_DIR/large.log"; do
    kill -0 "$daemon" && sleep 0.02
done
ready=$(spent)
echo "warm-up: $(($(now_ms) - begun_ms)) ms; processors: $(between "$begun" "$ready")"
for ((run = 1; run <= runs; run++)); do
    psql -qAtc 'vacuum full customer' -c checkpoint >/dev/null
    stored=$(sets) begun=$(spent) begun_ms=$(now_ms)
    psql -qAtc "update customer set name = name || '.'" >/dev/null
    committed=$(spent) committed_ms=$(now_ms)
    await_sets $((stored + customers))
    settled=$(spent) settled_ms=$(now_ms)
    echo "run $run: statement $((committed_ms - begun_ms)) ms, settled $((settled_ms - committed_ms)) ms behind it;" \
        "processors until the commit: $(between "$begun" "$committed"), behind it: $(between "$committed" "$settled")"
done
