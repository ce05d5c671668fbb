#!/usr/bin/env bash
# Makes the Debian packages from what `cargo build --release` has built: `build.sh OUT` puts them into OUT.
# PARTDIFF_BUILT names the folder of the built programs, if not target/release. Needs debhelper.
# Programs need the C library of the machine that they are built on, or a newer one: build on the oldest Debian.
set -euo pipefail
[ $# = 1 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
export PARTDIFF_SOURCE=$here
export PARTDIFF_BUILT=${PARTDIFF_BUILT:-${CARGO_TARGET_DIR:-$here/target}/release}
for file in partdiff partdiff-gimp2 partdiff-gimp3 libpartdiff_capi.so libpartdiff_capi.a; do
    [ -e "$PARTDIFF_BUILT/$file" ] || { echo "build.sh: $PARTDIFF_BUILT has no $file: run cargo build --release" >&2; exit 1; }
done

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/partdiff"
cp -r "$here/packaging/debian" "$stage/partdiff/debian"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$here/Cargo.toml" | head -1)
maintainer=$(sed -n 's/^Maintainer: //p' "$here/packaging/debian/control")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$here" log -1 --format=%ct 2>/dev/null || date +%s)}
# The version is that of Cargo.toml; what is new, the changelog of the program says.
cat > "$stage/partdiff/debian/changelog" <<CHANGELOG
partdiff ($version) unstable; urgency=medium

  * See CHANGELOG.md, which is the upstream changelog of this package.

 -- $maintainer  $(date -R -u -d "@$SOURCE_DATE_EPOCH")
CHANGELOG
(cd "$stage/partdiff" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps)
cp "$stage"/*.deb "$out"
