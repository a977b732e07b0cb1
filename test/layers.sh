#!/bin/bash
# Checks the walls between the rooms of lib/ and cmd/: who may include whom. ARCHITECTURE.md says what each room is.
#
# Usage: layers.sh [ROOT]
#   ROOT  the source tree; the one this script is in without it
#
# Fails on an include that is not listed below, on a cycle of includes, on libpq or hiredis outside their rooms, and on
# a file or a function of lib/ that has grown too long. Names each with its file and line. That the queue rooms compile
# without either library follows: they may only include base and model, which may not include what knows them.

set -euo pipefail
case ${1-} in -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac
cd "${1:-$(dirname "$0")/..}"
export LC_ALL=C

file_lines_max=450
function_lines_max=50

# What a room of lib/ may include, besides itself and cachepusher.h. A file directly in lib/ is a room of its own; later
# lines only name earlier ones, so that every arrow points down. source, worker, resync and verify are siblings.
declare -A allowed=(
    [base]=""
    [model]="base"
    [queue]="base model"
    [postgres]="base model"
    [redis]="base model"
    [config]="base model postgres redis"
    [lease]="base model postgres redis"
    [results]="base"
    [env.h]="base model queue postgres redis config lease"
    [scan]="base model queue postgres redis config lease env.h"
    [source/wal]="base"
    [mapping]="base model queue postgres redis config lease env.h"
    [source]="base model queue postgres redis config lease env.h mapping source/wal"
    [worker]="base model queue postgres redis config lease env.h"
    [resync]="base model queue postgres redis config lease env.h scan"
    [catalog]="base model queue postgres redis config lease env.h"
    [verify]="base model queue postgres redis config lease env.h scan"
    [health.h]="base model queue config lease env.h"
    [health.c]="base model queue config lease env.h health.h"
    [state_watch.h]="health.h"
    [state_watch.c]="base state_watch.h"
    [declared.c]="base postgres config"
    [preflight.h]="env.h"
    [preflight.c]="base model postgres redis config lease env.h source preflight.h"
    [syncer_internal.h]="base model queue postgres redis config lease env.h mapping source worker resync verify catalog state_watch.h"
    [syncer.c]="base model queue postgres redis config lease env.h mapping source worker resync verify catalog preflight.h syncer_internal.h"
    [syncer_create.c]="base model queue postgres redis config lease env.h mapping source worker resync verify catalog syncer_internal.h"
    [syncer_calls.c]="base model queue config lease env.h verify syncer_internal.h"
    [syncer_process.c]="base model queue config env.h syncer_internal.h"
    [syncer_told.c]="base results syncer_internal.h"
    [syncer_ticket.c]="base model queue config lease env.h syncer_internal.h"
    [syncer_watch.c]="base model queue config env.h mapping worker syncer_internal.h health.h"
)

# The only rooms with the types of a client library.
libpq_rooms="postgres source"
hiredis_rooms="redis"


# The headers of lib/ that the benchmark measures.
bench_may_include="queue/ring.h model/event.h config/config.h redis/redis_address.h"

# What the doctor looks at the servers with, so that it finds what the library would. No other command sees any.
doctor_may_include="base/clock.h config/config.h lease/lease.h lease/lock.h postgres/hearing.h postgres/listing.h postgres/mapping.h
    postgres/message.h postgres/pg.h postgres/rows.h postgres/widths.h redis/fence.h redis/keyspace.h redis/proof.h"
doctor_may_include=${doctor_may_include//$'\n'/}

# How declarations and configurations tell what a wrong name was meant to be.
document_may_include="base/nearest.h"

failures=0
fail() {
    echo "$*"
    failures=$((failures + 1))
}

has() { # WORD LIST
    [[ " $2 " == *" $1 "* ]]
}

# "lib/a/b.c:7 header" for each quoted include, "lib/a/b.c:7 <header>" for each other.
includes() {
    grep -rnE --include='*.[ch]' '^[[:space:]]*#[[:space:]]*include' "$1" |
        sed -E 's/^([^:]*:[0-9]+):.*include[[:space:]]*("([^"]*)"|(<[^>]*>)).*/\1 \3\4/'
}

room_of() { # a path below lib/
    case $1 in
    source/wal/*) echo source/wal ;; # decodes bytes, and must not know where they come from
    *) echo "${1%%/*}" ;;
    esac
}

check_lib_include() { # FILE:LINE HEADER
    local place=$1 header=$2
    local file=${place%:*}
    local from to
    from=$(room_of "${file#lib/}")
    [[ -v allowed[$from] ]] || { fail "$place: the room $from is not in the list of layers.sh" && return; }
    case $header in
    "<libpq"*) has "$from" "$libpq_rooms" || fail "$place: $from/ must not know libpq" ;;
    "<hiredis"*) has "$from" "$hiredis_rooms" || fail "$place: $from/ must not know hiredis" ;;
    "<"* | cachepusher.h) ;;
    *)
        to=$(room_of "$header")
        [[ -e lib/$header ]] || fail "$place: there is no lib/$header; includes name the room"
        [[ $from == "$to" ]] || has "$to" "${allowed[$from]}" ||
            fail "$place: $from must not include $header"
        ;;
    esac
}

check_cmd_include() { # FILE:LINE HEADER
    local place=$1 header=$2
    local file=${place%:*}
    local command=${file#cmd/}
    command=${command%%/*}
    case $header in
    "<"* | cachepusher.h) return ;;
    esac
    if [[ -e cmd/$command/$header || -e $(dirname "$file")/$header ]]; then
        return
    fi
    if [[ $header == common/* && -e cmd/$header ]]; then
        return
    fi
    if [[ $command == cachepusher-bench ]] && has "$header" "$bench_may_include"; then
        return
    fi
    if [[ $file == cmd/cachepusher/doctor/* ]] && has "$header" "$doctor_may_include"; then
        return
    fi
    if [[ $file == cmd/cachepusher/document/* ]] && has "$header" "$document_may_include"; then
        return
    fi
    fail "$place: $command must not include $header"
}

while read -r place header; do check_lib_include "$place" "$header"; done < <(includes lib)
while read -r place header; do check_cmd_include "$place" "$header"; done < <(includes cmd)

# Types and functions that come with a header which somebody else included.
check_words() { # ROOMS PATTERN WHAT
    local file line word
    while IFS=: read -r file line word; do
        has "$(room_of "${file#lib/}")" "$1" || fail "$file:$line: $word is $3's"
    done < <(grep -rnowE --include='*.[ch]' "$2" lib)
}
check_words "$libpq_rooms" 'PGconn|PGresult|PGnotify|PQ[a-z][A-Za-z]*' libpq
check_words "$hiredis_rooms" 'redis(Reply|Context|Reader)|REDIS_(REPLY|ERR)[A-Z_]*|freeReplyObject' hiredis

# tsort names the members of a cycle, one a line.
cycle=$(includes lib | grep -v '<' | sed -E 's/^lib\/([^:]*):[0-9]+ /\1 /' | tsort 2>&1 >/dev/null) || true
[[ -z $cycle ]] || fail "a cycle of includes: ${cycle//$'\n'/ }"

while read -r lines file; do
    [[ $file == total ]] || ((lines <= file_lines_max)) || fail "$file: $lines lines, more than $file_lines_max"
done < <(find lib -name '*.[ch]' -exec wc -l {} +)

# A function is what a brace in the first column begins and ends, as clang-format sets them; with its signature.
while read -r place name lines; do
    fail "$place: $name has $lines lines, more than $function_lines_max"
done < <(find lib -name '*.c' -exec awk -v most="$function_lines_max" '
    /^[a-zA-Z_].*\(/ && !/;$/ { start = FNR; name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
    /^}$/ && start && FNR - start + 1 > most { print FILENAME ":" start, name, FNR - start + 1 }
    /^}/ { start = 0 }' {} +)

if ((failures > 0)); then
    echo "layers: $failures found"
    exit 1
fi
