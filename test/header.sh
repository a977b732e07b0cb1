#!/bin/bash
# Compiles the public header by itself in each standard of C and C++ that hosts are written in, without a warning.
#
# Usage: header.sh HEADER C_COMPILER CXX_COMPILER

set -euo pipefail
header=$1
c=$2
cxx=$3
warnings=(-Wall -Wextra -Wpedantic -Werror -fsyntax-only)
failed=0

for standard in c99 gnu99 c11 c17 c2x; do
    "$c" -std="$standard" "${warnings[@]}" -Wstrict-prototypes -x c "$header" || { echo "in $standard" && failed=1; }
done
for standard in c++11 c++14 c++17 c++20; do
    "$cxx" -std="$standard" "${warnings[@]}" -x c++ "$header" || { echo "in $standard" && failed=1; }
done
exit "$failed"
