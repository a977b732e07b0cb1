#!/bin/bash
# Installs a build into a prefix and moves it; the other tests here see nothing but what is left.
#
# Usage: install.sh BUILD LIBDIR DIRECTORY
# LIBDIR is where libraries go below the prefix. The tree is left in DIRECTORY/moved.

set -euo pipefail
build=$1
libdir=$2
directory=$3
source=$(cd "$(dirname "$0")/../.." && pwd)

rm -rf "$directory"
mkdir -p "$directory"
cmake --install "$build" --prefix "$directory/prefix" >"$directory/log"
DESTDIR=$directory/staged cmake --install "$build" --prefix /opt/cachepusher >>"$directory/log"
diff -r --exclude=systemd "$directory/prefix" "$directory/staged/opt/cachepusher"
# A unit of systemd cannot but say where the program is.
for unit in cachepusher cachepusher@; do
    grep -q "^ExecStart=$directory/prefix/bin/cachepusher run " "$directory/prefix/lib/systemd/system/$unit.service"
    grep -q '^ExecStart=/opt/cachepusher/bin/cachepusher run ' \
        "$directory/staged/opt/cachepusher/lib/systemd/system/$unit.service"
done
rm -r "$directory/staged"

# One page tells of /usr/local.
if grep -rIF --exclude-dir=systemd --exclude=installing.md -e "$directory" -e "$build" -e /usr/local -e /opt/cachepusher "$directory/prefix"; then
    echo "these files say where they were built or installed"
    exit 1
fi
mv "$directory/prefix" "$directory/moved"
cd "$directory/moved"
version=$(sed -n 's/^#define CP_VERSION "\(.*\)"$/\1/p' include/cachepusher.h)
bench=
if grep -q '^CP_BENCH:BOOL=ON$' "$build/CMakeCache.txt"; then bench=bin/cachepusher-bench; fi

# The files for one build type (cachepusher-shared-release.cmake) are named by whoever configures.
expected() {
    sort <<END
bin/cachepusher${bench:+
$bench}
bin/cachepusher-fakedata
include/cachepusher.h
include/cachepusher/callbacks.h
include/cachepusher/config.h
include/cachepusher/error.h
include/cachepusher/health.h
include/cachepusher/results.h
include/cachepusher/stats.h
include/cachepusher/store.h
include/cachepusher/syncer.h
include/cachepusher/ticket.h
include/cachepusher/verify.h
$libdir/cmake/cachepusher/cachepusher-config-version.cmake
$libdir/cmake/cachepusher/cachepusher-config.cmake
$libdir/cmake/cachepusher/cachepusher-shared.cmake
$libdir/cmake/cachepusher/cachepusher-static.cmake
$libdir/libcachepusher.a
$libdir/libcachepusher.so
$libdir/libcachepusher.so.${version%%.*}
$libdir/libcachepusher.so.$version
$libdir/pkgconfig/cachepusher-static.pc
$libdir/pkgconfig/cachepusher.pc
lib/systemd/system/cachepusher.service
lib/systemd/system/cachepusher@.service
share/bash-completion/completions/cachepusher
share/cachepusher/cachepusher.sql
share/cachepusher/grafana/cachepusher.json
share/cachepusher/prometheus/cachepusher.rules.yml
share/cachepusher/prometheus/runbook.md
share/cachepusher/schema.sql
share/doc/cachepusher/doc/admin-page.png
share/doc/cachepusher/doc/configuration.md
share/doc/cachepusher/doc/declared-documents.md
share/doc/cachepusher/doc/development-vm.md
share/doc/cachepusher/doc/doctor.md
share/doc/cachepusher/doc/embedding.md
share/doc/cachepusher/doc/failover-and-pg_upgrade.md
share/doc/cachepusher/doc/installing.md
share/doc/cachepusher/doc/mapped-events.md
share/doc/cachepusher/doc/monitoring.md
share/doc/cachepusher/doc/oci-image.md
share/doc/cachepusher/doc/runbook.md
share/doc/cachepusher/doc/setting-up.md
share/doc/cachepusher/doc/systemd.md
share/doc/cachepusher/doc/test-data.md
share/doc/cachepusher/doc/verification.md
share/doc/cachepusher/doc/wal.md
share/doc/cachepusher/doc/your-own-functions.md
share/doc/cachepusher/examples/cache.c
share/doc/cachepusher/examples/cachepusher.go
share/doc/cachepusher/examples/cachepusher.py
share/doc/cachepusher/examples/config.example.json
share/doc/cachepusher/examples/epoll.c
share/doc/cachepusher/examples/example.c
share/doc/cachepusher/examples/libuv.c
share/doc/cachepusher/examples/plain.c
share/doc/cachepusher/examples/store.c
share/man/man1/cachepusher.1${bench:+
share/man/man1/cachepusher-bench.1}
share/man/man1/cachepusher-doctor.1
share/man/man1/cachepusher-fakedata.1
share/man/man1/cachepusher-generate.1
share/man/man1/cachepusher-parked.1
share/man/man1/cachepusher-run.1
share/man/man1/cachepusher-setup.1
share/man/man1/cachepusher-slot.1
share/man/man1/cachepusher-status.1
share/man/man1/cachepusher-teardown.1
share/man/man1/cachepusher-verify.1
share/man/man1/cachepusher-warmup.1
share/man/man5/cachepusher.json.5
share/zsh/site-functions/_cachepusher
END
}
installed=$(find . ! -type d ! -name 'cachepusher-s*-*.cmake' -printf '%P\n' | sort)
diff -u --label expected --label installed <(expected) - <<<"$installed"

# Each page is in a Debian package.
for page in share/doc/cachepusher/doc/*; do
    grep -qx "usr/$page" "$source"/debian/*.install || { echo "$page is in no debian/*.install" && exit 1; }
done
for program in bin/*; do "$program" --help >/dev/null; done
for file in bin/* "$libdir/libcachepusher.so"; do
    if readelf -d "$file" | grep -E '\((RPATH|RUNPATH)\)'; then
        echo "$file looks for libraries where it was built"
        exit 1
    fi
done
library=$libdir/libcachepusher.so
readelf -d "$library" | grep -F "SONAME" | grep -F "[libcachepusher.so.${version%%.*}]" >/dev/null ||
    { echo "$library: no SONAME libcachepusher.so.${version%%.*}" && exit 1; }
nm -D "$library" | grep "cp_version@@CACHEPUSHER_${version%%.*}\$" >/dev/null ||
    { echo "$library: cp_version has no version CACHEPUSHER_${version%%.*}" && exit 1; }
