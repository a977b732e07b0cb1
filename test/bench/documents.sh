#!/bin/bash
# What the settled callback with its documents costs a warm-up, in turns with a warm-up without one; which of the two is
# first alternates.
#
# Usage: scripts/with-servers test/bench/documents.sh [BUILD [CUSTOMERS [RUNS]]]
# BUILD is a release build (build/gcc). Prints each run: documents, milliseconds, own CPU time; then the medians, and the
# median of the ratios, run by run, of milliseconds with it to those without.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${1-build/gcc}")
customers=${2-200000}
runs=${3-7}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

library=$(dirname "$(find "$build" -name libcachepusher.so -print -quit)")
cc -O2 -std=gnu11 -I"$here/../../include" "$here/documents.c" -o "$work/documents" -L"$library" -Wl,-rpath,"$library" \
    -lcachepusher -pthread
psql -Xq -v ON_ERROR_STOP=1 -f "$here/../../db/cachepusher.sql" -f "$here/../../db/schema.sql"
CP_DSN=$CP_DSN "$build/cachepusher-fakedata" --customers "$customers" >/dev/null
psql -Xqc "vacuum analyze"

for ((run = 0; run <= runs; run++)); do
    ways=(without with)
    ((run % 2 == 0)) || ways=(with without)
    for way in "${ways[@]}"; do
        redis-cli -s "${CP_REDIS#unix:}" flushall >/dev/null
        result=$("$work/documents" "$CP_DSN" "$CP_REDIS" bench "$way")
        ((run == 0)) || echo "$way $result" | tee -a "$work/results" # the first warms up the servers
    done
done

# The median of numbers, a line each.
median() { sort -n | awk '{ n[NR] = $1 } END { print n[int((NR + 1) / 2)] }'; }
for way in without with; do
    for column in 3 4; do
        grep "^$way " "$work/results" | cut -d' ' -f"$column" | median
    done | xargs echo "median, $way:"
done
paste -d' ' <(grep "^with " "$work/results") <(grep "^without " "$work/results") | awk '{ printf "%.3f\n", $3 / $7 }' |
    median | xargs echo "median ratio:"
