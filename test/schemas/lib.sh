# shellcheck shell=bash
# What run, race.sh and measure.sh share: servers of their own, databases, the daemon, what Redis holds.
#
# Wants $0's options parsed into $bin and the current directory to be $dir.

# shellcheck disable=SC2154 # see above
# shellcheck disable=SC2034 # and some is for those
# shellcheck disable=SC2094 # a function of the name of the file it makes

schemas=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$schemas/../.." && pwd)

usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; }
die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# on_private_servers ARGUMENT...: the script again, with these, where it has servers to itself; returns there.
on_private_servers() {
    [[ ${CP_SCHEMAS_SERVERS-} != "${CP_SERVERS_DIR-none}" ]] || return 0
    # What a writer waits for in a deadlock is of no use to anybody.
    # shellcheck disable=SC2016 # for the other shell to expand
    CP_SERVERS_CONF=$'deadlock_timeout = 20ms\n'${CP_SERVERS_CONF-} exec "$root/scripts/with-servers" bash -c \
        'CP_SCHEMAS_SERVERS=$CP_SERVERS_DIR exec "$@"' bash "$0" "$@"
}

begin() { # in a directory that is gone at the end, with the commands in $bin
    [[ -x $bin/cachepusher ]] || die "$bin/cachepusher: none; build it, or name its directory with --bin"
    bin=$(cd "$bin" && pwd)
    command=$bin/cachepusher
    dir=$(mktemp -d /tmp/cp-schemas.XXXXXX)
    pids=()
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    cd "$dir" || exit
    export LC_ALL=C.UTF-8 CP_ADMIN=unix:$dir/admin.sock PGOPTIONS='-c client_min_messages=warning'
}
finish() {
    local code=$?
    trap '' INT TERM HUP
    if ((code != 0)) && [[ -s log ]]; then
        echo "--- the end of the daemon's log" >&2
        tail -n 30 log >&2
    fi
    for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf --one-file-system "$dir"
}

sql() { psql -qAtX -v ON_ERROR_STOP=1 "$@"; }
redis() { redis-cli -s "${CP_REDIS#unix:}" "$@"; }

use_database() { # NAME: makes it, and goes there
    sql -c "create database \"$1\" template template0" >/dev/null
    export PGDATABASE=$1 CP_DSN="host=$PGHOST dbname=$1 user=$PGUSER"
    redis flushall >/dev/null
}
load() { # SCHEMA SCALE
    sql -v scale="$2" -f "$schemas/helpers.sql" -f "$schemas/$1/schema.sql" -f "$schemas/$1/data.sql" \
        -f "$schemas/$1/writes.sql" -c analyze >/dev/null || die "the schema $1 cannot be loaded"
}

# ---- the daemon ----

set_up() { # OPTION...: those of the configuration
    options=("$@")
    "$command" setup "${options[@]}" >setup.out 2>setup.err || {
        tail -n 20 setup.out setup.err >&2
        die "cachepusher setup failed"
    }
    # Nothing is left for a second one.
    "$command" setup "${options[@]}" 2>&1 | grep -q 'nothing to do' || die "cachepusher setup is not idempotent"
}
start() {
    "$command" run "${options[@]}" -t 2 --admin "$CP_ADMIN" </dev/null >log 2>&1 &
    daemon=$!
    pids+=("$daemon")
    wait_for 30 "the daemon is ready" grep -q ' ready: ' log
}
stop() { # where $may_cut_short, the daemon may end a resync that a TRUNCATE called for, and say so with 1
    kill "$daemon"
    local code=0
    wait "$daemon" || code=$?
    ((code == 0)) || [[ $code == 1 && ${may_cut_short-} ]] || die "the exit code of the daemon: $code"
}

wait_for() { # SECONDS WHAT COMMAND...
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        kill -0 "$daemon" 2>/dev/null || die "the daemon has ended, before: $what"
        ((SECONDS < deadline)) || return 1
        sleep 0.05
    done
}

# What the daemon has read everything again for, besides its start: one cause a line.
resyncs() {
    "$command" status --json >status || [[ -s status ]] || die "no status of the daemon"
    sql -v status="$(cat status)" <<<"select key || ' (' || value || ')' from json_each_text(
        :'status'::json #> '{stats,cachepusher_resyncs_begun_total}') where value::float > (key = 'start')::int"
}

# ---- documents ----

# held: a line each, the key first, in order. A key may have line feeds, JSON has none; the daemon's own keys
# begin with its name.
read_held() {
    redis eval "local lines = {}
        for _, key in ipairs(redis.call('keys', '*')) do
            if key:sub(1, 12) ~= 'cachepusher:' then
                lines[#lines + 1] = key:gsub('\n', '\\\\n') .. '\t' .. redis.call('get', key)
            end
        end
        return lines" 0 | sed '/^$/d' | sort >held
}
wanted() { # FILE: one query for keys and documents
    {
        # shellcheck disable=SC2028 # for Postgres to expand
        echo "select replace(key, e'\n', '\n') || e'\t' || document from ("
        sed 's/;[[:space:]]*$//' "$1"
        echo ") as expected;"
    } >wanted.sql
    sql -f wanted.sql | sort
}
are_equal() { # FILE
    wanted "$1" >wanted
    read_held
    cmp -s wanted held
}
show_differences() {
    # The shorter the better: of each key that differs, a line from either.
    diff wanted held | grep '^[<>]' | cut -c 1-400 | head -n 12 | sed 's/^</expected:/; s/^>/in Redis:/' >&2 || true
}
verifies() { "$command" verify "${options[@]}" -t 2 >verified 2>&1; }
