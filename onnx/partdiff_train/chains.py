"""The paper's comparison on MR volumes: the aligned partial chain against the full chain, in as many denoiser calls.

Both networks come from `ablate`, exported as bundles, and run in the program.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from . import metrics
from .errors import InputError
from .evaluate import plural, table
from .restore import read_manifest
from .volumes import MEASURES, Program, Rows, described, enlarging
from .whole_volumes import COLUMNS, SHRINKINGS, Whole, interpolate, measure

CALLS = (1, 2, 4, 8, 20)
"""Numbers of denoiser calls."""

SHRUNK = ("x4, bicubic", "x4, truncated k-space")
"""Ways of shrinking: those that the networks were trained for."""


SAMPLING = ("--sampler", "ddim", "--eta", "0", "--spacing", "uniform", "--consistency", "0")
"""Options of the program, the same for both."""


def verdict(measured: dict[str, Rows], labels: list[str]) -> Iterator[str]:
    """One line for each number of calls: the mean over all sets of the first chain's measures less the second's."""
    for calls in map(calls_of, CALLS):
        first, second = ([rows[f"{label}, {calls}"] for rows in measured.values()] for label in labels)
        gain = {key: metrics.mean(first)[key] - metrics.mean(second)[key] for key in ("psnr", "ssim", "sharpness")}
        higher = sum(a["psnr"] > b["psnr"] for a, b in zip(first, second))
        yield (
            f"- {calls}: {gain['psnr']:+.2f} dB (higher on {higher} of {len(first)}), SSIM {gain['ssim']:+.3f}, "
            f"sharpness {gain['sharpness']:+.2f}"
        )


def at_equal_sharpness(measured: dict[str, Rows], labels: list[str]) -> Iterator[str]:
    """One line for each number of calls of the first chain: its PSNR less that of the second where it is as sharp."""
    for calls in CALLS:
        gains = []
        for rows in measured.values():
            ours = rows[f"{labels[0]}, {calls_of(calls)}"]
            theirs = sorted((r["sharpness"], r["psnr"]) for r in (rows[f"{labels[1]}, {calls_of(n)}"] for n in CALLS))
            sharpness, psnr = zip(*theirs)
            if sharpness[0] <= ours["sharpness"] <= sharpness[-1]:
                gains.append(ours["psnr"] - float(np.interp(ours["sharpness"], sharpness, psnr)))
        if gains:
            count = f"{len(gains)} of {len(measured)}"
            yield f"- {calls_of(calls)}: {np.mean(gains):+.2f} dB, on the {count} sets where both are"


def calls_of(count: int) -> str:
    return plural(count, "call")


def compare_chains(program: Program, bundles: list[Path], sets: dict[str, list[Whole]], folder: Path) -> None:
    """Writes mri-chains.md into `folder`. `bundles`: of the aligned chain and the full one; `sets`: none trained on."""
    if len({bundle.name for bundle in bundles}) < len(bundles):
        raise InputError(f"two bundles are called {bundles[0].name}: expected different names")
    measured: dict[str, Rows] = {}
    for name, wholes in sets.items():
        for shrinking in (s for s in SHRINKINGS if s.label in SHRUNK):
            rows: dict[str, list[dict[str, float]]] = {}
            for whole in wholes:
                coarse = shrinking(whole)
                images = {"bicubic": interpolate(coarse.values, whole.values.shape[2:], "cubic")}
                for bundle in bundles:
                    for calls in CALLS:
                        how = [*SAMPLING, "--model", str(bundle), "--steps", str(calls)]
                        made = program.upscale(coarse, [*enlarging(shrinking, whole), *how])
                        images[f"{bundle.name}, {calls_of(calls)}"] = made
                for label, image in images.items():
                    rows.setdefault(label, []).append(measure(image, whole.values, shrinking.along))
            way = f"{name}, {shrinking.label}"
            measured[way] = {label: metrics.mean(values) for label, values in rows.items()}
            print(f"{way}\n{table(measured[way], COLUMNS)}", flush=True)
    labels = [bundle.name for bundle in bundles]
    iterations = [str(read_manifest(bundle)["training"].get("iterations")) for bundle in bundles]
    parts = [
        "# The aligned partial chain against the full chain, on MR volumes",
        f"Networks of `ablate`, trained alike ({' and '.join(iterations)} iterations): {labels[0]} starts from the "
        f"diffused low-resolution image, with latent alignment; {labels[1]} from noise. DDIM, eta 0, uniform timestep "
        "spacing, no back-projection.",
        MEASURES,
        "\n".join(f"- {name}: {described(wholes, False)}" for name, wholes in sets.items()),
        f"## {labels[0]} less {labels[1]}, mean over all sets, by the number of denoiser calls",
        "\n".join(verdict(measured, labels)),
        f"## {labels[0]} less {labels[1]} at equal sharpness, whatever the number of its calls",
        "\n".join(at_equal_sharpness(measured, labels)),
    ]
    for way, rows_of in measured.items():
        parts += [f"## {way}", table(rows_of, COLUMNS)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mri-chains.md").write_text("\n\n".join(parts) + "\n")
