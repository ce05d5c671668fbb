"""A tiny set of images and a tiny network, so that each test runs in seconds on a CPU."""

import io
import os
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from partdiff_train.configs import NATURAL_X4
from partdiff_train.dataset import Store, prepare
from partdiff_train.export import export
from partdiff_train.perceptual import NETWORKS
from partdiff_train.train import Trainer

ITERATIONS = 120


@pytest.fixture(scope="session", autouse=True)
def few_threads():
    torch.set_num_threads(2)


@pytest.fixture(scope="session")
def archive(tmp_path_factory) -> Path:
    """Six smooth images with edges, 128x128."""
    path = tmp_path_factory.mktemp("data") / "images.tar"
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:128, 0:128]
    with tarfile.open(path, "w") as tar:
        for i in range(6):
            waves = [np.sin(x * rng.uniform(0.02, 0.6) + y * rng.uniform(-0.6, 0.6)) for _ in range(3)]
            disc = np.hypot(x - rng.uniform(30, 100), y - rng.uniform(30, 100)) < rng.uniform(15, 40)
            image = np.stack([128 + 60 * w + 50 * disc for w in waves], axis=-1).clip(0, 255).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            info = tarfile.TarInfo(f"image{i}_0.png")
            info.size = buffer.tell()
            tar.addfile(info, io.BytesIO(buffer.getvalue()))
    return path


@pytest.fixture(scope="session")
def store_directory(archive, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("store")
    prepare([archive], directory, scale=4, channels=3, size=128)
    return directory


@pytest.fixture(scope="session")
def tiny():
    shape = replace(NATURAL_X4.shape, width=32, encoder_blocks=1, denoiser_blocks=1, wide_blocks=0)
    return replace(NATURAL_X4, name="tiny", shape=shape, batch=4, patch=16, ema=0.9)


@pytest.fixture(scope="session")
def run(store_directory, tiny, tmp_path_factory) -> Path:
    """The directory of a finished training run."""
    directory = tmp_path_factory.mktemp("run")
    Trainer(tiny, Store(store_directory), directory, "cpu").run(iterations=ITERATIONS)
    return directory


@pytest.fixture(scope="session")
def perceptual(tmp_path_factory) -> Path:
    """Networks of LPIPS in the shapes of the real ones with few channels and random weights."""
    directory, rng = tmp_path_factory.mktemp("perceptual"), np.random.default_rng(0)
    for name, (prefix, plan) in NETWORKS.items():
        arrays, inputs, heads = {}, 3, 0
        for i, (side, *_, compared) in enumerate(plan):
            scale = (2 / (side * side * inputs)) ** 0.5
            arrays[f"{prefix}/Conv_{i}/kernel"] = scale * rng.standard_normal((side, side, inputs, 8), np.float32)
            arrays[f"{prefix}/Conv_{i}/bias"] = np.zeros(8, np.float32)
            inputs = 8
            if compared:
                arrays[f"NetLinLayer_{heads}/Conv_0/kernel"] = np.full((1, 1, 8, 1), 2.0, np.float32)
                heads += 1
        np.savez(directory / f"{name}.npz", **arrays)
    return directory


@pytest.fixture(scope="session")
def bundle(run, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("bundle")
    export(run / "weights.pt", directory, "0.0.1", "a test")
    return directory


@pytest.fixture(scope="session")
def program() -> str:
    """$PARTDIFF, the release build, or the one on PATH."""
    built = Path(__file__).parents[2] / "target/release/partdiff"
    found = os.environ.get("PARTDIFF") or (str(built) if built.exists() else shutil.which("partdiff"))
    if not found:
        pytest.skip("partdiff is not built: cargo build --release")
    return found
