"""The command that comes with this package."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path


def command() -> Path:
    """The command of this environment; PARTDIFF_COMMAND names another."""
    name = "partdiff.exe" if sys.platform == "win32" else "partdiff"
    return Path(os.environ.get("PARTDIFF_COMMAND") or Path(sysconfig.get_path("scripts")) / name)
