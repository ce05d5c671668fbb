#!/usr/bin/env bash
# Installs and uses the Debian packages in a fresh tree of Debian: `try.sh RELEASE FOLDER`, where RELEASE is bookworm or
# trixie and FOLDER holds what build.sh made. Prints what it does, how long that takes, and what it downloads. Needs root,
# debootstrap, gcc and pkg-config. The bare tree is kept for the next run, in $PARTDIFF_DEBIAN_TREES
# (/var/cache/partdiff-debian; 250 MB).
set -euo pipefail
[ $# = 2 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
release=$1 packages=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")/../.." && pwd)
bare=${PARTDIFF_DEBIAN_TREES:-/var/cache/partdiff-debian}/$release
step() { printf '== %s s, %s: %s\n' "$SECONDS" "$release" "$*"; }
fail() { echo "try.sh: $*" >&2; exit 1; }

if [ ! -e "$bare/complete" ]; then
    step "a bare tree"
    mkdir -p "$(dirname "$bare")"
    "$here/tests/gimp3/chroot.sh" base "$bare" "$release" >/dev/null
    touch "$bare/complete"
fi
tree=$(mktemp -d)
trap 'rm -rf "$tree" "$tree.before"' EXIT
cp -a "$bare/." "$tree"
cp "$packages"/*.deb "$tree/srv"
root() { "$here/tests/gimp3/chroot.sh" run "$tree" "$@"; }
# An ordinary user, whose home and settings are those of nobody else.
user() { root setpriv --reuid 1000 --regid 1000 --clear-groups env HOME=/home/user "$@"; }
files() { root find / -xdev \( -path /proc -o -path /dev -o -path /partdiff -o -path /home -o -path /srv \) -prune -o -print | sort; }
root useradd --create-home --uid 1000 user
files > "$tree.before"

step "install"
# With what apt would install along, as the package recommends it.
root sh -c 'apt-get install --simulate /srv/partdiff_*.deb' | grep '^Inst python3-venv ' || fail "python3-venv is not recommended"
root sh -c "apt-get install -y -qq --no-install-recommends /srv/*.deb python3-venv ca-certificates" 2>&1 | tail -3
root dpkg-query -W -f '${Package} ${Version} ${Installed-Size} KiB\n' 'partdiff*' 'libpartdiff*'

step "partdiff doctor"
user partdiff --version
! user partdiff doctor || fail "doctor finds ONNX Runtime in a tree that has none"
step "partdiff runtime install"
# A network with an authority of its own needs that here, too.
cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
user partdiff runtime install
root du -sh /home/user/.local
user partdiff doctor

step "an image"
cp "$here/tests/data/samples/photo_dog.png" "$tree/home/user/"
user sh -c 'cd && partdiff upscale photo_dog.png && partdiff verify photo_dog_x4.png photo_dog.png'

step "manual page and completions"
zcat "$tree/usr/share/man/man1/partdiff-upscale.1.gz" | grep skip >/dev/null || fail "no manual page"
root bash -c '. /usr/share/bash-completion/completions/partdiff && complete -p partdiff'
for file in zsh/vendor-completions/_partdiff fish/vendor_completions.d/partdiff.fish; do
    [ -s "$tree/usr/share/$file" ] || fail "no $file"
done

step "libpartdiff, in a program built against the package"
libraries=$(echo "$tree"/usr/lib/*/pkgconfig)
flags=$(PKG_CONFIG_LIBDIR=$libraries PKG_CONFIG_SYSROOT_DIR=$tree pkg-config --cflags --libs partdiff)
# shellcheck disable=SC2086 # Several words.
gcc -std=c99 "$here/plugin-api/examples/upscale.c" -o "$tree/srv/upscale" $flags
printf 'P6 8 6 255\n' > "$tree/home/user/in.ppm"
head -c 144 /dev/urandom >> "$tree/home/user/in.ppm"
user sh -c 'cd && /srv/upscale in.ppm out.ppm && head -c 15 out.ppm | head -2'

step "plug-ins for GIMP"
user mkdir -p /home/user/.config/GIMP/2.10 /home/user/.config/GIMP/3.0
user partdiff gimp install
[ "$(user partdiff gimp status | grep -c 'has this version')" = 2 ] || fail "not both profiles have the plug-in"

step "plug-in for Krita"
user mkdir -p /home/user/.local/share/krita
user partdiff krita install
user partdiff krita status | grep -q 'has this version' || fail "Krita does not have the plug-in"

step "an image, from a file manager"
user sh -c 'cd && rm photo_dog_x4.png && partdiff desktop upscale photo_dog.png && test -s photo_dog_x4.png'

step "purge"
root sh -c "apt-get purge -y -qq partdiff partdiff-gimp partdiff-krita libpartdiff1 libpartdiff-dev" | tail -4
left=$(files | comm -13 "$tree.before" - | grep -i partdiff || true)
[ -z "$left" ] || fail "left behind: $left"
step "done"
