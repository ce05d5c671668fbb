"""The loss of JPEG (ITU-T T.81) on a batch, in torch: on any device, with a quality for each image.

Colour is subsampled 4:2:0; entropy coding is lossless and left out.
"""

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

LUMA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
CHROMA = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99 47 66 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""
TABLES = [torch.tensor([float(v) for v in table.split()]).view(8, 8) for table in (LUMA, CHROMA)]

TO_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
DCT = torch.tensor(
    [[math.cos((2 * x + 1) * k * math.pi / 16) * (0.5 if k else math.sqrt(0.125)) for x in range(8)] for k in range(8)]
)


Level = TypeVar("Level", Tensor, float)


def quality_of(level: Level) -> Level:
    """Level 0..1 -> JPEG quality 100..40, as the program sets the level of a JPEG input."""
    return 100 - 60 * level


def level_of(quality: float) -> float:
    """The inverse of `quality_of`, at most 1."""
    return min((100 - quality) / 60, 1.0)


def quantise(plane: Tensor, table: Tensor, quality: Tensor) -> Tensor:
    """plane [N, h, w] centred on 0, h and w multiples of 8; quality [N] in 1..100 by libjpeg's scaling."""
    n, h, w = plane.shape
    percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    steps = ((table.to(plane) * percent[:, None, None] + 50) / 100).floor().clamp(1, 255)[:, None, None]
    dct = DCT.to(plane)
    blocks = plane.reshape(n, h // 8, 8, w // 8, 8).transpose(2, 3)
    coefficients = ((dct @ blocks @ dct.T) / steps).round() * steps
    return (dct.T @ coefficients @ dct).transpose(2, 3).reshape(n, h, w)


def compress(image: Tensor, quality: Tensor) -> Tensor:
    """image [N, C, h, w] in 0..255 -> the same after JPEG at quality [N]."""
    h, w = image.shape[2:]
    padded = F.pad(image, (0, -w % 16, 0, -h % 16), mode="replicate")
    return _compress_blocks(padded, quality)[:, :, :h, :w]


def _compress_blocks(image: Tensor, quality: Tensor) -> Tensor:
    """As `compress`, for sizes that are multiples of 16."""
    if image.shape[1] == 1:
        return (quantise(image[:, 0] - 128, TABLES[0], quality) + 128).round().clamp(0, 255)[:, None]
    matrix = TO_YCC.to(image)
    ycc = torch.einsum("ij,njhw->nihw", matrix, image)
    luma = quantise(ycc[:, 0] - 128, TABLES[0], quality) + 128
    small = F.avg_pool2d(ycc[:, 1:], 2)
    small = torch.stack([quantise(small[:, i], TABLES[1], quality) for i in range(2)], dim=1)
    colour = F.interpolate(small, scale_factor=2, mode="bilinear", align_corners=False)
    ycc = torch.cat([luma[:, None], colour], dim=1)
    rgb = torch.einsum("ij,njhw->nihw", torch.linalg.inv(matrix), ycc)
    return rgb.round().clamp(0, 255)
