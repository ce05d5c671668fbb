"""The damage estimator: what it learns, and what a bundle makes of it."""

import json
import shutil

import numpy as np
import pytest
import torch

from partdiff_train import estimator
from partdiff_train.batches import BatchSource
from partdiff_train.bundle import Bundle
from partdiff_train.dataset import Store
from partdiff_train.errors import InputError
from partdiff_train.export import digest, export
from partdiff_train.quantise import quantise
from partdiff_train.restore import schedule_of


def test_levels_below_0_are_right_for_clean_images():
    found, level = torch.tensor([-0.3, 0.2, -0.1]), torch.tensor([0.0, 0.0, 0.4])
    assert estimator.wrong(found, level).tolist() == pytest.approx([0.0, 0.2, 0.5])


def test_it_learns_the_level_and_goes_along_with_its_bundle(bundle, run, store_directory, tmp_path, monkeypatch):
    directory = tmp_path / "bundle"
    shutil.copytree(bundle, directory)
    monkeypatch.setattr(estimator, "SIDE", 24)
    store = Store(store_directory)
    estimator.add(directory, store, None, "cpu", iterations=200)
    entry = json.loads((directory / "model.json").read_text())["estimator"]
    assert entry["sha256"] == digest(directory / "estimator.onnx") and entry["side"] == 24
    b = Bundle(directory)
    batch = BatchSource(store, schedule_of(b.manifest), 128, 24, seed=5).draw(0)
    found = np.array([b.level(lr.numpy()) for lr in batch.lr])
    assert np.corrcoef(found, batch.cleanup().numpy())[0, 1] > 0.3
    assert b.estimator
    blurs = [b.estimator.run(["blur"], {"lr": lr[None].numpy()})[0] for lr in batch.lr]
    assert entry["blur"] == "blur" and np.corrcoef(np.concatenate(blurs), batch.blur.numpy())[0, 1] > 0.2
    assert b.level(batch.lr[0, :, :15].numpy()) == 0.0
    assert Bundle(bundle).level(batch.lr[0].numpy()) == 0.0

    some = batch.lr[found.argmax()].numpy()
    quantise(directory, store_directory, tmp_path / "int8")
    assert Bundle(tmp_path / "int8").level(some) == b.level(some) > 0
    # Exported again it goes along; new weights over it need another.
    export(directory, tmp_path / "again", "2", "")
    assert Bundle(tmp_path / "again").level(some) == b.level(some)
    export(run / "weights.pt", directory, "3", "")
    assert Bundle(directory).estimator is None and not (directory / "estimator.onnx").exists()


def test_crops_of_every_detail_are_shown(bundle):
    """Of a large image, 16 crops of the given side, from the most detailed to the flattest."""
    b = Bundle(bundle)
    b.manifest["estimator"] = {"side": 32}
    shown = []

    class Spy:
        def run(self, _, feeds):
            shown.append(feeds["lr"])
            return [np.full(len(feeds["lr"]), 0.5, np.float32)]

    b.estimator = Spy()
    image = np.zeros((3, 200, 300), np.float32)
    image[:, 4:36, 6:38] = np.random.default_rng(0).uniform(-1, 1, (3, 32, 32))
    image[:, 164:196, 166:198] = 0.5
    assert b.level(image) == 0.5
    (crops,) = shown
    assert crops.shape == (16, 3, 32, 32) and np.array_equal(crops[0], image[:, 4:36, 6:38])
    # The flat places stay in their order: of 54, the last one shown is the 51st.
    assert (crops[15] == 0.5).all()


def test_a_store_of_another_kind_is_refused(bundle, store_directory, tmp_path):
    directory = tmp_path / "bundle"
    shutil.copytree(bundle, directory)
    manifest = json.loads((directory / "model.json").read_text())
    (directory / "model.json").write_text(json.dumps(manifest | {"scale": 2}))
    with pytest.raises(InputError, match="2 times larger"):
        estimator.add(directory, Store(store_directory), None, "cpu", iterations=1)
