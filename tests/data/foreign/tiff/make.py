"""Makes the TIFF files of this folder and, with other decoders, the pixels that they hold.

Needs Pillow, numpy, tifffile, imagecodecs, ImageMagick, and tiffcp and tiff2rgba of libtiff-tools:
python3 make.py
"""

import struct
import subprocess
from pathlib import Path

import imagecodecs
import numpy
import tifffile
from PIL import Image

HERE = Path(__file__).parent
RGB = numpy.asarray(Image.open(HERE.parents[1] / "girl.png").convert("RGB").crop((50, 40, 87, 69)))
# With values between those of 8 bits.
DEEP = numpy.clip(RGB.astype(float) * 257 + numpy.indices(RGB.shape).sum(0) % 7 * 31 - 90, 0, 65535).round().astype(int)
GREY = DEEP[..., 1]
ALPHA = numpy.linspace(65535, 9000, GREY.size).reshape(GREY.shape).astype(int)


def pack(samples, bits, order="<"):
    """Rows of whole numbers, each beginning at a byte; bits from the highest on."""
    rows = samples.reshape(samples.shape[0], -1)
    if bits in (8, 16, 32):
        return rows.astype(f"{order}u{bits // 8}").tobytes()
    if bits == 24:
        whole = rows.astype(f"{order}u4").tobytes()
        parts = numpy.frombuffer(whole, numpy.uint8).reshape(-1, 4)
        return (parts[:, :3] if order == "<" else parts[:, 1:]).tobytes()
    weights = numpy.arange(bits - 1, -1, -1)
    flat = (rows[..., None] >> weights & 1).reshape(rows.shape[0], -1)
    return numpy.packbits(flat.astype(numpy.uint8), axis=1).tobytes()


def write(name, strips, tags, order="<", size=GREY.shape):
    """A file of `strips` with `tags`: number to (type, values)."""
    header = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8)
    tags = {256: (3, [size[1]]), 257: (3, [size[0]]), 259: (3, [1]), 278: (3, [size[0]])} | tags
    tags = {273: (4, [0] * len(strips)), 279: (4, [len(strip) for strip in strips])} | tags
    tags = {tag: value for tag, value in sorted(tags.items()) if value is not None}
    kinds = {1: "B", 2: "B", 3: "H", 4: "I", 5: "I", 12: "d"}
    for _ in range(2):
        behind = 8 + 2 + 12 * len(tags) + 4
        table, data = struct.pack(order + "H", len(tags)), b""
        for tag, (kind, values) in tags.items():
            packed = struct.pack(order + str(len(values)) + kinds[kind], *values)
            count = len(values) // 2 if kind == 5 else len(values)
            table += struct.pack(order + "HHI", tag, kind, count)
            if len(packed) > 4:
                table += struct.pack(order + "I", behind + len(data))
                data += packed + b"\0" * (len(packed) % 2)
            else:
                table += packed.ljust(4, b"\0")
        at = behind + len(data)
        starts = [at + sum(map(len, strips[:i])) for i in range(len(strips))]
        tags[273] = (4, starts)
    (HERE / name).write_bytes(header + table + b"\0\0\0\0" + data + b"".join(strips))


def plain(name, samples, bits, photometric, extra=None, order="<", **more):
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    tags = {258: (3, [bits] * channels), 262: (3, [photometric]), 277: (3, [channels])}
    if extra is not None:
        tags[338] = (3, [extra])
    write(name, [pack(samples, bits, order)], tags | more.get("tags", {}), order)


def scaled(samples, bits):
    return (samples * ((1 << bits) - 1) + 32767) // 65535


def magick(name):
    # With an opacity that it would leave out beside few colours.
    kind = "PNG64:" if "a12" in name or "alpha" in name else ""
    png = HERE / name.replace(".tif", ".png")
    subprocess.run(["convert", "-quiet", HERE / name, "-depth", "16", f"{kind}{png}"], check=True)


def libtiff(name):
    out = "/tmp/tiff2rgba.tif"
    subprocess.run(["tiff2rgba", "-c", "none", HERE / name, out], check=True)
    Image.fromarray(tifffile.imread(out)[..., :3]).save(HERE / name.replace(".tif", ".png"))


def old_lzw(data):
    """LZW as before TIFF 6.0: bits from the lowest on, codes longer one code later."""
    out, filled, bits = bytearray(), 0, 0
    table, width = {bytes([i]): i for i in range(256)}, 9

    def put(code):
        nonlocal filled, bits
        filled |= code << bits
        bits += width
        while bits >= 8:
            out.append(filled & 255)
            filled >>= 8
            bits -= 8

    put(256)
    word, free = b"", 258
    for value in data:
        longer = word + bytes([value])
        if longer in table:
            word = longer
            continue
        put(table[word])
        table[longer] = free
        free += 1
        if free > 1 << width:
            width += 1
        word = bytes([value])
    put(table[word])
    put(257)
    out.append(filled & 255)
    return bytes(out)


def main():
    for bits in (2, 4, 6, 10, 12, 14, 16, 24, 32):
        whole = GREY << (bits - 16) if bits > 16 else scaled(GREY, bits)
        plain(f"grey{bits}.tif", whole, bits, 1)
        # Deeper ones are grey16 as well.
        if bits <= 16:
            magick(f"grey{bits}.tif")
    for bits in (2, 4, 10, 12, 14, 24):
        whole = DEEP << 8 if bits == 24 else scaled(DEEP, bits)
        plain(f"rgb{bits}.tif", whole, bits, 2, order=">" if bits in (12, 24) else "<")
        if bits <= 16:
            magick(f"rgb{bits}.tif")
    plain("rgba12.tif", scaled(numpy.dstack([DEEP, ALPHA]), 12), 12, 2, 2)
    magick("rgba12.tif")
    # ImageMagick takes these for black.
    plain("white12.tif", 4095 - scaled(GREY, 12), 12, 0)

    # Colours of indices, with an opacity of their own, and with a map that fills only the lower bits.
    small = Image.fromarray(RGB).quantize(16)
    colors = numpy.array(small.getpalette()[:48]).reshape(16, 3)
    indices = numpy.asarray(small).astype(int)
    wide = (3, (colors.T * 257).ravel().tolist())
    plain("palette4.tif", indices, 4, 3, tags={320: wide})
    magick("palette4.tif")
    low = (3, colors.T.ravel().tolist())
    plain("palette4_low.tif", indices, 4, 3, tags={320: low})
    libtiff("palette4_low.tif")
    map8 = numpy.zeros((3, 256), int)
    map8[:, :16] = colors.T * 257
    plain("palette8_alpha.tif", numpy.dstack([indices, ALPHA >> 8]), 8, 3, 2, tags={320: (3, map8.ravel().tolist())})
    magick("palette8_alpha.tif")

    # Luma and chroma, chroma of several pixels together.
    matrix = numpy.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
    ycc = RGB @ matrix.T + [0, 128, 128]
    for across, down in ((1, 1), (2, 1), (2, 2), (4, 2), (1, 2), (4, 4)):
        height, width = GREY.shape
        padded = numpy.pad(ycc, ((0, -height % down), (0, -width % across), (0, 0)), "edge")
        groups = padded.reshape(padded.shape[0] // down, down, padded.shape[1] // across, across, 3).swapaxes(1, 2)
        luma = groups[..., 0].reshape(*groups.shape[:2], -1)
        data = numpy.concatenate([luma, groups[..., 1:].mean((2, 3))], -1).clip(0, 255).round().astype(numpy.uint8)
        tags = {258: (3, [8, 8, 8]), 262: (3, [6]), 277: (3, [3]), 530: (3, [across, down])}
        name = f"ycc{across}{down}.tif"
        write(name, [data.tobytes()], tags)
        libtiff(name)
    # Video levels and the coefficients of high definition, with LZW.
    tags |= {259: (3, [5]), 529: (5, [2126, 10000, 7152, 10000, 722, 10000])}
    tags |= {532: (5, [16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1])}
    write("ycc44_video.tif", [imagecodecs.lzw_encode(data.tobytes())], tags)
    libtiff("ycc44_video.tif")

    # Black and white, in every code for it.
    bilevel = Image.fromarray((GREY >> 8).astype(numpy.uint8)).convert("1")
    kinds = {"ccitt": "tiff_ccitt", "words": "tiff_raw_16", "g3": "group3", "g4": "group4", "plain": None}
    for name, kind in kinds.items():
        bilevel.save(HERE / f"bilevel_{name}.tif", compression=kind)
    bilevel.save(HERE / "bilevel.png")
    for name, options in {
        "g3_2d": ["-c", "g3:2d"],
        "g3_fill": ["-c", "g3:fill", "-r", "8"],
        "g4_lsb": ["-c", "g4", "-f", "lsb2msb", "-r", "8"],
        "g3_lsb": ["-c", "g3:2d", "-f", "lsb2msb"],
        "packbits_lsb": ["-c", "packbits", "-f", "lsb2msb"],
        "lsb": ["-c", "none", "-f", "lsb2msb"],
    }.items():
        subprocess.run(["tiffcp", *options, HERE / "bilevel_plain.tif", HERE / f"bilevel_{name}.tif"], check=True)
    # Scanners that say nothing of sizes, or leave them 0, or have strips without end.
    g4 = tifffile.TiffFile(HERE / "bilevel_g4.tif").pages[0]
    data = (HERE / "bilevel_g4.tif").read_bytes()[g4.dataoffsets[0] :][: g4.databytecounts[0]]
    fax = {258: (3, [1]), 259: (3, [4]), 262: (3, [g4.tags[262].value]), 277: (3, [1])}
    fax |= {266: (3, [g4.tags[266].value])} if 266 in g4.tags else {}
    write("bilevel_no_counts.tif", [data], fax | {273: (4, [0]), 279: None})
    write("bilevel_zero_counts.tif", [data], fax | {273: (4, [0]), 279: (4, [0])})
    write("bilevel_endless.tif", [data], fax | {278: (4, [0xFFFFFFFF])})

    # The same colours in every order and packing.
    plain("rgb.tif", RGB.astype(int), 8, 2)
    Image.fromarray(RGB).save(HERE / "rgb.png")
    for name, options in {
        "lzw_lsb": ["-c", "lzw:2", "-f", "lsb2msb", "-r", "7"],
        "zip_lsb": ["-c", "zip:2", "-f", "lsb2msb", "-r", "7"],
        "packbits_lsb": ["-c", "packbits", "-f", "lsb2msb"],
        "lsb": ["-c", "none", "-f", "lsb2msb"],
        "planes": ["-c", "lzw:2", "-p", "separate", "-r", "9"],
        "tiles": ["-c", "zip:2", "-t", "-w", "16", "-l", "32"],
        "planar_tiles": ["-c", "packbits", "-p", "separate", "-t", "-w", "32", "-l", "16"],
        "big": ["-8", "-c", "lzw"],
    }.items():
        subprocess.run(["tiffcp", *options, HERE / "rgb.tif", HERE / f"rgb_{name}.tif"], check=True)
    tags = {258: (3, [8, 8, 8]), 262: (3, [2]), 277: (3, [3])}
    write("rgb_old_lzw.tif", [old_lzw(RGB.tobytes())], tags | {259: (3, [5])})
    write("rgb_no_counts.tif", [RGB.tobytes()], tags | {273: (4, [0]), 279: None})

    # Floating point of all sizes, as differences of bytes.
    unit = DEEP / 65535
    for kind in ("f2", "f4", "f8"):
        data = unit.astype(kind)
        tifffile.imwrite(HERE / f"float_{kind}.tif", data, compression="zlib", predictor=3, photometric="rgb")
    for kind in (">f2", ">f4"):
        big = dict(byteorder=">", compression="lzw", predictor=3, photometric="rgb")
        tifffile.imwrite(HERE / f"float_{kind[1:]}_big.tif", unit.astype(kind), **big)
    tags = {258: (3, [24] * 3), 262: (3, [2]), 277: (3, [3]), 339: (3, [3] * 3)}
    write("float_f3.tif", [imagecodecs.float24_encode(unit.astype("f4"), byteorder="<")], tags)
    tifffile.imwrite(HERE / "rgb16_big.tif", DEEP.astype(">u2"), byteorder=">", compression="lzw", predictor=2, photometric="rgb")
    magick("rgb16_big.tif")
    # JPEG strips and tiles.
    for name, options in {
        "jpeg": ["-c", "jpeg:80", "-r", "16"],
        "jpeg_raw": ["-c", "jpeg:r:80"],
        "jpeg_tiles": ["-c", "jpeg:80", "-t", "-w", "16", "-l", "16"],
        "jpeg_planes": ["-c", "jpeg:r:80", "-p", "separate"],
    }.items():
        subprocess.run(["tiffcp", *options, HERE / "rgb.tif", HERE / f"rgb_{name}.tif"], check=True)
        libtiff(f"rgb_{name}.tif")
    # Colours beyond what RGB holds, once they are luma and chroma.
    neon = numpy.zeros((16, 32, 3), numpy.uint8)
    neon[:, ::2], neon[:, 1::2] = (255, 0, 255), (0, 255, 0)
    tifffile.imwrite("/tmp/neon.tif", neon, photometric="rgb")
    subprocess.run(["tiffcp", "-c", "jpeg:60", "/tmp/neon.tif", HERE / "neon_jpeg.tif"], check=True)
    libtiff("neon_jpeg.tif")

    # Pages: a stack under one set of tags, reduced copies, a mask, a map, a page on its side.
    stack = [RGB[..., 0], RGB[..., 1], RGB[..., 2], 255 - RGB[..., 0]]
    told = {258: (3, [8]), 262: (3, [1]), 277: (3, [1]), 279: (4, [GREY.size])}
    told[270] = (2, list(b"ImageJ=1.53t\nimages=4\nslices=4\n\0"))
    write("imagej.tif", [b"".join(plane.tobytes() for plane in stack)], told)
    assert (tifffile.imread(HERE / "imagej.tif") == numpy.stack(stack)).all()
    with tifffile.TiffWriter(HERE / "reduced.tif") as file:
        for image, kind in ((RGB[::4, ::4], 1), (RGB, 0), (RGB[::2, ::2], 1), (255 - RGB, 0)):
            file.write(numpy.ascontiguousarray(image), photometric="rgb", compression="zlib", subfiletype=kind)
    with tifffile.TiffWriter(HERE / "mask.tif") as file:
        file.write(RGB, photometric="rgb", compression="zlib")
        file.write(GREY > 20000, photometric="mask", subfiletype=4)
    scale, tie = (12, [10.0, 10.0, 0.0]), (12, [0.0, 0.0, 0.0, 440720.0, 3751320.0, 0.0])
    keys = (3, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32611])
    nodata = (2, list(b"-9999\0"))
    map_tags = {258: (3, [8] * 3), 262: (3, [2]), 277: (3, [3])}
    map_tags |= {33550: scale, 33922: tie, 34735: keys, 42113: nodata}
    write("map.tif", [RGB.tobytes()], map_tags)
    write("map_turned.tif", [RGB.tobytes()], map_tags | {274: (3, [6])})
    turned = {258: (3, [8] * 3), 262: (3, [2]), 277: (3, [3]), 274: (3, [6]), 296: (3, [2])}
    write("turned.tif", [RGB.tobytes()], turned | {282: (5, [204, 1]), 283: (5, [98, 1])})

    # For damage: larger ones, whose tags come first.
    photo = Image.open(HERE.parents[1] / "girl.png").convert("RGB").crop((20, 20, 100, 80))
    photo.save("/tmp/photo.tif")
    photo.resize((240, 180)).convert("1").save("/tmp/scan.tif")
    for name, source, options in (
        ("none", "photo", ["none"]),
        ("zip", "photo", ["zip:2"]),
        ("lzw", "photo", ["lzw:2"]),
        ("packbits", "scan", ["packbits"]),
        ("g3", "scan", ["g3"]),
        ("g4", "scan", ["g4"]),
        ("jpeg", "photo", ["jpeg:75"]),
    ):
        rows = "30" if source == "scan" else "16"
        subprocess.run(["tiffcp", "-r", rows, "-c", *options, f"/tmp/{source}.tif", "/tmp/packed.tif"], check=True)
        page = tifffile.TiffFile("/tmp/packed.tif").pages[0]
        data = Path("/tmp/packed.tif").read_bytes()
        strips = [data[at : at + count] for at, count in zip(page.dataoffsets, page.databytecounts)]
        kept = (258, 259, 262, 266, 277, 278, 284, 292, 317, 347, 530, 532)
        tags = {}
        for tag in (page.tags[code] for code in kept if code in page.tags):
            values = tag.value if isinstance(tag.value, (tuple, bytes)) else [tag.value]
            # JPEG's tables are bytes, the reference black and white fractions.
            kind = 1 if tag.code == 347 else 5 if tag.code == 532 else 4 if tag.code == 292 else 3
            tags[tag.code] = (kind, list(values))
        write(f"whole_{name}.tif", strips, tags, size=(page.imagelength, page.imagewidth))
        tiff = tifffile.imread(HERE / f"whole_{name}.tif")
        assert (tiff == tifffile.imread("/tmp/packed.tif")).all()
    for name in sorted(HERE.glob("*.tif")):
        assert name.stat().st_size < 20_000, name


main()
