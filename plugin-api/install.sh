#!/bin/sh
# Builds libpartdiff and installs it with plain cargo, as `cargo cinstall` does with cargo-c.
#   plugin-api/install.sh [PREFIX]      default: /usr/local; DESTDIR, LIBDIR and CARGO_TARGET_DIR as usual
set -eu
cd "$(dirname "$0")/.."
prefix=${1:-/usr/local}
libdir=${LIBDIR:-$prefix/lib}
root=${DESTDIR:-}
target=${CARGO_TARGET_DIR:-target}/${PARTDIFF_PROFILE:-release}
abi=1.0.0

# PARTDIFF_BUILT: a directory that holds the built libraries already.
if [ -n "${PARTDIFF_BUILT:-}" ]; then
    target=$PARTDIFF_BUILT
else
    cargo build --profile "${PARTDIFF_PROFILE:-release}" -p partdiff-capi
fi
mkdir -p "$root$libdir/pkgconfig" "$root$prefix/include"
install -m 644 plugin-api/include/partdiff.h plugin-api/include/partdiff.hpp "$root$prefix/include/"
install -m 644 "$target/libpartdiff_capi.a" "$root$libdir/libpartdiff.a"
if [ "$(uname)" = Darwin ]; then
    install -m 755 "$target/libpartdiff_capi.dylib" "$root$libdir/libpartdiff.$abi.dylib"
    install_name_tool -id "$libdir/libpartdiff.${abi%%.*}.dylib" "$root$libdir/libpartdiff.$abi.dylib"
    ln -sf "libpartdiff.$abi.dylib" "$root$libdir/libpartdiff.${abi%%.*}.dylib"
    ln -sf "libpartdiff.$abi.dylib" "$root$libdir/libpartdiff.dylib"
    private="-liconv -lSystem -lc -lm"
else
    install -m 755 "$target/libpartdiff_capi.so" "$root$libdir/libpartdiff.so.$abi"
    ln -sf "libpartdiff.so.$abi" "$root$libdir/libpartdiff.so.${abi%%.*}"
    ln -sf "libpartdiff.so.$abi" "$root$libdir/libpartdiff.so"
    private="-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc"
fi
cat > "$root$libdir/pkgconfig/partdiff.pc" <<PC
prefix=$prefix
libdir=$libdir
includedir=\${prefix}/include

Name: partdiff
Description: Image super-resolution with partial diffusion
Version: $abi
Libs: -L\${libdir} -lpartdiff
Cflags: -I\${includedir}
Libs.private: $private
PC
echo "libpartdiff $abi is in $root$libdir"
