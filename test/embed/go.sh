#!/bin/bash
# Builds the installed Go example as its reader would, but offline, runs it, and holds what it answers against
# customer_get().
#
# Usage: go.sh PREFIX LIBDIR DIRECTORY GO
# Under scripts/with-servers.

set -euo pipefail
prefix=$1
libdir=$2
directory=$3
go=$4

mkdir -p "$directory"
database=embed_go_$$
temporary=$(mktemp -d)
program=
finish() {
    exec {questions}>&- || true
    [[ -z $program ]] || kill -KILL "$program" 2>/dev/null || true
    dropdb --if-exists --force "$database" 2>/dev/null || true
    rm -rf --one-file-system "$temporary"
}
trap finish EXIT

export GOFLAGS=-mod=mod GOPROXY=off GOTOOLCHAIN=local GOCACHE=$temporary/cache GOPATH=$temporary/path
PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig "$go" build -o "$directory/cachepusher" \
    "$prefix/share/doc/cachepusher/examples/cachepusher.go"
run() { LD_LIBRARY_PATH=$prefix/$libdir exec timeout --kill-after=10 120 "$directory/cachepusher" "$@"; }

createdb "$database"
sql() { psql -XqAt -v ON_ERROR_STOP=1 -d "$database" "$@"; }
sql -f "$prefix/share/cachepusher/cachepusher.sql" -f "$prefix/share/cachepusher/schema.sql"
sql -c "insert into customer (id_customer, name) select i, 'Zoë ' || i from generate_series(1, 2000) i"

rm -f "$directory"/questions "$directory"/answers
mkfifo "$directory/questions" "$directory/answers"
run "dbname=$database host=$PGHOST port=$PGPORT user=$PGUSER" <"$directory/questions" >"$directory/answers" \
    2>"$directory/errors" &
program=$!
exec {questions}>"$directory/questions" {answers}<"$directory/answers"
read -r -t 100 line <&"$answers"
[[ $line == ready ]]

# Asks for ids 1 to 2100, until it has of all what Postgres has.
expect_all() {
    local until=$((SECONDS + 60))
    sql -c "select i || ' ' || coalesce(customer_get(i)::text, 'none') from generate_series(1, 2100) i order by i" \
        >"$directory/expected"
    until seq 2100 >&"$questions" & timeout 60 head -n 2100 <&"$answers" >"$directory/answered" &&
        cmp -s "$directory/answered" "$directory/expected"; do
        if ((SECONDS >= until)); then
            diff "$directory/answered" "$directory/expected" | head -n 10
            exit 1
        fi
    done
}
expect_all
sql -c "update customer set name = 'Änne' where id_customer % 3 = 0; delete from customer where id_customer % 7 = 0;
        insert into customer (id_customer, name) select i, E'new\\n\"' || i from generate_series(2001, 2050) i"
expect_all

exec {questions}>&-
wait "$program" || { cat "$directory/errors" && exit 1; }
program=
[[ ! -s $directory/errors ]]

# A mistake is one line.
if (run "dbname=nowhere_$$ host=$PGHOST port=$PGPORT user=$PGUSER") 2>"$directory/refused"; then exit 1; fi
[[ $(<"$directory/refused") == "cachepusher: "*"nowhere_$$"* && $(wc -l <"$directory/refused") -eq 1 ]]
