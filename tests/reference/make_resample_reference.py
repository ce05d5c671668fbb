"""Writes resample.json: what Pillow's float resampling makes of a fixed pattern.

Run with Pillow and numpy installed: python tests/reference/make_resample_reference.py
"""

import json
from pathlib import Path

import numpy
from PIL import Image

SIZES = [  # (input height, width), (output height, width)
    ((1, 1), (1, 1)),
    ((1, 1), (4, 5)),
    ((3, 5), (12, 20)),
    ((7, 6), (28, 24)),
    ((9, 11), (13, 30)),
    ((20, 31), (5, 8)),
    ((24, 16), (6, 4)),
    ((17, 40), (16, 3)),
    ((12, 5), (3, 17)),
    ((33, 2), (1, 1)),
]
KERNELS = ["BICUBIC", "LANCZOS", "BILINEAR", "BOX"]


def pattern(height: int, width: int) -> numpy.ndarray:
    """Returns float32 [height, width] in 0..1, the same as in the Rust test."""
    y, x = numpy.mgrid[:height, :width]
    return (((y * y * 7 + x * 13 + x * y * 5) % 101) / numpy.float32(101)).astype(numpy.float32)


def main() -> None:
    cases = []
    for source, target in SIZES:
        picture = Image.fromarray(pattern(*source))
        for kernel in KERNELS:
            out = numpy.asarray(picture.resize((target[1], target[0]), Image.Resampling[kernel]))
            values = [float(f"{value:.8g}") for value in out.ravel()]
            cases.append({"kernel": kernel, "input": source, "output": target, "values": values})
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases)
    Path(__file__).with_name("resample.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
