"""What damaged samples are compared with: flat places without grain, edges as sharp or sharper."""

import pytest
import torch

from partdiff_train import targets


def halves(noise: float) -> torch.Tensor:
    """A dark and a light half with `noise` of 255, [1, 3, 64, 64] in [-1, 1]."""
    image = torch.full((1, 3, 64, 64), -0.4)
    image[..., 32:] = 0.4
    return image + noise / 127.5 * torch.randn(image.shape, generator=torch.Generator().manual_seed(0))


def grain(image: torch.Tensor) -> float:
    return float(image[..., 4:24].std(dim=(2, 3)).mean()) * 127.5


def test_grain_goes_and_edges_stay():
    noisy = halves(3.0)
    made = targets.quiet(noisy)
    assert grain(noisy) == pytest.approx(3.0, abs=0.2) and grain(made) < 1.2
    step = (made[..., 32] - made[..., 31]).mean() * 127.5
    assert step == pytest.approx(0.8 * 127.5, rel=0.1)
    assert torch.allclose(targets.quiet(halves(0.0)), halves(0.0), atol=0.02)


def test_sharpening_steepens_edges_and_leaves_grain():
    image = halves(2.0)
    image[..., 31], image[..., 32] = -0.13, 0.13
    made = targets.sharp(image)
    rise = lambda x: (x[..., 33] - x[..., 30]).mean()
    assert rise(made) > 1.1 * rise(image)
    assert grain(made) < 1.1 * grain(image)
    assert made.abs().max() <= 1


def test_a_clean_sample_is_compared_with_its_original():
    image = halves(3.0).repeat(3, 1, 1, 1)
    made = targets.cleaned(image, torch.tensor([0.0, 0.15, 0.9]))
    assert torch.equal(made[0], image[0])
    whole = targets.sharp(targets.quiet(image[2:]))[0]
    assert torch.allclose(made[2], whole, atol=1e-6)
    assert torch.allclose(made[1], (image[1] + whole) / 2, atol=1e-6)


def test_grain_counts_where_the_original_is_flat():
    flat, busy = halves(0.0), halves(60.0)
    added = halves(5.0) - halves(0.0)
    assert targets.grain(flat + added, flat) > 8 * targets.grain(busy + added, busy)
    assert targets.grain(flat, flat) == 0
    # A difference of brightness is no grain.
    assert targets.grain(flat + 0.1, flat) < 1e-6
