#!/bin/bash
# How soon a host's settled callback is called: a writer's, and a follower's, in turns.
#
# Usage: scripts/with-servers test/bench/callbacks.sh [BUILD [RATE [SECONDS [RUNS]]]]
# BUILD is a release build (build/gcc). Prints each run: changes, how many were not told, and p50, p99 and the greatest
# in microseconds, from settled_us to the callback's entry, then from the return of the commit to it. Then the medians.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "${1-build/gcc}")
rate=${2-1000}
seconds=${3-10}
runs=${4-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

library=$(dirname "$(find "$build" -name libcachepusher.so -print -quit)")
# shellcheck disable=SC2046 # the flags are words
cc -O2 -std=gnu11 -Wall -Wextra -I"$here/../../include" $(pkg-config --cflags libpq) "$here/callbacks.c" -o "$work/callbacks" \
    -L"$library" -Wl,-rpath,"$library" -lcachepusher $(pkg-config --libs libpq) -pthread
psql -Xq -v ON_ERROR_STOP=1 -f "$here/../../db/cachepusher.sql" -f "$here/../../db/schema.sql"
CP_DSN=$CP_DSN "$build/cachepusher-fakedata" --customers "$((rate * seconds))" >/dev/null
psql -Xqc "vacuum analyze"

for ((run = 0; run <= runs; run++)); do
    for way in writer follower; do
        target=$CP_REDIS
        [[ $way == writer ]] || target=-
        result=$("$work/callbacks" "$CP_DSN" "$target" "$rate" "$seconds")
        ((run == 0)) || echo "$way $result" | tee -a "$work/results" # the first warms up the servers
    done
done

# The median of numbers, a line each.
median() { sort -n | awk '{ n[NR] = $1 } END { print n[int((NR + 1) / 2)] }'; }
for way in writer follower; do
    for column in 4 5 6 7 8 9; do
        grep "^$way " "$work/results" | cut -d' ' -f"$column" | median
    done | xargs echo "median, $way:"
done
