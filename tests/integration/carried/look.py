"""What Pillow, tifffile and NumPy see in pictures, as one JSON object: look.py WHAT FILE...; shares no code with PartDiff."""

import hashlib
import json
import sys

import numpy as np
from PIL import Image, ImageCms, ImageOps


def pillow(path):
    """Size, mode, resolution, profile and orientation."""
    image = Image.open(path)
    icc = image.info.get("icc_profile")
    dpi = image.info.get("dpi")
    return {
        "size": image.size,
        "mode": image.mode,
        "dpi": [float(value) for value in dpi] if dpi else None,
        "icc": hashlib.sha256(icc).hexdigest() if icc else None,
        "orientation": image.getexif().get(274, 1),
        "xmp": b"partdiff:record" in open(path, "rb").read(),
    }


def samples(path):
    """Type and number of different values of the samples, 16-bit ones not narrowed."""
    if path.endswith((".tif", ".tiff")):
        import tifffile

        data = tifffile.imread(path)
    else:
        data = np.asarray(Image.open(path))
    return {"type": str(data.dtype), "shape": data.shape, "levels": int(len(np.unique(data)))}


def upright(*paths):
    """Of pairs of source and result, the mean difference, in levels, between the result and its source turned by its
    orientation and enlarged."""
    return {"differences": [off_upright(*pair) for pair in zip(paths[::2], paths[1::2])]}


def off_upright(source, result):
    image = Image.open(source)
    # Pillow turns TIFF files by itself when it loads them.
    turned = image if image.format == "TIFF" else ImageOps.exif_transpose(image)
    turned.load()
    image = turned.convert("RGB")
    result = Image.open(result).convert("RGB")
    scale = result.width // image.width
    if (image.width * scale, image.height * scale) != result.size:
        return 255.0
    enlarged = image.resize(result.size, Image.BICUBIC)
    difference = np.abs(np.asarray(enlarged, float) - np.asarray(result, float))
    return float(difference.mean())


def fringe(path):
    """How much of any colour but pure red shows, at most, over black and over white, in levels."""
    data = np.asarray(Image.open(path).convert("RGBA"), float)
    color, alpha = data[..., :3], data[..., 3:] / 255
    off = np.abs(color - [255.0, 0.0, 0.0]) * alpha
    return {"fringe": float(off.max()), "clear": float((alpha == 0).mean()), "solid": float((alpha == 1).mean())}


def to_srgb(source, result):
    """Little CMS takes `source` through its profile to sRGB, relative colorimetric, as 8-bit PNG."""
    import io

    image = Image.open(source)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
    image = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), 1, "RGB")
    image.save(result, icc_profile=None)
    return {}


def bt2020(source, result):
    """An image whose values are sRGB-coded amounts of BT.2020's primaries as 8-bit PNG in sRGB (matrix of BT.2087)."""
    data = np.asarray(Image.open(source).convert("RGB"), float) / 255
    light = np.where(data <= 0.04045, data / 12.92, ((data + 0.055) / 1.055) ** 2.4)
    matrix = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    light = np.clip(light @ np.transpose(matrix), 0, 1)
    data = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    Image.fromarray(np.round(data * 255).astype(np.uint8)).save(result)
    return {}


def save(kind, source, result, profile):
    """An image of `kind` made from `source`, with the profile in a file if it is not empty."""
    image = Image.open(source)
    icc = open(profile, "rb").read() if profile else None
    if kind == "CMYK":
        inks = 255 - np.asarray(image.convert("RGB")).astype(int)
        black = inks.min(axis=2, keepdims=True) // 2
        image = Image.fromarray(np.concatenate([inks - black, black], axis=2).astype(np.uint8), "CMYK")
    image.save(result, icc_profile=icc, **({"quality": 100, "subsampling": 0} if result.endswith("jpg") else {}))
    return {}


def lab(source, result):
    """A Lab TIFF file of a picture in sRGB."""
    image = Image.open(source).convert("RGB")
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.applyTransform(image, ImageCms.buildTransform(*profiles, "RGB", "LAB", 1))
    image.save(result)
    return {}


NOTE = b"Acme camera\0" + bytes(range(200))


def with_maker_note(source, result):
    """A JPEG file whose EXIF block has a maker note."""
    image = Image.open(source).convert("RGB")
    exif = Image.Exif()
    exif[271] = "Acme"
    exif[274] = 1
    exif[0x8769] = {0x9003: "2024:05:06 07:08:09", 0x927C: NOTE}
    image.save(result, exif=exif)
    return {}


def maker_note(path):
    """Whether the maker note is there, to the byte, and how far into the file's EXIF block."""
    image = Image.open(path)
    found = image.getexif().get_ifd(0x8769).get(0x927C)
    block = image.info.get("exif", b"").removeprefix(b"Exif\0\0")
    return {"whole": found == NOTE, "any": found is not None, "at": block.find(NOTE)}


def ramp(path):
    """2048 16-bit levels, 256 columns by 8 rows."""
    data = (np.arange(2048).reshape(8, 256) * 31 + 900).astype(np.uint16)
    if path.endswith(".tif"):
        import tifffile

        tifffile.imwrite(path, data, photometric="minisblack")
    else:
        Image.fromarray(data).save(path)
    return {}


def numbers(source, kind, low, high, result):
    """A TIFF file of numbers from `low` to `high`: the picture's, of a type, channels and an exponent, such as
    float32 L 1."""
    import tifffile

    dtype, mode, power = kind.split()
    data = np.asarray(Image.open(source).convert(mode), np.float64)
    data = (data - data.min()) / (data.max() - data.min())
    data **= float(power)
    data = (float(low) + (float(high) - float(low)) * data).astype(dtype)
    tifffile.imwrite(result, data, photometric="minisblack" if mode == "L" else "rgb")
    return {}


def enlarged(source, result):
    """How far a result is from its source, enlarged by Pillow, on average and at most, as shares of the range."""
    import tifffile

    source, data = tifffile.imread(source), tifffile.imread(result)
    whole = np.iinfo(source.dtype).max if source.dtype.kind == "u" else 1
    source = (source / whole).astype(np.float32)
    size = data.shape[1::-1]
    planes = np.atleast_3d(source).transpose(2, 0, 1)
    planes = [np.asarray(Image.fromarray(plane).resize(size, Image.BICUBIC)) for plane in planes]
    off = np.abs(np.stack(planes, -1) - np.atleast_3d(data)) / (source.max() - source.min())
    return {"mean": float(off.mean()), "most": float(off.max())}


def disc(path):
    """A red disc; around it, transparent, green."""
    y, x = np.mgrid[0:48, 0:48] - 23.5
    alpha = np.clip(16.5 - np.hypot(x, y), 0, 1)
    data = np.zeros((48, 48, 4), np.uint8)
    data[..., 0] = np.where(alpha > 0, 255, 0)
    data[..., 1] = np.where(alpha > 0, 0, 255)
    data[..., 3] = np.round(alpha * 255)
    Image.fromarray(data).save(path)
    return {}


WHAT = (pillow, samples, upright, fringe, to_srgb, bt2020, save, lab, with_maker_note, maker_note, ramp, numbers, enlarged, disc)
WHAT = {function.__name__: function for function in WHAT}
print(json.dumps(WHAT[sys.argv[1]](*sys.argv[2:])))
