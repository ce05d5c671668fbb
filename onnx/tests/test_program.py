"""The program upscales with a freshly trained bundle as the Python sampler does, from the same noise."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from partdiff_train.bundle import Bundle
from partdiff_train.evaluate import read
from partdiff_train.noise_field import normals
from partdiff_train.pixels import from_bytes, to_bytes
from partdiff_train.sampler import timesteps

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("steps", "options", "how"),
    [
        (1, [], {}),
        (3, [], {}),
        (4, ["--sampler", "ddim", "--eta", "0.5"], {"eta": 0.5}),
        (4, ["--sampler", "dpmpp-2m"], {"multistep": True}),
    ],
)
def test_program_equals_python(program, bundle, tmp_path, steps, options, how):
    """Within one level anywhere; tiles of 16 pixels, so that the exported halos are put to the test."""
    lr = Image.open(ROOT / "tests/data/dog.png").convert("RGB").crop((40, 30, 88, 71))
    lr.save(tmp_path / "in.png")
    subprocess.run(
        [program, "upscale", tmp_path / "in.png", "-o", tmp_path / "out.png", "--model", bundle, "--seed", "5",
         "--steps", str(steps), "--tile", "16", "--quiet", *options],
        check=True,
    )  # fmt: skip
    b = Bundle(bundle)
    shape = (3, 4 * 41, 4 * 48)
    noise = [normals(5, t, shape) for t in timesteps(b.schedule.start_step, steps, b.manifest["defaults"]["spacing"])]
    expected = to_bytes(b.upscale(from_bytes(read(tmp_path / "in.png", 3)), steps, noise=noise, **how))
    got = read(tmp_path / "out.png", 3)
    assert np.abs(got - expected).max() <= 1
    assert np.mean(got != expected) < 0.05
