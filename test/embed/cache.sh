#!/bin/bash
# Builds the installed cache example as its reader would, runs it, and holds what it answers against customer_get().
#
# Usage: cache.sh PREFIX LIBDIR DIRECTORY CC
# Under scripts/with-servers.

set -euo pipefail
prefix=$1
libdir=$2
directory=$3
cc=$4

mkdir -p "$directory"
database=embed_cache_$$
program=
finish() {
    exec {questions}>&- || true
    [[ -z $program ]] || kill -KILL "$program" 2>/dev/null || true
    dropdb --if-exists --force "$database" 2>/dev/null || true
}
trap finish EXIT

# What README and header say of it.
lines=$(sed -n '/^\/\* ---- the cache/,/^\/\* ---- the rest/p' "$prefix/share/doc/cachepusher/examples/cache.c" | grep -Evc '^$|^/\*')
((lines < 40))
# shellcheck disable=SC2046 # the flags are words
PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig "$cc" -std=c11 -Wall -Wextra -pedantic -Werror \
    "$prefix/share/doc/cachepusher/examples/cache.c" -o "$directory/cache" \
    $(PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig pkg-config --cflags --libs cachepusher) -pthread

createdb "$database"
sql() { psql -XqAt -v ON_ERROR_STOP=1 -d "$database" "$@"; }
sql -f "$prefix/share/cachepusher/cachepusher.sql" -f "$prefix/share/cachepusher/schema.sql"
sql -c "insert into customer (id_customer, name) select i, 'customer ' || i from generate_series(1, 2000) i;
        insert into address (description, fk_customer) select 'address ' || i, 1 + i % 2000 from generate_series(1, 5000) i"

rm -f "$directory"/questions "$directory"/answers
mkfifo "$directory/questions" "$directory/answers"
LD_LIBRARY_PATH=$prefix/$libdir timeout 120 "$directory/cache" "dbname=$database host=$PGHOST port=$PGPORT user=$PGUSER" \
    <"$directory/questions" >"$directory/answers" &
program=$!
exec {questions}>"$directory/questions" {answers}<"$directory/answers"
read -r -t 100 line <&"$answers"
[[ $line == ready ]]

# What the cache has of ids 1 to 2100, in order.
ask() {
    seq 2100 >&"$questions" &
    timeout 60 head -n 2100 <&"$answers" >"$directory/answered"
}
expected() { sql -c "select i || ' ' || coalesce(customer_get(i)::text, 'none') from generate_series(1, 2100) i order by i"; }

# equal WHAT: waits until the cache is.
equal() {
    local until=$((SECONDS + 60))
    expected >"$directory/expected"
    until ask && cmp -s "$directory/answered" "$directory/expected"; do
        if ((SECONDS >= until)); then
            echo "$1: the cache is not equal to Postgres"
            diff "$directory/answered" "$directory/expected" | head -n 10
            exit 1
        fi
    done
    echo "$1: equal"
}
equal "after the warm-up"
sql -c "update customer set name = 'Zürich ' || id_customer where id_customer % 3 = 0;
        delete from customer where id_customer % 7 = 0;
        insert into customer (id_customer, name) select i, E'new\\n\"' || i from generate_series(2001, 2050) i;
        update address set fk_customer = 1 where fk_customer % 11 = 1"
equal "after changes"

# What no trigger announces, and no notification reaches.
sql -c "set session_replication_role = replica; delete from customer where id_customer % 5 = 0" \
    -c "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'cachepusher listener'" >"$directory/ended"
[[ $(<"$directory/ended") == t ]]
equal "after changes that nobody heard of"

sql -c "delete from customer"
equal "after everything was deleted"

exec {questions}>&-
wait "$program"
program=
