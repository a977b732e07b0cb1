# shellcheck shell=bash
# What cli.sh checks with, for it to source: processes, checks, servers, the daemon.
#
# Wants $command, $name, $prefix, $redis_uri, $repo and the current directory $dir, which all of it works in.

# shellcheck disable=SC2154 # see above
# shellcheck disable=SC2034 # $code and others are for cli.sh

# ---- processes that must not outlive us ----

pids=()
finish() {
    trap '' INT TERM HUP
    for pidfile in "$dir"/*.pid; do
        [[ -s $pidfile ]] && kill -KILL "$(cat "$pidfile")" 2>/dev/null
    done
    for pid in "${pids[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    wait 2>/dev/null
    for database in "$name" "${name}_late"; do dropdb --if-exists --force "$database" 2>/dev/null; done
    rm -rf "$dir"
}
trap 'set +e; finish' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# ---- checks ----

deadline_s=60
failures=0
check() { # WHAT FUNCTION [ARGUMENT...]
    : >why
    if "${@:2}"; then
        echo "ok      $1"
        return
    fi
    echo "not ok  $1"
    for file in why out err log; do [[ ! -s $file ]] || tail -n 8 "$file" | sed "s/^/          $file: /"; done
    failures=$((failures + 1))
}

wait_for() { # COMMAND...: until it succeeds
    local deadline=$((SECONDS + deadline_s))
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            echo "waited in vain for: $*" >>why
            return 1
        fi
        sleep 0.02
    done
}

code=
call() { # COMMAND...: leaves $code, out and err
    code=0
    timeout -k 5 "$deadline_s" "$@" </dev/null >out 2>err || code=$?
}
# exits CODE PATTERN COMMAND...: says nothing but one line on stderr, which matches the pattern.
exits() {
    call "${@:3}"
    ((code == $1)) && [[ ! -s out ]] && (($(wc -l <err) == 1)) && grep -qE -- "$2" err
}
exits_loudly() { # CODE PATTERN COMMAND...
    call "${@:3}"
    ((code == $1)) && grep -qE -- "$2" err
}
exits_silently() {
    call "$@"
    ((code == 0)) && [[ ! -s out && ! -s err ]]
}
prints() { # PATTERN COMMAND...: exits 0 and says it on stdout alone
    call "${@:2}"
    ((code == 0)) && [[ ! -s err ]] && grep -qE -- "$1" out
}
lacks() { ! grep -qF -- "$@"; } # TEXT FILE...
logged() { grep -qE -- "$1" log; }

# ---- servers ----

sql() { psql -qAtX -v ON_ERROR_STOP=1 -d "$name" -c "$1"; }
load_schema() { # DATABASE
    cat "$repo/db/cachepusher.sql" "$repo/db/schema.sql" |
        PGOPTIONS='-c client_min_messages=warning' psql -qX -v ON_ERROR_STOP=1 -d "$1" >/dev/null
}
redis() { redis-cli -s "${redis_uri#unix:}" "$@"; }
has_keys() { # PREFIX COUNT
    (($(redis eval "return #redis.call('keys', ARGV[1])" 0 "$1:*") == $2))
}
forget_keys() { # PREFIX
    redis eval "for _, key in ipairs(redis.call('keys', ARGV[1])) do redis.call('del', key) end" 0 "$1:*" >/dev/null
}
redis_has() { [[ $(redis get "$prefix:$1") == *"$2"* ]]; }                           # ID TEXT
follows() { [[ $(redis get "$prefix:$1") == "$(sql "select customer_get($1)")" ]]; } # ID
all_follow() {                                                                       # ID...
    for id in "$@"; do follows "$id" || return 1; done
}

# Until release, a psql of ours has done these statements, the last of which says 'held'.
hold_by() { # STATEMENTS
    mkfifo hold.in
    psql -qAtX -d "$name" <hold.in >hold.out 2>&1 &
    holder=$!
    pids+=("$holder")
    exec 9>hold.in
    echo "$1" >&9
    wait_for grep -q held hold.out
}
# The fetch function of held.json waits meanwhile.
hold() { hold_by "select pg_advisory_lock(77), 'held';"; }
release() {
    echo '\q' >&9 # rather than wait for the end of the pipe, which our other children hold open
    exec 9>&-
    wait "$holder" || true
    rm -f hold.in hold.out
}
is_held() { # a worker waits
    [[ $(sql "select count(*) > 0 from pg_stat_activity
              where datname = '$name' and wait_event_type = 'Lock' and wait_event = 'advisory'") == t ]]
}

# ---- the daemon ----

daemon=
launcher=() # what runs the command
start() { # [OPTION...]: with the log in ./log
    : >log
    # Bash has what it puts into the background ignore SIGINT.
    env --default-signal=INT,HUP "${launcher[@]}" "$command" run --prefix "$prefix" "$@" </dev/null 2>log &
    daemon=$!
    pids+=("$daemon")
}
start_ready() { start "$@" && wait_for logged ' ready: '; }
is_gone() { # PID: a zombie, whose parent may be slow to notice, is gone as well
    ! kill -0 "$1" 2>/dev/null || [[ $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) == Z* ]]
}
ends() { # CODE
    wait_for is_gone "$daemon" || return 1
    code=0
    wait "$daemon" || code=$?
    ((code == $1))
}
stop() { kill "$daemon" && ends 0; }

# ---- logs ----

is_json() { # FILE: every line of it is a log object
    [[ -s $1 ]] && psql -qAtX -v ON_ERROR_STOP=1 -d "$name" >parsed <<END
create temp table line (text text);
\copy line from '$1' with (format csv, delimiter E'\x01', quote E'\x02')
select (text::json->>'time')::timestamptz is not null and text::json->>'level' in ('error', 'warn', 'info', 'debug')
    and text::json->>'message' <> '' from line;
END
    [[ -s parsed ]] && ! grep -qv '^t$' parsed
}
