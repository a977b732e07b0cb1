#!/bin/bash
# Builds hosts that are particular (manners/) with the installed library, and runs them, over TLS.
#
# Usage: manners.sh PREFIX LIBDIR DIRECTORY CC [CASE...]
# With CP_DSN and CP_REDIS of servers that are the test's alone (tls.sh).

set -euo pipefail
prefix=$1
libdir=$2
directory=$3
cc=$4
shift 4
cases=("$@")
(($# > 0)) || cases=(plain comma signals small_stack stack descriptors openssl openssl_at_exit unload large)
source=$(dirname "$0")/manners

mkdir -p "$directory/locale"
export PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig LD_LIBRARY_PATH=$prefix/$libdir
read -ra flags < <(pkg-config --cflags --libs cachepusher)
build() { # PROGRAM SOURCE... [-D...]
    "$cc" -std=c11 -Wall -Wextra -pedantic -Werror -O2 -o "$directory/$1" "${@:2}" "${flags[@]}" -lcrypto -pthread
}
build manners "$source/manners.c" "$source/host.c"
build large "$source/manners.c" "$source/host.c" -DTHREAD_LOCAL_BYTES=2000000
"$cc" -std=gnu11 -Wall -Wextra -Werror "$source/unload.c" -o "$directory/unload" -I"$prefix/include"

# A locale with a comma, of which nothing is installed. localedef warns of what it leaves as it is, with exit code 1.
cat >"$directory/comma" <<'LOCALE'
comment_char %
escape_char /
LC_IDENTIFICATION
title "comma"
END LC_IDENTIFICATION
LC_CTYPE
upper <A>;<B>;<C>;<D>;<E>;<F>;<G>;<H>;<I>;<J>;<K>;<L>;<M>;<N>;<O>;<P>;<Q>;<R>;<S>;<T>;<U>;<V>;<W>;<X>;<Y>;<Z>
END LC_CTYPE
LC_NUMERIC
decimal_point ","
thousands_sep "."
grouping 3;3
END LC_NUMERIC
LOCALE
localedef -c -i "$directory/comma" "$directory/locale/comma" 2>"$directory/localedef.log" || true

for case in "${cases[@]}"; do
    echo "$case"
    case $case in
    unload) timeout 100 "$directory/unload" "$prefix/$libdir/libcachepusher.so.0" 100 ;;
    large) timeout 60 "$directory/large" plain ;;
    *) LOCPATH=$directory/locale timeout 60 "$directory/manners" "$case" ;;
    esac || {
        echo "$case: exit code $?"
        exit 1
    }
done
