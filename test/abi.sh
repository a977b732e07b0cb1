#!/bin/bash
# Holds a built library against the committed interface (scripts/abi), and tries on changed headers that scripts/abi lets
# pass what CONTRIBUTING.md allows, and nothing else.
#
# Usage: abi.sh SOURCE LIBRARY DIRECTORY

set -euo pipefail
source=$1
library=$2
directory=$3

"$source/scripts/abi" "$library"

# A library of the headers in $directory/include, whose functions do nothing.
stub() {
    {
        echo '#include "cachepusher.h"'
        cat "$directory"/include/cachepusher/*.h |
            awk '/^CP_API /, /;$/ { sub(/;$/, " { __builtin_trap(); }"); print }'
    } >"$directory/stub.c"
    gcc -shared -fPIC -g -w -I"$directory/include" -Wl,-soname,libcachepusher.so.0 \
        -Wl,--version-script="$source/lib/cachepusher.map" -o "$directory/libcachepusher.so.0" "$directory/stub.c"
}

restore() {
    rm -rf "$directory/include"
    mkdir -p "$directory"
    cp -r "$source/include" "$directory/include"
}

export CP_ABI_BASELINE=$directory/before CP_ABI_INCLUDE=$directory/include
restore
stub
"$source/scripts/abi" --accept "$directory/libcachepusher.so.0"

# try RESULT WHAT HEADER SED: with the header changed so, the comparison has to pass, or say something with TEXT.
try() {
    local result=$1 what=$2 header=$directory/include/cachepusher/$3 program=$4 text=${5-}
    restore
    sed -i "$program" "$header"
    if cmp -s "$header" "$source/include/cachepusher/$3"; then
        echo "$what: nothing in $3 has changed" && exit 1
    fi
    stub
    local found=passes
    "$source/scripts/abi" "$directory/libcachepusher.so.0" >"$directory/said" || found=fails
    if [[ $found != "$result" ]] || { [[ $text ]] && ! grep -q "$text" "$directory/said"; }; then
        cat "$directory/said"
        echo "$what: $found"
        exit 1
    fi
    echo "$what: $found"
}
try passes "a function more" error.h 's/^CP_API const char \*cp_version(void);/&\nCP_API int cp_more(int argument);/'
try passes "a member at the end of a struct with a size" health.h 's/^} cp_health;/    uint64_t more;\n&/'
try passes "an enumerator before the count" health.h 's/^    CP_STATES /    CP_STATE_MORE,\n&/'
try passes "an enumerator at the end" error.h 's/^    CP_ERR_PARKED /    CP_ERR_PARKED,\n    CP_ERR_MORE /'
try fails "a function less" error.h '/cp_version/d' cp_version
try fails "a function renamed" error.h 's/cp_version/cp_release/' cp_version
try fails "another type of an argument" syncer.h 's/int grace_ms/long grace_ms/' cp_syncer_stop
try fails "another type of a result" stats.h 's/uint64_t cp_syncer_stat(/double cp_syncer_stat(/' cp_syncer_stat
try fails "a member in the middle" health.h 's/^    uint64_t lag_us;/    uint64_t more;\n&/' more
try fails "a member less" health.h '/^    uint64_t term;/d' term
try fails "another type of a member" health.h 's/^    uint64_t lag_us;/    double lag_us;/' lag_us
try fails "a member in the middle, and one at the end" health.h \
    's/^    uint64_t lag_us;/    uint64_t more;\n&/; s/^} cp_health;/    uint64_t last;\n&/' more
try fails "a member at the end of a struct without a size" error.h 's/^} cp_error;/    int more;\n&/' more
try fails "an enumerator in the middle" health.h 's/^    CP_STATE_READY,/    CP_STATE_MORE,\n&/' CP_STATE_READY
try fails "an enumerator less" error.h 's/^    CP_ERR_TIMEOUT,.*//' CP_ERR_TIMEOUT
try fails "an enumerator less before a count" health.h '/^    CP_STATE_LAGGING,/d' CP_STATE_LAGGING
