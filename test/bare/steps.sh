# shellcheck shell=bash
# For scripts in a fresh root to source: a line for each step, and what it printed once one fails.

log=$(mktemp)

# step WHAT COMMAND...: ends the script if the command fails. In a function errors do not end the step by themselves: use &&.
step() {
    local code=0
    "${@:2}" </dev/null >"$log" 2>&1 || code=$?
    ((code == 0)) || {
        tail -n 40 "$log"
        echo "not ok  $1"
        exit 1
    }
    echo "ok      $1"
}
