#!/usr/bin/env bash
# Makes the archive for download from what `cargo build --release` has built: `build.sh OUT NAME` puts NAME.tar.gz, on
# Windows NAME.zip, into OUT. Unpacked anywhere, it works: programs in bin, the rest where programs look for it.
# PARTDIFF_BUILT names the folder of the built programs, if not target/release.
set -euo pipefail
[ $# = 2 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd) name=$2
export PARTDIFF_BUILT=${PARTDIFF_BUILT:-${CARGO_TARGET_DIR:-$here/target}/release}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
mkdir "$stage/$name"
cp "$here"/LICENSE-* "$here/README.md" "$here/CHANGELOG.md" "$stage/$name"
case $(uname) in
    MINGW* | MSYS*)
        # Everything beside the program, where `partdiff gimp install` and `krita install` find it, too.
        cp "$PARTDIFF_BUILT"/{partdiff.exe,partdiff-gimp2.exe,partdiff-gimp3.exe,partdiff_capi.dll,partdiff_capi.dll.lib} "$stage/$name"
        "$here/plugin-api/hosts/krita/gather.sh" "$stage/$name/krita"
        mkdir "$stage/$name/include"
        cp "$here"/plugin-api/include/partdiff.h* "$stage/$name/include"
        "$PARTDIFF_BUILT/partdiff.exe" generate completions "$stage/$name/completions"
        (cd "$stage" && 7z a -tzip "$out/$name.zip" "$name" >/dev/null)
        ;;
    *)
        DESTDIR="$stage/$name" "$here/packaging/install.sh" /
        # It would make up most of the archive; plugin-api/install.sh builds it.
        rm "$stage/$name/lib/libpartdiff.a"
        # Its paths follow the file, wherever the archive is unpacked.
        sed -i.old -e 's|^prefix=.*|prefix=${pcfiledir}/../..|' -e 's|^libdir=.*|libdir=${prefix}/lib|' "$stage/$name/lib/pkgconfig/partdiff.pc"
        rm "$stage/$name/lib/pkgconfig/partdiff.pc.old"
        tar -czf "$out/$name.tar.gz" -C "$stage" "$name"
        ;;
esac
ls -l "$out" | awk -v name="$name" 'index($NF, name) { print $5, $NF }'
