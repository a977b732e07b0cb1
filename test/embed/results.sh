#!/bin/bash
# Builds an installed example of the queue of results as its reader would, and runs it: what it prints of a row that
# changes and of states, until it is told to end. Then with a Postgres that is not there.
#
# Usage: results.sh NAME PREFIX LIBDIR DIRECTORY CC [PACKAGE...]
#   NAME     epoll, libuv or plain
#   PACKAGE  what pkg-config has to find besides
# Under scripts/with-servers.

set -euo pipefail
name=$1
prefix=$2
libdir=$3
directory=$4
cc=$5
packages=("${@:6}")

mkdir -p "$directory"
database=embed_results_${name}_$$
program=
finish() {
    [[ -z $program ]] || kill -KILL "$program" 2>/dev/null || true
    dropdb --if-exists --force "$database" 2>/dev/null || true
}
trap finish EXIT

# shellcheck disable=SC2046 # the flags are words
PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig "$cc" -std=c11 -Wall -Wextra -pedantic -Werror \
    "$prefix/share/doc/cachepusher/examples/$name.c" -o "$directory/$name" \
    $(PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig pkg-config --cflags --libs cachepusher "${packages[@]}")
run() { LD_LIBRARY_PATH=$prefix/$libdir exec timeout --kill-after=10 120 "$directory/$name" "$@"; }

createdb "$database"
sql() { psql -XqAt -v ON_ERROR_STOP=1 -d "$database" "$@"; }
sql -f "$prefix/share/cachepusher/cachepusher.sql" -f "$prefix/share/cachepusher/schema.sql"
sql -c "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 3000) i"

rm -f "$directory/printed"
mkfifo "$directory/printed"
run "dbname=$database host=$PGHOST port=$PGPORT user=$PGUSER" >"$directory/printed" &
program=$!
exec {printed}<"$directory/printed"

# expect PATTERN: reads what is printed up to a line that is like it.
expect() {
    local line='(nothing)' until=$((SECONDS + 60))
    while ((SECONDS < until)) && read -r -t $((until - SECONDS)) line <&"$printed"; do
        # shellcheck disable=SC2053 # it is a pattern
        [[ $line == $1 ]] && return
    done
    echo "$name: no line like \"$1\"; the last was \"$line\""
    exit 1
}
expect "state starting*"
expect "state ready*"
sql -c "update customer set name = 'Zoe' where id_customer = 7"
expect "7 *Zoe*"
sql -c "delete from customer where id_customer = 8"
expect "8 none"
kill -TERM "$program"
expect "state stopping*"
expect "state stopped*"
wait "$program"
program=

# timeout(1), which $program was, hands its signal on, and exits as what it runs does.
if (run "dbname=nowhere_$$ host=$PGHOST port=$PGPORT user=$PGUSER") 2>"$directory/refused"; then
    echo "$name: it runs without a database"
    exit 1
fi
grep -q "nowhere_$$" "$directory/refused"
[[ $(wc -l <"$directory/refused") -eq 1 ]]
