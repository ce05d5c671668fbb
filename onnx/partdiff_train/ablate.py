"""Partial diffusion with and without latent alignment against the full chain.

Same network, same data order, same wall-clock budget for each variant. Run again with a larger
budget and more start steps; variants already trained in the run folder are only measured.
"""

import time
from dataclasses import replace
from pathlib import Path

import torch

from . import metrics, resample
from .checkpoint import load_weights
from .configs import Config
from .dataset import Store
from .evaluate import measure
from .train import Trainer
from .validate import to_bytes, upscale

PARTIAL_STEPS = (1, 2, 4, 8)
FULL_STEPS = (4, 8, 20, 50, 100)
PATCH = 48
"""LR pixels of the measured middle of each held-out crop."""

HEAD = """| variant | K | steps | PSNR, dB | SSIM | sharpness | NIQE | spectrum, dB | LR consistency, dB | s per output MP |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def variants(base: Config, start_steps: list[int]) -> dict[str, tuple[Config, tuple[int, ...]]]:
    """Name -> configuration and the numbers of steps to measure."""

    def variant(name: str, k: int, alignment: str) -> Config:
        shape = replace(base.shape, aligned=alignment != "none")
        return replace(base, name=name, shape=shape, schedule=replace(base.schedule, start_step=k, alignment=alignment))

    result = {}
    for k in start_steps:
        steps = tuple(n for n in PARTIAL_STEPS if n <= k)
        result[f"aligned-{k}"] = (variant(f"aligned-{k}", k, "linear"), steps)
        result[f"unaligned-{k}"] = (variant(f"unaligned-{k}", k, "none"), steps)
    result["full"] = (variant("full", 1000, "none"), FULL_STEPS)
    return result


def measure_variant(weights: Path, store: Store, steps: tuple[int, ...], device: str) -> dict[int, dict[str, float]]:
    network, schedule, _ = load_weights(weights)
    network.to(device)
    side, s = min(PATCH, store.lr.shape[-1]), store.scale
    a = (store.lr.shape[-1] - side) // 2
    results = {}
    for n in steps:
        rows = []
        for i in store.held_out:
            raw = store.lr[0, i, :, a : a + side, a : a + side].float()
            hr = store.hr[i, :, s * a : s * (a + side), s * a : s * (a + side)].float().cpu().numpy()
            began = time.perf_counter()
            image = to_bytes(upscale(network, schedule, raw / 127.5 - 1, n))
            rows.append(measure(image, hr, raw.cpu().numpy(), time.perf_counter() - began))
        results[n] = metrics.mean(rows)
    return results


def line(name: str, k: int | str, steps: int | str, m: dict[str, float]) -> str:
    return (
        f"| {name} | {k} | {steps} | {m['psnr']:.2f} | {m['ssim']:.4f} | {m['sharpness']:.2f} | {m['niqe']:.2f} "
        f"| {m['spectrum']:.2f} | {m['consistency']:.1f} | {m['seconds']:.1f} |"
    )


def bicubic(store: Store) -> dict[str, float]:
    side, s = min(PATCH, store.lr.shape[-1]), store.scale
    a = (store.lr.shape[-1] - side) // 2
    rows = []
    for i in store.held_out:
        raw = store.lr[0, i, :, a : a + side, a : a + side].float()
        hr = store.hr[i, :, s * a : s * (a + side), s * a : s * (a + side)].float().cpu().numpy()
        image = to_bytes(resample.upsample(raw / 127.5 - 1, s).cpu().numpy())
        rows.append(measure(image, hr, raw.cpu().numpy(), 0.0))
    return metrics.mean(rows)


def ablate(base: Config, folder: Path, run: Path, minutes: float, start_steps: list[int], report: Path, device: str):
    """Trains what is missing, measures all, writes ablation.md."""
    store = Store(folder, device)
    lines = [line("bicubic", "", "", bicubic(store))]
    for name, (config, steps) in variants(base, start_steps).items():
        trainer = Trainer(config, store, run / name, device)
        trainer.resume()
        trainer.run(minutes=minutes, every=minutes)
        del trainer
        if device == "cuda":
            torch.cuda.empty_cache()
        for n, m in measure_variant(run / name / "weights.pt", store, steps, device).items():
            lines.append(line(name, config.schedule.start_step, n, m))
    report.mkdir(parents=True, exist_ok=True)
    text = f"""# Ablation

{base.shape.width} channels, {minutes:g} minutes of training per variant on {device}; held-out training images, clean bicubic x4.
DDIM, eta 0, evenly spaced steps. `aligned` starts from the diffused LR image and was trained with latent
alignment, `unaligned` starts there without it, `full` starts from noise at T = 1000.

{HEAD}
""" + "\n".join(lines)
    (report / "ablation.md").write_text(text + "\n")
    print(text)
