"""What a result is compared with: the original, and where damage is cleaned up, the original without grain and sharper.

Photographs hold grain and JPEG noise of their own. Whoever asks for clean-up does not want them back, and a network
that has to guess them spreads grain over walls and skies.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

RADIUS = 3
"""Of the windows in which an image counts as flat or not, in pixels."""

GRAIN = 5.5
"""Detail of this deviation, of 255, is halved; ten times as strong it stays (guided filter, He et al., ECCV 2010)."""

SHARPENING = 0.35
"""Share of an unsharp mask that is added at edges."""

EDGE = 8.0
"""Unsharp masks smaller than about this many levels of 255 are left out: they are noise."""

FULL = 0.3
"""Clean-up level from which on targets are wholly cleaned; the program takes lower ones for 0."""

FLAT = 6.0
"""Deviation of detail, of 255, at which a place counts half as flat."""

STEP = 2 / 255
"""One level of 255 where black is -1 and white 1."""


def local(image: Tensor) -> tuple[Tensor, Tensor]:
    """image [N, C, H, W] -> mean and variance in windows, of the same shape."""
    mean = lambda x: F.avg_pool2d(x, 2 * RADIUS + 1, 1, RADIUS, count_include_pad=False)
    middle = mean(image)
    return middle, (mean(image * image) - middle * middle).clamp(min=0)


def quiet(image: Tensor) -> Tensor:
    """image [N, C, H, W] in [-1, 1] without fine grain; edges stay. A guided filter that the image guides itself."""
    mean, variance = local(image)
    kept = variance / (variance + (GRAIN * STEP) ** 2)
    smoothed, _ = local(kept)
    base, _ = local(mean * (1 - kept))
    return smoothed * image + base


def sharp(image: Tensor) -> Tensor:
    """image [N, C, H, W] in [-1, 1], sides of 7 or more, with an unsharp mask at edges (deviation 2 pixels)."""
    axis = torch.arange(-6, 7, device=image.device, dtype=image.dtype)
    bell = torch.exp(-0.5 * (axis / 2.0) ** 2)
    bell = (bell / bell.sum()).expand(image.shape[1], 1, 1, -1)
    padded = F.pad(image, (6, 6, 6, 6), mode="reflect")
    soft = F.conv2d(F.conv2d(padded, bell, groups=image.shape[1]), bell.mT, groups=image.shape[1])
    mask = image - soft
    at_edges = mask.square() / (mask.square() + (EDGE * STEP) ** 2)
    return (image + SHARPENING * at_edges * mask).clamp(-1, 1)


def cleaned(original: Tensor, level: Tensor) -> Tensor:
    """original [N, C, H, W] in [-1, 1], clean-up level [N] -> what the eye wants; the original itself at level 0."""
    share = (level / FULL).clamp(max=1)[:, None, None, None]
    return torch.lerp(original, sharp(quiet(original)), share)


def grain(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of fine detail where `wanted` is flat; both [N, C, H, W] in [-1, 1]."""
    _, variance = local(wanted)
    flat = 1 / (1 + variance.mean(dim=1, keepdim=True) / (FLAT * STEP) ** 2)
    error = made - wanted
    fine = error - F.avg_pool2d(error, 5, 1, 2, count_include_pad=False)
    return (flat * fine.abs()).mean()
