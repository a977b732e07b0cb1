#!/bin/bash
# Compiles each piece of doc/embedding.md as its first lines say, and links what has a main().
#
# Usage: embedding.sh DOCUMENT HEADER LIBRARY DIRECTORY COMPILER [FLAG...]

set -euo pipefail
document=$1
header=$2
library=$3
directory=$4
compiler=$5
shift 5

rm -rf "$directory"
mkdir -p "$directory"
awk -v directory="$directory" '/^    #include/ { prelude = prelude substr($0, 5) "\n"; next }
    /^```c$/ { file = directory "/piece" ++n ".c"; printf "%s", prelude >file; next } /^```$/ { file = ""; next }
    file { print >file }' "$document"

flags=("$@" -std=c11 -Wall -Wextra -Wpedantic -Wno-unused-function -Werror -I"$(dirname "$header")")
programs=0
for piece in "$directory"/piece*.c; do
    if grep -q '^int main(' "$piece"; then
        "$compiler" "${flags[@]}" -o "${piece%.c}" "$piece" -L"$(dirname "$library")" -lcachepusher
        programs=$((programs + 1))
    else
        "$compiler" "${flags[@]}" -c -o "${piece%.c}.o" "$piece"
    fi
done
pieces=("$directory"/piece*.c)
if ((programs != 1 || ${#pieces[@]} < 14)); then
    echo "$document: ${#pieces[@]} pieces, and $programs programs"
    exit 1
fi
echo "${#pieces[@]} pieces"
