"""The observation behind partial diffusion: diffused LR and HR latents converge (the paper's figure 2).

With the same noise the two latents differ by sqrt(abar_t) (x0 - u); it vanishes in the noise of
standard deviation sqrt(1 - abar_t). The suggested K is where both are equal.
"""

from pathlib import Path

import numpy as np
import torch

from . import figures, resample
from .dataset import Store
from .pixels import from_bytes
from .schedule import Schedule

COARSE = 8
"""Side of the averaged blocks in HR pixels: the averages keep the low frequencies of the difference."""


def deviations(store: Store) -> tuple[np.ndarray, np.ndarray]:
    """Residual's standard deviation per held-out image: per pixel, and of block averages; in [-1, 1] units."""
    fine, coarse = [], []
    for i in store.held_out:
        lr, hr = from_bytes(store.lr[0, i].float()), from_bytes(store.hr[i].float())
        r = hr - resample.upsample(lr, store.scale)
        fine.append(r.std().item())
        coarse.append(torch.nn.functional.avg_pool2d(r, COARSE).std().item())
    return np.array(fine), np.array(coarse)


def observe(directory: Path, name: str, report: Path) -> int:
    """Writes observation-NAME.png and .md; returns the suggested K."""
    store = Store(directory)
    abar = Schedule().abar[1:]
    t = np.arange(1, len(abar) + 1)
    fine, coarse = deviations(store)
    ratio = lambda std: np.sqrt(abar) * std / np.sqrt(1 - abar)
    # Averaging a block divides the noise by its side as well.
    series = {
        "per pixel, mean image": (t, ratio(np.sqrt((fine**2).mean()))),
        "per pixel, most detailed image": (t, ratio(fine.max())),
        f"{COARSE}x{COARSE} averages, mean image": (t, ratio(np.sqrt((coarse**2).mean())) * COARSE),
    }
    chosen = int(t[series["per pixel, mean image"][1] <= 1][0])
    detailed = int(t[series["per pixel, most detailed image"][1] <= 1][0])
    report.mkdir(parents=True, exist_ok=True)
    figures.lines(
        report / f"observation-{name}.png", series, xscale="log", xlabel="t of 1000", ylabel="latent distance / noise"
    )
    text = f"""# The observation: {name}

![distance of the diffused latents](observation-{name}.png)

Held-out images: {len(fine)}; residual's standard deviation {np.sqrt((fine**2).mean()):.3f} in [-1, 1].
The distance of the diffused LR and HR latents falls below the noise at t = {chosen} for the mean image and
at t = {detailed} for the most detailed one.
"""
    (report / f"observation-{name}.md").write_text(text)
    print(text)
    return chosen
