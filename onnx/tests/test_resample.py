"""Kernels, against Pillow where it has them."""

import numpy as np
import pytest
import torch
from PIL import Image

from partdiff_train import jpeg, resample

PILLOW = {"cubic": Image.Resampling.BICUBIC, "lanczos": Image.Resampling.LANCZOS, "area": Image.Resampling.BOX}


@pytest.mark.parametrize("kernel", PILLOW)
@pytest.mark.parametrize("size", [(48, 64, 12, 16), (12, 17, 48, 68)])
def test_as_pillow(kernel, size):
    if kernel == "area" and size[0] < size[2]:
        pytest.skip("only ever used to shrink")
    image = np.random.default_rng(0).uniform(0, 255, size[:2]).astype(np.float32)
    expected = np.asarray(Image.fromarray(image).resize((size[3], size[2]), PILLOW[kernel]))
    matrices = [resample.resize_matrix(a, b, kernel) for a, b in zip(size[:2], size[2:])]
    got = resample.apply(torch.from_numpy(image).double(), *matrices).numpy()
    np.testing.assert_allclose(got, expected, atol=2e-3)


def test_kspace_keeps_a_smooth_image_in_place():
    """A low frequency survives truncation and stays on the half-pixel grid."""
    y, x = np.mgrid[0:64, 0:96] + 0.5
    wave = lambda y, x: 100 + 30 * np.cos(2 * np.pi * (y / 64 + 2 * x / 96))
    got = resample.truncate_kspace(torch.from_numpy(wave(y, x)), 4).numpy()
    y, x = (np.mgrid[0:16, 0:24] + 0.5) * 4
    np.testing.assert_allclose(got, wave(y, x), atol=1e-6)


def test_jpeg_error_grows_with_compression():
    """And is near Pillow's own at the same quality."""
    import io

    y, x = np.mgrid[0:64, 0:64]
    image = np.stack([128 + 80 * np.sin(x / 5 + c) * np.cos(y / (4 + c)) for c in range(3)]).round()
    batch = torch.from_numpy(image).float()[None]
    errors = []
    for quality in (95, 75, 40):
        ours = jpeg.compress(batch, torch.tensor([float(quality)]))[0].numpy()
        buffer = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0).astype(np.uint8)).save(buffer, "JPEG", quality=quality)
        theirs = np.asarray(Image.open(buffer), np.float32).transpose(2, 0, 1)
        errors.append(np.sqrt(np.mean((ours - image) ** 2)))
        assert np.sqrt(np.mean((ours - theirs) ** 2)) < 0.5 * errors[-1] + 1
    assert errors[0] < errors[1] < errors[2]
