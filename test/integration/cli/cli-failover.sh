#!/bin/bash
# Tests the wal source when Postgres fails over: to a standby that keeps a synchronised copy of the slot, which Postgres
# 17 and later can, and to one that has none.
#
# Usage: test/integration/cli/cli-failover.sh DIRECTORY_OF_THE_COMMANDS
#
# Has servers of its own. Prints a line for each check.

# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
[[ ${2-} == inside ]] || exec "$repo/scripts/with-servers" "$0" "$bin" inside

dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=clif
prefix=$name
slot=cachepusher_$name
redis_uri=$CP_REDIS
# Each is the standby of the one before. Sockets are in these directories, data below them.
hosts=("$CP_SERVERS_DIR" "$CP_SERVERS_DIR/2" "$CP_SERVERS_DIR/3")
unset CP_PREFIX
CP_DSN="host=$(IFS=, && echo "${hosts[*]}") port=$PGPORT user=$PGUSER dbname=$name"
export LC_ALL=C.UTF-8 CP_DSN
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
cd "$dir"

# ---- a primary and its standby ----

pg_bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
as_owner=(setpriv --pdeathsig KILL)
((EUID != 0)) || as_owner+=(--reuid postgres --regid postgres --init-groups)

sql_at() { psql -qAtX -h "$1" -d "$name" -c "$2"; } # HOST SQL
start_server() { # HOST
    (cd "$1" && exec "${as_owner[@]}" "$pg_bin/postgres" -D "$1/data" </dev/null >>"$1/log" 2>&1) &
    pids+=("$!")
    wait_for "$pg_bin/pg_isready" -q -h "$1"
}
end_server() { # HOST SIGNAL
    local pid
    pid=$(head -n 1 "$1/data/postmaster.pid")
    kill -s "$2" "$pid" && wait_for is_gone "$pid"
}
make_standby() { # HOST [SETTING]: of $PGHOST
    "${as_owner[@]}" mkdir "$1"
    (cd "$1" && "${as_owner[@]}" "$pg_bin/pg_basebackup" -D "$1/data" -C -S standby -R -X stream -c fast --no-sync)
    cat >>"$1/data/postgresql.auto.conf" <<END
unix_socket_directories = '$1'
primary_conninfo = 'host=$PGHOST port=$PGPORT user=$PGUSER dbname=$name'
hot_standby_feedback = on
${2-}
END
    start_server "$1"
}
# The standby has all but one commit, of which Redis has heard. frozen: the daemon comes back when the log of the new
# primary is longer than what it knows of the old one's.
fail_over() { # STANDBY [frozen]
    sql "insert into pulse values (now())"
    wait_for has_replayed "$1" "$(sql 'select pg_current_wal_lsn()')"
    end_server "$1" INT
    resumed_before=$(times_resumed)
    sql "update customer set name = 'lost with the primary' where id_customer = 1"
    wait_for redis_has 1 'lost with the primary'
    [[ ${2-} != frozen ]] || kill -STOP "$daemon"
    end_server "$PGHOST" QUIT
    start_server "$1"
    export PGHOST=$1
    sql "select pg_promote()" >/dev/null
    sql "update customer set name = 'after the failover' where id_customer = 2; delete from customer where id_customer = 3"
    sql "select pg_switch_wal()" >/dev/null
    kill -CONT "$daemon"
}
times_resumed() { grep -c 'resumed: going on' log || true; }
has_replayed() { [[ $(sql_at "$1" "select pg_last_wal_replay_lsn() >= '$2'") == t ]]; } # HOST POSITION

# ---- what has to come of it ----

everything_follows() {
    cmp <(sql 'select customer_get(id_customer) from customer order by id_customer') \
        <(sql "select 'get $prefix:' || id_customer from customer order by id_customer" | redis --raw) &&
        has_keys "$prefix" "$(sql 'select count(*) from customer')"
}
slot_is() { [[ $(sql "select $1 from pg_replication_slots where slot_name = '$slot'") == t ]]; } # CONDITION
reads_everything() {
    wait_for everything_follows && ! redis_has 1 'lost with the primary' && (($(times_resumed) == resumed_before))
}
goes_on() {
    sql "update customer set name = 'followed $PGHOST' where id_customer between 4 and 50"
    wait_for all_follow 4 27 50
}
is_confirmed() { # POSITION: with nothing owed
    slot_is "confirmed_flush_lsn >= '$1'" && [[ $(redis keys 'cachepusher:marker:*:wal') ]]
}
restarts() {
    local position
    position=$(sql "update customer set name = 'last' where id_customer = 6; select pg_current_wal_lsn()")
    wait_for is_confirmed "$position" && stop &&
        sql "update customer set name = 'while nobody listened' where id_customer = 5" &&
        start --source wal && wait_for logged ' resumed: [0-9]+ documents?' && follows 5
}

# Postgres 17 can be told not to stream what a standby does not have.
is_held_back() { # STANDBY
    end_server "$1" INT
    sql "alter system set synchronized_standby_slots = 'standby'"
    sql "select pg_reload_conf()" >/dev/null
    sql "update customer set name = 'held back' where id_customer = 7"
    wait_for logged 'waits for a standby of synchronized_standby_slots' && ! redis_has 7 'held back' || return 1
    start_server "$1"
    wait_for redis_has 7 'held back'
}

# ---- the primary at first ----

createdb -T template0 "$name"
load_schema "$name"
sql 'create table pulse (at timestamptz)'
"$bin/cachepusher-fakedata" --dsn "host=$PGHOST port=$PGPORT user=$PGUSER dbname=$name" --customers 300 --quiet >/dev/null
echo "local replication all trust" >>"$PGHOST/data/pg_hba.conf"
sql 'select pg_reload_conf()' >/dev/null
has_failover=$(sql "select current_setting('server_version_num')::int >= 170000")

"$command" setup --prefix "$prefix" --source wal >/dev/null
if [[ $has_failover == t ]]; then
    check "setup makes the slot for failover" slot_is failover
    sql "select pg_drop_replication_slot('$slot')" >/dev/null
fi
start_ready --source wal
if [[ $has_failover == t ]]; then
    check "and so does the daemon" slot_is failover
    make_standby "${hosts[1]}" 'sync_replication_slots = on'
    has_synchronised() {
        sql "insert into pulse values (now())"
        [[ $(sql_at "${hosts[1]}" "select synced and not temporary from pg_replication_slots where slot_name = '$slot'") == t ]]
    }
    check "the standby has a copy of the slot" wait_for has_synchronised
    check "a standby that holds the stream back is told of" is_held_back "${hosts[1]}"
    sql "alter system reset synchronized_standby_slots"
    sql "select pg_reload_conf()" >/dev/null
    fail_over "${hosts[1]}" frozen
    check "after a failover everything is read" reads_everything
    check "the slot is the one that was synchronised" slot_is 'synced and failover and active'
    check "what changes is followed" goes_on
    check "a restart goes on with it" restarts
fi

# ---- a standby without the slot ----

next=${hosts[1]}
[[ $PGHOST != "$next" ]] || next=${hosts[2]}
make_standby "$next"
fail_over "$next"
check "a standby without the slot: everything is read" reads_everything
check "another slot is made" logged "making slot \"$slot\""
check "what changes is followed" goes_on
check "a restart goes on with it" restarts

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
