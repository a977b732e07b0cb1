#!/bin/bash
# What cachepusher-bench says when it is not called right, and what it does with servers that are given to it.
#
# Usage: scripts/with-servers usage.sh BENCH CHECK_REPORT

set -euo pipefail
bench=$1
check_report=$2
dir=$(mktemp -d /tmp/cp-bench.XXXXXX)
cd "$dir"
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

failures=0
check() { # WHAT COMMAND...
    : >out && : >err
    if "${@:2}"; then
        echo "ok      $1"
        return
    fi
    echo "not ok  $1"
    for file in out err; do [[ ! -s $file ]] || sed "s/^/          $file: /" "$file"; done
    failures=$((failures + 1))
}
# fails CODE PATTERN ARGUMENT...: with nothing but one line, which matches.
fails() {
    local code=0
    "$bench" "${@:3}" >out 2>err || code=$?
    ((code == $1)) && [[ ! -s out ]] && (($(wc -l <err) == 1)) && grep -qE -- "$2" err
}
fails_to_print() {
    local code=0
    "$bench" ring --operations 1 --runs 1 >/dev/full 2>err || code=$?
    ((code == 1)) && (($(wc -l <err) == 1))
}
prints() { # PATTERN ARGUMENT...
    "$bench" "${@:2}" >out 2>err && [[ ! -s err ]] && grep -qE -- "$1" out
}
fails_without() { # PROGRAM ARGUMENT...
    local code=0
    env PATH=/nowhere "$bench" "${@:2}" >out 2>err || code=$?
    ((code == 1)) && (($(wc -l <err) == 1)) && grep -q "$1 is missing" err
}
narrow() { # no line of a help text is too long for a terminal
    for command in '' warmup latency burst source-cost ring; do
        "$bench" ${command:+"$command"} --help >>out || return 1
    done
    ! grep -E '^.{101}' out
}

sql() { psql -XAtq -c "$1"; }
redis() { redis-cli -s "${CP_REDIS#unix:}" "$@"; }
# Within a few seconds: after a kill it is done by another process.
given_back() {
    for ((i = 0; i < 500; i++)); do
        if [[ $(sql "select count(*) from pg_database where datname = 'cachepusher_bench'") == 0 &&
            $(redis dbsize) == 0 ]]; then
            return
        fi
        sleep 0.02
    done
    return 1
}
on_given=("$bench" warmup --dsn "$CP_DSN" --redis "$CP_REDIS" --runs 1 --threads 2)
gives_back() {
    "${on_given[@]}" --customers 200 --json - >report.json 2>err && "$check_report" report.json warmup throughput cost &&
        ! grep -qF -e "$CP_DSN" -e "$CP_REDIS" report.json && given_back
}
is_at_work() { [[ $(sql "select count(*) from pg_database where datname = 'cachepusher_bench'") == 1 ]]; }
gives_back_after() { # SIGNAL
    "${on_given[@]}" --customers 1000000 >out 2>err &
    local pid=$! i
    for ((i = 0; i < 1500; i++)); do
        ! is_at_work || break
        sleep 0.02
    done
    ((i < 1500)) || return 1
    kill -s "$1" "$pid"
    wait "$pid" 2>/dev/null || true
    given_back
}
is_streaming() { [[ $(sql "select count(*) from pg_replication_slots where active and database = 'cachepusher_bench'") == 1 ]]; }
gives_back_slot() { # while pg_recvlogical reads it
    "$bench" source-cost --dsn "$CP_DSN" --redis "$CP_REDIS" --customers 200 --duration 2 --runs 1 --sources wal2json \
        >out 2>err &
    local pid=$! i
    for ((i = 0; i < 5000; i++)); do
        ! is_streaming || break
        sleep 0.02
    done
    kill -s KILL "$pid"
    wait "$pid" 2>/dev/null || true
    ((i < 5000)) && given_back && [[ $(sql 'select count(*) from pg_replication_slots') == 0 ]]
}
notify() { redis config get notify-keyspace-events | tail -n 1; }
sets_notify_back() { # after SIGTERM, and adds to what is there meanwhile
    local before
    redis config set notify-keyspace-events Ex >/dev/null
    before=$(notify) # as it spells that
    "$bench" latency --dsn "$CP_DSN" --redis "$CP_REDIS" --customers 200 --runs 1 >out 2>err &
    local pid=$! i meanwhile=
    for ((i = 0; i < 500 && ${#meanwhile} < 4; i++)); do
        sleep 0.02
        meanwhile=$(notify)
    done
    kill "$pid"
    wait "$pid" 2>/dev/null || true
    given_back && [[ $meanwhile == *x* && $meanwhile == *K* ]] || return 1
    for ((i = 0; i < 500; i++)); do
        [[ $(notify) != "$before" ]] || return 0
        sleep 0.02
    done
    return 1
}
refuses_full_redis() {
    redis set somebody here >/dev/null
    fails 1 'not empty \(1 keys\)' warmup --dsn "$CP_DSN" --redis "$CP_REDIS" && [[ $(redis get somebody) == here ]] &&
        redis del somebody >/dev/null
}
refuses_database() {
    sql 'create database cachepusher_bench'
    fails 1 'cachepusher_bench exists' warmup --dsn "$CP_DSN" --redis "$CP_REDIS" && is_at_work &&
        sql 'drop database cachepusher_bench'
}

check "no command" fails 2 'expected a command'
check "a command that is none" fails 2 "'warmdown': not a command" warmdown
check "a flag that is none" fails 2 '^cachepusher-bench: --custommers: not an option' warmup --custommers=1
check "a flag without its value" fails 2 '--runs: expected a value' warmup --runs
check "a flag of another command" fails 2 'ring: --customers is not for it' ring --customers 5
check "an argument that is no flag" fails 2 'expected options only' ring 5
check "a number that is none" fails 2 "--runs '1x'" warmup --runs 1x
check "no runs" fails 2 "--runs '0'" warmup --runs 0
check "a list that is none" fails 2 "--threads '1,,2'" warmup --threads 1,,2
check "a list that is too long" fails 2 "--threads '1,2,3,4,5,6,7,8,9'" warmup --threads 1,2,3,4,5,6,7,8,9
check "a list where one number is expected" fails 2 "--threads '1,2': expected a whole number" latency --threads 1,2
check "too few customers" fails 2 'expected 160 at least' latency --customers 159
check "more rows than customers" fails 2 '--rows 6 of --customers 5' source-cost --customers 5 --rows 6
check "letters behind one dash" fails 2 '^cachepusher-bench: -x: not an option' ring -xy
check "too many threads" fails 2 "--threads '65': .* from 1 to 64" warmup --threads 65
check "a source that is none" fails 2 "--sources 'notify,walsender'" burst --sources notify,walsender
check "no source" fails 2 "--sources ''" latency --sources ''
check "a source of a command that has none" fails 2 'warmup: --sources is not for it' warmup --sources notify
check "no source of ours" fails 2 "expected one of cachepusher's" burst --sources wal2json
check "a setting that is neither on nor off" fails 2 "--synchronous-commit 'local'" latency --synchronous-commit local
check "a duration that is none" fails 2 "--duration 'nan'" source-cost --duration nan
check "--dsn without --redis" fails 2 'expected both' warmup --dsn "$CP_DSN"
check "--redis without --dsn" fails 2 'expected both' warmup --redis "$CP_REDIS"
check "a file that cannot be written" fails 1 '--json /nowhere/x: No such file' warmup --json /nowhere/x
leaves_no_file() { fails 1 'Redis' warmup --dsn "$CP_DSN" --redis unix:/nowhere --json new.json && [[ ! -e new.json ]]; }
check "a run that fails leaves no empty file" leaves_no_file
check "a plot without gnuplot" fails_without gnuplot warmup --plot plot.svg
check "by hand without psql" fails_without psql warmup
check "--dsn that is none, and no password told" fails 1 '--dsn: not a connection string$' \
    warmup --dsn "password='secret" --redis "$CP_REDIS"
check "a Postgres that is not there" fails 1 'Postgres|--dsn' warmup --dsn host=/nowhere --redis "$CP_REDIS"
check "a Redis that is not there" fails 1 'Redis' warmup --dsn "$CP_DSN" --redis unix:/nowhere
check "a Redis with keys is refused and kept" refuses_full_redis
check "a database of our name is refused and kept" refuses_database
check "given servers are given back" gives_back
check "given servers are given back after SIGTERM" gives_back_after TERM
check "given servers are given back after SIGKILL" gives_back_after KILL
check "given servers are given back with a slot that is being read" gives_back_slot
check "a setting of a given Redis is set back after SIGTERM" sets_notify_back
check "--help" prints '^usage: cachepusher-bench COMMAND' --help
check "--help of a command" prints '--customers LIST' warmup --help
check "-h of a command" prints '^usage: cachepusher-bench ring' ring -h
check "output that cannot be written" fails_to_print
check "--version" prints '^cachepusher-bench [0-9.]+$' --version
check "help fits a terminal" narrow
((failures == 0))
