"""Damaged images beside what Real-ESRGAN makes of them, as an aim for `texture`.

The original of a damaged image cannot be guessed, so a network that learns from it alone blurs, and a discriminator
needs days to teach it better. Real-ESRGAN has had that training: its image is sharp, clean and a function of the input.
"""

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from . import checkpoint
from .batches import MARGIN, Batch, BatchSource, generator, take, turned
from .dataset import Store
from .errors import InputError
from .peer import SCALE
from .pixels import from_bytes, to_bytes
from .resample import upsample
from .schedule import Schedule

DRAWN = 4
"""Crops drawn at a time."""


def make(
    store: Store,
    schedule: Schedule,
    enlarge: Callable[[np.ndarray], np.ndarray],
    directory: Path,
    minutes: float,
    seed: int = 0,
) -> None:
    """Writes SEED_NUMBER.pt for damaged crops of training images until the time is over; goes on after the last one.

    Each holds uint8 `lr` [3, p, p], `original` and `taught` [3, 4p, 4p], and the numbers `level` and `blur` of `Batch`.
    `enlarge` takes [3, h, w] in 0..1 and returns [3, 4h, 4w].
    """
    if store.scale != SCALE:
        raise InputError(f"{store.directory}: is for factor {store.scale}; Real-ESRGAN enlarges by {SCALE}")
    directory.mkdir(parents=True, exist_ok=True)
    source = BatchSource(store, schedule, DRAWN, store.lr.shape[-1] - MARGIN, seed)
    until = time.monotonic() + 60 * minutes
    made = [int(path.stem.split("_")[1]) for path in directory.glob(f"{seed}_*.pt")]
    first = max(made, default=-1) + 1
    for number in count(first):
        if time.monotonic() > until:
            break
        i = number % DRAWN
        if i == 0 or number == first:
            batch = source.draw(number // DRAWN)
        if batch.cleanup()[i] == 0:
            continue
        lr, original = (to_bytes(x[i].cpu().numpy()) for x in (batch.lr, batch.x0))
        taught = np.clip(np.round(255 * enlarge(lr / 255)), 0, 255)
        images = {"lr": lr, "original": original, "taught": taught}
        crop = {name: torch.from_numpy(image.astype(np.uint8)) for name, image in images.items()}
        numbers = {"level": batch.level[i].cpu().clone(), "blur": batch.blur[i].cpu().clone()}
        checkpoint.write(directory / f"{seed}_{number:06}.pt", crop | numbers)


class Taught:
    """Draws batches of patches from what `make` wrote, as a pure function of the iteration."""

    def __init__(self, directory: Path, schedule: Schedule, batch: int, patch: int, seed: int, device: str):
        files = sorted(directory.glob("*.pt"))
        if not files:
            raise InputError(f"{directory}: holds no crops; `python -m partdiff_train teach` makes them")
        crops = [checkpoint.read(file, "a crop that `teach` wrote") for file in files]
        gather = lambda key: torch.stack([crop[key] for crop in crops]).to(device)
        self.lr, self.original, self.taught = (gather(key) for key in ("lr", "original", "taught"))
        self.level, self.blur = gather("level"), gather("blur")
        self.schedule, self.batch, self.patch, self.seed, self.device = schedule, batch, patch, seed, device
        if patch > self.lr.shape[-1]:
            raise InputError(f"--patch {patch}: the crops of {directory} allow at most {self.lr.shape[-1]}")

    def draw(self, iteration: int) -> tuple[Batch, Tensor]:
        """The batch of an iteration, and what Real-ESRGAN made of it [N, C, 4p, 4p] in [-1, 1]."""
        g = generator(self.seed, iteration, self.device)
        n, k = self.batch, self.schedule.start_step
        whole = lambda limit, *shape: torch.randint(limit, shape, generator=g, device=self.device)
        crop, corner = whole(len(self.lr), n), whole(self.lr.shape[-1] - self.patch + 1, 2, n)
        lr = take(self.lr, crop, corner, self.patch)
        large = [take(x, crop, SCALE * corner, SCALE * self.patch) for x in (self.original, self.taught)]
        quarters, mirrored = int(whole(4, 1)), bool(whole(2, 1))
        lr, x0, taught = (from_bytes(x.float()) for x in turned((lr, *large), mirrored, quarters))
        eps = torch.randn(x0.shape, generator=g, device=self.device)
        batch = Batch(lr, upsample(lr, SCALE), x0, self.level[crop], 1 + whole(k, n), eps, self.blur[crop])
        return batch, taught
