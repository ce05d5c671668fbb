"""Time and peak memory of the command from small images to large ones, plotted.

growth.py PARTDIFF PLOT.svg [LARGEST_MEGAPIXELS] (needs numpy, Pillow and matplotlib; Linux or macOS)
"""

import os
import sys
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

SCALE = 4
MEMORY = 4096
"""Megabytes that the limited runs may take."""

partdiff, plot = sys.argv[1:3]
largest = float(sys.argv[3]) if len(sys.argv) > 3 else 100.0
sizes = [size for size in (0.1, 0.3, 1, 3, 10, 30, 100, 300) if size <= largest]
photo = Image.open(Path(__file__).parent.parent / "tests/data/house.png").convert("RGB")
unit = 1024 if sys.platform != "darwin" else 1


def run(picture: Path, output: Path, *options: str) -> tuple[float, float]:
    """Seconds and peak megabytes of one call."""
    # Some sizes of this image are taken for blurred, and would be made in more passes than others.
    fixed = ["--overwrite", "--quiet", "--device", "cpu", "--cleanup", "0", "--deblur", "1"]
    command = [partdiff, "upscale", picture, "-o", output, *fixed, *options]
    start = time.monotonic()
    process = os.posix_spawnp(partdiff, list(map(str, command)), os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{command} failed")
    return time.monotonic() - start, usage.ru_maxrss * unit / 1e6


rows = []
with tempfile.TemporaryDirectory() as folder:
    for size in sizes:
        side = round((size * 1e6) ** 0.5 / SCALE)
        tiled = np.tile(np.asarray(photo), (-(-side // photo.height), -(-side // photo.width), 1))[:side, :side]
        picture, output = Path(folder, "in.png"), Path(folder, "out.png")
        Image.fromarray(tiled).save(picture)
        free, limited = run(picture, output), run(picture, output, "--memory", f"{MEMORY}M")
        made = (SCALE * side) ** 2 / 1e6
        rows.append((made, *free, *limited))
        print(f"| {made:.1f} | {free[0]:.2f} | {free[0] / made:.2f} | {free[1]:.0f} | {limited[0]:.2f} | {limited[1]:.0f} |")
made, seconds, memory, _, bounded = np.array(rows).T
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
left.loglog(made, seconds, "o-", label="seconds")
left.loglog(made, seconds[-1] * made / made[-1], ":", color="grey", label="linear")
right.loglog(made, memory, "o-", label="peak memory, MB")
right.loglog(made, bounded, "s--", label=f"with --memory {MEMORY}M")
for axes in (left, right):
    axes.set_xlabel("megapixels of the result")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
figure.tight_layout()
# No date: the same numbers give the same file.
figure.savefig(plot, metadata={"Date": None})
