"""The figures of the reports."""

import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

CROP = 96
"""HR pixels of a crop in a grid, shown at 300 %."""


def busiest(image: np.ndarray, height: int, width: int) -> tuple[int, int]:
    """Corner of the rectangle with the most contrast, on a coarse grid; image [C, H, W]."""
    plane = image.mean(axis=0)
    rows, columns = (range(0, n - size + 1, 16) for n, size in zip(plane.shape, (height, width)))
    corners = [(y, x) for y in rows for x in columns]
    return max(corners, key=lambda c: np.abs(np.diff(plane[c[0] : c[0] + height, c[1] : c[1] + width])).mean())


def grid(path: Path, examples: list[tuple[np.ndarray, dict[str, np.ndarray]]]) -> None:
    """One row per example: a crop of every method and of the original, at 300 %. Lossless WebP is two thirds of PNG."""
    rows = []
    for hr, images in examples:
        size = min(CROP, *hr.shape[1:])
        y, x = busiest(hr, size, size)
        cells = []
        for label, image in (images | {"original": hr}).items():
            crop = image[:, y : y + size, x : x + size].astype(np.uint8)
            crop = np.repeat(crop, 3, axis=0) if crop.shape[0] == 1 else crop
            cell = Image.fromarray(crop.transpose(1, 2, 0)).resize((3 * CROP, 3 * CROP), Image.Resampling.NEAREST)
            ImageDraw.Draw(cell).text((4, 4), label, fill="white", stroke_width=2, stroke_fill="black")
            cells.append(np.asarray(cell))
        rows.append(np.concatenate(cells, axis=1))
    Image.fromarray(np.concatenate(rows)).save(path, lossless=True, method=6)


@dataclass(frozen=True)
class Row:
    """Images [H, W] by label, shown `times` as large."""

    images: dict[str, np.ndarray]
    times: int


def cropped(images: dict[str, np.ndarray], size: int = CROP) -> dict[str, np.ndarray]:
    """The part of all `images` [H, W] where the last has the most contrast."""
    last = list(images.values())[-1]
    height, width = (min(size, n) for n in last.shape)
    y, x = busiest(last[None], height, width)
    return {label: image[y : y + height, x : x + width] for label, image in images.items()}


def sheet(path: Path, rows: list[Row], white: float) -> None:
    """Rows of labelled grey images below each other, from 0 to `white`; lossless WebP."""
    strips = []
    for row in rows:
        cells = []
        for label, image in row.images.items():
            grey = np.clip(image / white * 255, 0, 255).round().astype(np.uint8)
            cell = Image.fromarray(np.kron(grey, np.ones((row.times, row.times), np.uint8)))
            ImageDraw.Draw(cell).text((4, 4), label, fill="white", stroke_width=2, stroke_fill="black")
            cells.append(np.asarray(cell))
        strips.append(np.concatenate(cells, axis=1))
    width = max(strip.shape[1] for strip in strips)
    page = np.concatenate([np.pad(strip, ((0, 0), (0, width - strip.shape[1]))) for strip in strips])
    Image.fromarray(page).save(path, lossless=True, method=6)


def dial(path: Path, results: dict[str, dict[str, dict[str, float]]]) -> None:
    """PSNR and sharpness against the number of steps, one line per set."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    for name, rows in results.items():
        ours = {int(k.split()[0]): v for k, v in rows.items() if "step" in k}
        for axis, key in zip(axes, ("psnr", "sharpness")):
            (line,) = axis.plot(list(ours), [v[key] for v in ours.values()], "o-", label=name)
            axis.axhline(rows["bicubic"][key], color=line.get_color(), ls=":")
            axis.set(xscale="log", xlabel="steps (dotted: bicubic)", ylabel=key)
            axis.set_xticks(list(ours), [str(n) for n in ours])
    axes[0].legend()
    save(figure, path)


def ablation(path: Path, curves: dict[str, dict[int, dict[str, float]]], bicubic: dict[str, float]) -> None:
    """PSNR, sharpness and their trade-off; curves[variant][steps] are measures."""
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.5))
    for name, rows in curves.items():
        style = "o--" if name.startswith("unaligned") else "o:" if name.endswith((" v", " quadratic")) else "o-"
        psnr, sharpness = ([row[key] for row in rows.values()] for key in ("psnr", "sharpness"))
        axes[0].plot(list(rows), psnr, style, label=name)
        axes[1].plot(list(rows), sharpness, style)
        axes[2].plot(sharpness, psnr, style)
    for axis, key, title in ((axes[0], "psnr", "PSNR, dB"), (axes[1], "sharpness", "sharpness (1: the original's)")):
        axis.axhline(bicubic[key], color="gray", ls=":")
        axis.set(xscale="log", xlabel="steps (dotted: bicubic)", ylabel=title)
    axes[2].plot([bicubic["sharpness"]], [bicubic["psnr"]], "kx")
    axes[2].set(xlabel="sharpness (cross: bicubic)", ylabel="PSNR, dB")
    axes[0].legend()
    save(figure, path)


def lines(path: Path, series: dict[str, tuple[np.ndarray, np.ndarray]], **labels: str) -> None:
    """Named curves over one axis; the vertical axis is logarithmic."""
    figure, axis = plt.subplots(figsize=(7, 4))
    for name, (x, y) in series.items():
        axis.plot(x, y, label=name)
    axis.set(yscale="log", **labels)
    axis.grid(alpha=0.3)
    axis.legend()
    save(figure, path)


def training(path: Path, log: str) -> None:
    """Loss or error above one step, and PSNR of held-out images, against minutes; `log` as `running.py` writes it."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 4))
    number = r"([-\d.]+)"
    losses = re.findall(rf"{number} min +\d+  loss {number}", log)
    if losses:
        axes[0].plot([float(m) for m, _ in losses], [float(v) for _, v in losses])
        axes[0].set(xlabel="minutes", ylabel="median loss of 100 iterations", yscale="log")
    spent = re.findall(rf"{number} min +\d+  (\d+) steps  spent {number}", log)
    for steps in dict.fromkeys(n for _, n, _ in spent):
        points = [(float(m), float(v)) for m, n, v in spent if n == steps]
        axes[0].plot(*zip(*points), label=f"{steps} steps")
        axes[0].set(xlabel="minutes", ylabel="error above one step's, dB")
        axes[0].legend()
    for key in dict.fromkeys(re.findall(r"psnr\d+|bicubic", log)):
        found = re.findall(rf"{number} min +\d+  valid .*{key} {number}", log)
        axes[1].plot([float(m) for m, _ in found], [float(v) for _, v in found], "o-", label=key)
    axes[1].set(xlabel="minutes", ylabel="PSNR of held-out images, dB")
    axes[1].legend()
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, dpi=90)
    plt.close(figure)
