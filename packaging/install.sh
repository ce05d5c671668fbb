#!/bin/sh
# Installs everything that `cargo build --release` has built, with manual pages and completions:
#   packaging/install.sh [PREFIX]      default: /usr/local; DESTDIR and LIBDIR as usual
# PARTDIFF_BUILT names the folder of the built programs, if not target/release. For Linux and macOS.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
prefix=${1:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
root=${DESTDIR:-}
PARTDIFF_BUILT=${PARTDIFF_BUILT:-${CARGO_TARGET_DIR:-$here/target}/release}
export PARTDIFF_BUILT
built=$PARTDIFF_BUILT
put() { # MODE FOLDER FILE...
    mode=$1 folder=$root$2
    shift 2
    mkdir -p "$folder"
    install -m "$mode" "$@" "$folder"
}

"$here/plugin-api/install.sh" "$prefix"
put 755 "$prefix/bin" "$built/partdiff"
# `partdiff gimp install` and `partdiff krita install` look for them there.
put 755 "$prefix/lib/partdiff" "$built/partdiff-gimp2" "$built/partdiff-gimp3"
"$here/plugin-api/hosts/krita/gather.sh" "$root$prefix/lib/partdiff/krita"
if [ "$libdir" != "$prefix/lib" ]; then
    ln -sf "../${libdir#"$prefix/lib/"}/libpartdiff.so.1" "$root$prefix/lib/partdiff/libpartdiff.so.1"
fi
if [ "$(uname)" = Linux ]; then
    put 644 "$prefix/lib/systemd/user" "$here/packaging/systemd/partdiff-watch.service"
    "$built/partdiff" generate desktop "$root$prefix/share"
fi
generated=$(mktemp -d)
trap 'rm -rf "$generated"' EXIT
"$built/partdiff" generate man "$generated/man"
"$built/partdiff" generate completions "$generated"
put 644 "$prefix/share/man/man1" "$generated"/man/*
put 644 "$prefix/share/bash-completion/completions" "$generated/partdiff.bash"
mv "$root$prefix/share/bash-completion/completions/partdiff.bash" "$root$prefix/share/bash-completion/completions/partdiff"
put 644 "${ZSHDIR:-$prefix/share/zsh/site-functions}" "$generated/_partdiff"
put 644 "$prefix/share/fish/vendor_completions.d" "$generated/partdiff.fish"
