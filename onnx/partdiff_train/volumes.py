"""Measures the program on coarse volumes that are made of whole ones; writes mri-volumes.md and its figures."""

import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np

from . import figures, metrics
from .errors import InputError
from .evaluate import plural, table
from .whole_volumes import COLUMNS, SHRINKINGS, Shrinking, Whole, interpolate, measure, stacks, volume, volume_name

KERNELS = {"bicubic": "cubic", "Lanczos": "lanczos", "zero-filled k-space": "fourier"}
"""Interpolations by label."""

ONE_STEP = "1 step (faithful)"

METHODS = {ONE_STEP: "--preset faithful", "balanced": "--preset balanced", "detailed": "--preset detailed"}
"""Options of the program by label."""

KSPACE = "1 step, k-space put back"
"""One step that is told that k-space was truncated: in the plane."""

SHOWN = ("bicubic", ONE_STEP, "detailed")
"""Methods of the figures, beside the original."""

PICTURED = ("x4, truncated k-space", "one axis x4, slab means")
"""The ways of shrinking that are pictured."""

AS_ACQUIRED = {ONE_STEP: "", "1 step, --cleanup 0.5": "--cleanup 0.5", "detailed": "--preset detailed"}
"""Options by label, for volumes at their own resolution."""

MARGIN = 1.5
"""Decibels over cubic interpolation that one step should reach through the plane."""

Rows = dict[str, dict[str, float]]
"""Measures by method."""


@dataclass(frozen=True)
class Program:
    """The `partdiff` binary, on `threads` threads; 0: all."""

    binary: Path
    threads: int

    def __post_init__(self) -> None:
        if not self.binary.is_file():
            raise InputError(f"{self.binary}: no such file; expected the program partdiff")

    def upscale(self, given: Whole, options: Iterable[str]) -> np.ndarray:
        """The result of `partdiff upscale` with `options`, read by nibabel; InputError where it fails."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, f"{given.name}.nii.gz"), Path(folder, "result.nii")
            values = given.values.transpose(2, 3, 1, 0).astype(np.float32)
            image = nibabel.Nifti1Image(
                values.squeeze(3) if values.shape[3] == 1 else values, np.diag([*given.voxel, 1])
            )
            image.header.set_xyzt_units("mm")
            nibabel.save(image, source)
            threads = ["--threads", str(self.threads)] if self.threads else []
            command = [str(self.binary), "upscale", str(source), "-o", str(target), "--quiet", *threads, *options]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode or not target.exists():
                raise InputError(f"{self.binary} {' '.join(options)}: failed on {given.name}: {done.stderr.strip()}")
            made = nibabel.load(target).get_fdata()  # type: ignore[attr-defined]
        return made.reshape(*made.shape[:3], -1).transpose(3, 2, 0, 1)


def enlarging(shrinking: Shrinking, whole: Whole) -> list[str]:
    """The options that undo `shrinking`."""
    if shrinking.is_through:
        return ["--plane", "ik", "--through", f"{whole.voxel[1]:.9f}mm"]
    return ["--plane", "ij", "--scale", str(shrinking.factors[0])]


def results(
    program: Program, whole: Whole, shrinking: Shrinking, more: Iterable[str]
) -> Iterator[tuple[str, np.ndarray]]:
    """(label, result) of every method. `more`: further options of the program, each measured at one step."""
    coarse = shrinking(whole)
    for label, kernel in KERNELS.items():
        yield label, interpolate(coarse.values, whole.values.shape[2:], kernel)
    methods = METHODS | ({} if shrinking.is_through else {KSPACE: "--consistency-kernel kspace"})
    for label, options in (methods | {text: text for text in more}).items():
        yield label, program.upscale(coarse, enlarging(shrinking, whole) + options.split())


def view(values: np.ndarray, voxel: tuple[float, float, float], axis: int) -> np.ndarray:
    """The middle slice of the first time point across `axis` (i: 0, k: 2), j downward or k upward, in square pixels."""
    volume = values[0]
    if axis == 2:
        return volume[len(volume) // 2].T
    plane = volume[::-1, volume.shape[1] // 2]
    return np.repeat(plane, max(round(voxel[2] / voxel[1]), 1), axis=0)


def picture(path: Path, whole: Whole, images: dict[str, np.ndarray]) -> None:
    """A slice, and one across slices, of all `images` at 100 %, and a crop of each at 300 %."""
    images = {label: images[label] for label in SHOWN} | {"original": whole.values}
    rows = []
    for axis in (2, 0):
        views = {label: view(values, whole.voxel, axis) for label, values in images.items()}
        rows += [figures.Row(views, 1), figures.Row(figures.cropped(views), 3)]
    figures.sheet(path, rows, np.percentile(whole.values, 99.8))


def as_acquired(program: Program, path: Path, whole: Whole) -> None:
    """A crop of the middle slice enlarged 4 times at its own resolution, where no original is known."""
    middle = whole.values.shape[1] // 2
    given = Whole(whole.name, whole.values[:, middle : middle + 1], whole.voxel)
    size = [4 * n for n in given.values.shape[2:]]
    views = {"bicubic": interpolate(given.values, size, "cubic")}
    for label, options in AS_ACQUIRED.items():
        views[label] = program.upscale(given, ["--plane", "ij", "--scale", "4", *options.split()])
    crops = figures.cropped({label: values[0, 0].T for label, values in views.items()}, 200)
    figures.sheet(path, [figures.Row(crops, 2)], np.percentile(whole.values, 99.8))


def overview(measured: dict[str, dict[str, Rows]]) -> str:
    """PSNR in the head of every method: one line for each set and way of shrinking."""
    labels = list(dict.fromkeys(label for ways in measured.values() for rows in ways.values() for label in rows))
    lines = ["| set | shrunk | " + " | ".join(labels) + " |", "|" + " --- |" * (len(labels) + 2)]
    for name, ways in measured.items():
        for way, rows in ways.items():
            cells = " | ".join(f"{rows[label]['psnr']:.2f}" if label in rows else "" for label in labels)
            lines.append(f"| {name} | {way} | {cells} |")
    return "\n".join(lines)


def verdict(measured: dict[str, dict[str, Rows]]) -> str:
    """What should hold of one step, and where it does not."""
    below, told, gains = [], [], []
    for name, ways in measured.items():
        for shrinking in SHRINKINGS:
            rows = ways[shrinking.label]
            psnr = {label: row["psnr"] for label, row in rows.items()}
            if psnr[ONE_STEP] < psnr["Lanczos"]:
                below.append(f"{name}, {shrinking.label} ({psnr[ONE_STEP] - psnr['Lanczos']:+.2f} dB)")
            if shrinking.is_truncated and psnr[KSPACE] < psnr["Lanczos"]:
                told.append(f"{name}, {shrinking.label} ({psnr[KSPACE] - psnr['Lanczos']:+.2f} dB)")
            if shrinking.is_through:
                gains.append((f"{name}, {shrinking.label}", psnr[ONE_STEP] - psnr["bicubic"]))
    short = [f"{where} ({gain:+.2f} dB)" for where, gain in gains if gain < MARGIN]
    reached = [f"{where} ({gain:+.2f} dB)" for where, gain in gains if gain >= MARGIN]
    return "\n".join(
        [
            f"- One step has a lower PSNR in the head than Lanczos: {'; '.join(below) or 'on no set'}.",
            f"- With `--consistency-kernel kspace` on truncated k-space, the same: {'; '.join(told) or 'on no set'}.",
            f"- Along one axis, one step is at least {MARGIN} dB above cubic: {'; '.join(reached) or 'on no set'}.",
            f"- It is less: {'; '.join(short) or 'on no set'}.",
        ]
    )


MEASURES = """The range of PSNR and SSIM is the original's maximum; the head is where smoothed values exceed a tenth of
the 99.5th percentile. SSIM, HFEN, sharpness: in slices (i, j). NMSE and HFEN: norms of the difference relative to the
original's (squared for NMSE). Sharpness: mean absolute Laplacian in the head relative to the original's, of which a
part is noise. Neighbours: mean absolute difference of neighbouring slices in the head relative to the original's; where
one axis was coarse, of neighbours along it. Coarse volumes are float32."""

NOTES = f"""{MEASURES} The axis that is coarse alone is j. One step is
the preset faithful, which puts k-space back where its result shows that it was truncated, and has no back-projection
for volumes; "{KSPACE}" is `--consistency-kernel kspace`, whatever the kernel was. Of each of the three
volumes, measures are of the 12 slices in the middle. Both openms volumes were interpolated by the scanner: along i,
k-space falls to the noise floor at 70 to 75 %, so that detail beyond that is not asked of results at x2."""

ELSEWHERE = """The aligned chain from K against the full chain at equal numbers of denoiser calls:
[mri-chains.md](mri-chains.md), by models trained for it; [ablation-mri-x4.md](ablation-mri-x4.md) has other chains."""


@dataclass
class Report:
    """What is measured so far. `seen`: names of sets whose subjects were trained on."""

    folder: Path
    seen: set[str]
    about: dict[str, str] = field(default_factory=dict)
    measured: dict[str, dict[str, Rows]] = field(default_factory=dict)
    pictures: list[str] = field(default_factory=list)

    def add(self, program: Program, name: str, wholes: list[Whole], more: Iterable[str]) -> None:
        """Measures the volumes of a set, and takes pictures of one of several slices that was not trained on."""
        pictured = wholes[0].values.shape[1] > 1 and name not in self.seen
        ways = self.measured[name] = {}
        for shrinking in SHRINKINGS:
            rows: dict[str, list[dict[str, float]]] = {}
            for whole in wholes:
                images = {}
                for label, image in results(program, whole, shrinking, more):
                    rows.setdefault(label, []).append(measure(image, whole.values, shrinking.along))
                    images[label] = image
                if pictured and shrinking.label in PICTURED:
                    picture(self.picture(name, "through" if shrinking.is_through else "plane"), whole, images)
            ways[shrinking.label] = {label: metrics.mean(values) for label, values in rows.items()}
            print(f"{name}, {shrinking.label}\n{table(ways[shrinking.label], COLUMNS)}", flush=True)
        if pictured:
            as_acquired(program, self.picture(name, "acquired"), wholes[0])

    def picture(self, name: str, what: str) -> Path:
        """The path of another picture."""
        self.pictures.append(f"mri-volumes-{name}-{what}.webp")
        return self.folder / self.pictures[-1]

    def write(self) -> None:
        """Writes mri-volumes.md."""
        parts = ["# MR volumes", "`partdiff upscale` on volumes that were made coarse.", NOTES]
        parts.append("\n".join(f"- {name}: {text}" for name, text in self.about.items()))
        parts += ["## PSNR in the head, dB", overview(self.measured), ELSEWHERE]
        parts.append("## What should hold")
        for title, is_seen in (("Of subjects that were not trained on:", False), ("Of subjects that were:", True)):
            chosen = {name: ways for name, ways in self.measured.items() if (name in self.seen) == is_seen}
            parts += [title, verdict(chosen)] if chosen else []
        parts += [f"![{name}]({name})" for name in self.pictures]
        for name, ways in self.measured.items():
            parts.append(f"## {name}")
            for way, rows in ways.items():
                parts += [f"### {way}", table(rows, COLUMNS)]
        (self.folder / "mri-volumes.md").write_text("\n\n".join(parts) + "\n")


def described(wholes: list[Whole], is_seen: bool) -> str:
    """What a set consists of."""
    first = wholes[0]
    count, slices, *sides = first.values.shape
    if count == 1:
        text = f"{'x'.join(map(str, (*sides, slices)))} voxels of {'x'.join(f'{n:.3g}' for n in first.voxel)} mm"
    else:
        count = sum(len(whole.values) for whole in wholes)
        text = f"{plural(count, 'single slice')} of {plural(len(wholes), 'volume')}; measures are means of volumes"
    return f"{text}; {'its subject was trained on' if is_seen else 'not trained on'}"


def sets_of(data: Path | None, volumes: list[Path], slices: int | None) -> dict[str, list[Whole]]:
    """The volumes by set: each by itself, and the slices of `data`."""
    names = [volume_name(path) for path in volumes]
    if len(set(names)) < len(names):
        raise InputError("two volumes have the same name: expected different names")
    sets = {whole.name: [whole] for whole in (volume(path, slices) for path in volumes)}
    if data:
        sets[f"slices of {data.name}"] = list(stacks(data / "HR"))
    if not sets:
        raise InputError("nothing to measure: expected --data or volumes")
    return sets


def evaluate_volumes(
    program: Program,
    data: Path | None,
    held_out: list[Path],
    seen: list[Path],
    folder: Path,
    slices: int | None = None,
    more: Iterable[str] = (),
) -> None:
    """Writes mri-volumes.md and its figures into `folder`; again after every set, so that no measures are lost.

    `data`: directory that holds HR/*.png, slices of subjects that were not trained on; `held_out`, `seen`: volumes of
    subjects that were not, and that were; `slices`: how many of each volume.
    """
    sets = sets_of(data, [*held_out, *seen], slices)
    folder.mkdir(parents=True, exist_ok=True)
    report = Report(folder, {volume_name(path) for path in seen})
    for name, wholes in sets.items():
        report.about[name] = described(wholes, name in report.seen)
        report.add(program, name, wholes, more)
        report.write()
