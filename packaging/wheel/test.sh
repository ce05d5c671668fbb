#!/usr/bin/env bash
# Checks a wheel: packaging/wheel/test.sh WHEEL ENVIRONMENT. Makes the virtual environment ENVIRONMENT where it is not
# there yet (PYTHON names the interpreter), installs the wheel into it, and runs the package's lints and tests.
set -euo pipefail
wheel=$(realpath "$1")
[ -x "$2/bin/python" ] || "${PYTHON:-python3}" -m venv "$2"
python=$(cd "$2/bin" && pwd)/python
install() { "$python" -m pip install --quiet --disable-pip-version-check "$@"; }
install "$wheel[pillow]" "pyvips[binary]" hatchling typing_extensions pytest==9.2.0 mypy==2.4.1 ruff==0.17.6
# Ray serves the newest Python some months later than others; its tests say so.
install "$wheel[ray]" "moto[server]" || echo "Ray or moto cannot be installed here"
# One of the same version may be there from an earlier run.
install --force-reinstall --no-deps "$wheel"
cd "$(dirname "$0")/../../plugin-api/python"
"$python" -m ruff check .
"$python" -m ruff format --check .
"$python" -m mypy
"$python" -m pytest -q
