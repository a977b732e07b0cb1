#!/bin/bash
# Builds and runs a CMake project that embeds the library, in each C and C++ that CMake and the compilers have.
#
# Usage: cmake.sh DIRECTORY CC CXX OPTION...
# The options say where the library is: -D CMAKE_PREFIX_PATH=PREFIX or -D CACHEPUSHER_SOURCE=DIRECTORY.

set -euo pipefail
directory=$1
cc=$2
cxx=$3
shift 3

rm -rf "$directory"
cmake -G Ninja -S "$(dirname "$0")/host" -B "$directory" -D CMAKE_C_COMPILER="$cc" -D CMAKE_CXX_COMPILER="$cxx" "$@"
cmake --build "$directory" -- --quiet -j 2

ran=0
for program in "$directory"/host-*; do
    echo "${program##*/}: $("$program")"
    ran=$((ran + 1))
done
# C and C++ of three standards at least, with two libraries.
((ran >= 12))
