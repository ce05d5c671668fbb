"""What nibabel says of files of other projects and their results.

    peers.py kept FILE RESULT           the result, twice as fine in the plane, has what the file has
    peers.py same RESULT RESULT         both hold the same, to rounding
    peers.py empty FILE RESULT          both are zero everywhere
    peers.py slabs FILE NEW             writes NEW, of which each slice is the mean of four
    peers.py finer FILE SLABS RESULT    the result of the slabs is nearer to the file than cubic interpolation
"""

import gzip

import nibabel as nib
import numpy as np
from judge import corners, main, three
from PIL import Image

# Slices of a whole number of slabs.
COUNT = 88


def unpacked(path):
    """The bytes of a file, and its header as it is written there."""
    raw = path.read_bytes()
    raw = gzip.decompress(raw) if path.name.endswith(".gz") else raw
    kind = type(nib.load(path).header)
    return raw, kind(raw[: kind.sizeof_hdr], check=False)


def extensions(path):
    """Every extension as its bytes."""
    raw, header = unpacked(path)
    order = "little" if header.endianness == "<" else "big"
    at, found = header.sizeof_hdr + 4, []
    while raw[header.sizeof_hdr] and at + 16 <= int(header["vox_offset"]):
        size = int.from_bytes(raw[at : at + 4], order)
        found.append(raw[at : at + size])
        at += max(size, 16)
    return found


def judge_kept(before, after):
    old, new = nib.load(before), nib.load(after)
    assert type(old) is type(new) and old.header.endianness == new.header.endianness
    assert new.shape == tuple(side * (2 if axis < 2 else 1) for axis, side in enumerate(old.shape)), new.shape
    kind = old.get_data_dtype().type
    assert new.get_data_dtype().type == (np.float32 if kind == np.uint8 else kind), new.get_data_dtype()
    for get in ("get_qform", "get_sform"):
        (a, code), (b, new_code) = (getattr(image.header, get)(coded=True) for image in (old, new))
        assert code == new_code, (get, code, new_code)
        if code:
            a = nib.affines.apply_affine(a, corners(three(old.shape)))
            b = nib.affines.apply_affine(b, corners(three(new.shape)))
            assert np.abs(a - b).max() < 1e-4, (get, np.abs(a - b).max())
    (_, a), (_, b) = unpacked(before), unpacked(after)
    for field in ("scl_slope", "scl_inter", "xyzt_units", "intent_code", "dim_info", "slice_duration", "toffset"):
        assert a[field].tobytes() == b[field].tobytes(), (field, a[field], b[field])
    # Among them the time of repetition.
    assert a["pixdim"][4:].tobytes() == b["pixdim"][4:].tobytes(), b["pixdim"]
    assert extensions(after)[:-1] == extensions(before), before.name
    # Every volume looks like the one that it was made of.
    a, b = (image.get_fdata().reshape(*image.shape[:2], -1) for image in (old, new))
    for index in range(a.shape[2]):
        shrunk = b[..., index].reshape(a.shape[0], 2, a.shape[1], 2).mean((1, 3))
        assert np.abs(shrunk - a[..., index]).mean() <= 0.01 * a.max(), index


def judge_same(first, second):
    a, b = (nib.load(path).get_fdata() for path in (first, second))
    assert np.abs(a - b).max() < 1e-3, np.abs(a - b).max()


def judge_empty(before, after):
    assert not nib.load(before).get_fdata().any() and not nib.load(after).get_fdata().any()


def judge_slabs(before, new):
    old = nib.load(before)
    data = old.get_fdata()[..., :COUNT]
    data = data.reshape(*data.shape[:2], -1, 4).mean(3)
    if old.get_data_dtype() == np.uint8:
        data = data.round()
    place = old.affine @ np.diag([1, 1, 4, 1])
    place[:3, 3] = old.affine[:3] @ [0, 0, 1.5, 1]
    header = old.header.copy()
    header.set_data_shape(data.shape)
    header.set_zooms((2, 2, 8))
    image = type(old)(data.astype(old.get_data_dtype()), None, header)
    image.set_sform(place, int(header["sform_code"]))
    nib.save(image, new)


def judge_finer(before, slabs, after):
    fine, coarse, made = (nib.load(path) for path in (before, slabs, after))
    whole, given, result = fine.get_fdata()[..., :COUNT], coarse.get_fdata(dtype=np.float32), made.get_fdata()
    assert type(made) is type(fine) and result.shape == whole.shape, result.shape
    assert np.allclose(made.affine, fine.affine, atol=1e-4) and made.header["qform_code"] == 0
    cubic = np.empty_like(whole)
    for j in range(whole.shape[1]):
        rows = Image.fromarray(np.ascontiguousarray(given[:, j]))
        cubic[:, j] = np.asarray(rows.resize((COUNT, whole.shape[0]), Image.Resampling.BICUBIC))
    head = whole > 0.1 * whole.max()
    error, plain = (np.sqrt(((values - whole)[head] ** 2).mean()) for values in (result, cubic))
    assert error < 0.8 * plain, (error, plain)


if __name__ == "__main__":
    main(globals())
