#!/bin/bash
# Runs a command of cachepusher-bench at a size at which its figures mean nothing, and looks at what it writes.
#
# Usage: command.sh BENCH CHECK_REPORT COMMAND TABLES [OPTION...]
#   TABLES   names of tables that have to be in the JSON, with blanks between
#   OPTION   of the command; "--plot" alone: it has to draw, too
#
# With its own servers, whatever the environment says of others.

set -euo pipefail
bench=$1
check_report=$2
command=$3
read -ra tables <<<"$4"
options=("${@:5}")

dir=$(mktemp -d /tmp/cp-bench.XXXXXX)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fail() {
    echo "$command: $*" >&2
    for file in "$dir"/out "$dir"/err; do [[ ! -s $file ]] || sed "s/^/  ${file##*/}: /" "$file" >&2; done
    exit 1
}

plot=
for i in "${!options[@]}"; do
    if [[ ${options[i]} == --plot ]]; then
        plot=$dir/plot.svg
        options[i]=--plot=$plot
    fi
done

# Nobody listens there: it must not even try.
export CP_DSN='host=/nowhere' CP_REDIS=unix:/nowhere PGHOST=/nowhere CP_PREFIX=elsewhere
"$bench" "$command" "${options[@]}" --json "$dir/report.json" >"$dir/out" 2>"$dir/err" || fail "exit code $?"
"$check_report" "$dir/report.json" "$command" "${tables[@]}" 2>"$dir/err" || fail "its JSON is not whole"
[[ ! -s $dir/err ]] || fail "something on standard error"
(($(grep -c '^─' "$dir/out") >= ${#tables[@]})) || fail "a table is missing in its output"
if [[ $plot ]]; then
    [[ $(head -c 200 "$plot") == *'<?xml'* && $(tail -n 3 "$plot") == *'</svg>'* ]] || fail "no SVG"
    grep -q '<path' "$plot" || fail "nothing in its SVG"
fi
