#!/usr/bin/env bash
# The Python wheel: packaging/wheel/build.sh FOLDER. Needs cargo and Python 3 with pip; PARTDIFF_WHEEL_PROFILE is cargo's
# profile (default: dist). The wheel is for this platform, and on Linux for systems whose C library is not older.
set -euo pipefail
folder=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/../../plugin-api/python"
rm -f "$folder"/partdiff-*.whl
"${PYTHON:-python3}" -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$folder" .
ls -l "$folder"/partdiff-*.whl
