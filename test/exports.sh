#!/bin/bash
# Checks that a shared library exports the functions its headers declare, and nothing else.
#
# Usage: exports.sh INCLUDE LIBRARY [INSIDE]
#   INCLUDE is the directory of the headers
#   INSIDE  a regular expression: names that it must not look for in other libraries, since it has them inside

set -euo pipefail
include=$1
library=$2
inside=${3-}

headers=$(cat "$include"/*.h "$include"/cachepusher/*.h)
declared=$(sed -n 's/^CP_API .*[ *]\(cp_[a-z_]*\)(.*/\1/p' <<<"$headers" | sort)
lines=$(grep -c '^CP_API ' <<<"$headers")
if [[ $(wc -l <<<"$declared") -ne $lines ]]; then
    echo "$include: $lines lines begin with CP_API, but the functions on them are:" "$declared"
    exit 1
fi

# Without the version node, which is an absolute symbol (A).
exported=$(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort)
diff --label declared --label exported -u <(echo "$declared") <(echo "$exported")

if [[ $inside ]] && nm -D --undefined-only "$library" | grep -E " ($inside)"; then
    echo "$library: looks for these elsewhere, where they may be of another version"
    exit 1
fi
