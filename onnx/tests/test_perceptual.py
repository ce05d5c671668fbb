"""LPIPS and the damage of images behave as they should, with networks that have random weights."""

import io
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from partdiff_train import metrics, resample
from partdiff_train.damage import blurred_or_noisy, damaged, kernels
from partdiff_train.errors import InputError
from partdiff_train.evaluate import evaluate, read
from partdiff_train.perceptual import Lpips, unpack


@pytest.fixture
def photo() -> np.ndarray:
    return read(Path(__file__).parents[2] / "tests/data/house.png", 3)[:, :128, :128]


def uniform(seed: int):
    g = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.rand(*shape, generator=g)


@pytest.mark.parametrize("name", ["vgg16", "alexnet"])
def test_lpips_is_a_distance(perceptual, photo, name):
    lpips = Lpips(perceptual, name)
    image = torch.from_numpy(photo)[None] / 127.5 - 1
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    same, near, far = (lpips(image + amount * noise, image).item() for amount in (0.0, 0.05, 0.3))
    assert same == 0 < near < far


def test_lpips_has_a_gradient_and_learns_nothing(perceptual, photo):
    lpips = Lpips(perceptual, "vgg16")
    image = (torch.from_numpy(photo)[None] / 127.5 - 1).requires_grad_()
    lpips(image + 0.01, torch.zeros_like(image)).sum().backward()
    assert image.grad is not None and image.grad.abs().max() > 0
    assert not any(p.requires_grad for p in lpips.parameters())


def test_lpips_needs_its_weights(tmp_path):
    with pytest.raises(InputError, match=r"alexnet\.npz: no such file; .* perceptual .* writes it"):
        Lpips(tmp_path)


def test_weights_are_arrays_and_nothing_else():
    tree = {"params": {"VGG16_0": {"Conv_0": {"bias": np.arange(3.0)}}}}
    read_back = unpack(io.BytesIO(pickle.dumps(tree)))
    assert list(read_back) == ["VGG16_0/Conv_0/bias"]
    with pytest.raises(InputError, match="expected numpy arrays only"):
        unpack(io.BytesIO(pickle.dumps({"params": pytest.raises})))


def test_damage_grows_with_its_level(photo):
    hr = torch.from_numpy(photo)[None].repeat(12, 1, 1, 1)
    clean = resample.downsample(hr[:1], 4)[0].numpy()
    psnr = []
    blurs = []
    for level in (0.0, 0.3, 1.0):
        lr, blur = damaged(hr, (32, 32), torch.full((12,), level), uniform(1))
        blurs.append(blur.mean())
        assert lr.shape == (12, 3, 32, 32) and (lr == lr.round()).all() and lr.min() >= 0 and lr.max() <= 255
        psnr.append(np.mean([metrics.psnr(image.numpy(), clean) for image in lr]))
    assert psnr[0] > psnr[1] + 1 > psnr[2] + 2 and blurs[0] < 0.2 < blurs[1] < blurs[2]


def test_blur_or_noise_alone_tell_which_it_is(photo):
    """The more blur, the less fine detail; the more noise, the more; and neither is there where it is not told."""
    hr = torch.from_numpy(photo)[None].repeat(160, 1, 1, 1)
    lr, level, blur = blurred_or_noisy(hr, (32, 32), uniform(2))
    assert lr.shape == (160, 3, 32, 32) and (lr == lr.round()).all() and lr.min() >= 0 and lr.max() <= 255
    detail = (lr - resample.mean_around(lr, 3)).abs().mean(dim=(1, 2, 3))
    soft, noisy, clean = (blur > 0.8) & (level == 0), (blur < 0.2) & (level > 0.5), (blur < 0.3) & (level < 0.1)
    assert soft.sum() > 5 and noisy.sum() > 3 and clean.sum() > 3
    assert detail[soft].mean() < 0.7 * detail[clean].mean() < 0.6 * detail[noisy].mean()
    assert blur.max() < 2.5 and level.max() <= 1


def test_damage_leaves_things_where_they_are():
    """The centre of a disc stays, whatever the blur, the sizes on the way and the kernels."""
    y, x = np.mgrid[0:128, 0:128]
    disc = 200.0 * (np.hypot(x - 71.5, y - 59.5) < 25)
    hr = torch.from_numpy(np.stack([disc] * 3)).float()[None].repeat(8, 1, 1, 1)
    at = torch.arange(32) + 0.5
    for seed in range(6):
        once = blurred_or_noisy(hr, (32, 32), uniform(seed))[0]
        twice = damaged(hr, (32, 32), torch.full((8,), 0.7), uniform(seed))[0]
        # Some were smaller, and resized without smoothing: their pixels are up to 2.5 times as large.
        for image, tolerance in [*((image, 0.5) for image in once), *((image, 0.25) for image in twice)]:
            weight = image.mean(dim=0).clamp(min=60) - 60
            place = [float((weight.sum(dim=d) * at).sum() / weight.sum()) for d in (0, 1)]
            assert place == pytest.approx([72 / 4, 60 / 4], abs=tolerance)


def test_blur_kernels_keep_brightness_and_width():
    sigma = torch.full((200,), 2.0)
    made = kernels(sigma, uniform(3))
    assert torch.allclose(made.sum(dim=(1, 2)), torch.ones(200), atol=1e-4)
    assert (made.flatten(1).argmax(dim=1) == 21 * 10 + 10).all()
    assert 0.02 < (made.min(dim=1).values.min(dim=1).values < -1e-3).float().mean() < 0.4


def test_grain_and_structure_see_noise(photo):
    rng = np.random.default_rng(0)
    noisy = (photo + rng.normal(0, 8, photo.shape)).clip(0, 255)
    smooth = gaussian_filter(photo, (0, 2, 2))
    assert metrics.grain(photo, photo) == metrics.structure(photo, photo) == 1
    assert metrics.grain(noisy, photo) > 1.5 and metrics.grain(smooth, photo) < 1
    assert metrics.structure(noisy, photo) < 0.99
    assert metrics.structure(photo.swapaxes(1, 2), photo) < 0.5


def test_reports_have_lpips(bundle, perceptual, photo, tmp_path):
    photo = photo[:, :64, :48]
    shutil.copytree(bundle, tmp_path / "bundle")
    small = resample.downsample(torch.from_numpy(photo), 4).round().clamp(0, 255).numpy()
    for name, pixels in (("HR", photo), ("LR_x4", small)):
        (tmp_path / "data/tiny" / name).mkdir(parents=True)
        Image.fromarray(pixels.astype(np.uint8).transpose(1, 2, 0)).save(tmp_path / "data/tiny" / name / "a.png")
    evaluate(
        tmp_path / "bundle", tmp_path / "data", ["tiny"], [1], tmp_path / "report", grids=False, perceptual=perceptual
    )
    lines = (tmp_path / "report/tiny.md").read_text().splitlines()
    head = next(line for line in lines if line.startswith("| method"))
    place = head.split("|").index(" LPIPS ")
    row = next(line for line in lines if line.startswith("| 1 step"))
    assert 0 < float(row.split("|")[place]) < 20
