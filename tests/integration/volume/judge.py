"""What nibabel says of volumes and their results; nothing of ours reads here what ours wrote.

    judge.py make PLACES FOLDER    volumes for which PLACES (places or types) matters
    judge.py places IN OUT         every volume of OUT covers the space of its namesake in IN
    judge.py kept IN OUT           every volume of OUT has what its namesake in IN has, and a record
    judge.py copies IN OUT         every volume of OUT has the bytes and voxels of its namesake in IN
    judge.py through IN OUT        slices of 4 mm became slices of 1 mm with the same means
    judge.py masked IN OUT         results of one volume differ inside the mask only
    judge.py spread IN OUT         the map of OUT is the standard deviation over its results
    judge.py values IN OUT         what must hold of single volumes
"""

import gzip
import itertools
import json
import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

warnings.filterwarnings("ignore")
SIZE = (12, 9, 4)
TYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


def smooth(shape, seed=0):
    """Values with some shape in them, 0 to 1."""
    axes = np.meshgrid(*(np.arange(n) for n in shape), indexing="ij")
    phase = sum((0.5 + 0.2 * n) * axis for n, axis in enumerate(axes)) + seed
    return 0.5 + 0.45 * np.sin(phase)


def rotation(x, y, z):
    """A rotation about x, then y, then z."""
    result = np.eye(3)
    for axis, angle in enumerate((x, y, z)):
        turn = np.eye(3)
        a, b = [n for n in range(3) if n != axis]
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        result = turn @ result
    return result


def affine(matrix, origin=(-90.5, 126.25, -72)):
    result = np.eye(4)
    result[:3, :3] = matrix
    result[:3, 3] = origin
    return result


def save(path, data, qform=None, sform=None, kind=nib.Nifti1Image, codes=(1, 2), change=None):
    image = kind(data, None)
    image.header.set_xyzt_units("mm", "sec")
    image.set_qform(qform, codes[0] if qform is not None else 0)
    image.set_sform(sform, codes[1] if sform is not None else 0)
    if change:
        change(image.header)
    nib.save(image, path)


def make_places(folder):
    data = (1000 * smooth(SIZE)).astype("i2")
    zooms = np.array([0.9, 1.1, 4.0])
    for order in itertools.permutations(range(3)):
        moved = data.transpose(order)
        for flips in itertools.product([1, -1], repeat=3):
            matrix = np.zeros((3, 3))
            for axis, source in enumerate(order):
                matrix[source, axis] = zooms[source] * flips[source]
            name = "".join(map(str, order)) + "".join("+" if f > 0 else "-" for f in flips)
            save(folder / f"order-{name}.nii", moved, affine(matrix), affine(matrix))
    scaled = [rotation(*angles) @ np.diag(zooms) for angles in [(0.2, 0, 0), (0.3, -0.4, 0.1), (-0.1, 1.2, 2.5)]]
    for number, matrix in enumerate(scaled):
        save(folder / f"oblique-{number}.nii.gz", data, affine(matrix), affine(matrix))
        left = affine(matrix @ np.diag([1, 1, -1]))
        save(folder / f"left-{number}.nii", data, left, left)
    oblique = affine(scaled[1])
    save(folder / "qform.nii", data, qform=oblique)
    save(folder / "sform.nii", data, sform=oblique, codes=(0, 4))
    save(folder / "different.nii", data, qform=oblique, sform=affine(scaled[2], (5, 6, 7)), codes=(3, 4))
    sheared = scaled[1] @ np.array([[1, 0.3, -0.2], [0, 1, 0.1], [0, 0, 1]])
    save(folder / "sheared.nii", data, sform=affine(sheared))
    save(folder / "nowhere.nii", data)
    save(folder / "slice.nii", data[:, :, :1], oblique, oblique)
    save(folder / "flat.nii", data[:, :, 0], oblique, oblique)
    save(folder / "coronal-slice.nii", data[:, :1, :], oblique, oblique)
    four = np.stack([data, data[::-1]], axis=-1)
    save(folder / "four.nii.gz", four, oblique, oblique, change=lambda h: h["pixdim"].__setitem__(4, 2.5))
    save(folder / "two.nii", data, oblique, oblique, kind=nib.Nifti2Image)
    save(folder / "metres.nii", data, oblique, oblique, change=lambda h: h.set_xyzt_units("meter", "msec"))
    def timing(header):
        header.set_dim_info(0, 1, 2)
        header["slice_code"], header["slice_end"], header["slice_duration"] = 3, 3, 0.25
    save(folder / "timing.nii", data, oblique, oblique, change=timing)


def make_types(folder):
    rng = np.random.default_rng(1)
    for code, order, kind in itertools.product(TYPES, "<>", (nib.Nifti1Image, nib.Nifti2Image)):
        dtype = np.dtype(order + code)
        if code[0] == "f":
            data = rng.standard_normal((5, 4, 3)).astype(dtype)
            data[0, 0, 0] = np.nan
        else:
            limits = np.iinfo(dtype)
            data = rng.integers(limits.min, limits.max, (5, 4, 3), endpoint=True, dtype=code).astype(dtype)
        header = kind.header_class(endianness=order)
        header.set_data_dtype(dtype)
        image = kind(data, affine(rotation(0.3, -0.4, 0.1) @ np.diag([1, 2, 3])), header=header)
        image.header["descrip"] = b"made by hand"
        image.header["intent_name"] = b"something"
        image.header["cal_max"], image.header["toffset"] = 17, 0.5
        image.header.extensions.append(nib.nifti1.Nifti1Extension(6, b"a comment"))
        image.header.extensions.append(nib.nifti1.Nifti1Extension(4, b"<AFNI/>" * 9))
        for ending in (".nii", ".nii.gz"):
            path = folder / f"{code}-{'le' if order == '<' else 'be'}-{kind.__name__}{ending}"
            nib.save(image, path)
    image = nib.Nifti1Image(np.arange(60, dtype="i2").reshape(5, 4, 3), np.eye(4))
    image.header.set_slope_inter(0.5, -1000)
    nib.save(image, folder / "slope.nii")


def make_values(folder):
    blocks = np.zeros((16, 16, 3), "u2")
    blocks[8:] = 65535
    save(folder / "blocks.nii", blocks, np.diag([1.0, 1, 3, 1]), None)
    signed = (2000 * smooth((16, 16, 3)) - 1500).astype("i2")
    signed[3, 3, 1] = 32767
    signed[12, 12, 1] = -32768
    save(folder / "signed.nii.gz", signed, np.diag([1.0, 1, 3, 1]), None)
    holes = (0.01 * smooth((16, 16, 3))).astype("f4")
    holes[:5, :7] = np.nan
    save(folder / "holes.nii", holes, np.diag([1.0, 1, 3, 1]), None)
    save(folder / "bytes.nii", (255 * smooth((16, 16, 3))).astype("u1"), np.diag([1.0, 1, 3, 1]), None)
    wide = np.zeros((16385, 2, 1), "i2")
    wide[::2] = 5
    save(folder / "wide.nii", wide, np.eye(4), np.eye(4))
    pair = nib.Nifti1Pair((1000 * smooth((16, 16, 3))).astype("i2"), np.diag([1.0, 1, 3, 1]))
    nib.save(pair, folder / "pair.hdr")
    nib.save(pair, folder / "packed.hdr.gz")
    old = nib.Spm2AnalyzeImage((1000 * smooth((16, 16, 3))).astype("i2"), np.diag([-1.0, 1, 3, 1]))
    old.header["origin"][:3] = 3, 4, 2
    old.header["scl_slope"] = 0.5
    nib.save(old, folder / "old.img")
    # Where nibabel would read another place from.
    (folder / "old.mat").unlink()
    four = np.stack([1000 * smooth((12, 12, 2), n) for n in range(3)], axis=-1).astype("i2")
    save(folder / "series.nii", four, np.diag([1.0, 1, 3, 1]), None)
    image = nib.load(folder / "series.nii")
    for n in range(3):
        save(folder / f"series-{n}.nii", four[..., n], np.diag([1.0, 1, 3, 1]), None)
    assert image.shape[3] == 3


def make_through(folder):
    data = 1000 * smooth((16, 14, 5))
    for order in ((0, 1, 2), (0, 2, 1), (2, 0, 1)):
        matrix = np.diag(np.array([1.0, 1, 4])[list(order)])
        name = "".join(map(str, order))
        save(folder / f"i2-{name}.nii", data.transpose(order).astype("i2"), affine(matrix), None)
        holes = data.astype("f4")
        holes[:6, :5, 1:3] = np.nan
        save(folder / f"f4-{name}.nii.gz", holes.transpose(order), affine(matrix), affine(matrix))
    save(folder / "series.nii", np.stack([data, 2 * data], -1).astype("f8"), np.diag([1.0, 1, 4, 1]), None)


def judge_through(before, after):
    for path in sorted(before.iterdir()):
        old, new = nib.load(path), nib.load(after / path.name)
        assert np.allclose(new.header.get_zooms()[:3], 1), path.name
        ends = [nib.affines.apply_affine(image.affine, corners(image.shape)) for image in (old, new)]
        assert np.abs(ends[0] - ends[1]).max() < 1e-4, path.name
        axis = old.shape.index(5)
        a, b = (np.moveaxis(image.get_fdata(), axis, 2) for image in (old, new))
        assert b.shape[2] == 20, (path.name, b.shape)
        assert np.array_equal(np.isnan(a).repeat(4, 2), np.isnan(b)), path.name
        means = b.reshape(*b.shape[:2], 5, 4, *b.shape[3:]).mean(3)
        assert np.nanmax(np.abs(means - a)) < 2, (path.name, np.nanmax(np.abs(means - a)))
        assert new.get_data_dtype() == old.get_data_dtype(), path.name


def make_masked(folder):
    data = 1000 * smooth((24, 20, 6))
    grid, zooms = (24, 20, 6), np.diag([1.0, 1, 4, 1])
    save(folder / "scan.nii", data.astype("f4"), zooms, zooms)
    inside = np.zeros(grid, "u1")
    inside[6:15, 5:17, 1:5] = 3
    inside[9:12, 8:11, 3] = 0
    save(folder / "inside.nii.gz", inside, None, zooms + np.diag([1e-5, 0, 0, 0]))
    save(folder / "small.nii", inside[:, :, :5], zooms, zooms)
    save(folder / "moved.nii", inside, None, affine(np.diag([1.0, 1, 4]), (0, 3, 0)))
    save(folder / "nowhere.nii", inside)
    save(folder / "empty.nii", np.zeros(grid), zooms, zooms)


def judge_masked(before, after):
    inside = np.asanyarray(nib.load(before / "inside.nii.gz").dataobj) != 0
    fine = inside.repeat(2, 0).repeat(2, 1)
    a, b = (nib.load(after / name / "scan.nii").get_fdata() for name in "ab")
    assert np.array_equal(a[~fine], b[~fine])
    assert (a != b)[fine].mean() > 0.99
    # Outside, Pillow makes the same of it.
    data = nib.load(before / "scan.nii").get_fdata(dtype="f4")
    for k in range(6):
        cubic = np.asarray(Image.fromarray(data[..., k]).resize((40, 48), Image.Resampling.BICUBIC))
        apart = np.abs(cubic - a[..., k])[~fine[..., k]].max()
        assert apart < 1.5, (k, apart)
    # In the middle of what lies inside it is the model's; no voxel of the middle is near the border.
    whole = nib.load(after / "e.nii").get_fdata()
    middle = (slice(14, 17), slice(24, 32), slice(1, 5))
    assert np.abs(whole - a)[middle].max() < 1.5, np.abs(whole - a)[middle].max()
    c, d = (nib.load(after / name / "scan.nii").get_fdata() for name in "cd")
    fine = inside.repeat(4, 2)
    # The means of acquired slices are put right afterwards, from a column's own values.
    assert np.array_equal(c[~inside.any(2)], d[~inside.any(2)])
    assert (c != d)[fine].mean() > 0.9


def make_spread(folder):
    data = 1000 * smooth((20, 18, 5)).astype("f4")
    data[:6, :5, 1:3] = np.nan
    for name, order in (("scan", (0, 1, 2)), ("turned", (2, 0, 1))):
        zooms = np.diag([*np.array([1.0, 1, 4])[list(order)], 1])
        image = nib.Nifti1Image(data.transpose(order), zooms)
        image.header.set_slope_inter(-0.5, 100)
        nib.save(image, folder / f"{name}.nii")


def judge_spread(scan, results):
    def load(what):
        path, _, name = str(results).rpartition("--")
        return nib.load(f"{path}-{what}-{name}")

    old, whole, spread = nib.load(scan), load("0"), nib.load(str(results).replace("--", "-map-") + ".gz")
    assert whole.shape == spread.shape != old.shape and np.array_equal(whole.affine, spread.affine)
    assert np.allclose(whole.header.get_zooms(), spread.header.get_zooms())
    assert spread.get_data_dtype() == np.float32 and spread.header.get_slope_inter() in ((1, 0), (None, None))
    again = [nib.load(str(results).replace("--", f"-{seed}-") + "-again.nii").get_fdata() for seed in range(3)]
    assert np.array_equal(whole.get_fdata(), again[0], equal_nan=True)
    known, found = np.std(again, axis=0, ddof=1), spread.get_fdata()
    assert np.array_equal(np.isnan(known), np.isnan(found)) and np.isnan(found).any()
    if "through" in str(results):
        assert np.nanmax(np.abs(known - found)) < 0.01 * np.nanmax(known), np.nanmax(np.abs(known - found))
    # In the plane it is that of the model's own size, before resampling to this one.
    ratio = np.nanmean(found) / np.nanmean(known)
    assert 0.8 < ratio < 1.6 and np.nanmean(known) > 0.1, ratio


def corners(shape):
    ends = [(-0.5, side - 0.5) for side in shape[:3]]
    points = list(itertools.product(*ends)) + [tuple((side - 1) / 2 for side in shape[:3])]
    return np.array(points)


def three(shape):
    return (tuple(shape) + (1, 1))[:3]


def judge_places(before, after):
    for path in sorted(before.iterdir()):
        old, new = nib.load(path), nib.load(after / path.name)
        header = new.header
        # Older versions of nibabel take the rounding of a half turn for a small rotation.
        half_turn = abs(1 - sum(float(header[f"quatern_{part}"]) ** 2 for part in "bcd")) < 4e-7
        limit = 2e-3 if half_turn and nib.Nifti1Header.quaternion_threshold < 0 else 1e-4
        for get in ("get_qform", "get_sform"):
            a, code = getattr(old.header, get)(coded=True)
            b, new_code = getattr(header, get)(coded=True)
            assert code == new_code, (path.name, get, code, new_code)
            if code:
                a = nib.affines.apply_affine(a, corners(three(old.shape)))
                b = nib.affines.apply_affine(b, corners(three(new.shape)))
                assert np.abs(a - b).max() < limit, (path.name, get, np.abs(a - b).max())
        factors = np.array(three(new.shape)) / three(old.shape)
        assert sorted(factors)[0] == 1 and sorted(factors)[2] > 1, (path.name, factors)
        zooms = (old.header["pixdim"][1:4] / factors, header["pixdim"][1:4])
        assert np.allclose(*zooms, rtol=1e-6), (path.name, zooms)
        assert np.array_equal(old.header["pixdim"][4:], header["pixdim"][4:]), path.name
        assert old.header["dim"][0] == header["dim"][0], path.name
        for field in ("dim_info", "slice_code", "slice_end", "slice_duration", "xyzt_units", "datatype", "intent_code"):
            assert old.header[field] == header[field], (path.name, field)
        assert type(old) is type(new), path.name
    # Slices are the same whatever the order of the axes, as long as the plane's keep theirs.
    base = np.asanyarray(nib.load(after / "order-012+++.nii").dataobj)
    for order in ("021", "201"):
        moved = np.asanyarray(nib.load(after / f"order-{order}+++.nii").dataobj)
        assert np.array_equal(base.transpose([int(n) for n in order]), moved), order


def judge_kept(before, after):
    changed = {"dim", "pixdim", "qoffset_x", "qoffset_y", "qoffset_z", "srow_x", "srow_y", "srow_z", "vox_offset"}
    for path in sorted(before.iterdir()):
        old, new = nib.load(path), nib.load(after / path.name)
        assert old.header.endianness == new.header.endianness and type(old) is type(new), path.name
        widened = {"datatype", "bitpix"} if path.name[1] == "1" else set()
        told = {"descrip"} if path.name == "slope.nii" else set()
        for field in set(old.header.keys()) - changed - widened - told:
            assert old.header[field].tobytes() == new.header[field].tobytes(), (path.name, field)
        extensions = [(e.get_code(), e.get_content()) for e in new.header.extensions]
        assert extensions[:-1] == [(e.get_code(), e.get_content()) for e in old.header.extensions], path.name
        code, text = extensions[-1]
        assert code == 6 and json.loads(text)["model"].startswith("mri-x4"), (path.name, text)
        if told:
            assert bytes(new.header["descrip"]).startswith(b"PartDiff"), new.header["descrip"]


def judge_copies(before, after):
    for path in sorted(before.iterdir()):
        unpack = gzip.decompress if path.name.endswith(".gz") else bytes
        a, b = unpack(path.read_bytes()), unpack((after / path.name).read_bytes())
        assert a == b, path.name
        old, new = nib.load(path), nib.load(after / path.name)
        assert np.array_equal(old.get_fdata(), new.get_fdata(), equal_nan=True), path.name


def judge_values(before, after):
    def voxels(name):
        image = nib.load(after / name)
        assert image.get_filename().endswith(name)
        return np.asanyarray(image.dataobj)

    blocks = voxels("blocks.nii")
    assert blocks.dtype == np.uint16 and blocks.shape == (32, 32, 3), blocks.shape
    assert blocks[:10].max() < 20000 and blocks[22:].min() > 45000, (blocks[:10].max(), blocks[22:].min())
    signed = voxels("signed.nii.gz")
    assert signed.dtype == np.int16 and signed[20:22, 2:4].min() > -3000
    assert signed[6:8, 6:8, 1].max() > 15000 and signed[24:26, 24:26, 1].min() < -15000
    holes = voxels("holes.nii")
    known = np.isnan(nib.load(before / "holes.nii").get_fdata()).repeat(2, 0).repeat(2, 1)
    assert np.array_equal(np.isnan(holes), known)
    assert 0 < np.nanmin(holes) + 0.002 and np.nanmax(holes) < 0.012
    assert voxels("bytes.nii").dtype == np.float32
    wide = nib.load(after / "wide.nii")
    assert isinstance(wide, nib.Nifti2Image) and wide.shape == (32770, 4, 1), wide.shape
    old = nib.load(before / "wide.nii")
    for get in (nib.Nifti1Image.get_qform, nib.Nifti1Image.get_sform):
        ends = [nib.affines.apply_affine(get(image), corners(image.shape)) for image in (old, wide)]
        assert np.abs(ends[0] - ends[1]).max() < 1e-3, np.abs(ends[0] - ends[1]).max()
    for name, gz in (("pair", ""), ("packed", ".gz"), ("old", "")):
        a, b = nib.load(before / f"{name}.hdr{gz}"), nib.load(after / f"{name}.nii{gz}")
        assert isinstance(b, nib.Nifti1Image), name
        ends = [nib.affines.apply_affine(image.affine, corners(image.shape)) for image in (a, b)]
        assert np.abs(ends[0] - ends[1]).max() < 1e-4, (name, a.affine, b.affine)
        shrunk = b.get_fdata().reshape(16, 2, 16, 2, 3).mean((1, 3))
        assert np.corrcoef(shrunk.ravel(), a.get_fdata().ravel())[0, 1] > 0.99, name
        assert abs(shrunk.mean() - a.get_fdata().mean()) < 5, name
    series = voxels("series.nii")
    for n in range(3):
        alone = voxels(f"series-{n}.nii").astype(float)
        # One window for all volumes, so nearly the same as alone.
        assert np.abs(series[..., n] - alone).max() < 60, (n, np.abs(series[..., n] - alone).max())


def main(functions):
    """Does what the command line asks for with one of these functions."""
    what, *paths = sys.argv[1:]
    if what == "make":
        functions[f"make_{paths[0]}"](Path(paths[1]))
    else:
        functions[f"judge_{what}"](*map(Path, paths))


if __name__ == "__main__":
    main(globals())
