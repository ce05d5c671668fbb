"""Measures bundles on benchmark pairs against bicubic, Lanczos and published numbers; writes the report."""

import textwrap
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from . import figures, metrics, resample
from .bundle import WORTHWHILE, Bundle
from .degradations import DEGRADATIONS, JPEG_LEVELS
from .errors import InputError
from .niqe import Niqe
from .peer import RealEsrgan
from .perceptual import Lpips
from .pixels import from_bytes, to_bytes
from .restore import read_manifest, write_manifest
from .validate import distance

DIAL = (1, 2, 4, 8, 16, 40)
"""Numbers of steps in the comparison of samplers."""

STEPS = (1, 2, 4, 8)
"""Numbers of steps in the tables of the sets, besides those of the presets."""

SAMPLERS: dict[str, dict[str, Any]] = {
    "DDIM": {"spacing": "uniform"},
    "DDPM": {"spacing": "uniform", "eta": 1.0},
    "DPM-Solver++(2M)": {"spacing": "uniform", "multistep": True},
    "DDIM, quadratic steps": {"spacing": "quadratic"},
    "DDPM, quadratic steps": {"spacing": "quadratic", "eta": 1.0},
}
"""The samplers that the report compares."""

SAMPLED = 5
"""Images of the first set that are upscaled by all samplers in all of `DIAL`."""

SHOWN = 3
"""Rows of a grid of crops."""

DAMAGED = 8
"""Images of the last set that are damaged before they are upscaled, and compared with Real-ESRGAN."""

DRAWN = ("JPEG 60", "phone")
"""Kinds of damage of which crops are shown."""

SETS = {1: ["mri/LR_x4_bicubic", "mri/LR_x4_kspace"], 3: ["Set5", "BSD100"]}
"""Default sets by the number of channels."""

PUBLISHED = {
    (4, "Set5"): "SRCNN 30.48 dB, EDSR-baseline 32.09 dB; trained for texture: ESRGAN about 30.4 dB",
    (4, "BSD100"): "SRCNN 26.90 dB, EDSR-baseline 27.57 dB; trained for texture: ESRGAN about 25.3 dB",
    (2, "Set5"): "SRCNN 36.66 dB, EDSR-baseline 37.99 dB",
    (2, "BSD100"): "SRCNN 31.36 dB, EDSR-baseline 32.16 dB",
}
"""Y-PSNR at a scale on a set, as printed in the papers of `SOURCES`."""

SOURCES = """Published: SRCNN (Dong et al., TPAMI 2016) and EDSR-baseline (Lim et al., CVPR Workshops 2017) as in the
tables of EDSR's successors, ESRGAN (Wang et al. 2018) as measured by Ma et al. (SPSR, CVPR 2020). Real-ESRGAN (Wang et
al. 2021) is trained on degraded images only and its authors give no PSNR on these sets."""

PEER = "Real-ESRGAN x4plus"

NATURAL = Niqe(Path(__file__).with_name("niqe.npz"))

COLUMNS = {
    "psnr": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "lpips": ("LPIPS", 3),
    "sharpness": ("sharpness", 2),
    "grain": ("grain", 2),
    "structure": ("structure", 2),
    "spectrum": ("spectrum, dB", 2),
    "niqe": ("NIQE", 2),
    "consistency": ("LR consistency, dB", 1),
    "seconds": ("s per output MP", 2),
}


Pair = tuple[np.ndarray, np.ndarray]
"""(hr, lr) of one image, [C, ., .] in 0..255."""

Example = tuple[np.ndarray, dict[str, np.ndarray]]
"""(hr, {label: image}) of one image."""

Method = Callable[[], np.ndarray]
"""Returns an image in 0..255."""

Methods = Callable[[np.ndarray, np.ndarray], dict[str, Method]]
"""(hr, lr) -> {label: method}."""


def read(path: Path, channels: int) -> np.ndarray:
    """-> [C, H, W] float32 in 0..255; 16-bit grey keeps its fractions."""
    image: Image.Image = Image.open(path)
    if channels == 1 and image.mode.startswith("I"):
        return np.asarray(image, np.float32)[None] / 257
    image = image.convert("L" if channels == 1 else "RGB")
    return np.asarray(image, np.float32).reshape(image.height, image.width, channels).transpose(2, 0, 1)


def interpolate(lr: np.ndarray, scale: int, kernel: str) -> np.ndarray:
    """lr [C, h, w] in 0..255 -> the same upsampled, in whole numbers."""
    return np.clip(np.round(resample.upsample(torch.from_numpy(lr).double(), scale, kernel).numpy()), 0, 255)


def measure(
    result: np.ndarray, hr: np.ndarray, lr: np.ndarray, seconds: float, judge: Lpips | None
) -> dict[str, float]:
    """All measures of `result`, an upscaled `lr`; images [C, ., .] in 0..255."""
    scale = hr.shape[1] // lr.shape[1]
    again = resample.downsample(torch.from_numpy(result).double(), scale).numpy()
    return {
        "psnr": metrics.psnr(result, hr),
        "ssim": metrics.ssim(result, hr),
        "lpips": distance(judge, result, hr) if judge and len(result) == 3 else float("nan"),
        "sharpness": metrics.sharpness(result, hr),
        # The flattest fifth of an MR slice is air, of which scanners may leave nothing.
        "grain": metrics.grain(result, hr) if len(result) == 3 else float("nan"),
        "structure": metrics.structure(result, hr),
        "spectrum": metrics.spectral_distance(result, hr),
        "niqe": NATURAL(result) if len(result) == 3 else float("nan"),
        "consistency": metrics.psnr(again, lr, border=2),
        "seconds": seconds / (result.shape[1] * result.shape[2] / 1e6),
    }


def timed(method: Method, hr: np.ndarray, lr: np.ndarray, judge: Lpips | None) -> tuple[np.ndarray, dict[str, float]]:
    """The image that `method` returns and its measures."""
    began = time.perf_counter()
    image = method()
    return image, measure(image, hr, lr, time.perf_counter() - began, judge)


def directories(data: Path, name: str, scale: int) -> tuple[Path, Path]:
    """`Set5` -> Set5/HR, Set5/LR_x4; `mri/LR_x4_kspace` -> mri/HR, mri/LR_x4_kspace."""
    group, _, low = name.partition("/")
    return data / group / "HR", data / group / (low or f"LR_x{scale}")


def pairs(bundle: Bundle, data: Path, name: str, limit: int | None) -> Iterator[Pair]:
    """Yields the pairs of a set. Without LR images for the bundle's scale, the HR images are downsampled here."""
    hr_directory, lr_directory = directories(data, name, bundle.scale)
    paths = sorted(hr_directory.glob("*.png"))
    if not paths:
        raise InputError(f"{hr_directory}: no PNG images; expected those of set {name}")
    given = lr_directory.is_dir()
    if "/" in name and not given:
        raise InputError(f"{lr_directory}: no such directory")
    for path in paths[:limit]:
        hr = read(path, bundle.manifest["channels"])
        if given:
            yield hr, read(lr_directory / path.name, bundle.manifest["channels"])
        else:
            h, w = (n // bundle.scale * bundle.scale for n in hr.shape[1:])
            hr = hr[:, :h, :w]
            lr = resample.downsample(torch.from_numpy(hr).double(), bundle.scale).round().clamp(0, 255)
            yield hr, lr.float().numpy()


def gather(
    given: Iterable[Pair], methods: Methods, judge: Lpips | None = None
) -> tuple[dict[str, dict[str, float]], list[Example]]:
    """Mean measures of every method over the pairs, and the first `SHOWN` examples."""
    rows: dict[str, list] = {}
    examples: list[Example] = []
    for hr, lr in given:
        images = {}
        for label, method in methods(hr, lr).items():
            images[label], row = timed(method, hr, lr, judge)
            rows.setdefault(label, []).append(row)
        if len(examples) < SHOWN:
            examples.append((hr, images))
    return {label: metrics.mean(r) for label, r in rows.items()}, examples


def originals(given: Iterable[Pair], judge: Lpips | None = None) -> dict[str, float]:
    """Mean measures of the originals themselves."""
    return metrics.mean([measure(hr, hr, lr, 0.0, judge) for hr, lr in given])


def upscaled(bundle: Bundle, lr: np.ndarray, steps: int, level: float = 0.0, **how: Any) -> Method:
    """The method that upscales lr [C, h, w] in 0..255; `how`: further arguments of `Bundle.upscale`."""
    return lambda: to_bytes(bundle.upscale(from_bytes(lr), steps, level, **how))


def plain(bundle: Bundle, steps: list[int]) -> Methods:
    """Both interpolations, and the bundle at all numbers of steps."""

    def methods(_: np.ndarray, lr: np.ndarray) -> dict[str, Method]:
        kernels = {"bicubic": "cubic", "Lanczos": "lanczos"}
        found: dict[str, Method] = {
            label: partial(interpolate, lr, bundle.scale, kernel) for label, kernel in kernels.items()
        }
        return found | {plural(n): upscaled(bundle, lr, n) for n in steps}

    return methods


def samplers(bundle: Bundle) -> Methods:
    """All samplers in all of `DIAL`; one step is the same for all."""
    dial = [n for n in DIAL if n <= bundle.schedule.start_step]
    chosen = [(label, n, how) for label, how in SAMPLERS.items() for n in dial if n > 1 or label == "DDIM"]
    return lambda _, lr: {f"{label}, {plural(n)}": upscaled(bundle, lr, n, **how) for label, n, how in chosen}


def cleaned(bundle: Bundle, steps: Sequence[int] = (1, 2), peer: RealEsrgan | None = None) -> Methods:
    """Every kind of damage, without clean-up and with the level that the bundle finds; and the peer."""

    def methods(hr: np.ndarray, lr: np.ndarray) -> dict[str, Method]:
        found: dict[str, Method] = {}
        for title, degrade in DEGRADATIONS.items():
            damaged = degrade(hr, lr)
            found[f"{title}: bicubic"] = partial(interpolate, damaged, bundle.scale, "cubic")
            if peer:
                found[f"{title}: {PEER}"] = partial(peer.upscale, damaged)
            levels = {"no clean-up": 0.0}
            if bundle.estimator:
                level = max(bundle.level(from_bytes(damaged)), JPEG_LEVELS.get(title, 0.0))
                levels["auto"] = level if level >= WORTHWHILE else 0.0
            for n in steps:
                for label, level in levels.items():
                    found[f"{title}: {label}, {plural(n)}"] = upscaled(bundle, damaged, n, level)
        return found

    return methods


def estimated(bundle: Bundle, given: Iterable[Pair]) -> str:
    """The mean level that the bundle finds for each kind of damage."""
    pairs = list(given)
    level = lambda degrade: np.mean([bundle.level(from_bytes(degrade(hr, lr))) for hr, lr in pairs])
    return ", ".join(f"{title} {level(degrade):.2f}" for title, degrade in DEGRADATIONS.items())


def of_kind(made: dict[str, np.ndarray], title: str) -> dict[str, np.ndarray]:
    """The images of one kind of damage that a user would compare: no clean-up is left out."""
    own = {label.removeprefix(f"{title}: "): image for label, image in made.items() if label.startswith(f"{title}: ")}
    return {label: image for label, image in own.items() if not label.startswith("no clean-up")}


def plural(n: int, noun: str = "step") -> str:
    """`1 step`, `2 steps`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def table(results: dict[str, dict[str, float]], columns: dict[str, tuple[str, int]] = COLUMNS) -> str:
    """Mean measures by label -> a Markdown table; `columns`: titles and decimals, left out without a number."""
    columns = {k: column for k, column in columns.items() if any(np.isfinite(row[k]) for row in results.values())}
    head = ["method"] + [title for title, _ in columns.values()]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for label, row in results.items():
        cells = (f"{row[k]:.{d}f}" if np.isfinite(row[k]) else "-" for k, (_, d) in columns.items())
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


NOTES = {
    "psnr": "PSNR and SSIM: luma of BT.601, 4 pixels of border removed.",
    "sharpness": "Sharpness: mean absolute Laplacian relative to the original's.",
    "lpips": "LPIPS: AlexNet, version 0.1, lower is better.",
    "grain": "Grain: fine detail in the flattest fifth of the image, relative to the original's.",
    "structure": "Structure: how far lines run as in the original (structure tensor), 1 is the same.",
    "spectrum": "Spectrum: mean absolute difference of radial power spectra.",
    "consistency": "LR consistency: PSNR of the result, downsampled again, against the input.",
    "niqe": "NIQE (lower is more natural) is fitted on our own training crops, unlike published values.",
    "seconds": "Seconds: wall-clock time on the machine of this report, on all threads given.",
}
"""What the measures are."""

FOR_PHOTOGRAPHS = {"lpips", "grain", "niqe"}
"""Measures that MR slices do not have."""


def notes(channels: int) -> str:
    """What the measures of images of so many channels are."""
    told = (text for name, text in NOTES.items() if channels == 3 or name not in FOR_PHOTOGRAPHS)
    return textwrap.fill(" ".join(told), 120)


def evaluate(
    directory: Path,
    data: Path,
    sets: list[str] | None,
    steps: list[int] | None,
    report: Path,
    limit: int | None = None,
    threads: int = 0,
    grids: bool = True,
    perceptual: Path | None = None,
    peer: Path | None = None,
) -> None:
    """Writes NAME.md and its figures, and the measures into the bundle's manifest.

    `steps`: default: `STEPS` and those of the presets; with the manifest's timestep spacing.
    `grids`: crops at 300 % of bicubic and the presets. `perceptual`: the directory of `perceptual.fetch`, for LPIPS.
    `peer`: the folder of `peer.install`, to compare with Real-ESRGAN.
    """
    bundle = Bundle(directory, threads)
    if peer and (bundle.scale, bundle.manifest["channels"]) != (4, 3):
        raise InputError(f"{directory}: --peer enlarges colour images 4 times, and the bundle does something else")
    judge, other = Lpips(perceptual) if perceptual else None, RealEsrgan(peer, threads) if peer else None
    presets = {label: preset["steps"] for label, preset in bundle.manifest["presets"].items()}
    name, most = bundle.manifest["name"], bundle.schedule.start_step
    steps = steps or sorted({n for n in (*STEPS, *presets.values()) if n <= most})
    if not all(1 <= n <= most for n in steps):
        raise InputError(f"--steps {' '.join(map(str, steps))}: {name} takes 1 to {most}")
    sets = sets or SETS[bundle.manifest["channels"]]
    report.mkdir(parents=True, exist_ok=True)
    about = "Presets: " + ", ".join(f"{label} {plural(n)}" for label, n in presets.items())
    about += f". Timestep spacing unless stated otherwise: {bundle.manifest['defaults']['spacing']}.\n"
    about += "Measured without back-projection, which a preset may add."
    text, everything = [f"# {name} {bundle.manifest['version']}", notes(bundle.manifest["channels"]), about], {}
    if any((bundle.scale, chosen) in PUBLISHED for chosen in sets):
        text.append(SOURCES)
    images = {chosen: list(pairs(bundle, data, chosen, limit)) for chosen in sets}
    for chosen, given in images.items():
        results, examples = gather(given, plain(bundle, steps), judge)
        everything[chosen] = {k: {m: round(v, 4) for m, v in r.items() if np.isfinite(v)} for k, r in results.items()}
        results["original"] = originals(given, judge)
        stem = f"{name}-{chosen.replace('/', '-')}"
        if grids:
            shown = {"bicubic", *map(plural, {*presets.values()} & {*steps} or steps)}
            cells = [(hr, {k: image for k, image in made.items() if k in shown}) for hr, made in examples]
            figures.grid(report / f"{stem}.webp", cells)
        text += [f"## {chosen}", f"{plural(len(given), 'image')}.", table(results)]
        if published := PUBLISHED.get((bundle.scale, chosen)):
            text.append(f"Published: {published}.")
        if not directories(data, chosen, bundle.scale)[1].exists():
            text.append("The inputs were downsampled here with the bicubic kernel and rounded to 8 bits.")
        if grids:
            text.append(f"![crops]({stem}.webp)")
    figures.dial(report / f"{name}-dial.png", everything)
    text += ["## The dial", f"![PSNR and sharpness against steps]({name}-dial.png)"]
    few = min(limit or SAMPLED, SAMPLED)
    text += [f"Samplers, at most the first {plural(few, 'image')} of {sets[0]}:"]
    text += [table(gather(images[sets[0]][:few], samplers(bundle), judge)[0])]
    if bundle.manifest["channels"] == 3:
        few = min(limit or DAMAGED, DAMAGED)
        note = "damaged at low resolution (`degradations.py`); LR consistency is against the clean input."
        text += ["## Damaged photographs", f"At most the first {plural(few, 'image')} of {sets[-1]}, {note}"]
        if bundle.estimator:
            text += [f"Mean clean-up level that the estimator tells: {estimated(bundle, images[sets[-1]][:few])}."]
        methods = cleaned(bundle, sorted(presets.values()), other)
        results, examples = gather(images[sets[-1]][:few], methods, judge)
        text += [table(results)]
        for title in DRAWN if grids else ():
            stem = f"{name}-{title.lower().replace(' ', '-')}"
            figures.grid(report / f"{stem}.webp", [(hr, of_kind(made, title)) for hr, made in examples])
            text += [f"![crops, {title}]({stem}.webp)"]
    (report / f"{name}.md").write_text("\n\n".join(text) + "\n")
    if limit is None:
        # Read again: this took a while.
        manifest = read_manifest(directory)
        write_manifest(directory, manifest | {"metrics": manifest["metrics"] | everything})
    print("\n\n".join(text))
