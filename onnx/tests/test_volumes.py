"""The report on MR volumes: coarse volumes, measures, and the program's results in their places."""

import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
import torch
from PIL import Image

from partdiff_train import chains, resample, volumes
from partdiff_train.errors import InputError
from partdiff_train.volumes import KSPACE, ONE_STEP, Program, enlarging, evaluate_volumes
from partdiff_train.whole_volumes import SHRINKINGS, Whole, interpolate, measure, stacks, volume

NAMES = {shrinking.label: shrinking for shrinking in SHRINKINGS}


def phantom(sides: tuple[int, int, int] = (48, 48, 6)) -> np.ndarray:
    """[I, J, K] an ellipsoid with rings, in air."""
    i, j, k = np.meshgrid(*(np.linspace(-1, 1, n) for n in sides), indexing="ij")
    radius = np.sqrt((i / 0.8) ** 2 + (j / 0.7) ** 2 + (k / 2) ** 2)
    return np.where(radius < 1, 600 + 300 * np.cos(6 * radius + i), 0.0)


@pytest.fixture
def whole(tmp_path) -> Whole:
    nibabel.save(nibabel.Nifti1Image(phantom().astype(np.int16), np.diag([0.9, 0.9, 3, 1])), tmp_path / "a.b.nii.gz")
    return volume(tmp_path / "a.b.nii.gz")


def test_a_volume_and_slices_are_read(whole, tmp_path):
    """[T, K, I, J], cropped around the middle; slices of one name are time points."""
    assert whole.name == "a.b" and whole.values.shape == (1, 6, 48, 48)
    assert whole.voxel == pytest.approx((0.9, 0.9, 3))
    assert (whole.values[0, 2] == phantom().astype(np.int16)[:, :, 2]).all()
    for name in ("s1_003", "s1_007", "s2_001"):
        Image.fromarray(np.full((51, 50), 9, np.uint8)).save(tmp_path / f"{name}.png")
    assert [(s.name, s.values.shape) for s in stacks(tmp_path)] == [("s1", (2, 1, 48, 48)), ("s2", (1, 1, 48, 48))]
    nibabel.save(nibabel.Nifti1Image(np.zeros((30, 30), np.int16), np.eye(4)), tmp_path / "flat.nii")
    for name in ("flat.nii", "missing.nii"):
        with pytest.raises(InputError, match=name):
            volume(tmp_path / name)


def test_coarse_volumes_cover_the_same_place(whole):
    """All ways keep the mean and the place: smooth values come back by interpolation where they were."""
    j, i = np.meshgrid(np.arange(48), np.arange(48))
    smooth = Whole("smooth", np.exp(-((i - 20) ** 2 + (j - 25) ** 2) / 100.0)[None, None], (1, 1, 1))
    for shrinking in SHRINKINGS:
        coarse = shrinking(smooth)
        assert coarse.values.shape[2:] == (48 // shrinking.factors[0], 48 // shrinking.factors[1])
        assert coarse.voxel == pytest.approx((*shrinking.factors, 1))
        assert coarse.values.mean() == pytest.approx(smooth.values.mean(), rel=1e-3)
        back = interpolate(coarse.values, (48, 48), "cubic")
        assert np.abs(back - smooth.values).max() < (0.15 if 6 in shrinking.factors else 0.06), shrinking.label
    slabs = NAMES["one axis x4, slab means"](whole)
    assert np.allclose(slabs.values[0, 3, :, 5], whole.values[0, 3, :, 20:24].mean(1))


def test_zero_filling_undoes_truncation():
    """Exactly, where the image has no frequencies beyond."""
    x = np.arange(48) + 0.5
    image = 3 + np.cos(2 * np.pi * 2 * x / 48)[:, None] * np.sin(2 * np.pi * 3 * x / 48 + 1)[None]
    small = resample.truncate_kspace(torch.from_numpy(image[None]), 4).numpy()
    assert np.allclose(interpolate(small, (48, 48), "fourier"), image)
    assert np.allclose(resample.fourier_matrix(9, 30).sum(axis=1), 1)


def test_measures_are_right_where_the_answer_is_known(whole):
    perfect = measure(whole.values, whole.values, 1)
    assert perfect["psnr"] > 90 and perfect["ssim"] == pytest.approx(1) and perfect["nmse"] == 0 == perfect["hfen"]
    assert perfect["sharpness"] == 1 == perfect["neighbours"]
    peak = whole.values.max()
    inside = np.where(whole.values > 0, whole.values + peak / 100, 0)
    found = measure(inside, whole.values, 1)
    assert 40 <= found["psnr"] < 42 < found["psnr_all"]
    assert measure(whole.values + peak / 100, whole.values, 1)["psnr_all"] == pytest.approx(40)
    blurred = interpolate(NAMES["x4, bicubic"](whole).values, (48, 48), "cubic")
    assert measure(blurred, whole.values, 3)["sharpness"] < 0.6 > measure(blurred, whole.values, 3)["nmse"] > 0
    assert np.isnan(measure(whole.values[:, :1], whole.values[:, :1], 1)["neighbours"])
    with pytest.raises(InputError, match="without a head"):
        measure(np.zeros((1, 2, 24, 24)), np.zeros((1, 2, 24, 24)), 1)


def test_the_program_brings_volumes_back_in_place(program, whole):
    """In the plane and through it, volumes and stacks of slices."""
    run = Program(Path(program), 1)
    stack = Whole("stack", whole.values[:, 2:4].transpose(1, 0, 2, 3), (1.0, 1.0, 1.0))
    for given in (whole, stack):
        for label in ("x4, bicubic", "one axis x4, slab means"):
            shrinking = NAMES[label]
            coarse = shrinking(given)
            made = run.upscale(coarse, enlarging(shrinking, given))
            assert made.shape == given.values.shape
            cubic = interpolate(coarse.values, (48, 48), "cubic")
            assert measure(made, given.values, 3)["psnr"] > measure(cubic, given.values, 3)["psnr"], label
    with pytest.raises(InputError, match="failed on stack"):
        run.upscale(stack, ["--scale", "0"])


def test_the_verdict_names_the_sets_where_one_step_falls_short():
    rows = lambda one: {
        label: {"psnr": psnr}
        for label, psnr in {"bicubic": 30, "Lanczos": 30.5, ONE_STEP: one, KSPACE: one - 0.25}.items()
    }
    good, bad = ({label: rows(one) for label in NAMES} for one in (31.5, 30.25))
    below, told, reached, short = volumes.verdict({"good": good, "bad": bad}).splitlines()
    assert all(f"bad, {label} (-0.25 dB)" in below for label in NAMES) and "good" not in below
    assert told.count("truncated k-space (-0.50 dB)") == 2 and "good" not in told
    assert reached.count("good, one axis x") == 3 and short.count("bad, one axis x") == 3
    assert "(+1.50 dB)" in reached and "(+0.25 dB)" in short
    assert volumes.verdict({"good": good}).count("on no set") == 3


def test_the_report_has_every_set_and_method(program, whole, tmp_path, monkeypatch):
    few = tuple(NAMES[label] for label in volumes.PICTURED)
    monkeypatch.setattr(volumes, "SHRINKINGS", few)
    monkeypatch.setattr(volumes, "METHODS", {ONE_STEP: "", "detailed": "--steps 2"})
    (tmp_path / "mri/HR").mkdir(parents=True)
    Image.fromarray((phantom()[..., 3] / 4).astype(np.uint8)).save(tmp_path / "mri/HR/s_001.png")
    seen = tmp_path / "seen.nii"
    nibabel.save(nibabel.Nifti1Image(phantom().astype(np.float32), np.eye(4)), seen)
    given = (tmp_path / "mri", [tmp_path / "a.b.nii.gz"], [seen], tmp_path / "report")
    evaluate_volumes(Program(Path(program), 1), *given, slices=2, more=["--cleanup 0.3"])
    text = (tmp_path / "report/mri-volumes.md").read_text()
    for name in ("a.b", "seen", "slices of mri"):
        assert f"\n## {name}\n" in text
        for shrinking in few:
            assert f"| {name} | {shrinking.label} |" in text
    assert "- seen: 48x48x2 voxels of 1x1x1 mm; its subject was trained on" in text
    assert text.count(f"| {KSPACE} |") == 3 + 1
    assert text.count("| --cleanup 0.3 |") == 6 + 1 and "Along one axis, one step is" in text
    pictures = sorted(path.name for path in (tmp_path / "report").glob("*.webp"))
    assert pictures == [f"mri-volumes-a.b-{what}.webp" for what in ("acquired", "plane", "through")]
    assert all(name in text for name in pictures)
    with pytest.raises(InputError, match="expected the program"):
        evaluate_volumes(Program(tmp_path / "no", 1), *given)


def test_the_chains_are_compared_call_by_call(program, whole, tmp_path, monkeypatch):
    monkeypatch.setattr(chains, "CALLS", (1, 2))
    models = Path(__file__).parents[1] / "models"
    bundles = [tmp_path / name for name in ("aligned", "full")]
    for bundle in bundles:
        shutil.copytree(models / "mri-x4", bundle)
    chains.compare_chains(Program(Path(program), 1), bundles, {"phantom": [whole]}, tmp_path)
    text = (tmp_path / "mri-chains.md").read_text()
    for way in chains.SHRUNK:
        assert f"\n## phantom, {way}\n" in text
    for label in ("bicubic", "aligned, 1 call", "aligned, 2 calls", "full, 1 call", "full, 2 calls"):
        assert text.count(f"| {label} |") == 2
    # The same model twice: no difference.
    assert text.count("calls: +0.00 dB (higher on 0 of 2), SSIM +0.000, sharpness +0.00") == 1
