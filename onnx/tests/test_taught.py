"""Damaged crops with another network's images of them are made, drawn and learnt from."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from partdiff_train import checkpoint, taught
from partdiff_train.configs import NATURAL_X4
from partdiff_train.dataset import Store, prepare
from partdiff_train.errors import InputError
from partdiff_train.resample import upsample
from partdiff_train.taught import Taught
from partdiff_train.texture import Recipe, Texture

DARKER, DOTS = 0.25, 0.2
"""The other network of these tests enlarges, makes every image darker and adds dots, by these shares of the range."""


def dots(height: int, width: int) -> np.ndarray:
    """Zero on average, and the same when mirrored and turned: 1 in the middle of every 4x4 pixels."""
    block = np.full((4, 4), -1 / 3, np.float32)
    block[1:3, 1:3] = 1
    return np.tile(block, (height // 4, width // 4))


def enlarge(lr: np.ndarray) -> np.ndarray:
    large = upsample(torch.from_numpy(lr), 4).numpy()
    return large - DARKER + DOTS * dots(*large.shape[-2:])


@pytest.fixture(scope="module")
def crops(store_directory, tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("taught")
    taught.make(Store(store_directory), NATURAL_X4.schedule, enlarge, directory, 2 / 60)
    return directory


def drawn(crops: Path, patch: int = 8) -> Taught:
    return Taught(crops, NATURAL_X4.schedule, 16, patch, 0, "cpu")


def test_crops_hold_what_was_damaged_and_what_was_made_of_it(crops):
    files = sorted(crops.iterdir())
    assert len(files) > 2 and {path.suffix for path in files} == {".pt"}
    for path in files:
        crop = {key: value.numpy() for key, value in checkpoint.read(path, "a crop").items()}
        assert crop["lr"].shape == (3, 24, 24) and crop["taught"].shape == crop["original"].shape == (3, 96, 96)
        assert crop["level"] > 0
        expected = np.clip(np.round(255 * enlarge(crop["lr"] / np.float32(255))), 0, 255)
        assert np.abs(crop["taught"] - expected).max() <= 1


def test_more_crops_are_others(crops, store_directory, tmp_path):
    """A second run goes on after the first, and draws what one long run would."""
    half = sorted(crops.iterdir())[:2]
    for path in half:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    taught.make(Store(store_directory), NATURAL_X4.schedule, enlarge, tmp_path, 1 / 60)
    for path in sorted(tmp_path.iterdir()):
        if (crops / path.name).exists():
            assert path.read_bytes() == (crops / path.name).read_bytes()
    assert len(list(tmp_path.iterdir())) > len(half)


def test_patches_of_the_three_images_belong_together(crops):
    """In every turn; the batch is a function of the iteration."""
    source = drawn(crops)
    for iteration in range(6):
        batch, made = source.draw(iteration)
        assert batch.lr.shape == (16, 3, 8, 8) and batch.x0.shape == made.shape == (16, 3, 32, 32)
        inner = (slice(None), slice(None), slice(8, -8), slice(8, -8))
        wanted = (batch.u - 2 * DARKER + 2 * DOTS * torch.from_numpy(dots(32, 32))).clamp(-1, 1)[inner]
        assert (made[inner] - wanted).abs().max() < 0.05
    again, _ = source.draw(5)
    assert torch.equal(again.lr, batch.lr) and torch.equal(again.eps, batch.eps)
    both = batch.and_also(again)
    assert both.lr.shape[0] == 32 and torch.equal(both.level, torch.cat([batch.level, batch.level]))


def test_damaged_images_learn_from_the_other_network(crops, run, store_directory, perceptual, tiny, tmp_path):
    """Its detail in the original's colours; the distance falls, alone in the loss; clean samples keep the original."""
    alone: dict[str, Any] = {
        "perceptual": 0.0,
        "adversarial": 0.0,
        "matching": 0.0,
        "squared": 0.0,
        "chroma": 0.0,
        "anchor": 0.0,
    }
    recipe = Recipe(width=8, grain=0.0, force=((2, 1.0),), **alone)
    config = replace(tiny, batch=8)
    texture = Texture(
        run / "weights.pt", config, Store(store_directory), tmp_path, "cpu", perceptual, recipe, taught=crops
    )
    batch, wished, learnt = texture.draw()
    assert learnt == 5 and len(batch.x0) == len(wished) == 8
    assert torch.equal(wished[:3][batch.level[:3] == 0], batch.x0[:3][batch.level[:3] == 0])
    strong = batch.level[3:] > 0.3
    dotted = lambda x: (x[3:][strong] * torch.from_numpy(dots(*x.shape[-2:]))).mean()
    assert strong.any() and dotted(wished) > dotted(batch.x0) + 0.05
    assert abs(wished[3:][strong].mean() - batch.x0[3:][strong].mean()) < 0.03
    rows = [texture.step(0.2)["imitated"] for _ in range(60)]
    assert np.mean(rows[-10:]) < 0.8 * np.mean(rows[:10])
    texture.save()
    fewer = tmp_path / "fewer"
    fewer.mkdir()
    first = min(crops.iterdir())
    (fewer / first.name).write_bytes(first.read_bytes())
    other = Texture(
        run / "weights.pt", config, Store(store_directory), tmp_path, "cpu", perceptual, recipe, taught=fewer
    )
    with pytest.raises(InputError, match=r"another recipe \(taught was"):
        other.resume()


def test_what_does_not_fit_is_refused(crops, archive, tmp_path):
    with pytest.raises(InputError, match="holds no crops"):
        drawn(tmp_path)
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk/0_000000.pt").write_text("junk")
    with pytest.raises(InputError, match=r"0_000000\.pt: expected a crop that `teach` wrote"):
        drawn(tmp_path / "junk")
    with pytest.raises(InputError, match=r"--patch 25: the crops of .* allow at most 24"):
        drawn(crops, 25)
    prepare([archive], tmp_path / "store", scale=2, channels=3, size=128)
    with pytest.raises(InputError, match="is for factor 2; Real-ESRGAN enlarges by 4"):
        taught.make(Store(tmp_path / "store"), NATURAL_X4.schedule, enlarge, tmp_path / "new", 1)
