"""Quality on held-out training images, cheap enough to run at every checkpoint."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from . import jpeg, metrics, resample
from .dataset import Store
from .network import PartialDiffusion
from .objective import Objective
from .perceptual import Lpips
from .pixels import from_bytes, to_bytes
from .sampler import sample_residual, timesteps
from .schedule import Schedule

PATCH = 64
"""LR pixels of the validation patch, from the centre of each crop."""


@torch.no_grad()
def upscale(
    network: PartialDiffusion,
    schedule: Schedule,
    lr: torch.Tensor,
    steps: int,
    level: float = 0.0,
    seed: int = 0,
    spacing: str = "uniform",
) -> np.ndarray:
    """lr [C, h, w] in [-1, 1] -> [C, sh, sw] float32 numpy, the whole image at once."""
    device = lr.device
    features = network.encoder(lr[None], torch.tensor([level], device=device))
    u = resample.upsample(lr, network.shape.scale)
    objective = Objective(schedule, device)

    def predict(z: np.ndarray, t: float) -> np.ndarray:
        given = torch.from_numpy(z.astype(np.float32)).to(device)[None]
        output = network.denoiser(given, features, torch.tensor([t], dtype=torch.float32, device=device))
        step = torch.tensor([round(t * schedule.start_step)], device=device)
        return objective.residual(output, given, step)[0].cpu().numpy() * schedule.residual_std

    noise = [np.random.default_rng(seed).standard_normal(u.shape)]
    ts = timesteps(schedule.start_step, steps, spacing)
    return sample_residual(predict, u.cpu().numpy(), schedule, ts, noise)


def centres(store: Store, side: int) -> Iterator[tuple[torch.Tensor, np.ndarray]]:
    """Yields (lr, hr) of the centres of the held-out crops, at most `side` LR pixels; [C, ., .] float32 in 0..255.

    lr is clean, downsampled by the bicubic kernel, and on the store's device; hr is numpy.
    """
    side, s = min(side, store.lr.shape[-1]), store.scale
    start = (store.lr.shape[-1] - side) // 2
    for i in store.held_out:
        hr = store.hr[i, :, s * start : s * (start + side), s * start : s * (start + side)]
        yield store.lr[0, i, :, start : start + side, start : start + side].float(), hr.float().cpu().numpy()


COMPRESSED = 60
"""JPEG quality of the damaged images that LPIPS is measured on, beside clean ones."""


def distance(judge: Lpips, image: np.ndarray, original: np.ndarray) -> float:
    """LPIPS of images [C, H, W] in 0..255."""
    tensor = lambda x: from_bytes(torch.from_numpy(x.astype(np.float32)))[None].to(judge.mean.device)
    with torch.no_grad():
        return judge(tensor(image), tensor(original)).item()


def validate(
    network: PartialDiffusion,
    schedule: Schedule,
    store: Store,
    steps: Sequence[int] = (1, 4),
    spacing: str = "uniform",
    judge: Lpips | None = None,
) -> dict[str, float]:
    """Y-PSNR and sharpness at each number of steps, and bicubic's PSNR, on clean LR images.

    With a judge its distance too, and as `jpeg` that for LR images after JPEG.
    """
    rows = []
    for raw, hr in centres(store, PATCH):
        lr = from_bytes(raw)
        u = to_bytes(resample.upsample(lr, store.scale).cpu().numpy())
        row = {"bicubic": metrics.psnr(u, hr)}
        for n in steps:
            result = to_bytes(upscale(network, schedule, lr, n, spacing=spacing))
            row[f"psnr{n}"] = metrics.psnr(result, hr)
            row[f"sharp{n}"] = metrics.sharpness(result, hr)
            if judge:
                row[f"lpips{n}"] = distance(judge, result, hr)
                quality = torch.tensor([float(COMPRESSED)], device=lr.device)
                worse = from_bytes(jpeg.compress(raw[None], quality)[0])
                result = upscale(network, schedule, worse, n, jpeg.level_of(COMPRESSED), spacing=spacing)
                row[f"jpeg{n}"] = distance(judge, to_bytes(result), hr)
        rows.append(row)
    return {key: round(value, 3) for key, value in metrics.mean(rows).items()}
