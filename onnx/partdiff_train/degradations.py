"""Damaged inputs to measure on: what happens to photographs, each kind at a fixed strength and from a fixed seed."""

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from . import damage, resample
from .jpeg import level_of

PHONE = 0.7
"""The level of `damage.damaged` for pictures as of a phone: two rounds of blur, resizing, noise and JPEG."""

Degrade = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(hr, lr) [C, ., .] in 0..255, lr clean -> the damaged lr."""


def clean(_: np.ndarray, lr: np.ndarray) -> np.ndarray:
    """Nothing happens."""
    return lr


def jpeg(quality: int) -> Degrade:
    """Compression by Pillow, 4:2:0."""

    def degrade(_: np.ndarray, lr: np.ndarray) -> np.ndarray:
        buffer = io.BytesIO()
        Image.fromarray(lr.astype(np.uint8).transpose(1, 2, 0)).save(buffer, "JPEG", quality=quality)
        return np.asarray(Image.open(buffer), np.float32).transpose(2, 0, 1)

    return degrade


def noise(_: np.ndarray, lr: np.ndarray) -> np.ndarray:
    """Gaussian noise of deviation 7, of 255."""
    return np.clip(np.round(lr + np.random.default_rng(0).normal(0, 7, lr.shape)), 0, 255).astype(np.float32)


def blur(hr: np.ndarray, lr: np.ndarray) -> np.ndarray:
    """Shrunk after a Gaussian blur of 0.4 pixels of the result."""
    scale = hr.shape[1] // lr.shape[1]
    small = resample.downsample(torch.from_numpy(hr).double(), scale, "cubic", 0.4 * scale)
    return small.round().clamp(0, 255).float().numpy()


def phone(hr: np.ndarray, lr: np.ndarray) -> np.ndarray:
    """Two rounds of damage; the same for the same image."""
    generator = torch.Generator().manual_seed(int(hr.sum(dtype=np.float64)) % 2**31)
    rand = lambda *shape: torch.rand(*shape, generator=generator)
    size = (lr.shape[1], lr.shape[2])
    return damage.damaged(torch.from_numpy(hr)[None], size, torch.tensor([PHONE]), rand)[0][0].numpy()


QUALITIES = (90, 60, 40)

JPEG_LEVELS = {f"JPEG {quality}": level_of(quality) for quality in QUALITIES}
"""The level that the program takes at least for a file of that quality."""

DEGRADATIONS: dict[str, Degrade] = {
    "clean": clean,
    **{f"JPEG {quality}": jpeg(quality) for quality in QUALITIES},
    "noise": noise,
    "blur": blur,
    "phone": phone,
}
