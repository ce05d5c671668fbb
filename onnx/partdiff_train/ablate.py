"""The ablation: partial diffusion with and without latent alignment, and predicting v, against the full chain.

Each variant trains the same network on the same patches in the same order for as many iterations. Variants that
the run directory already holds are only measured.
"""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch

from . import figures
from .checkpoint import load_weights
from .configs import Config
from .dataset import Store
from .errors import InputError
from .evaluate import Method, gather, interpolate, notes, originals, plural, table
from .pixels import from_bytes, to_bytes
from .train import Trainer
from .validate import centres, upscale

PARTIAL_STEPS = (1, 2, 4, 8)
FULL_STEPS = (1, 4, 8, 20, 50, 100, 1000)
CLAIM_STEPS, CLAIM_FULL = 8, 100
"""The claim: aligned partial sampling in at most 8 steps is as good as the full chain in 100."""

PATCH = 48
"""LR pixels of the centre of each held-out crop, which is measured."""


@dataclass(frozen=True)
class Variant:
    """What is trained, and how it is sampled."""

    config: Config
    steps: tuple[int, ...]
    spacing: str = "uniform"


def variants(base: Config, start_steps: list[int]) -> dict[str, Variant]:
    """The variants by label; two that share a configuration are trained once."""

    def config(name: str, k: int, alignment: str, prediction: str = "residual") -> Config:
        shape = replace(base.shape, aligned=alignment != "none")
        schedule = replace(base.schedule, start_step=k, alignment=alignment, prediction=prediction)
        return replace(base, name=name, shape=shape, schedule=schedule)

    result = {}
    for i, k in enumerate(start_steps):
        steps = tuple(n for n in PARTIAL_STEPS if n <= k)
        aligned = config(f"aligned-{k}", k, "linear")
        result[f"aligned, K = {k}"] = Variant(aligned, steps)
        if i == 0:
            result[f"aligned, K = {k}, quadratic"] = Variant(aligned, steps[1:], "quadratic")
            result[f"aligned, K = {k}, v"] = Variant(config(f"aligned-{k}-v", k, "linear", "v"), steps)
        result[f"unaligned, K = {k}"] = Variant(config(f"unaligned-{k}", k, "none"), steps)
    result["full"] = Variant(config("full", base.schedule.timesteps, "none"), FULL_STEPS)
    return result


def measure_all(chosen: dict[str, Variant], run: Path, store: Store, device: str) -> dict[str, dict[str, float]]:
    """Mean measures of bicubic, of every variant at every number of steps, and of the originals."""
    samplers = {}
    for label, variant in chosen.items():
        network, schedule, _ = load_weights(run / variant.config.name / "weights.pt")
        for n in variant.steps:
            sampler = partial(upscale, network.to(device), schedule, steps=n, spacing=variant.spacing)
            samplers[f"{label}, {plural(n)}"] = sampler

    def methods(_: np.ndarray, lr: np.ndarray) -> dict[str, Method]:
        given = from_bytes(torch.from_numpy(lr).to(device))
        sampled = lambda sampler: lambda: to_bytes(sampler(lr=given))
        bicubic = {"bicubic": partial(interpolate, lr, store.scale, "cubic")}
        return bicubic | {label: sampled(sampler) for label, sampler in samplers.items()}

    crops = [(hr, lr.cpu().numpy()) for lr, hr in centres(store, PATCH)]
    results, _ = gather(crops, methods)
    return results | {"original": originals(crops)}


def verdict(results: dict[str, dict[str, float]], start_step: int) -> str:
    """Compares the aligned chain with the full chain in `CLAIM_FULL` steps, and with the others at equal steps."""
    full = results.get(f"full, {plural(CLAIM_FULL)}")
    if full is None:
        return ""
    # Distance from the best value, so that lower is better for all.
    worse = {
        "PSNR": lambda m: -m["psnr"],
        "SSIM": lambda m: -m["ssim"],
        "sharpness": lambda m: abs(m["sharpness"] - 1),
        "spectrum": lambda m: m["spectrum"],
        "NIQE": lambda m: m["niqe"],
        "LR consistency": lambda m: -m["consistency"],
    }
    lines, start = [], f"aligned, K = {start_step}"
    for label in (start, f"{start}, quadratic"):
        lines += [f"Against the full chain in {CLAIM_FULL} steps, {label} is", ""]
        for n in (n for n in PARTIAL_STEPS if n <= CLAIM_STEPS):
            if ours := results.get(f"{label}, {plural(n)}"):
                better = [name for name, f in worse.items() if f(ours) <= f(full)]
                weaker = [name for name, f in worse.items() if f(ours) > f(full)]
                verdicts = (
                    f"at least as good in {', '.join(better) or 'nothing'}; behind in {', '.join(weaker) or 'nothing'}"
                )
                lines.append(f"- in {plural(n)}: {verdicts}")
        lines.append("")
    lines += [f"In the same number of steps, PSNR of {start} less that of", ""]
    for other in (f"{start}, quadratic", f"{start}, v", f"unaligned, K = {start_step}", "full"):
        gains = []
        for steps in map(plural, PARTIAL_STEPS):
            ours, theirs = (results.get(f"{label}, {steps}") for label in (start, other))
            if ours and theirs:
                gains.append(f"{ours['psnr'] - theirs['psnr']:+.2f} dB in {steps}")
        lines.append(f"- {other}: " + ", ".join(gains))
    return "\n".join(lines)


def ablate(
    base: Config,
    directory: Path,
    run: Path,
    iterations: int,
    start_steps: list[int],
    report: Path,
    device: str,
    fuse: bool = False,
) -> None:
    """Trains missing variants, measures all, writes ablation-NAME.md and its figures; NAME is the configuration's."""
    if wrong := [k for k in start_steps if not 1 < k <= base.schedule.timesteps]:
        raise InputError(f"--start-steps {wrong[0]}: expected 2 to {base.schedule.timesteps}")
    store = Store(directory, device)
    chosen = variants(base, start_steps)
    for config in {v.config.name: v.config for v in chosen.values()}.values():
        place = run / config.name
        trainer = Trainer(config, store, place, device, fuse=fuse)
        if trainer.resume() and trainer.iteration > iterations:
            raise InputError(f"{place}: has {trainer.iteration} iterations, more than --iterations {iterations}")
        if trainer.iteration < iterations:
            trainer.run(iterations=iterations)
        del trainer
        if device == "cuda":
            torch.cuda.empty_cache()
    results = measure_all(chosen, run, store, device)

    report.mkdir(parents=True, exist_ok=True)
    stem, side = f"ablation-{base.name}", min(PATCH, store.lr.shape[-1])
    curves = {label: {n: results[f"{label}, {plural(n)}"] for n in variant.steps} for label, variant in chosen.items()}
    figures.ablation(report / f"{stem}.png", curves, results["bicubic"])
    origin = plural(len(store.held_sources), "photograph" if store.hr.shape[1] == 3 else "subject")
    text = f"""# Ablation of {base.name}

{base.shape.width} channels; {iterations} iterations of {base.batch} patches for each variant, the same patches in the
same order. Measured on the middle {side}x{side} LR pixels of {len(store.held_out)} images, clean bicubic
x{store.scale}, from {origin} held out from training. DDIM, eta 0, uniform timestep spacing except for
`quadratic`.

`aligned` starts from the diffused LR image at K and was trained with latent alignment, `unaligned` starts there without
it, `full` starts from noise at T = {base.schedule.timesteps}. With `v` the network predicts v instead of the residual,
under the same loss. A quarter of the samples of every variant is at its first step.

{notes(store.hr.shape[1])}

{table(results)}

![Measures against steps]({stem}.png)

{verdict(results, start_steps[0])}
"""
    (report / f"{stem}.md").write_text(text)
    print(text)
