"""What a result is compared with: the original, and where damage is cleaned up, the original without grain and sharper.

Photographs hold grain and JPEG noise of their own. Whoever asks for clean-up does not want them back, and a network
that has to guess them spreads grain over walls and skies. Images of another network give detail, the original colours.
"""

import torch
from torch import Tensor

from .resample import blur, mean_around

WINDOW = 7
"""Side of the squares in which an image counts as flat or not, in pixels."""

GRAIN = 5.5
"""Detail of this deviation, of 255, is halved; ten times as strong it stays (guided filter, He et al., ECCV 2010)."""

SHARPENING = 0.35
"""Share of an unsharp mask that is added at edges."""

EDGE = 8.0
"""Unsharp masks smaller than about this many levels of 255 are left out: they are noise."""

FULL = 0.3
"""Clean-up level from which on targets are wholly cleaned; the program takes lower ones for 0."""

COLOUR = 8.0
"""Deviation of the blur, in pixels, that leaves brightness and colour of an image and takes its detail."""

FLAT = 6.0
"""Deviation of detail, of 255, at which a place counts half as flat."""

STEP = 2 / 255
"""One level of 255 where black is -1 and white 1."""


def local(image: Tensor) -> tuple[Tensor, Tensor]:
    """image [N, C, H, W] -> mean and variance in windows, of the same shape."""
    mean = mean_around(image, WINDOW)
    return mean, (mean_around(image * image, WINDOW) - mean * mean).clamp(min=0)


def quiet(image: Tensor) -> Tensor:
    """image [N, C, H, W] in [-1, 1] without fine grain; edges stay. A guided filter that the image guides itself."""
    mean, variance = local(image)
    kept = variance / (variance + (GRAIN * STEP) ** 2)
    return mean_around(kept, WINDOW) * image + mean_around(mean * (1 - kept), WINDOW)


def sharp(image: Tensor) -> Tensor:
    """image [N, C, H, W] in [-1, 1] with an unsharp mask at edges (deviation 2 pixels)."""
    mask = image - blur(image, 2.0)
    at_edges = mask.square() / (mask.square() + (EDGE * STEP) ** 2)
    return (image + SHARPENING * at_edges * mask).clamp(-1, 1)


def cleaned(original: Tensor, level: Tensor) -> Tensor:
    """original [N, C, H, W] in [-1, 1], clean-up level [N] -> what the eye wants; the original itself at level 0."""
    return between(original, sharp(quiet(original)), level)


def between(original: Tensor, wanted: Tensor, level: Tensor) -> Tensor:
    """Both [N, C, H, W], clean-up level [N] -> the original at level 0, what is wanted from FULL on."""
    return torch.lerp(original, wanted, (level / FULL).clamp(max=1)[:, None, None, None])


def coloured(image: Tensor, original: Tensor) -> Tensor:
    """Both [N, C, H, W] in [-1, 1] -> the detail of the image in the colours of the original.

    Real-ESRGAN shifts colours by 3 to 5 levels of 255 on average, which a network that learns from it takes on.
    """
    return (image + blur(original - image, COLOUR)).clamp(-1, 1)


def grain(made: Tensor, wanted: Tensor) -> Tensor:
    """Mean absolute error of fine detail where `wanted` is flat; both [N, C, H, W] in [-1, 1]."""
    _, variance = local(wanted)
    flat = 1 / (1 + variance.mean(dim=1, keepdim=True) / (FLAT * STEP) ** 2)
    error = made - wanted
    return (flat * (error - mean_around(error, 5)).abs()).mean()
