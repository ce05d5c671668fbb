"""Measures a bundle on benchmark pairs against bicubic and Lanczos; writes the report."""

import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import figures, metrics, resample
from .bundle import Bundle
from .niqe import Niqe
from .validate import to_bytes

DIAL = (1, 2, 4, 8, 16, 40)
SAMPLERS = {
    "DDIM": {},
    "DDPM": {"eta": 1.0},
    "DPM-Solver++(2M)": {"multistep": True},
    "DDIM, quadratic steps": {"spacing": "quadratic"},
}
"""What the dial compares."""

SAMPLED = 5
"""Images of the first set that go through all samplers and up to forty steps."""

NATURAL = Niqe(Path(__file__).with_name("niqe.npz"))

COLUMNS = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "sharpness": ("sharpness", 2),
    "spectrum": ("spectrum, dB", 2),
    "niqe": ("NIQE", 2),
    "consistency": ("LR consistency, dB", 1),
    "seconds": ("s per output MP", 2),
}


def read(path: Path, channels: int) -> np.ndarray:
    """-> [C, H, W] float32 in 0..255; 16-bit grey keeps its fractions."""
    image = Image.open(path)
    if channels == 1 and image.mode.startswith("I"):
        return np.asarray(image, np.float32)[None] / 257
    image = image.convert("L" if channels == 1 else "RGB")
    return np.asarray(image, np.float32).reshape(image.height, image.width, channels).transpose(2, 0, 1)


def interpolate(lr: np.ndarray, scale: int, kernel: str) -> np.ndarray:
    return np.clip(np.round(resample.upsample(torch.from_numpy(lr).double(), scale, kernel).numpy()), 0, 255)


def measure(result: np.ndarray, hr: np.ndarray, lr: np.ndarray, seconds: float) -> dict[str, float]:
    """All images [C, ., .] in 0..255."""
    scale = hr.shape[1] // lr.shape[1]
    again = resample.downsample(torch.from_numpy(result).double(), scale).numpy()
    return {
        "psnr": metrics.psnr(result, hr),
        "ssim": metrics.ssim(result, hr),
        "sharpness": metrics.sharpness(result, hr),
        "spectrum": metrics.spectral_distance(result, hr),
        "niqe": NATURAL(result) if len(result) == 3 else float("nan"),
        "consistency": metrics.psnr(again, lr, border=2),
        "seconds": seconds / (result.shape[1] * result.shape[2] / 1e6),
    }


def folders(data: Path, name: str) -> tuple[Path, Path]:
    """`Set5` -> Set5/HR, Set5/LR_x4; `mri/LR_x4_kspace` -> mri/HR, mri/LR_x4_kspace."""
    group, _, low = name.partition("/")
    return data / group / "HR", data / group / (low or "LR_x4")


def pairs(bundle: Bundle, data: Path, name: str, limit: int | None):
    """Yields (hr, lr) of a set, [C, ., .] in 0..255."""
    hr_folder, lr_folder = folders(data, name)
    for path in sorted(hr_folder.glob("*.png"))[:limit]:
        yield tuple(read(f / path.name, bundle.manifest["channels"]) for f in (hr_folder, lr_folder))


def evaluate_set(bundle: Bundle, data: Path, name: str, steps: list[int], limit: int | None):
    """-> {method: mean measures}, examples [(lr, hr, {method: image})] for the grids."""
    rows: dict[str, list] = {}
    examples = []
    for hr, lr in pairs(bundle, data, name, limit):
        images = {}
        for kernel, label in (("cubic", "bicubic"), ("lanczos", "Lanczos")):
            began = time.perf_counter()
            images[label] = interpolate(lr, bundle.scale, kernel)
            rows.setdefault(label, []).append(measure(images[label], hr, lr, time.perf_counter() - began))
        for n in steps:
            began = time.perf_counter()
            images[label := plural(n)] = to_bytes(bundle.upscale(lr / 127.5 - 1, n))
            rows.setdefault(label, []).append(measure(images[label], hr, lr, time.perf_counter() - began))
        rows.setdefault("original", []).append(measure(hr, hr, lr, 0.0))
        if len(examples) < 5:
            examples.append((lr, hr, images))
    return {label: metrics.mean(r) for label, r in rows.items()}, examples


def samplers(bundle: Bundle, data: Path, name: str, limit: int | None) -> dict[str, dict[str, float]]:
    """{"sampler, n steps": mean measures} over the dial."""
    rows: dict[str, list] = {}
    for hr, lr in pairs(bundle, data, name, limit):
        for label, how in SAMPLERS.items():
            for n in (n for n in DIAL if n <= bundle.schedule.start_step):
                if n == 1 and how:
                    continue  # one step is the same for all
                began = time.perf_counter()
                image = to_bytes(bundle.upscale(lr / 127.5 - 1, n, **how))
                row = measure(image, hr, lr, time.perf_counter() - began)
                rows.setdefault(f"{label}, {plural(n)}", []).append(row)
    return {label: metrics.mean(r) for label, r in rows.items()}


def plural(n: int) -> str:
    return f"{n} step" if n == 1 else f"{n} steps"


def table(results: dict[str, dict[str, float]]) -> str:
    head = ["method"] + [title for title, _ in COLUMNS.values()]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for label, row in results.items():
        cells = (f"{row[k]:.{d}f}" if np.isfinite(row[k]) else "-" for k, (_, d) in COLUMNS.items())
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


NOTES = """PSNR and SSIM: luma of BT.601, 4 pixels of border removed. Sharpness: mean absolute Laplacian relative to
the original's. Spectrum: mean absolute difference of radial power spectra. LR consistency: PSNR of the
result, shrunk again, against the input. NIQE (lower is more natural) is fitted on our own training crops and does
not compare with published values. Seconds: this machine, all threads given, wall clock."""


def evaluate(
    folder: Path, data: Path, sets: list[str], steps: list[int], report: Path, limit: int | None = None, threads: int = 0
) -> None:
    """Writes NAME.md, its figures, and the measures into the bundle's manifest."""
    bundle = Bundle(folder, threads)
    name = bundle.manifest["name"]
    report.mkdir(parents=True, exist_ok=True)
    text, everything = [f"# {name} {bundle.manifest['version']}", NOTES], {}
    for chosen in sets:
        results, examples = evaluate_set(bundle, data, chosen, steps, limit)
        everything[chosen] = {
            k: {m: round(v, 4) for m, v in r.items() if np.isfinite(v)} for k, r in results.items() if k != "original"
        }
        stem = f"{name}-{chosen.replace('/', '-')}"
        figures.grid(report / f"{stem}.png", examples)
        text += [f"## {chosen}", table(results), f"![crops]({stem}.png)"]
    figures.dial(report / f"{name}-dial.png", everything)
    text += ["## The dial", f"![PSNR and sharpness against steps]({name}-dial.png)"]
    few = min(limit or SAMPLED, SAMPLED)
    text += [f"Samplers, first {few} images of {sets[0]}:", table(samplers(bundle, data, sets[0], few))]
    (report / f"{name}.md").write_text("\n\n".join(text) + "\n")
    if limit is None:
        path = folder / "model.json"
        path.write_text(json.dumps(bundle.manifest | {"metrics": everything}, indent=2) + "\n")
    print("\n\n".join(text))
