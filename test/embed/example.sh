#!/bin/bash
# Compiles and links the example in the header's first comment, as a reader would.
#
# Usage: example.sh HEADER LIBRARY DIRECTORY COMPILER [FLAG...]
# The program is left in DIRECTORY.

set -euo pipefail
header=$1
library=$2
directory=$3
shift 3

source=$directory/example.c
sed -n '/^ \*     #include <cachepusher.h>$/,/^ \*     cc /{ /^ \*     cc /d; s/^ \* \{0,5\}//; p; }' "$header" >"$source"
if ! grep -q '^int main(void)$' "$source"; then
    echo "$header: its first comment has no example that begins with #include <cachepusher.h> and has a main()"
    exit 1
fi

"$@" -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$(dirname "$header")" -o "$directory/example" "$source" \
    -L"$(dirname "$library")" -Wl,-rpath,"$(dirname "$library")" -lcachepusher
