"""Runs on an installed wheel: the module, the command beside it, and onnxruntime of the same environment."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import partdiff

#: The command of this environment.
COMMAND = Path(sysconfig.get_path("scripts")) / (
    "partdiff.exe" if sysconfig.get_platform()[:3] == "win" else "partdiff"
)


_missing: list[str] = []


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Notes test files that were left out because a package is missing."""
    if report.skipped:
        _missing.append(str(report.longrepr))


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """With PARTDIFF_REQUIRE_ALL, what cannot run has failed, as in the Rust tests."""
    if _missing and os.environ.get("PARTDIFF_REQUIRE_ALL"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def upscaler() -> Iterator[partdiff.Upscaler]:
    """The default model on the processor, where results do not depend on the machine's devices."""
    with partdiff.Upscaler(device="cpu", threads=2) as upscaler:
        yield upscaler


@pytest.fixture
def command() -> Callable[..., str]:
    """Runs the command; gives what it prints."""

    def run(*arguments: object) -> str:
        done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def picture() -> Callable[..., NDArray[Any]]:
    """Makes an array with edges, slopes and grain, which differs in every channel."""

    def make(dtype: str, channels: int | None = 3, height: int = 19, width: int = 23) -> NDArray[Any]:
        generator = np.random.default_rng(3)
        y, x = np.mgrid[0:height, 0:width]
        planes = [
            0.2 + 0.5 * (x + c * 5) / (width + 15) + 0.2 * (y > x) + 0.05 * generator.random((height, width))
            for c in range(channels or 1)
        ]
        values = np.stack(planes, axis=-1)
        if channels is None:
            values = values[..., 0]
        most = np.iinfo(dtype).max if dtype.startswith("u") else 1
        return (values * most).astype(dtype)

    return make
