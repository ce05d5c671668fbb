"""Whole volumes, the coarse ones that are made of them, and how far a result is from the original.

Arrays are [T, K, I, J] float64: time points, slices, and the two axes of a slice.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import nibabel
import numpy as np
import torch
from scipy.ndimage import binary_fill_holes, gaussian_filter, gaussian_laplace, laplace

from . import resample
from .errors import InputError
from .evaluate import read
from .metrics import ssim_map

SIDES = (4, 12)
"""I and J are cropped to multiples of them, so that all factors divide them."""


@dataclass(frozen=True)
class Whole:
    """An original. `voxel`: millimetres along i, j and k."""

    name: str
    values: np.ndarray
    voxel: tuple[float, float, float]


def centre(values: np.ndarray, slices: int | None) -> np.ndarray:
    """The middle of a volume: `slices` of them (default: all), and sides that are multiples of `SIDES`."""
    sizes = (min(slices or values.shape[1], values.shape[1]), *(n // m * m for n, m in zip(values.shape[2:], SIDES)))
    begin = [(n - size) // 2 for n, size in zip(values.shape[1:], sizes)]
    return values[:, *(slice(b, b + size) for b, size in zip(begin, sizes))]


def volume_name(path: Path) -> str:
    """`scan_T1` of `scan_T1.nii.gz`."""
    return path.name.removesuffix(".gz").removesuffix(".nii")


def volume(path: Path, slices: int | None = None) -> Whole:
    """A NIfTI file, its axes in the order of the file."""
    try:
        image = nibabel.load(path)
        values = np.asanyarray(image.dataobj).astype(np.float64)  # type: ignore[attr-defined]
    except (OSError, nibabel.filebasedimages.ImageFileError) as error:
        raise InputError(f"{path}: {error}") from error
    if values.ndim != 3 or min(values.shape[:2]) < 24:
        raise InputError(f"{path}: sides are {values.shape}: expected three axes, and slices of at least 24x24")
    i, j, k = (float(n) for n in image.header.get_zooms())  # type: ignore[attr-defined]
    return Whole(volume_name(path), centre(values.transpose(2, 0, 1)[None], slices), (i, j, k))


def stacks(directory: Path) -> Iterator[Whole]:
    """PNG slices of one subject and contrast (NAME_012.png is of NAME), each a time point of one slice, 1 mm wide."""
    paths = sorted(directory.glob("*.png"))
    if not paths:
        raise InputError(f"{directory}: no PNG images; expected slices")
    for name, group in groupby(paths, lambda path: re.sub(r"_\d+$", "", path.stem)):
        slices = [read(path, 1) for path in group]
        yield Whole(name, centre(np.stack(slices).astype(np.float64), None), (1.0, 1.0, 1.0))


@dataclass(frozen=True)
class Shrinking:
    """A way to make a coarse volume. `factors`: along i and j. `along`: the axis whose neighbours are compared."""

    label: str
    factors: tuple[int, int]
    shrink: Callable[[torch.Tensor], torch.Tensor]
    along: int

    def __call__(self, whole: Whole) -> Whole:
        i, j, k = whole.voxel
        values = self.shrink(torch.from_numpy(whole.values.copy())).numpy()
        return Whole(whole.name, values, (i * self.factors[0], j * self.factors[1], k))

    @property
    def is_through(self) -> bool:
        """Whether one axis is coarse, as with thick slices."""
        return self.factors[0] == 1

    @property
    def is_truncated(self) -> bool:
        """Whether it is the centre of k-space that remains."""
        return self.label.endswith("truncated k-space")


def slabs(values: torch.Tensor, factor: int) -> torch.Tensor:
    """Means over `factor` neighbours along the last axis, as thick slices are acquired."""
    return values.unflatten(-1, (-1, factor)).mean(-1)


def _shrinkings() -> Iterator[Shrinking]:
    for factor in (2, 4):
        both = (factor, factor)
        yield Shrinking(f"x{factor}, bicubic", both, partial(resample.downsample, scale=factor), 1)
        yield Shrinking(f"x{factor}, truncated k-space", both, partial(resample.truncate_kspace, scale=factor), 1)
    for factor in (2, 4, 6):
        yield Shrinking(f"one axis x{factor}, slab means", (1, factor), partial(slabs, factor=factor), 3)


SHRINKINGS = tuple(_shrinkings())


def interpolate(values: np.ndarray, size: Sequence[int], kernel: str) -> np.ndarray:
    """[..., i, j] -> [..., *size] with a kernel of `resample.KERNELS`, or `fourier`: zero-filled k-space."""
    matrix = resample.fourier_matrix if kernel == "fourier" else lambda n, m: resample.resize_matrix(n, m, kernel)
    rows, columns = (matrix(n, m) if n != m else np.eye(n) for n, m in zip(values.shape[-2:], size))
    return resample.apply(torch.from_numpy(values), rows, columns).numpy()


def head(values: np.ndarray) -> np.ndarray:
    """Where smoothed values exceed a tenth of the 99.5th percentile, and what that encloses in a slice."""
    mask = gaussian_filter(values, (0, 0, 2, 2)) > 0.1 * np.percentile(values, 99.5)
    for plane in mask.reshape(-1, *mask.shape[2:]):
        plane[:] = binary_fill_holes(plane)
    return mask


def by_slice(values: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`function` of each slice."""
    return np.stack([function(plane) for plane in values.reshape(-1, *values.shape[2:])]).reshape(values.shape)


def measure(result: np.ndarray, whole: np.ndarray, along: int) -> dict[str, float]:
    """All measures. The range is the original's maximum; what is counted in the head is named so in `COLUMNS`.

    NMSE and HFEN (high-frequency error norm, Ravishankar and Bresler 2011: Laplacian of a Gaussian of sigma 1.5) are
    norms of the difference relative to the original's. Sharpness: mean absolute Laplacian relative to the original's.
    `neighbours`: mean absolute difference of neighbours along axis `along`, relative to the original's; NaN for one.
    """
    inside, peak = head(whole), whole.max()
    if not inside.any():
        raise InputError("a volume without a head: expected values well above those of the air")
    decibels = lambda where: float(10 * np.log10(peak**2 / max(np.mean((result - whole)[where] ** 2), 1e-10 * peak**2)))
    similarity = ssim_map(result, whole, peak)
    sigma = lambda plane: gaussian_laplace(plane, 1.5)
    edges, true_edges = by_slice(result, sigma), by_slice(whole, sigma)
    contrast = lambda x: np.abs(by_slice(x, laplace))[inside].mean()
    step = lambda x: np.abs(np.diff(x, axis=along))[np.delete(inside, 0, along)].mean()
    return {
        "psnr": decibels(inside),
        "psnr_all": decibels(...),
        "ssim": float(similarity[inside].mean()),
        "ssim_all": float(similarity.mean()),
        "nmse": float(np.sum((result - whole) ** 2) / np.sum(whole**2)),
        "hfen": float(np.linalg.norm(edges - true_edges) / np.linalg.norm(true_edges)),
        "sharpness": float(contrast(result) / contrast(whole)),
        "neighbours": float(step(result) / step(whole)) if np.diff(whole, axis=along).any() else float("nan"),
    }


COLUMNS = {
    "psnr": ("PSNR in the head, dB", 2),
    "psnr_all": ("over all", 2),
    "ssim": ("SSIM in the head", 3),
    "ssim_all": ("over all", 3),
    "nmse": ("NMSE", 4),
    "hfen": ("HFEN", 3),
    "sharpness": ("sharpness", 2),
    "neighbours": ("neighbours", 2),
}
"""Titles and decimals of the measures."""
