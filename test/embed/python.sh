#!/bin/bash
# Runs the installed Python example, and holds what it prints against customer_get().
#
# Usage: python.sh PREFIX LIBDIR DIRECTORY
# Under scripts/with-servers.

set -euo pipefail
prefix=$1
libdir=$2
directory=$3

mkdir -p "$directory"
database=embed_python_$$
program=
finish() {
    [[ -z $program ]] || kill -KILL "$program" 2>/dev/null || true
    dropdb --if-exists --force "$database" 2>/dev/null || true
}
trap finish EXIT

sql() { psql -XqAt -v ON_ERROR_STOP=1 -d "$database" "$@"; }
createdb "$database"
sql -f "$prefix/share/cachepusher/cachepusher.sql" -f "$prefix/share/cachepusher/schema.sql"
sql -c "insert into customer (id_customer, name) select i, 'Zoë ' || i from generate_series(1, 50) i"

rm -f "$directory/input"
mkfifo "$directory/input"
python=/usr/bin/python3 # the one of Debian: another has to be told of Debian's libraries
LD_LIBRARY_PATH=$prefix/$libdir PYTHONDONTWRITEBYTECODE=1 timeout 120 "$python" \
    "$prefix/share/doc/cachepusher/examples/cachepusher.py" "dbname=$database host=$PGHOST port=$PGPORT user=$PGUSER" \
    "$CP_REDIS" "$database" <"$directory/input" >"$directory/printed" 2>"$directory/errors" &
program=$!
exec {input}>"$directory/input"

# wait_for LINE: until it has been printed.
wait_for() {
    local until=$((SECONDS + 60))
    until cat "$directory/printed" "$directory/errors" | grep -qxF "$1"; do
        if ((SECONDS >= until)); then
            printf 'not printed: %s\n' "$1"
            tail "$directory/printed" "$directory/errors"
            exit 1
        fi
        sleep 0.1
    done
}
wait_for "every document is in Redis; press return to stop"
wait_for "$(sql -c "select 'customer 17 ' || customer_get(17)")"
sql -c "update customer set name = 'Änne' where id_customer = 17" -c "delete from customer where id_customer = 18"
wait_for "$(sql -c "select 'customer 17 ' || customer_get(17)")"
wait_for "customer 18 is gone"

echo >&"$input"
wait "$program" || { cat "$directory/errors" && exit 1; }
program=
[[ $(wc -l <"$directory/errors") == 1 ]] # nothing but the line above

# A mistake is one line.
if refused=$(LD_LIBRARY_PATH=$prefix/$libdir "$python" "$prefix/share/doc/cachepusher/examples/cachepusher.py" \
    "dbname=$database" nowhere:x 2>&1); then exit 1; fi
[[ $refused == "cachepusher: redis: "* && $(wc -l <<<"$refused") == 1 ]]
