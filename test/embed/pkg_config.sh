#!/bin/bash
# Compiles, links and runs a host with an installed library, as pkg-config says, in each C and C++ that the compilers
# have.
#
# Usage: pkg_config.sh shared|static|archive PREFIX LIBDIR DIRECTORY CC CXX
#   shared   pkg-config cachepusher
#   static   pkg-config --static cachepusher, where only the archive is installed
#   archive  pkg-config cachepusher-static, beside the shared library

set -euo pipefail
way=$1
prefix=$2
libdir=$3
directory=$4
cc=$5
cxx=$6
host=$(dirname "$0")/host/host

mkdir -p "$directory"
module=(cachepusher)
linked=0 # with the shared library
case $way in
shared) linked=1 ;;
static)
    rm -rf "$directory/prefix"
    cp -a "$prefix" "$directory/prefix"
    prefix=$directory/prefix
    rm "$prefix/$libdir"/libcachepusher.so*
    module=(--static cachepusher)
    ;;
archive) module=(cachepusher-static) ;;
*) exit 2 ;;
esac
export PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig LD_LIBRARY_PATH=$prefix/$libdir
flags=$(pkg-config --cflags --libs "${module[@]}")
echo "pkg-config --cflags --libs ${module[*]}: $flags"

# The installed example, which needs servers to run, as README.md has it.
# shellcheck disable=SC2086
"$cc" "$prefix/share/doc/cachepusher/examples/example.c" $flags -o "$directory/example"

build() { # COMPILER SOURCE STANDARD
    local program=$directory/host-$3 needs_library
    # shellcheck disable=SC2086 # the flags are words
    "$1" -std="$3" -Wall -Wextra -pedantic -Werror "$2" $flags -o "$program"
    needs_library=$(readelf -d "$program" | grep -c 'NEEDED.*libcachepusher') || true
    if [[ $needs_library != "$linked" ]]; then
        echo "$3: it is not linked with the $way library"
        exit 1
    fi
    echo "$3: $("$program")"
}

# newest COMPILER LANGUAGE NAME EARLIER_NAME: the latest standard, as the compiler calls it
newest() {
    if "$1" -std="$3" -fsyntax-only -x "$2" /dev/null 2>/dev/null; then echo "$3"; else echo "$4"; fi
}
for standard in c99 c11 c17 "$(newest "$cc" c c23 c2x)"; do build "$cc" "$host.c" "$standard"; done
for standard in c++11 c++14 c++17 c++20 "$(newest "$cxx" c++ c++23 c++2b)"; do
    build "$cxx" "$host.cpp" "$standard"
done
