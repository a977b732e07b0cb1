#!/bin/bash
# Compiles and links the example program of a document, as a reader would: that in the header's first comment, or the
# first C block of the README.
#
# Usage: example.sh DOCUMENT HEADER LIBRARY DIRECTORY COMPILER [FLAG...]
# The program is left in DIRECTORY.

set -euo pipefail
document=$1
header=$2
library=$3
program=$4/example-$(basename "$document" | tr . -)
shift 4

# shellcheck disable=SC2016 # the backquotes are the document's
case $document in
*.h) sed -n '/^ \*     #include <cachepusher.h>$/,/^ \*     cc /{ /^ \*     cc /d; s/^ \* \{0,5\}//; p; }' "$document" ;;
*.md) sed -n '/^```c$/,/^```$/{ /^```/d; p; }' "$document" ;;
esac >"$program.c"
if ! grep -q '^int main(void)$' "$program.c"; then
    echo "$document: there is no example that begins with #include <cachepusher.h> and has a main()"
    exit 1
fi
# The README's is also installed, as a file.
[[ $document != *.md ]] || diff -u "$(dirname "$document")/doc/example.c" "$program.c"

"$@" -std=c11 -Wall -Wextra -Wpedantic -Werror -I"$(dirname "$header")" -o "$program" "$program.c" \
    -L"$(dirname "$library")" -Wl,-rpath,"$(dirname "$library")" -lcachepusher
