"""The training images, decoded once into one memory-mapped file.

A store is a directory: `hr.npy` uint8 [M, C, S, S], one `lr_KIND.npy` uint8 [M, C, S/s, S/s] for each
kind of downsampling, and `names.txt`. Random access is then cheap, and training needs no workers.
"""

import io
import math
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import resample
from .errors import InputError
from .network import NetworkShape

HELD_OUT = 20
"""Images measured for validation."""

HELD_OUT_SHARE = 0.05
"""Share of the sources (photographs or subjects) that are held out for them."""

FEWEST_SOURCES = 2
"""Sources held out at least, if as many remain to train on."""

INTERPOLATED = (2, 4, 1)
"""How many times their size MR slices are stored beside themselves, in turn (1: not), with nothing new in k-space.

Scanners interpolate so. And the network must learn what not to take for a shrunk slice: smooth ones (2), and ones at
their own resolution, whose noise is not to become lines (4).
"""

BLURS = (0.8, 1.4, 2.0)
"""Standard deviations of the blur before downsampling, in HR pixels at scale 4."""


def source(name: str, channels: int) -> str:
    """What an image was cut from.

    Photograph `sea_04f1` for `sea_04f1_2.jpg`; for one channel subject `adi` for slice `adi_T1_021.png`.
    """
    stem = Path(name).stem
    if channels == 1:
        return stem.partition("_")[0]
    head, _, tail = stem.rpartition("_")
    return head if head and tail.isdigit() else stem


def evenly(items: list, count: int) -> list:
    """`count` of the items (all if there are fewer), spread evenly over the list."""
    count = min(count, len(items))
    return [items[i * len(items) // count] for i in range(count)]


def lr_kinds(channels: int) -> list[str]:
    """The kinds of downsampling: photographs may be blurred, MR slices cut in k-space, or thick along one axis."""
    if channels == 1:
        return ["cubic", "kspace", "thick"]
    return ["cubic", "area", "lanczos"] + [f"blur{i}" for i in range(len(BLURS))]


def shrink(hr: torch.Tensor, scale: int, kind: str) -> torch.Tensor:
    """hr [C, H, W] float -> [C, H/s, W/s] by one of `lr_kinds`."""
    if kind == "kspace":
        return resample.truncate_kspace(hr, scale)
    if kind == "thick":
        kernels = ("area", "cubic")
        return resample.apply(hr, *(resample.resize_matrix(n, n // scale, k) for n, k in zip(hr.shape[1:], kernels)))
    if kind.startswith("blur"):
        return resample.downsample(hr, scale, "cubic", BLURS[int(kind[4:])] * scale / 4)
    return resample.downsample(hr, scale, kind)


def read_archives(archives: list[Path], channels: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yields (name, uint8 [C, H, W]) in sorted order of names."""
    files = []
    for archive in archives:
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    if member.isfile() and (file := tar.extractfile(member)):
                        files.append((Path(member.name).name, file.read()))
        except tarfile.TarError as error:
            raise InputError(f"{archive}: not a complete tar archive: {error}") from error
    for name, data in sorted(files):
        if name.lower().endswith((".jpg", ".jpeg", ".png")):
            try:
                image = Image.open(io.BytesIO(data)).convert("L" if channels == 1 else "RGB")
            except OSError as error:
                raise InputError(f"{name}: not a valid JPEG or PNG image") from error
            yield name, np.asarray(image).reshape(image.height, image.width, channels).transpose(2, 0, 1)


def zero_filled(image: np.ndarray, factor: int) -> np.ndarray:
    """uint8 [C, H, W] -> [C, factor H, factor W], with nothing in k-space that was not there."""
    matrices = (resample.fourier_matrix(n, factor * n) for n in image.shape[1:])
    large = resample.apply(torch.from_numpy(image.astype(np.float64)), *matrices)
    return large.round().clamp(0, 255).byte().numpy()


def crops(image: np.ndarray, size: int) -> list[tuple[slice, slice]]:
    """Squares of `size` that cover the image, overlapping if its sides are not multiples of `size`."""
    starts = [np.linspace(0, n - size, -(-n // size)).astype(int) // 4 * 4 for n in image.shape[1:]]
    return [(slice(y, y + size), slice(x, x + size)) for y in starts[0] for x in starts[1]]


def versions(image: np.ndarray, index: int) -> Iterator[tuple[np.ndarray, int]]:
    """The image [C, H, W], and MR slices also interpolated; with the factor."""
    yield image, 1
    factor = INTERPOLATED[index % len(INTERPOLATED)]
    if image.shape[0] == 1 and factor > 1:
        yield zero_filled(image, factor), factor


def prepare(archives: list[Path], directory: Path, scale: int, channels: int, size: int) -> None:
    """Decodes tar archives of images into a store; skips images smaller than `size`."""
    kinds = lr_kinds(channels)
    names, hr = [], []
    lr: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
    for i, (name, whole) in enumerate(read_archives(archives, channels)):
        if min(n // scale * scale for n in whole.shape[1:]) < size:
            continue
        for version, factor in versions(whole, i):
            h, w = (n // scale * scale for n in version.shape[1:])
            image = version[:, :h, :w]
            # Downsample first, then crop: the borders of a crop must not be treated as image borders.
            small = {k: shrink(torch.from_numpy(image.astype(np.float32)), scale, k) for k in kinds}
            places = crops(image, size)
            # Not more crops for more pixels.
            chosen = np.random.default_rng(i).permutation(len(places))[: math.ceil(len(places) / factor**2)]
            for y, x in (places[at] for at in sorted(chosen)):
                names.append(name)
                hr.append(image[:, y, x])
                for kind in kinds:
                    part = small[kind][:, y.start // scale : y.stop // scale, x.start // scale : x.stop // scale]
                    lr[kind].append(part.round().clamp(0, 255).byte().numpy())
    if not hr:
        given = ", ".join(map(str, archives))
        raise InputError(f"{given}: no JPEG or PNG image of at least {size}x{size} pixels")
    directory.mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        np.save(directory / f"lr_{kind}.npy", np.stack(lr[kind]))
    np.save(directory / "hr.npy", np.stack(hr))
    (directory / "names.txt").write_text("\n".join(names) + "\n")


class Store:
    """The images that `prepare` wrote. `hr` uint8 [M, C, S, S]; `lr` uint8 [kinds, M, C, s, s] on `device`."""

    def __init__(self, directory: Path, device: str = "cpu"):
        if not (directory / "names.txt").is_file():
            raise InputError(f"{directory}: not a store, it has no names.txt; `prepare` writes one")
        self.directory = directory
        self.names = (directory / "names.txt").read_text().splitlines()
        hr = np.load(directory / "hr.npy", mmap_mode="c")
        self.kinds = lr_kinds(hr.shape[1])
        for kind in self.kinds:
            if not (directory / f"lr_{kind}.npy").is_file():
                raise InputError(f"{directory}: has no lr_{kind}.npy; an earlier `prepare` wrote it: run it again")
        self.hr = torch.from_numpy(hr).to(device)
        self.lr = torch.stack([torch.from_numpy(np.load(directory / f"lr_{k}.npy")) for k in self.kinds]).to(device)
        self.scale = self.hr.shape[-1] // self.lr.shape[-1]
        # Held out by photograph or subject: no part of a measured one is trained on.
        origins = [source(n, hr.shape[1]) for n in self.names]
        sources = sorted(set(origins))
        if len(sources) < 2:
            raise InputError(
                f"{directory}: all images are of {sources[0]}; expected two sources or more, one to validate on"
            )
        count = max(round(len(sources) * HELD_OUT_SHARE), min(FEWEST_SOURCES, len(sources) // 2))
        self.held_sources = evenly(sources, min(count, HELD_OUT))
        self.train = torch.tensor([i for i, o in enumerate(origins) if o not in self.held_sources], device=device)
        files = [sorted({n for n, o in zip(self.names, origins) if o == held}) for held in self.held_sources]
        each = -(-HELD_OUT // len(files))
        self.held_out = [self.names.index(n) for names in files for n in evenly(names, each)][:HELD_OUT]

    def expect(self, shape: NetworkShape) -> None:
        """Raises InputError if a network of this shape cannot use these images."""
        channels = self.hr.shape[1]
        if (channels, self.scale) != (shape.image_channels, shape.scale):
            raise InputError(
                f"{self.directory}: images of {channels} channels for scale {self.scale}; the network takes "
                f"{shape.image_channels} and {shape.scale}: use the --config that `prepare` was given"
            )
