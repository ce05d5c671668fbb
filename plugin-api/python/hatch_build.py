"""Builds the command and libpartdiff with cargo and puts them into the wheel, whose only platform they make it.

maturin puts a program or a library into a wheel, not both (PyO3/maturin#368). PARTDIFF_WHEEL_PROFILE names cargo's
profile (default: dist).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags


class CargoBuildHook(BuildHookInterface[Any]):
    """Called by hatchling before it makes a wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Adds what cargo builds to `build_data`."""
        program, library = build(Path(self.root).parents[1])
        build_data["pure_python"] = False
        # This machine's own: older systems may lack what the files were linked with. Registries refuse plain `linux_`.
        platform = next(tag for tag in platform_tags() if not tag.startswith("linux_"))
        build_data["tag"] = f"py3-none-{platform}"
        build_data["shared_scripts"][str(program)] = program.name
        name = {"win32": "partdiff.dll", "darwin": "libpartdiff.dylib"}.get(sys.platform, "libpartdiff.so")
        build_data["force_include"][str(library)] = f"partdiff/{name}"


def build(repository: Path) -> tuple[Path, Path]:
    """The program and the shared library, built together as everywhere, so that nothing is built twice."""
    profile = os.environ.get("PARTDIFF_WHEEL_PROFILE", "dist")
    command = ["cargo", "build", "--locked", "--profile", profile, "--message-format", "json-render-diagnostics"]
    output = subprocess.run(command, cwd=repository, stdout=subprocess.PIPE, check=True).stdout
    program = library = None
    for line in output.splitlines():
        message = json.loads(line)
        target = message.get("target", {})
        if target.get("name") == "partdiff" and message.get("executable"):
            program = Path(message["executable"])
        if target.get("name") == "partdiff_capi" and "cdylib" in target.get("crate_types", []):
            suffixes = (".so", ".dylib", ".dll")
            library = next(Path(name) for name in message["filenames"] if name.endswith(suffixes))
    if program is None or library is None:
        raise RuntimeError("cargo built no program `partdiff` or no library `partdiff_capi`")
    return program, library
