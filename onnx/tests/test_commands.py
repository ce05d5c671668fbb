"""The command line calls what it names, with the arguments given."""

import json
import sys

import numpy as np

from partdiff_train.__main__ import run as run_command


def test_commands_write_their_files(store_directory, tmp_path, monkeypatch):
    """From training to an int8 bundle and the reports on a store, each command on the output of an earlier one."""

    def command(line: str) -> None:
        monkeypatch.setattr(sys, "argv", ["partdiff-train", *line.format(store=store_directory, tmp=tmp_path).split()])
        run_command()

    command("train --store {store} --run {tmp}/run --iterations 2 --batch 2 --patch 16")
    assert (tmp_path / "run/log.txt").read_text().count(" valid ") == 1
    command("export {tmp}/run/weights.pt {tmp}/bundle --version 1.2.3 --training brief")
    manifest = json.loads((tmp_path / "bundle/model.json").read_text())
    assert (manifest["version"], manifest["training"]["summary"]) == ("1.2.3", "brief")
    assert manifest["presets"] == {
        "faithful": {"steps": 1, "consistency": 32},
        "balanced": {"steps": 2},
        "detailed": {"steps": 4},
    }
    command("quantise {tmp}/bundle {tmp}/int8 --store {store}")
    assert json.loads((tmp_path / "int8/model.json").read_text())["name"] == "natural-x4-int8"
    command("observe --store {store} --name tiny --report {tmp}/report")
    assert (tmp_path / "report/observation-tiny.md").exists()
    command("naturalness --store {store} --every 1 --output {tmp}/niqe.npz")
    assert np.load(tmp_path / "niqe.npz")["covariance"].shape == (36, 36)
