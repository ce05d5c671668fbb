"""Invalid input is named in one line, and nothing is written."""

import shutil
import sys
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from partdiff_train.__main__ import run as run_command
from partdiff_train.dataset import Store, prepare
from partdiff_train.errors import InputError
from partdiff_train.evaluate import evaluate
from partdiff_train.train import Trainer

MODELS = Path(__file__).parent.parent / "models"


@pytest.fixture
def places(store_directory, run, bundle, archive, tmp_path) -> dict[str, Path]:
    (tmp_path / "junk.pt").write_text("hello")
    (tmp_path / "empty").mkdir()
    junk = tmp_path / "junk.jpg"
    junk.write_text("no image")
    with tarfile.open(tmp_path / "junk.tar", "w") as tar:
        tar.add(junk, "junk.jpg")
    given = {"store": store_directory, "weights": run / "weights.pt", "bundle": bundle, "archive": archive}
    return given | {"tmp": tmp_path, "models": MODELS}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("train --store {tmp}/empty --run {tmp}/new --minutes 1", "{tmp}/empty: not a store, it has no names.txt"),
        (
            "train --config mri-x4 --store {store} --run {tmp}/new --minutes 1",
            "{store}: images of 3 channels for scale 4",
        ),
        ("train --store {store} --run {tmp}/new", "one of the arguments --minutes --iterations is required"),
        ("train --config huge --store {store} --run {tmp}/new --minutes 1", "natural-x4-large"),
        ("export {tmp}/none.pt {tmp}/new --version 1", "{tmp}/none.pt"),
        (
            "export {tmp}/junk.pt {tmp}/new --version 1",
            "{tmp}/junk.pt: expected weights.pt of a run, or a bundle",
        ),
        ("export {tmp}/empty {tmp}/new --version 1", "{tmp}/empty: not a bundle, it has no model.json"),
        ("export {models}/natural-x4-int8 {tmp}/new --version 1", "natural-x4-int8: not a bundle that `export` wrote"),
        ("evaluate {tmp}/empty --data {tmp} --report {tmp}/new", "{tmp}/empty: not a bundle, it has no model.json"),
        ("evaluate {bundle} --data {tmp} --report {tmp}/new --steps 41", "--steps 41: tiny takes 1 to 40"),
        ("quantise {models}/mri-x4 {tmp}/new --store {store}", "the network takes 1 and 4"),
        ("train --store {store} --run {tmp}/new --minutes 0", "0: expected more than 0"),
        (
            "train --store {store} --run {tmp}/new --minutes 1 --patch 25",
            "--patch 25: the images of {store} allow at most 24",
        ),
        (
            "texture {models}/mri-x4 --store {store} --perceptual {tmp} --run {tmp}/new --minutes 1",
            "the network takes 1 and 4",
        ),
    ],
)
def test_bad_input_is_named(command, expected, places, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["partdiff_train", *command.format(**places).split()])
    with pytest.raises(SystemExit) as end:
        run_command()
    assert expected.format(**places) in f"{end.value}{capsys.readouterr().err}"
    assert not (places["tmp"] / "new").exists()


def test_missing_sets_are_named(bundle, tmp_path):
    with pytest.raises(InputError, match="Nope/HR: no PNG images"):
        evaluate(bundle, tmp_path, ["Nope"], [1], tmp_path / "report")
    (tmp_path / "mri/HR").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "mri/HR/a.png")
    with pytest.raises(InputError, match="mri/LR_x4_kspcae: no such directory"):
        evaluate(bundle, tmp_path, ["mri/LR_x4_kspcae"], [1], tmp_path / "report")


def test_a_run_resumes_with_its_own_recipe_only(tiny, store_directory, tmp_path):
    store = Store(store_directory)
    trainer = Trainer(tiny, store, tmp_path, "cpu")
    trainer.step(0.5)
    trainer.save()
    with pytest.raises(InputError, match=r"state\.pt: started with another recipe \(batch was 4, is 2\)"):
        Trainer(replace(tiny, batch=2), store, tmp_path, "cpu").resume()
    with pytest.raises(InputError, match="seed was 0, is 1"):
        Trainer(tiny, store, tmp_path, "cpu", seed=1).resume()


def test_a_store_of_an_earlier_version_is_told(store_directory, tmp_path):
    shutil.copytree(store_directory, tmp_path / "store")
    (tmp_path / "store/lr_area.npy").unlink()
    with pytest.raises(InputError, match=r"store: has no lr_area\.npy; an earlier `prepare` wrote it"):
        Store(tmp_path / "store")


def test_archives_without_images_are_named(places):
    tmp = places["tmp"]
    with pytest.raises(InputError, match=r"junk\.jpg: not a valid JPEG or PNG image"):
        prepare([tmp / "junk.tar"], tmp / "new", 4, 3, 32)
    with pytest.raises(InputError, match=r"junk\.pt: not a complete tar archive"):
        prepare([tmp / "junk.pt"], tmp / "new", 4, 3, 32)
    with pytest.raises(InputError, match="no JPEG or PNG image of at least 512x512"):
        prepare([places["archive"]], tmp / "new", 4, 3, 512)
    assert not (tmp / "new").exists()
