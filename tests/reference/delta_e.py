"""Prints how far RESULT, shrunk to the size of SOURCE, is from it: mean and 99th percentile of CIEDE2000.

Usage: delta_e.py SOURCE RESULT

Both carry one and the same matrix profile, which is read here without a colour engine (ICC.1:2022), so that nothing is
clipped on the way to Lab (D50).
"""

import struct
import sys

import numpy as np
from PIL import Image


def tag(profile, name):
    for i in range(struct.unpack(">I", profile[128:132])[0]):
        signature, offset, size = struct.unpack(">4sII", profile[132 + 12 * i : 144 + 12 * i])
        if signature == name:
            return profile[offset : offset + size]
    raise SystemExit(f"the profile has no {name}")


def column(profile, name):
    return np.array(struct.unpack(">iii", tag(profile, name)[8:20])) / 65536


def linear(profile, name, values):
    data = tag(profile, name)
    if data[:4] == b"curv":
        count = struct.unpack(">I", data[8:12])[0]
        numbers = np.frombuffer(data, ">u2", count, 12).astype(float)
        if count == 0:
            return values
        if count == 1:
            return values ** (numbers[0] / 256)
        return np.interp(values, np.linspace(0, 1, count), numbers / 65535)
    kind = struct.unpack(">H", data[8:10])[0]
    names = ["g", "gab", "gabc", "gabcd", "gabcdef"][kind]
    p = dict.fromkeys("abcdef", 0.0) | {"a": 1.0}
    p |= {k: v / 65536 for k, v in zip(names, struct.unpack(f">{len(names)}i", data[12 : 12 + 4 * len(names)]))}
    above = np.maximum(p["a"] * values + p["b"], 0) ** p["g"] + (p["c"] if kind == 2 else p["e"])
    if kind == 0:
        return values ** p["g"]
    if kind in (1, 2):
        return np.where(values >= -p["b"] / p["a"], above, p["c"])
    return np.where(values >= p["d"], above, p["c"] * values + p["f"])


def lab(profile, values):
    light = np.stack([linear(profile, name, values[..., i]) for i, name in enumerate((b"rTRC", b"gTRC", b"bTRC"))], -1)
    matrix = np.stack([column(profile, name) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], -1)
    x = light @ matrix.T / [0.9642, 1.0, 0.8249]
    f = np.where(x > (6 / 29) ** 3, np.cbrt(x), x * 841 / 108 + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def ciede2000(one, two):
    """Sharma, Wu and Dalal, 2005."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(two, -1, 0)
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.arctan2(b1, a1) % (2 * np.pi), np.arctan2(b2, a2) % (2 * np.pi)
    turn = (h2 - h1 + np.pi) % (2 * np.pi) - np.pi
    dl, dc, dh = l2 - l1, c2 - c1, 2 * np.sqrt(c1 * c2) * np.sin(turn / 2)
    l, c, h = (l1 + l2) / 2, (c1 + c2) / 2, h1 + turn / 2
    t = 1 - 0.17 * np.cos(h - np.pi / 6) + 0.24 * np.cos(2 * h) + 0.32 * np.cos(3 * h + np.pi / 30)
    t -= 0.2 * np.cos(4 * h - 63 * np.pi / 180)
    sl = 1 + 0.015 * (l - 50) ** 2 / np.sqrt(20 + (l - 50) ** 2)
    sc, sh = 1 + 0.045 * c, 1 + 0.015 * c * t
    turned = 60 * np.exp(-((np.degrees(h) % 360 - 275) ** 2) / 625)
    r = -2 * np.sqrt(c**7 / (c**7 + 25.0**7)) * np.sin(np.radians(turned))
    return np.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + r * dc / sc * dh / sh)


def main():
    # The pair 1 of Sharma et al.'s test data.
    known = ciede2000(np.array([50, 2.6772, -79.7751]), np.array([50, 0, -82.7485]))
    assert abs(known - 2.0425) < 1e-4, known
    source, result = (Image.open(path) for path in sys.argv[1:])
    profile = source.info["icc_profile"]
    assert profile == result.info["icc_profile"], "the profiles differ"
    planes = [Image.fromarray(np.asarray(plane, np.float32)) for plane in result.convert("RGB").split()]
    small = np.stack([np.asarray(plane.resize(source.size, Image.Resampling.BICUBIC)) for plane in planes], -1)
    small = np.clip(small / 255, 0, 1)
    difference = ciede2000(lab(profile, np.asarray(source.convert("RGB")) / 255), lab(profile, small))
    print(f"{difference.mean():.4f} {np.percentile(difference, 99):.4f}")


main()
