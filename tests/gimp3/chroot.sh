#!/usr/bin/env bash
# Makes a Debian 13 tree with GIMP 3 at DIR, for machines whose own GIMP is older: `chroot.sh make DIR` (2 minutes 30
# seconds, 1 GB). `chroot.sh base DIR RELEASE` makes a bare tree of that release of Debian.
# `chroot.sh run DIR CMD...` runs a command in a tree as root, with this repository at /partdiff (read-only) and
# $PARTDIFF_GIMP3_SHARE, when set, at the same path. Needs root and debootstrap.
set -euo pipefail

usage() { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
verb=$1 tree=$2; shift 2
here=$(cd "$(dirname "$0")/../.." && pwd)

make_base() {
    # The machine's own Debian mirror serves the newer release too.
    local mirror
    mirror=$(awk '/^URIs:/{print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null ||
             awk '$1 == "deb" {print $2; exit}' /etc/apt/sources.list)
    [ -e "$tree/usr/bin/apt-get" ] || debootstrap --variant=minbase "$1" "$tree" "$mirror"
    printf '#!/bin/sh\nexit 101\n' > "$tree/usr/sbin/policy-rc.d"; chmod +x "$tree/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$tree/etc/"
    cp -n /etc/apt/apt.conf.d/* "$tree/etc/apt/apt.conf.d/"
    rm -f "$tree"/etc/apt/apt.conf.d/20packagekit "$tree"/etc/apt/apt.conf.d/50appstream
    in_tree apt-get update -qq
}

make_tree() {
    make_base trixie
    in_tree apt-get install -y -qq --no-install-recommends gimp xvfb xauth xdotool imagemagick libgomp1 libstdc++6
    in_tree dpkg-query -W -f '${Package} ${Version}\n' gimp libgimp-3.0-0 libgegl-0.4-0t64
}

# The mounts live in a namespace of their own: they are gone with the command, whatever becomes of it.
in_tree() {
    unshare --mount --propagation private bash -c '
        tree=$1 here=$2 share=$3; shift 3
        mount -t proc proc "$tree/proc"; mount --rbind /dev "$tree/dev"
        mount -t tmpfs tmpfs "$tree/dev/shm"
        mkdir -p "$tree/partdiff"; mount --bind -o ro "$here" "$tree/partdiff"
        if [ -n "$share" ]; then mkdir -p "$tree$share"; mount --bind "$share" "$tree$share"; fi
        DEBIAN_FRONTEND=noninteractive LC_ALL=${LC_ALL:-C.UTF-8} HOME=${PARTDIFF_GIMP3_HOME:-/root} exec chroot "$tree" "$@"
    ' in_tree "$tree" "$here" "${PARTDIFF_GIMP3_SHARE:-}" "$@"
}

[ "$(id -u)" = 0 ] || { echo "chroot.sh: needs root" >&2; exit 1; }
case $verb in
    make) make_tree ;;
    base) [ $# = 1 ] || usage; make_base "$1" ;;
    run) in_tree "$@" ;;
    *) usage ;;
esac
