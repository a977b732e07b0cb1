#!/bin/bash
# Builds the installed store example as its reader would, runs it, and holds its files against customer_get().
#
# Usage: store.sh PREFIX LIBDIR DIRECTORY CC
# Under scripts/with-servers.

set -euo pipefail
prefix=$1
libdir=$2
directory=$3
cc=$4

mkdir -p "$directory"
database=embed_store_$$
program=
finish() {
    exec {input}>&- || true
    [[ -z $program ]] || kill -KILL "$program" 2>/dev/null || true
    dropdb --if-exists --force "$database" 2>/dev/null || true
}
trap finish EXIT

# shellcheck disable=SC2046 # the flags are words
PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig "$cc" -std=c11 -Wall -Wextra -pedantic -Werror \
    "$prefix/share/doc/cachepusher/examples/store.c" -o "$directory/store" \
    $(PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig pkg-config --cflags --libs cachepusher)

createdb "$database"
sql() { psql -XqAt -v ON_ERROR_STOP=1 -d "$database" "$@"; }
sql -f "$prefix/share/cachepusher/cachepusher.sql" -f "$prefix/share/cachepusher/schema.sql"
sql -c "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 300) i"

files=$directory/files
rm -rf "$files" "$directory/input" "$directory/output"
mkdir "$files"
echo "of a customer who is gone" >"$files/customer:9001"
mkfifo "$directory/input" "$directory/output"
LD_LIBRARY_PATH=$prefix/$libdir timeout 200 "$directory/store" "dbname=$database host=$PGHOST port=$PGPORT user=$PGUSER" \
    "$files" <"$directory/input" >"$directory/output" &
program=$!
exec {input}>"$directory/input" {output}<"$directory/output"
read -r -t 100 line <&"$output"
[[ $line == ready ]]

held() {
    local file
    for file in "$files"/customer:*; do
        [[ ! -e $file ]] || echo "${file##*:} $(<"$file")"
    done | sort -n
}
expected() { sql -c "select id_customer || ' ' || customer_get(id_customer) from customer order by id_customer"; }

# equal WHAT: waits until the files are.
equal() {
    local until=$((SECONDS + 60))
    expected >"$directory/expected"
    until held >"$directory/held" 2>/dev/null && cmp -s "$directory/held" "$directory/expected"; do
        if ((SECONDS >= until)); then
            echo "$1: the files are not equal to Postgres"
            diff "$directory/held" "$directory/expected" | head -n 10
            exit 1
        fi
    done
    echo "$1: equal"
}
equal "after the warm-up"
sql -c "update customer set name = 'Zürich ' || id_customer where id_customer % 3 = 0;
        delete from customer where id_customer % 7 = 0"
equal "after changes"
# The marker last: what is written again when it is missed is not to be among what is still being removed.
rm -f "$files"/customer:*
rm -f "$files"/*
equal "after the directory was emptied"

exec {input}>&-
wait "$program"
program=
