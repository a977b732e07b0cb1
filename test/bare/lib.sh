# shellcheck shell=bash
# Fresh Debian roots, for test/bare/run and test/bare/provision to source.
#
# Everything is mounted inside private mount namespaces, so nothing of it is ever visible outside,
# and nothing has to be unmounted before a root is removed.

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=/var/cache/cachepusher-bare # one tar file for each suite and variant; remove at will
suite=bookworm
variant=minbase
mounts="proc sys pts shm"
checkout=/root/cachepusher # where it is inside the root
root=

# prepare TOOL...: call first. Ends the script where a root cannot be made; removes the root at exit.
prepare() {
    local tool
    if ((EUID != 0)); then
        echo "${0##*/}: must run as root" >&2
        exit 1
    fi
    for tool in "$@"; do
        command -v "$tool" >/dev/null || {
            echo "${0##*/}: $tool is missing" >&2
            exit 1
        }
    done
    trap remove_root EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

remove_root() {
    [[ $root ]] || return 0
    if grep -qF " $root/" /proc/self/mounts; then
        echo "${0##*/}: something is mounted below $root, so it stays" >&2
        return 1
    fi
    rm -rf --one-file-system "$root"
}

# The mirror this machine itself installs from.
mirror() {
    apt-get indextargets --format "\$(REPO_URI)" \
        'Created-By: Packages' 'Label: Debian' 'Component: main' | head -n 1
}

# Sets $root to a new root with the checkout in it, but no build.
make_root() {
    local base=$cache/$suite-$variant.tar
    local script=sid # of all of them; a suite that is newer than debootstrap has none of its own
    root=$(mktemp -d /var/tmp/cp-bare.XXXXXX)
    chmod 755 "$root"
    if [[ -e $base ]]; then
        tar -C "$root" -xf "$base"
    else
        echo "making a base of $suite, variant $variant"
        mkdir -p "$cache"
        # debootstrap calls the one with everything of priority "important" no variant at all.
        unshare --mount debootstrap ${variant:+--variant="${variant/default/-}"} \
            "$suite" "$root" "$(mirror)" "$script" >"$base.log" || {
            tail -n 20 "$base.log" >&2
            return 1
        }
        tar -C "$root" -cf "$base.$$" . && mv "$base.$$" "$base"
    fi
    mkdir -p "$root$checkout"
    tar -C "$repo" --exclude=./build --exclude=./.git -cf - . | tar -C "$root$checkout" -xf -
    cp -L /etc/resolv.conf "$root/etc/resolv.conf"
}

# The next two run inside the namespaces of a root, in shells of their own.
mount_inside() {
    local what
    for what in $mounts; do
        case $what in
        proc) mount -t proc proc "$root/proc" ;;
        sys) mount -t sysfs -o ro sysfs "$root/sys" ;;
        pts) mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts "$root/dev/pts" ;;
        shm) mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" ;;
        esac || return
    done
}
chroot_inside() { # COMMAND...
    # shellcheck disable=SC2016 # expanded by the inner shell
    chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
        TERM="${TERM-dumb}" ${CI+CI="$CI"} sh -c 'cd "$0" && exec "$@"' "$checkout" "$@"
}
export_inside() {
    export root mounts checkout
    export -f mount_inside chroot_inside
}

# In new mount, process, host name and IPC namespaces.
namespaces=(unshare --mount --pid --fork --kill-child --uts --ipc)

# enter_root COMMAND...: as root, in the checkout.
enter_root() {
    export_inside
    # The shell stays, as process 1, hence the exit.
    "${namespaces[@]}" bash -c 'mount_inside && chroot_inside "$@"; exit $?' enter_root "$@"
}
