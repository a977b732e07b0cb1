#!/bin/bash
# Tests the cachepusher command as a person or a service manager would use it.
#
# Usage: scripts/with-servers test/integration/cli.sh DIRECTORY_OF_THE_COMMANDS
#
# Works in databases and under key prefixes of its own. Prints a line for each check.

# shellcheck disable=SC2317 # check and wait_for call functions it takes for unreachable
set -euo pipefail
case ${1-} in '' | -h | --help) sed -n '2,/^$/s/^# \{0,1\}//p' "$0" && exit ;; esac

bin=$(cd "$1" && pwd)
command=$bin/cachepusher
repo=$(cd "$(dirname "$0")/../../.." && pwd)
dir=$(mktemp -d /tmp/cp-cli.XXXXXX)
name=cli_$$
prefix=$name
dsn="host=$PGHOST port=${PGPORT-5432} user=$PGUSER dbname=$name"
redis_uri=$CP_REDIS
unset CP_PREFIX
export LC_ALL=C.UTF-8 CP_DSN=$dsn
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/cli-lib.sh"
cd "$dir"

# ---- set up ----

createdb -T template0 "$name"
createdb -T template0 "${name}_late"
load_schema "$name"
"$bin/cachepusher-fakedata" --dsn "$dsn" --customers 1000 --quiet >/dev/null
psql -qX -v ON_ERROR_STOP=1 -d "$name" <<END
analyze;
grant select on customer, address to cp_password;
create function held_get(id integer) returns json language plpgsql as \$\$
begin
    perform pg_advisory_xact_lock_shared(77);
    return customer_get(id);
end \$\$;
create function failing_get(id integer) returns json language plpgsql as \$\$
begin
    if id in (7, 8) then raise 'no luck with this one'; end if;
    return customer_get(id);
end \$\$;
create function held_failing_get(id integer) returns json language plpgsql as \$\$
begin
    perform pg_advisory_xact_lock_shared(77);
    return failing_get(id);
end \$\$;
create table note (title text primary key);
insert into note values (E'quote " backslash \\\\ newline \\n escape \\x1b ümläut');
create function note_get(title text) returns json language sql as \$\$ select json_build_object('note', title) \$\$;
END
entity() { # FETCH [PREFIX]
    printf '{ "prefix": "%s", "warmup": "none", "entities": [ { "name": "customer", "key": "{prefix}:{id}", "id_type":
        "integer", "channels": ["customer_updated", "customer_deleted"], "fetch": "%s",
        "list": "select id_customer from customer" } ] }' "${2-$prefix}" "$1"
}
entity held_get >held.json
entity failing_get >failing.json
entity held_failing_get >held-failing.json
entity customer_get "${prefix}_file" >prefix.json
printf '{ "entities": [ { "name": "note", "key": "{prefix}_note:{id}", "id_type": "text", "channels": ["note"],
    "fetch": "note_get", "list": "select title from note" } ] }' >note.json

# ---- usage ----

check "--help lists the commands" prints '^  warmup ' "$command" --help
for each in run warmup; do
    check "$each --help tells the flags" prints '--log-format' "$command" "$each" --help
    check "$each --help tells the exit codes" prints '^Exit codes' "$command" "$each" --help
done
check "run --help --all explains settings without a flag" prints '^ *standby=true.false ' "$command" run --help --all
check "--all --help is the same" prints '^ *standby=true.false ' "$command" run --all -h
check "--all without --help" exits 2 '^cachepusher: --all: goes with --help' "$command" run --all
help_fits() { # and says nothing that the long form does not know
    local each text
    for each in '' run warmup verify generate setup teardown slot; do
        # shellcheck disable=SC2086 # none is no argument
        text=$("$command" $each --help)
        if (($(wc -l <<<"$text") > 24 || $(wc -L <<<"$text") > 80)); then
            echo "$each --help: more than 24 lines of 80 columns" >>why
            return 1
        fi
        [[ ! $each ]] || diff <("$command" "$each" --help --all | grep -oE -- '--[a-z-]+' | sort -u) \
            <(grep -oE -- '--[a-z-]+' <<<"$text" | sort -u) | grep '^>' >>why || continue
        [[ ! $each ]] || return 1
    done
}
check "each --help fits a terminal of 24 lines and 80 columns" help_fits
check "run --help tells of --pidfile" prints '--pidfile' "$command" run --help
check "--version" prints '^cachepusher [0-9]+\.[0-9]+\.[0-9]+$' "$command" --version
for each in -V 'run --version' 'verify -V'; do
    # shellcheck disable=SC2086 # a command and an option
    check "$each" prints '^cachepusher [0-9]+\.[0-9]+\.[0-9]+$' "$command" $each
done
check "help" prints '^  warmup ' "$command" help
check "help run" prints '^usage: cachepusher run ' "$command" help run
check "help of what is no command" exits 2 '^cachepusher: help: expected nothing, or a command' "$command" help fly
check "no command" exits 2 "try 'cachepusher --help'" "$command"
check "an unknown command" exits 2 "^cachepusher: fly: .*try 'cachepusher --help'" "$command" fly
check "an option before the command" exits 2 '^cachepusher: -t: ' "$command" -t 2 run
check "an unknown flag" exits 2 "^cachepusher: --fly: .*try 'cachepusher run --help'" "$command" run --fly=high
check "an unknown letter" exits 2 '^cachepusher: -x: ' "$command" run -x
check "a flag without its value" exits 2 '^cachepusher: --dsn: ' "$command" run --dsn
check "a flag with a value it does not take" exits 2 '^cachepusher: --flush: ' "$command" run --flush=yes
check "an argument too many" exits 2 'argument 1' "$command" run everything
check "-t 0" exits 2 '^cachepusher: -t: "0"' "$command" run -t 0
check "--warmup with a bad value" exits 2 '^cachepusher: --warmup: "all"' "$command" run --warmup all
check "warmup --warmup none" exits 2 '^cachepusher: --warmup: ' "$command" warmup --warmup none
check "warmup takes no --pidfile" exits 2 '^cachepusher: --pidfile: ' "$command" warmup --pidfile x
check "--set without a value" exits 2 '^cachepusher: --set: ' "$command" run --set batch
check "--set of an unknown setting" exits 2 '^cachepusher: --set: .*"speed"' "$command" run --set speed=9
check "--set with a bad value" exits 2 '^cachepusher: --set: batch: ' "$command" run --set batch=0
check "--redis with a bad value" exits 2 '^cachepusher: --redis: ' "$command" run --redis a:b:c
check "CP_REDIS with a bad value" exits 2 '^cachepusher: CP_REDIS: ' env CP_REDIS=a:b:c "$command" run
check "--grace with a bad value" exits 2 '^cachepusher: --grace: ' "$command" run --grace forever
check "--log-level with a bad value" exits 2 '^cachepusher: --log-level: ' "$command" run --log-level loud
check "--log-format with a bad value" exits 2 '^cachepusher: --log-format: ' "$command" run --log-format xml
check "--log-file that cannot be made" exits 1 '^cachepusher: --log-file: ' "$command" run --log-file "$dir/none/log"
check "a --config that does not exist" exits 2 '^cachepusher: --config: none\.json: ' "$command" run --config none.json
printf '{\n  "prefix": "a"\n  "threads": 2\n}\n' >bad.json
check "a --config that is no JSON" exits 2 '^cachepusher: --config: bad\.json:3' "$command" run --config bad.json
printf '{ "entities": [ { "name": 1 } ] }' >bad.json
check "a --config with a wrong value" exits 2 '^cachepusher: --config: bad\.json: entities\[0\]\.name' \
    "$command" run --config bad.json
no_secret_in_usage_errors() {
    exits 2 '^cachepusher: --dsn: ' "$command" run --dsn 'host=a password=hush oops' && lacks hush err &&
        exits 2 '^cachepusher: CP_REDIS: ' env CP_REDIS=redis://u:hush@h:port "$command" run && lacks hush err &&
        exits 2 '^cachepusher: ' "$command" postgresql://u:hush@h && lacks hush err &&
        exits 2 '^cachepusher: ' "$command" run redis://:hush@h && lacks hush err &&
        exits 2 '^cachepusher: ' "$command" run --dns=redis://:hush@h && lacks hush err
}
check "no usage error shows a password" no_secret_in_usage_errors
check "fakedata: nothing to do" exits 2 '--customers' "$bin/cachepusher-fakedata"
check "fakedata: a bad mix" exits 2 '--mix' "$bin/cachepusher-fakedata" --rate 1 --mix 1:2
check "fakedata: a bad number" exits 2 '--customers' "$bin/cachepusher-fakedata" --customers many
check "fakedata: an unknown flag" exits 2 '--fly' "$bin/cachepusher-fakedata" --fly

# ---- what is missing at the start ----

one_line=(--prefix "$prefix")
check "Postgres cannot be reached" exits 1 ' error .*Postgres' "$command" run "${one_line[@]}" --log-level warn --dsn "host=$dir"
check "Redis cannot be reached" exits 1 ' error .*Redis' "$command" run "${one_line[@]}" --log-level warn \
    --redis "unix:$dir/none"
wrong_password() {
    exits_loudly 1 'password authentication failed' \
        "$command" run --log-level debug --dsn "$dsn user=cp_password password=$1" && lacks "$1" err
}
check "a wrong password, which is not shown" wrong_password hush-hush
right_password() {
    call "$command" warmup "${one_line[@]}" --log-level debug --dsn "$dsn user=cp_password password=secret"
    ((code == 0)) && lacks secret out err
}
check "a right password, which is not shown" right_password
check "a missing function" exits 1 'customer_get' "$command" run "${one_line[@]}" --log-level warn \
    --dsn "$dsn dbname=${name}_late"
sql 'alter table note rename to noted'
check "a missing table" exits 1 'note' "$command" warmup "${one_line[@]}" --config note.json
sql 'alter table noted rename to note'
waits_for_the_schema() {
    local late="$dsn dbname=${name}_late"
    start --wait --flush --dsn "$late" && wait_for logged ' warn  waiting: .*customer_get' &&
        load_schema "${name}_late" && wait_for logged ' ready: ' &&
        psql -qX -d "$late" -c "insert into customer (id_customer, name) values (5000, 'late')" &&
        wait_for redis_has 5000 late && stop
}
check "--wait: recovers once the schema is there" waits_for_the_schema
waits_no_longer() {
    start --wait --dsn "host=$dir" && wait_for logged ' waiting: ' && stop
}
check "--wait: a signal ends it" waits_no_longer
check "--wait: bad usage is no reason to wait" exits 2 '"0"' "$command" run --wait -t 0

# ---- warmup ----

forget_keys "$prefix"
warms() { # WANTED_KEYS PREFIX [ARGUMENT...]
    call "$command" warmup "${@:3}"
    ((code == 0)) && [[ ! -s err ]] && (($(wc -l <out) == 1)) && has_keys "$2" "$1" &&
        grep -qE '^warmup: [0-9]+ documents in [0-9.]+ s \([0-9]+/s\)' out
}
check "warmup: stores every document and prints one line" warms 1000 "$prefix" "${one_line[@]}"
check "warmup: documents are as the function returns them" all_follow 1 500 1000
redis set "$prefix:999999" gone >/dev/null
check "warmup: removes a key whose row is gone" warms 1000 "$prefix" "${one_line[@]}" -t 2
check "warmup --warmup touch" warms 1000 "$prefix" "${one_line[@]}" --warmup touch
check "warmup --flush" warms 1000 "$prefix" "${one_line[@]}" --flush
check "warmup: the file's \"warmup\": \"none\" is not for it" warms 1000 "${prefix}_file" --config prefix.json
environment_beats_file() { CP_PREFIX=${prefix}_env warms 1000 "${prefix}_env" --config prefix.json; }
flag_beats_environment() {
    CP_PREFIX=${prefix}_none warms 1000 "${prefix}_flag" --config prefix.json --prefix "${prefix}_flag" &&
        has_keys "${prefix}_none" 0
}
empty_environment_is_none() { CP_PREFIX='' CP_REDIS=$redis_uri warms 1000 "${prefix}_file" --config prefix.json; }
forget_keys "${prefix}_file"
check "a CP_ variable beats the file" environment_beats_file
check "a flag beats the CP_ variable" flag_beats_environment
check "an empty CP_ variable is none" empty_environment_is_none
tcp_redis() { warms 1000 "${prefix}_tcp" --prefix "${prefix}_tcp" --redis "$CP_REDIS_TCP"; }
check "--redis HOST:PORT" tcp_redis
for suffix in file env flag tcp; do forget_keys "${prefix}_$suffix"; done

failing_documents() {
    exits_loudly 1 'error 2 documents could not be stored' "$command" warmup --config failing.json &&
        grep -q '7.*no luck' err && grep -q '8.*no luck' err && grep -q '^warmup: 998 documents' out
}
check "warmup: documents that fail are named, and it exits 1" failing_documents

warmup= # its process
start_warmup() { # [ARGUMENT...]
    : >out
    : >err
    env --default-signal=INT "$command" warmup --config held.json "$@" </dev/null >out 2>err &
    warmup=$!
    pids+=("$warmup")
}
warmup_ends() { # CODE
    daemon=$warmup ends "$1"
}
plain_progress() {
    hold
    start_warmup && wait_for grep -qE '^warmup: 0 of ~[0-9]+ documents \(0%\), 0/s$' err
    local shown=$?
    release
    ((shown == 0)) && warmup_ends 0 && grep -q '^warmup: 1000 documents' out && ! grep -q $'\r' out err
}
check "warmup: plain lines of progress when not on a terminal" plain_progress
json_progress() {
    hold
    start_warmup --log-format json && wait_for grep -q 'warmup: 0 of ~' err
    release
    warmup_ends 0 && is_json err
}
check "warmup --log-format json: progress is JSON too" json_progress
on_terminal() { # COLUMNS CONFIG: released once the bar is there; the terminal is script(1)'s
    rm -f screen
    hold
    TERM=xterm script -qefc "stty cols $1; exec '$command' warmup --config $2" screen </dev/null >/dev/null &
    warmup=$!
    pids+=("$warmup")
    wait_for grep -qE $'\r\e\\[K\\[\\.+\\] 0 of ~[0-9]+ documents \\(0%\\), 0/s' screen
    local shown=$?
    release
    return "$shown"
}
bar() {
    on_terminal 60 held.json && warmup_ends 0 && grep -qE 'warmup: 1000 documents in' screen && fits screen 59
}
fits() { # FILE COLUMNS: no line drawn is longer; wraps would leave a trail
    tr '\r' '\n' <"$1" | sed $'s/\e\\[K//' | awk -v most="$2" '/documents/ && /\[/ && length > most { exit 1 }'
}
check "warmup: a bar on a terminal, no wider than it" bar
interrupted() { # SIGNAL
    hold
    start_warmup --grace 0 && wait_for is_held && kill "-$1" "$warmup" && warmup_ends 1 &&
        grep -q 'error interrupted after 0 documents' err && [[ ! -s out ]]
    local result=$?
    release
    return "$result"
}
log_above_bar() {
    on_terminal 100 held-failing.json && warmup_ends 1 && grep -qE $'\r\e\\[K[0-9T:.-]+Z warn .*no luck' screen &&
        ! grep -qE $'[^\r\eK][0-9]{4}-[0-9]{2}-[0-9]{2}T' screen
}
check "warmup: log lines leave the bar whole" log_above_bar
check "warmup: SIGINT ends it, exit 1" interrupted INT
check "warmup: SIGTERM ends it, exit 1" interrupted TERM

# ---- run ----

forget_keys "$prefix"
check "run: becomes ready" start_ready --log-level debug --pidfile run.pid
check "run: every document is there" has_keys "$prefix" 1000
check "run: --pidfile works in the foreground" grep -qx "$daemon" run.pid
change() {
    sql "update customer set name = 'Ada \"L.\"' where id_customer = 3" && wait_for redis_has 3 'Ada \"L.\"' &&
        follows 3 && wait_for logged "debug $prefix:3 stored, [0-9]+ bytes"
}
check "run: Redis follows a change, and debug shows it" change
delete() {
    sql "delete from customer where id_customer = 4" && wait_for logged "debug $prefix:4 deleted" &&
        [[ $(redis exists "$prefix:4") == 0 ]]
}
check "run: Redis follows a delete" delete
hangup() {
    redis del "$prefix:10" "$prefix:20" >/dev/null
    kill -HUP "$daemon" && wait_for all_follow 10 20 && wait_for logged 'SIGHUP'
}
check "run: SIGHUP has everything stored again" hangup
check "run: a summary every 10 s" wait_for logged ' info  settled [0-9]+ \([0-9]+ stored, [0-9]+ deleted\) in '
second_refused() {
    exits 1 "--pidfile: .*already running, as process $daemon" \
        "$command" run "${one_line[@]}" --pidfile run.pid && kill -0 "$daemon"
}
check "run: a second one with the same pidfile is refused" second_refused
stops_cleanly() { stop && logged 'stopped: everything that was announced has settled' && [[ ! -e run.pid ]]; }
check "run: SIGTERM: exit 0, and the pidfile is gone" stops_cleanly
stops_by_int() { start_ready && kill -INT "$daemon" && ends 0; }
check "run: SIGINT: exit 0" stops_by_int

# With ids queued behind a fetch that hangs.
queue() { # [OPTION...]
    forget_keys "$prefix"
    start_ready --config held.json --warmup none "$@" && hold &&
        sql "select pg_notify('customer_updated', json_agg(id_customer)::text) from customer where id_customer > 100" \
            >/dev/null && wait_for is_held
}
settles_the_queue() {
    queue && kill "$daemon" && wait_for logged 'SIGTERM: stopping' && release && ends 0 &&
        has_keys "$prefix" 900 && all_follow 101 500 1000
}
check "run: SIGTERM with work queued: all of it settles" settles_the_queue
hurried() { # SIGNAL: sent until it is gone, since the same signal counts once within milliseconds
    kill "-$1" "$daemon" 2>/dev/null || true
    is_gone "$daemon"
}
ends_at_once() { # CODE SIGNAL...
    queue --pidfile run.pid --grace 3600 && kill "-$2" "$daemon" && wait_for logged ': stopping' &&
        wait_for hurried "$3" && ends "$1" && [[ ! -e run.pid ]] && has_keys "$prefix" 0
    local result=$?
    release
    return "$result"
}
check "run: a second SIGTERM ends it at once" ends_at_once 143 TERM TERM
check "run: a SIGINT after a SIGTERM, too" ends_at_once 130 TERM INT
# It sends each signal to its child, and to the child's process group.
under_timeout() {
    local launcher=(timeout 60) result=0
    { queue --grace 3600 && kill "$daemon" && wait_for logged 'SIGTERM: stopping'; } || result=1
    release
    ((result == 0)) && ends 0 && has_keys "$prefix" 900
}
check "run: the one signal of timeout(1) is one" under_timeout
ignores() {
    local launcher=(env --ignore-signal=INT --ignore-signal=HUP)
    start_ready && logged ' info  SIGINT is ignored, .*; SIGTERM stops$' &&
        logged ' info  SIGHUP is ignored, .*; SIGUSR2 has the configuration read again$' && kill -INT "$daemon" &&
        kill -HUP "$daemon" && kill -USR1 "$daemon" && wait_for logged 'SIGUSR1: ' && stop && ! logged 'SIGHUP: '
}
check "run: that SIGINT and SIGHUP stay ignored is said" ignores
grace_passes() {
    queue --grace 0.2 && kill "$daemon" && ends 1 && [[ $(grep -c ' error ' log) == 1 ]] && logged ' error .*900 '
    local result=$?
    release
    return "$result"
}
check "run: grace time passed: exit 1, and how many are left" grace_passes

# ---- logs ----

# Descriptors 0 to 2 are no place for the daemon's own pipes and sockets.
closed_descriptors() {
    env --default-signal=INT,HUP "$command" run --prefix "$prefix" 0<&- 2>&- &
    daemon=$!
    pids+=("$daemon")
    wait_for has_keys "$prefix" 999 && sql "update customer set name = 'closed' where id_customer = 5" &&
        wait_for redis_has 5 closed && stop
}
forget_keys "$prefix"
check "run: stdin and stderr closed: it works, and SIGTERM: exit 0" closed_descriptors
unread_log() { # the pipe takes 64 KB: fewer than the lines of 2,000 documents
    mkfifo unread
    exec 8<>unread
    env --default-signal=INT,HUP "$command" run --prefix "$prefix" --log-level debug --grace 8 </dev/null 2>unread 8>&- &
    daemon=$!
    pids+=("$daemon")
    wait_for has_keys "$prefix" 999 && sql "update customer set name = 'unread ' || id_customer" &&
        wait_for all_follow 1 500 1000 || return 1
    local began=$SECONDS
    stop && ((SECONDS - began <= 8 + 2)) && (($(dd bs=64K count=1 iflag=nonblock status=none <&8 | wc -c) > 32000))
}
forget_keys "$prefix"
check "run: a log that nobody reads holds up no document, nor the end" unread_log
exec 8>&-
odd_payload() { # C1, bidi, ESC
    start_ready && sql "select pg_notify('customer_updated', U&'a\009bb\202ec\001bd')" >/dev/null &&
        wait_for logged 'customer_updated: payload ' && wait_for logged 'resync done' && stop &&
        grep -qF 'payload "a\xc2\x9bb\xe2\x80\xaec\x1bd"' log && lacks $'\u9b' log && lacks $'\u202e' log && lacks $'\e' log
}
check "run: what is announced reaches the log escaped" odd_payload

json_log() {
    start --config note.json --log-format json --log-level debug --log-file json.log &&
        wait_for grep -q '"ready: ' json.log && stop && [[ ! -s log ]] && is_json json.log &&
        grep -qF 'quote \" backslash \\ newline \u000a escape \u001b ümläut stored' json.log
}
check "--log-format json, --log-file: each line is an object" json_log
rotated_log() {
    start --log-file rotated.log && wait_for grep -q ' ready: ' rotated.log && mv rotated.log rotated.log.1 &&
        kill -USR1 "$daemon" && wait_for grep -q 'SIGUSR1: the log has been opened again' rotated.log && stop &&
        grep -q ' stopped: ' rotated.log && lacks 'stopped: ' rotated.log.1 && [[ ! -s log ]]
}
check "SIGUSR1: the log file is opened again" rotated_log
unrotated_log() { start_ready && kill -USR1 "$daemon" && wait_for logged 'SIGUSR1: there is no --log-file' && stop; }
check "SIGUSR1 without one ends nothing" unrotated_log
text_log() {
    start_ready --config note.json --log-level debug && stop &&
        ! grep -qvE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z (error|warn |info |debug) ' log &&
        grep -qF 'newline \x0a escape \x1b ümläut stored' log
}
check "text: a line for each message, control characters escaped" text_log
quiet_log() { start --log-level error --pidfile run.pid && wait_for has_keys "$prefix" 999 && stop && [[ ! -s log ]]; }
forget_keys "$prefix"
check "--log-level error: silent when all is well" quiet_log

# ---- in the background ----

detach() { # [OPTION...]
    : >log
    exits_silently "$command" run -d "${one_line[@]}" --pidfile d.pid --log-file log "$@"
}
detached=
starts_detached() {
    detach --redis "unix:redis.link" && detached=$(cat d.pid) && kill -0 "$detached" &&
        [[ $(readlink "/proc/$detached/cwd") == / ]] && wait_for logged ' ready: '
}
ln -s "${redis_uri#unix:}" redis.link
check "-d: returns once started; relative paths are those of the caller" starts_detached
detached_fully() { # the fields of stat: pid (comm) state ppid pgrp session tty_nr
    local ours theirs
    read -ra ours </proc/$$/stat
    read -ra theirs <"/proc/$detached/stat"
    [[ ${theirs[5]} != "${ours[5]}" && ${theirs[5]} != "$detached" && ${theirs[6]} == 0 ]] &&
        [[ $(readlink "/proc/$detached/fd/0") == /dev/null && $(readlink "/proc/$detached/fd/2") == "$dir/log" ]]
}
check "-d: has a session of its own, no terminal, and the log as stderr" detached_fully
second_detached_refused() {
    exits 1 "already running, as process $detached" "$command" run -d "${one_line[@]}" --pidfile d.pid --log-file log
}
check "-d: a second one is refused" second_detached_refused
stops_detached() { kill "$detached" && wait_for is_gone "$detached" && [[ ! -e d.pid ]] && logged 'stopped: '; }
check "-d: SIGTERM ends it, and the pidfile is gone" stops_detached
takes_over() {
    detach && detached=$(cat d.pid) && kill -KILL "$detached" && wait_for is_gone "$detached" && [[ -s d.pid ]] &&
        detach && [[ $(cat d.pid) != "$detached" ]] && detached=$(cat d.pid) && stops_detached
}
check "-d: takes over the pidfile of a dead one" takes_over
echo 'not a number' >mine.txt
check "--pidfile: another file is left alone" exits 1 'left alone' "$command" run -d "${one_line[@]}" --pidfile mine.txt
check "-d: a failed start is told on the terminal, exit 1" exits 1 '^cachepusher: Postgres' \
    "$command" run -d "${one_line[@]}" --pidfile d.pid --log-file log --dsn "host=$dir"
check "-d: a failed start leaves no pidfile" test ! -e d.pid
check "-d: a configuration that does not fit together, exit 2" exits 2 'touch' \
    "$command" run -d --config note.json --warmup touch --log-file log
waits_detached() {
    call "$command" run -d --wait "${one_line[@]}" --pidfile d.pid --log-file log --dsn "host=$dir"
    ((code == 0)) && grep -q 'waiting in the background: ' err && detached=$(cat d.pid) && kill "$detached" &&
        wait_for is_gone "$detached" && [[ ! -e d.pid ]]
}
check "-d --wait: goes on waiting in the background" waits_detached

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
