#!/bin/bash
# Looks whether what the documents (*.md) of a tree link to is there: files, directories and headings.
#
# Usage: links.sh DIRECTORY
# Addresses elsewhere are left alone. Exit code 1: a link leads nowhere, and a line for each says so.

set -euo pipefail
cd "$1"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

mapfile -t documents < <(find . -name '*.md' ! -path './build/*' ! -path './.git/*' -printf '%P\n' | sort)
((${#documents[@]} > 0)) || { echo "there are no documents in $1" && exit 1; }

# "heading FILE ANCHOR", as GitHub makes anchors of headings, and "link FILE LINE TARGET"; neither inside of code.
awk 'FNR == 1 { code = 0; split("", seen) }
    /^ *```/ { code = !code; next }
    code || /^    / { next }
    /^#+ / {
        anchor = tolower($0)
        sub(/^#+ +/, "", anchor)
        gsub(/\]\([^)]*\)/, "", anchor)
        gsub(/[^a-z0-9 _-]/, "", anchor)
        gsub(/ /, "-", anchor)
        print "heading", FILENAME, anchor (seen[anchor]++ ? "-" seen[anchor] - 1 : "")
    }
    {
        line = $0
        gsub(/`[^`]*`/, "`", line)
        while (match(line, /\]\([^) ]+\)/)) {
            print "link", FILENAME, FNR, substr(line, RSTART + 2, RLENGTH - 3)
            line = substr(line, RSTART + RLENGTH)
        }
    }' "${documents[@]}" >"$directory/found"
grep '^heading' "$directory/found" | cut -d ' ' -f 2- >"$directory/headings"

links=0
failed=0
fail() {
    echo "$1:$2: $3: $4"
    failed=1
}
while read -r document line target; do
    [[ $target != *://* && $target != mailto:* ]] || continue
    links=$((links + 1))
    file=${target%%#*}
    file=${file:+$(realpath -m --relative-to=. "$(dirname "$document")/$file")}
    [[ -e ${file:-$document} ]] || { fail "$document" "$line" "$target" "there is no such file" && continue; }
    [[ $target != *#* ]] || grep -qxF -e "${file:-$document} ${target#*#}" "$directory/headings" ||
        fail "$document" "$line" "$target" "there is no such heading"
done < <(sed -n 's/^link //p' "$directory/found")
echo "$links links in ${#documents[@]} documents"
exit $failed
