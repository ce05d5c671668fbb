#!/bin/sh
# Puts the plug-in into FOLDER, as `partdiff krita install` looks for it, with the modules of the Python package that it
# shares: gather.sh FOLDER
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1/partdiff_krita/partdiff"
install -m 644 "$here/partdiff_krita.desktop" "$1"
install -m 644 "$here"/partdiff_krita/*.* "$1/partdiff_krita"
install -m 644 "$here/partdiff_krita/partdiff/__init__.py" "$1/partdiff_krita/partdiff"
for module in _abi _command _run errors; do
    install -m 644 "$here/../../python/src/partdiff/$module.py" "$1/partdiff_krita/partdiff"
done
