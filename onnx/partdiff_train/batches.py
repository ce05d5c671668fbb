"""Training batches: random patches, degraded or clean, as a pure function of (seed, iteration).

The data order needs no saved state: a resumed run draws the batches that an uninterrupted one would.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from . import damage, jpeg, resample
from .damage import Rand
from .dataset import BLURS, Store
from .errors import InputError
from .pixels import from_bytes
from .schedule import Schedule

MAX_NOISE = 14.0
"""Standard deviation of sensor noise at level 1, of 255."""

CLEAN = 0.3
OTHER_KERNELS = 0.1
"""Shares of all LR images: clean ones, and ones downsampled by area or Lanczos."""

KSPACE = 0.4
THICK = 0.2
"""Shares of MR samples whose LR image was truncated in k-space, and of those that are means over thick slices."""

MIXTURE = 0.35
"""Share of photographs that go through two rounds of damage (`damage.py`)."""

HARSH = 0.1
"""Share of samples whose contrast is stretched up to fourfold, as in night scenes, line art and posters."""

PATTERN = 0.06
"""Share of samples that are noise, two-valued dots or a repeated tile of such dots (checkerboards, stripes, dither)
instead of a photograph. Their residual is 0: the network must add nothing to them."""

AT_START = 0.25
"""Share of samples at t = K, the regression case, which decides the quality of one step."""

MARGIN = 8
"""LR pixels cut off after JPEG, so that its 8x8 grid falls anywhere in the patch."""


@dataclass
class Batch:
    """lr [N, C, p, p] and u, x0 [N, C, sp, sp] in [-1, 1]; level [N] in 0..1; step [N] in 1..K; eps as x0.

    blur [N]: the standard deviation of the blur, in LR pixels.
    """

    lr: Tensor
    u: Tensor
    x0: Tensor
    level: Tensor
    step: Tensor
    eps: Tensor
    blur: Tensor

    def and_also(self, other: "Batch") -> "Batch":
        """The samples of both."""
        return Batch(*(torch.cat([getattr(self, f.name), getattr(other, f.name)]) for f in fields(self)))

    def cleanup(self) -> Tensor:
        """The level that every sample calls for [N]: its own, and 0 for patterns, to which nothing may be added."""
        return torch.where((self.x0 == self.u).all(dim=(1, 2, 3)), 0.0, self.level)


class BatchSource:
    """Draws batches from the training part of a store, on the store's device.

    `clean`: the share of clean LR images; from 0.47 on, the damaged ones have one round of damage only.
    """

    def __init__(self, store: Store, schedule: Schedule, batch: int, patch: int, seed: int = 0, clean: float = CLEAN):
        self.store, self.schedule, self.batch, self.patch, self.seed = store, schedule, batch, patch, seed
        self.clean = clean
        self.device = store.hr.device
        most = store.lr.shape[-1] - MARGIN
        if patch > most:
            raise InputError(f"--patch {patch}: the images of {store.directory} allow at most {most}")

    def draw(self, iteration: int) -> Batch:
        """The batch of an iteration."""
        g = generator(self.seed, iteration, self.device)
        rand = lambda *shape: torch.rand(*shape, generator=g, device=self.device)
        lr, hr, level, blur = self._degraded(*self._patches(g), rand)
        mirrored = bool(rand(1) < 0.5)
        lr, hr = turned((lr, hr), mirrored, int(rand(1) * 4))
        lr, hr = from_bytes(lr), from_bytes(hr.float())
        gain = torch.where(rand(self.batch) < HARSH, 1 + 3 * rand(self.batch), 1.0)[:, None, None, None]
        lr, hr = (lr * gain).clamp(-1, 1), (hr * gain).clamp(-1, 1)
        k = self.schedule.start_step
        step = 1 + (rand(self.batch) * k).long().clamp(max=k - 1)
        step = torch.where(rand(self.batch) < AT_START, k, step)
        eps = torch.randn(hr.shape, generator=g, device=self.device)
        dots = self._dots(lr.shape, rand) * rand(self.batch, 1, 1, 1) ** 0.3
        pattern = (rand(self.batch) < PATTERN)[:, None, None, None]
        lr = torch.where(pattern, dots, lr)
        u = resample.upsample(lr, self.store.scale)
        return Batch(lr, u, torch.where(pattern, u, hr), level, step, eps, blur)

    def _dots(self, shape: torch.Size, rand: Rand) -> Tensor:
        """Noise, dots or a tile of 2x2 or 4x4 dots in colour or grey, a third each; in [-1, 1]."""
        noise = 2 * rand(*shape) - 1
        dots = noise.sign()
        period = 2 + 2 * int(rand(1) * 2)
        tile = dots[:, :, :period, :period]
        tile = torch.where(rand(self.batch, 1, 1, 1) < 0.5, tile, tile[:, :1])
        tiled = tile.repeat(1, 1, *(-(-n // period) for n in shape[2:]))[:, :, : shape[2], : shape[3]]
        which = rand(self.batch, 1, 1, 1)
        return torch.where(which < 1 / 3, noise, torch.where(which < 2 / 3, dots, tiled))

    def _patches(self, g: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """LR [kinds, N, C, q, q] and HR [N, C, sq, sq], both uint8 with q = p + margin; and [N] for `_degraded`."""
        store, n = self.store, self.batch
        size = self.patch + MARGIN
        limit = store.lr.shape[-1] - size + 1
        # The more textured of two candidates: flat patches teach almost nothing.
        image = store.train[torch.randint(len(store.train), (2 * n,), generator=g, device=self.device)]
        corner = torch.randint(limit, (2, 2 * n), generator=g, device=self.device)
        candidates = take(store.lr[0], image, corner, size)
        texture = candidates.float().std(dim=(1, 2, 3)).view(2, n)
        best = texture.argmax(dim=0) * n + torch.arange(n, device=self.device)
        image, corner = image[best], corner[:, best]
        hr = take(store.hr, image, corner * store.scale, size * store.scale)
        lr = torch.stack([take(kind, image, corner, size) for kind in store.lr])
        return lr, hr, torch.rand(n, generator=g, device=self.device) * (CLEAN / self.clean)

    def _degraded(self, kinds: Tensor, hr: Tensor, which: Tensor, rand: Rand) -> tuple[Tensor, ...]:
        """Chooses the downsampling, adds noise and JPEG; returns lr (float) and hr of patch size, level and blur.

        Takes what `_patches` returns; a sample with `which` below CLEAN is clean.
        """
        names, n = self.store.kinds, self.batch
        clean = which < CLEAN
        level = torch.where(clean, 0.0, rand(n))
        kind = torch.zeros(n, dtype=torch.long, device=self.device)
        if "kspace" in names:
            acquired = rand(n)
            kind = torch.where(acquired < KSPACE + THICK, names.index("thick"), kind)
            kind = torch.where(acquired < KSPACE, names.index("kspace"), kind)
        else:
            other = which < OTHER_KERNELS
            kind = torch.where(other, 1 + (which < OTHER_KERNELS / 2).long(), kind)
            blur = (rand(n) * level * len(BLURS)).long() + names.index("blur0")
            kind = torch.where(~clean & (rand(n) < 0.4), blur, kind)
        deviations = [BLURS[int(name[4:])] / 4 if name.startswith("blur") else 0.0 for name in names]
        blurred = torch.tensor(deviations, device=self.device)[kind]
        lr = kinds[kind, torch.arange(n, device=self.device)].float()

        spread = lambda: torch.where(rand(n) < 0.5, level, level * rand(n))
        noisy = ~clean & (rand(n) < 0.5)
        compressed = ~clean & ((rand(n) < 0.7) | ~noisy)
        sigma = torch.where(noisy, spread() * MAX_NOISE, 0.0)[:, None, None, None]
        lr = (lr + sigma * damage.normal(lr.shape, rand)).round().clamp(0, 255)
        if compressed.any():
            lr[compressed] = jpeg.compress(lr[compressed], jpeg.quality_of(spread())[compressed].round())
        mixed = which >= 1 - MIXTURE
        if "kspace" not in names and mixed.any():
            size = (lr.shape[2], lr.shape[3])
            lr[mixed], blurred[mixed] = damage.damaged(hr[mixed].float(), size, level[mixed], rand)
        dy, dx = (int(rand(1) * MARGIN) for _ in range(2))
        s, p = self.store.scale, self.patch
        return (
            lr[:, :, dy : dy + p, dx : dx + p],
            hr[:, :, dy * s : (dy + p) * s, dx * s : (dx + p) * s],
            level,
            blurred,
        )


def generator(seed: int, iteration: int, device: torch.device | str) -> torch.Generator:
    """The random numbers of an iteration of a run."""
    return torch.Generator(device).manual_seed(seed * 1_000_003 + iteration)


def turned(images: Iterable[Tensor], mirrored: bool, quarters: int) -> list[Tensor]:
    """All [N, C, p, p], mirrored or not and then turned by so many quarters."""
    return [torch.rot90(x.mT if mirrored else x, quarters, (2, 3)) for x in images]


def take(images: Tensor, index: Tensor, corner: Tensor, size: int) -> Tensor:
    """images [M, C, H, W], index [N], corner [2, N] -> [N, C, size, size]."""
    offset = torch.arange(size, device=images.device)
    rows = (corner[0][:, None] + offset)[:, None, :, None]
    columns = (corner[1][:, None] + offset)[:, None, None, :]
    channels = torch.arange(images.shape[1], device=images.device)[None, :, None, None]
    return images[index[:, None, None, None], channels, rows, columns]
