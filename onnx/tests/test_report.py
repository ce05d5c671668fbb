"""The reporting commands write what they should; measures are right where the answer is known."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from partdiff_train import metrics, resample
from partdiff_train import niqe as niqe_module
from partdiff_train.ablate import ablate
from partdiff_train.bundle import Bundle
from partdiff_train.dataset import Store
from partdiff_train.degradations import DEGRADATIONS
from partdiff_train.evaluate import cleaned, evaluate, gather, read
from partdiff_train.niqe import Niqe, fit
from partdiff_train.observe import observe


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 48)).astype(np.float32)


def test_perfect_image(image):
    assert metrics.psnr(image, image) > 100
    assert metrics.ssim(image, image) == pytest.approx(1)
    assert metrics.sharpness(image, image) == 1
    assert metrics.spectral_distance(image, image) == 0


def test_known_psnr(image):
    """An error of one luma level everywhere is 48.13 dB; grey keeps its own value."""
    assert metrics.psnr(image[:1] + 1, image[:1]) == pytest.approx(48.1308, abs=1e-3)
    assert metrics.luma(np.full((3, 1, 1), 255.0))[0, 0] == pytest.approx(235, abs=0.01)


def test_blur_is_less_sharp(image):
    smooth = resample.apply(torch.from_numpy(image), *(resample.blur_matrix(n, 1.0) for n in (64, 48))).numpy()
    assert metrics.sharpness(smooth, image) < 0.5
    assert metrics.ssim(smooth, image) < 0.9
    assert metrics.spectral_distance(smooth, image) > 1


def test_naturalness_prefers_the_original():
    """The shipped model finds blur and noise less natural than a photograph."""
    photo = read(Path(__file__).parents[2] / "tests/data/house.png", 3)
    niqe = Niqe(Path(niqe_module.__file__).with_name("niqe.npz"))
    noisy = (photo + np.random.default_rng(0).normal(0, 15, photo.shape)).clip(0, 255)
    assert niqe(photo) < niqe(gaussian_filter(photo, (0, 1.5, 1.5))) - 1
    assert niqe(photo) < niqe(noisy) - 1
    assert np.isnan(niqe(photo[:, :95]))


def test_naturalness_is_fitted(store_directory, tmp_path):
    images = [image.numpy() for image in Store(store_directory).hr]
    fit(images * 8, tmp_path / "niqe.npz")
    assert np.load(tmp_path / "niqe.npz")["mean"].shape == (36,)


def test_damage_is_what_its_name_says():
    """Lower JPEG quality is farther off, noise has its deviation, blur softens; each is the same every time."""
    hr = read(Path(__file__).parents[2] / "tests/data/house.png", 3)[:, :192, :192]
    lr = resample.downsample(torch.from_numpy(hr), 4).round().clamp(0, 255).numpy()
    made = {title: degrade(hr, lr) for title, degrade in DEGRADATIONS.items()}
    for title, image in made.items():
        assert image.shape == lr.shape and image.dtype == np.float32, title
        assert image.min() >= 0 and image.max() <= 255 and np.array_equal(image, lr) == (title == "clean"), title
        assert np.array_equal(image, DEGRADATIONS[title](hr, lr)), title
    worse = [metrics.psnr(made[f"JPEG {quality}"], lr) for quality in (90, 60, 40)]
    assert worse == sorted(worse, reverse=True)
    assert (made["noise"] - lr).std() == pytest.approx(7, rel=0.1)
    assert metrics.sharpness(made["blur"], lr) < 0.9


def test_clean_up_is_measured_on_damaged_input(bundle, monkeypatch):
    """Every kind of damage at level 0 and at the one that the bundle finds, against the clean original."""
    seen = []
    b = Bundle(bundle)
    upscale = b.upscale

    def spy(lr, steps, level, **how):
        seen.append((level, steps))
        return upscale(lr, steps, level, **how)

    monkeypatch.setattr(b, "upscale", spy)
    monkeypatch.setattr(b, "level", lambda lr: 0.4)
    monkeypatch.setattr(b, "estimator", "one")
    hr = read(Path(__file__).parents[2] / "tests/data/house.png", 3)[:, :128, :128]
    lr = resample.downsample(torch.from_numpy(hr), 4).round().clamp(0, 255).numpy()
    rows, _ = gather([(hr, lr)], cleaned(b))
    kinds = len(DEGRADATIONS)
    assert len(rows) == 5 * kinds
    # A JPEG file has at least the level of its quantisation tables.
    assert {level for level, _ in seen} == {0.0, 0.4, 2 / 3, 1.0} and len(seen) == 4 * kinds
    for measure in ("psnr", "consistency"):
        assert rows["JPEG 40: bicubic"][measure] < rows["JPEG 90: bicubic"][measure] < rows["clean: bicubic"][measure]


def test_evaluate_writes_report_and_metrics(bundle, tmp_path, image):
    directory = tmp_path / "bundle"
    shutil.copytree(bundle, directory)
    small = resample.downsample(torch.from_numpy(image), 4).round().clamp(0, 255).numpy()
    for name, pixels in (("HR", image), ("LR_x4", small)):
        (tmp_path / "data/tiny" / name).mkdir(parents=True)
        Image.fromarray(pixels.astype(np.uint8).transpose(1, 2, 0)).save(tmp_path / "data/tiny" / name / "a.png")
    evaluate(directory, tmp_path / "data", ["tiny"], [1, 2], tmp_path / "report")
    text = (tmp_path / "report/tiny.md").read_text()
    assert "bicubic" in text and "Lanczos" in text and "2 steps" in text
    assert "DPM-Solver++(2M), 8 steps" in text and "original" in text
    measured = json.loads((directory / "model.json").read_text())["metrics"]["tiny"]
    assert set(measured) == {"bicubic", "Lanczos", "1 step", "2 steps"}
    for kind in ("jpeg-60", "phone"):
        assert (tmp_path / f"report/tiny-{kind}.webp").exists()
    assert (tmp_path / "report/tiny-tiny.webp").exists() and (tmp_path / "report/tiny-dial.png").exists()


def test_observation_suggests_a_step(store_directory, tmp_path):
    assert 1 <= observe(store_directory, "tiny", tmp_path) <= 1000
    assert (tmp_path / "observation-tiny.png").exists()


def test_ablation_covers_all_variants(tiny, store_directory, tmp_path, monkeypatch):
    monkeypatch.setattr("partdiff_train.ablate.FULL_STEPS", (2, 3))
    monkeypatch.setattr("partdiff_train.ablate.CLAIM_FULL", 3)
    ablate(tiny, store_directory, tmp_path / "runs", 3, [10], tmp_path / "report", "cpu")
    text = (tmp_path / "report/ablation-tiny.md").read_text()
    for method in (
        "bicubic",
        "aligned, K = 10, 8 steps",
        "aligned, K = 10, v, 2 steps",
        "aligned, K = 10, quadratic, 2 steps",
        "unaligned, K = 10, 1 step",
        "full, 2 steps",
        "original",
    ):
        assert f"| {method} |" in text
    assert text.count("- in 8 steps: at least as good in") == 2
    assert (tmp_path / "report/ablation-tiny.png").exists()
    trained = (tmp_path / "runs/full/weights.pt").stat().st_mtime_ns
    ablate(tiny, store_directory, tmp_path / "runs", 3, [10], tmp_path / "report", "cpu")
    assert (tmp_path / "runs/full/weights.pt").stat().st_mtime_ns == trained
