"""What numpy's Fourier transform says of volumes and their results.

    kspace.py make native FOLDER    volumes that were interpolated in k-space
    kspace.py make truncated FOLDER    one that was cut out of k-space, and one that was shrunk
    kspace.py truncated IN OUT      the first is nearer to the whole with its k-space put back
    kspace.py native IN OUT         such voxels are taken back
    kspace.py kspace IN OUT         slices of OUT hold the k-space of those in IN
"""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image
from judge import affine, corners, main, rotation, save


def in_k_space(data, length):
    """The first axis resized by zeros at the end of k-space, outer faces in place."""
    old = np.fft.fft(data, axis=0)
    new = np.zeros((length, *data.shape[1:]), complex)
    highest = min(len(data), length) // 2 - 1
    for frequency in range(-highest, highest + 1):
        phase = np.pi * frequency * (1 / length - 1 / len(data))
        new[frequency] = old[frequency] * np.exp(1j * phase)
    return np.fft.ifft(new, axis=0).real * length / len(data)


def make_native(folder):
    rng = np.random.default_rng(3)
    def head(length):
        data = np.zeros((length, 64, 6))
        for _ in range(60):
            first, size = rng.uniform(0.1, 0.6), rng.uniform(0.02, 0.3)
            j, k = rng.integers(2, 40), rng.integers(0, 4)
            edges = np.arange(length + 1) / length
            covered = np.clip(np.minimum(edges[1:], first + size) - np.maximum(edges[:-1], first), 0, None) * length
            data[:, j:j + 20, k:k + 2] += rng.uniform(20, 200) * covered[:, None, None]
        return data + 2 * rng.standard_normal(data.shape)
    # No frequency beyond those that the measured grid holds on both sides.
    low = in_k_space(in_k_space(head(144), 143), 144)
    np.save(folder.parent / "low.npy", low)
    place = affine(rotation(0.3, -0.4, 0.1) @ np.diag([0.75, 1, 4]))
    zero_filled = in_k_space(low, 192)
    save(folder / "stated.nii", zero_filled.astype("f4"), place, place)
    phase = {"PhaseEncodingDirection": "i-", "AcquisitionMatrixPE": 144, "ReconMatrixPE": 192}
    (folder / "stated.json").write_text(json.dumps(phase))
    save(folder / "found.nii", np.abs(zero_filled).round().astype("i2"), place, place)
    # Not below IN: it has nothing to take back.
    save(folder.parent / "full.nii", np.abs(head(192)).round().astype("i2"), place, place)


def make_truncated(folder):
    # A photograph in air has structure that the model knows, unlike drawn shapes.
    photograph = np.asarray(Image.open(Path(__file__).parents[2] / "data" / "girl.png").convert("L")).astype(float)
    x, y = np.meshgrid(*[np.linspace(-1, 1, 144)] * 2, indexing="ij")
    head = photograph[:144, :144] * np.clip((0.95 - np.hypot(x, y)) / 0.2, 0, 1)
    low = in_k_space(in_k_space(head, 72).T, 72).T
    shrunk = head.reshape(72, 2, 72, 2).mean((1, 3))
    place = affine(rotation(0.3, -0.4, 0.1) @ np.diag([1.5, 1.5, 4]))
    for name, slice in (("truncated", np.abs(low)), ("shrunk", shrunk), ("signed", low)):
        save(folder / f"{name}.nii", np.repeat(slice[..., None], 3, 2).astype("f4"), place, place)
    save(folder / "across.nii", np.repeat(np.abs(low)[None], 3, 0).astype("f4"), place, place)
    np.save(folder.parent / "head.npy", head)


def judge_truncated(before, after):
    head = np.load(before.parent / "head.npy")
    found, plain = (nib.load(after / name).get_fdata()[..., 1] for name in ("truncated.nii", "plain.nii"))
    errors = [np.sqrt(np.mean((slice - head) ** 2)) for slice in (found, plain)]
    assert errors[0] < 0.97 * errors[1], errors


def judge_native(before, after):
    low = np.load(before.parent / "low.npy")
    stated = nib.load(after / "stated.nii")
    assert stated.shape == (144, 64, 6), stated.shape
    error = np.abs(stated.get_fdata() - low).max() / np.ptp(low)
    assert error < 1e-4, error
    assert 140 <= nib.load(after / "found.nii").shape[0] <= 152, nib.load(after / "found.nii").shape
    for path in sorted(before.glob("*.nii")):
        old, new = nib.load(path), nib.load(after / path.name)
        ends = [nib.affines.apply_affine(image.affine, corners(image.shape)) for image in (old, new)]
        assert np.abs(ends[0] - ends[1]).max() < 1e-4, path.name
        assert np.allclose(new.header["pixdim"][1], 0.75 * 192 / new.shape[0]), path.name


def judge_kspace(before, after):
    old, new = (nib.load(folder / "scan.nii").get_fdata() for folder in (before, after))
    halves = [(side - 1) // 2 for side in old.shape[:2]]
    x, y = np.meshgrid(*(np.arange(-half, half + 1) for half in halves), indexing="ij")
    for k in range(old.shape[2]):
        # Both are taken to be samples of one image; those of a grid begin half a voxel inside.
        a, b = (
            np.fft.fft2(slice)[x, y] * np.exp(-1j * np.pi * (x / slice.shape[0] + y / slice.shape[1])) / slice.size
            for slice in (old[..., k], new[..., k])
        )
        assert np.abs(a - b).max() < 1e-4 * np.abs(a).max(), (k, np.abs(a - b).max())


if __name__ == "__main__":
    main(globals())
