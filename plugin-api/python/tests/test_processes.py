"""Processes: forked and spawned ones, memory over many calls, and environments in which ONNX Runtime is missing."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import partdiff
from partdiff._worker import Order, Worker

Picture = Callable[..., NDArray[Any]]

#: A call that has not ended by then hangs.
LIMIT = 300

WITHIN = """
import numpy, pathlib, partdiff
upscaler = partdiff.Upscaler(device="cpu", threads=2, memory="500M")
upscaler.upscale(numpy.random.default_rng(0).integers(0, 256, (300, 400, 3), numpy.uint8), preset="faithful")
print(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""

OWN = """
import multiprocessing, numpy, partdiff
def work(seed):
    with partdiff.Upscaler(device="cpu", threads=1) as upscaler:
        return round(upscaler.upscale(numpy.full((8, 8), seed, numpy.uint8), preset="faithful").mean())
if __name__ == "__main__":
    with multiprocessing.get_context("METHOD").Pool(2) as pool:
        print(pool.map(work, [10, 200, 30]))
"""

INHERITED = """
import multiprocessing, sys, numpy, partdiff
small = numpy.zeros((8, 8), numpy.uint8)
upscaler = partdiff.Upscaler(device="cpu")
upscaler.upscale(small)
def work(own):
    try:
        (partdiff.Upscaler(device="cpu") if own else upscaler).upscale(small)
    except partdiff.ForkError as error:
        return str(error)
with multiprocessing.get_context("fork").Pool(2) as pool:
    for text in pool.map(work, [False, True, False]):
        assert "spawn" in text, text
# A child that ends as programs do.
import os
child = os.fork()
if child == 0:
    upscaler.close()
    sys.exit(3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
upscaler.upscale(small)
print("fine")
"""


def python(script: str, *flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `script` from a file, as processes that are spawned need it."""
    folder = Path(environment.pop("FOLDER"))
    folder.joinpath("script.py").write_text(script)
    return subprocess.run(
        [sys.executable, *flags, "-W", "ignore", folder / "script.py"],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env={**os.environ, **environment},
    )


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_pools_whose_workers_open_their_own_work(method: str, tmp_path: Path) -> None:
    done = python(OWN.replace("METHOD", method), FOLDER=str(tmp_path))
    assert done.stdout == "[10, 200, 30]\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_is_told_and_ends(tmp_path: Path) -> None:
    done = python(INHERITED, FOLDER=str(tmp_path))
    assert done.stdout == "fine\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="the resident memory is read from /proc")
def test_memory_does_not_grow_over_200_calls(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    small = picture("uint8", 3, 24, 24)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def some(calls: int) -> None:
        for _ in range(calls):
            upscaler.upscale(small, progress=lambda *_: None, icc=None)

    some(50)
    before = resident()
    some(200)
    # One result kept of each call would be 5.5 MB, one tile of the engine's much more.
    assert resident() - before < 4 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_the_limit_on_memory_holds_for_the_process(tmp_path: Path) -> None:
    done = python(WITHIN, FOLDER=str(tmp_path))
    # Without a limit it is twice that.
    assert int(done.stdout) << 10 < 500_000_000, done.stderr


def test_the_limit_on_memory_holds_in_the_process_of_the_command(tmp_path: Path, picture: Picture) -> None:
    image = tmp_path / "a.ppm"
    image.write_bytes(b"P6\n64 64\n255\n" + picture("uint8", 3, 64, 64).tobytes())
    digest = hashlib.sha256(image.read_bytes()).hexdigest()
    worker = Worker({"scale": 4}, "cpu", 1, 129 << 20)
    [(_, outcome)] = worker.make([Order(image, digest, tmp_path / "b.png")])
    worker.close()
    assert "1 MiB left for the engine is not enough" in str(outcome.error), outcome


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder of packages that has partdiff and numpy, and nothing else."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in ("partdiff", "numpy", "numpy.libs"):
        origin = Path(np.__file__ if name.startswith("numpy") else partdiff.__file__).parents[1] / name
        if origin.exists():
            packages.joinpath(name).symlink_to(origin, target_is_directory=True)
    return packages


OPEN = "import partdiff\npartdiff.Upscaler(device='cpu')"


def elsewhere(folder: Path, packages: Path) -> subprocess.CompletedProcess[str]:
    """Opens an upscaler where only `packages` can be imported, and nothing was installed for this user."""
    return python(
        OPEN,
        "-S",
        FOLDER=str(folder),
        PYTHONPATH=str(packages),
        PARTDIFF_DATA_DIR=str(folder / "data"),
        VIRTUAL_ENV="",
        PATH=str(folder),
        LD_LIBRARY_PATH="",
    )


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_without_onnxruntime_the_remedy_is_named(tmp_path: Path, bare: Path) -> None:
    done = elsewhere(tmp_path, bare)
    assert done.returncode == 1
    assert "OnnxRuntimeError: ONNX Runtime was not found" in done.stderr
    assert "pip install onnxruntime" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="links need a right on Windows")
def test_an_onnxruntime_without_a_library_is_too_old(tmp_path: Path, bare: Path) -> None:
    # As the wheels before 1.19 are: all is in the extension module.
    (bare / "onnxruntime" / "capi").mkdir(parents=True)
    (bare / "onnxruntime" / "__init__.py").write_text('__version__ = "1.18.1"\n')
    done = elsewhere(tmp_path, bare)
    assert done.returncode == 1
    assert "OnnxRuntimeError: onnxruntime 1.18.1 in " in done.stderr
    assert 'pip install --upgrade "onnxruntime>=1.19"' in done.stderr


def test_the_command_takes_the_library_of_its_environment(command: Callable[..., str]) -> None:
    import onnxruntime

    assert str(onnxruntime.__path__[0]) in command("doctor")
