"""What photographs go through before somebody wants them larger, on a batch and on any device.

Two rounds of blur, resizing, noise and JPEG, each of random kind and strength, as practical networks are trained with
(Wang et al., Real-ESRGAN, arXiv 2107.10833; Zhang et al., BSRGAN, arXiv 2103.14006). One number per image,
the clean-up level, bounds all strengths: near 0 hardly anything happens.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from . import jpeg

Rand = Callable[..., Tensor]
"""The sizes of the axes -> uniform numbers in 0..1."""

BLUR = 2.4
"""Largest standard deviation of a blur, in pixels of the result."""

NOISE = 25.0
"""Largest standard deviation of noise, of 255."""

WORST_JPEG = 30.0
"""Lowest quality of JPEG."""

BLUR_ALONE, NOISE_ALONE = 2.0, 0.6
"""Largest standard deviation of blur alone, in pixels of the result, and share of `NOISE` of noise alone."""

LARGER = 2.5
"""Largest factor by which images that have been smaller were enlarged."""

PIXEL = 0.6
"""Standard deviation of the blur of a pixel and its interpolation, about, in pixels."""

RINGING = 0.15
"""Share of blurs that cut frequencies off sharply, which leaves rings beside edges, as sharpening does."""

SIDE = 21
"""Of blur kernels, in pixels."""

MODES = ("area", "bilinear", "bicubic")
"""Ways of resizing."""


def normal(shape: tuple[int, ...], rand: Rand) -> Tensor:
    """Gaussian numbers of unit variance from uniform ones."""
    return torch.erfinv((2 * rand(*shape) - 1).clamp(-0.99999, 0.99999)) * 2**0.5


def kernels(sigma: Tensor, rand: Rand) -> Tensor:
    """sigma [N] in pixels -> normalised kernels [N, SIDE, SIDE].

    Gaussians, round or long in any direction, with heavier or lighter tails (exponent 1 to 4), and circular low-pass
    filters (J1, the Fourier transform of a disc) for a share of `RINGING`.
    """
    n = len(sigma)
    axis = torch.arange(SIDE, device=sigma.device, dtype=torch.float32) - SIDE // 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    angle, stretch = math.pi * rand(n), torch.where(rand(n) < 0.5, 1.0, 1 + 2 * rand(n))
    at = lambda values: values[:, None, None]
    along = at(angle.cos()) * x + at(angle.sin()) * y
    across = at(angle.cos()) * y - at(angle.sin()) * x
    wide = (sigma * stretch.sqrt()).clamp(min=0.1)
    narrow = (sigma / stretch.sqrt()).clamp(min=0.1)
    distance = (along / at(wide)) ** 2 + (across / at(narrow)) ** 2
    exponent = torch.where(rand(n) < 0.7, 1.0, 0.5 + 1.5 * rand(n))
    gaussian = torch.exp(-0.5 * distance ** at(exponent))
    radius = (x * x + y * y).sqrt().clamp(min=1e-3)
    # A Gaussian of sigma passes about as much as a disc of radius 1.2 / sigma.
    cutoff = at((1.2 / sigma.clamp(min=0.4)).clamp(max=math.pi))
    ringing = torch.special.bessel_j1(cutoff * radius) * cutoff / (2 * math.pi * radius)
    made = torch.where(at(rand(n)) < RINGING, ringing, gaussian)
    return made / made.sum(dim=(1, 2), keepdim=True)


def blurred(image: Tensor, sigma: Tensor, rand: Rand) -> Tensor:
    """image [N, C, H, W] with a kernel for each."""
    n, c, h, w = image.shape
    weight = kernels(sigma, rand).repeat_interleave(c, dim=0)[:, None]
    padded = F.pad(image, [SIDE // 2] * 4, mode="reflect").reshape(1, n * c, h + SIDE - 1, w + SIDE - 1)
    return F.conv2d(padded, weight.to(image), groups=n * c).view(n, c, h, w)


def resized(image: Tensor, size: tuple[int, int], rand: Rand) -> Tensor:
    """image at another size, by a way that is drawn for the batch; the outer edges stay where they are."""
    mode = MODES[int(rand(1) * len(MODES))]
    if mode == "area":
        return F.interpolate(image, size, mode="area")
    return F.interpolate(image, size, mode=mode, antialias=bool(rand(1) < 0.8))


def noisy(image: Tensor, deviation: Tensor, rand: Rand) -> Tensor:
    """image in 0..255 with noise of `deviation` [N]: colour or grey, even or (as of photons) stronger in light."""
    n, c, h, w = image.shape
    at = lambda values: values[:, None, None, None]
    grey, photons = at(rand(n) < 0.4), at(rand(n) < 0.4)
    noise = torch.where(grey, normal((n, 1, h, w), rand), normal((n, c, h, w), rand))
    shape = torch.where(photons, (image.clamp(min=0) / 128).sqrt(), torch.ones_like(image))
    return image + at(deviation) * shape * noise


def compressed(image: Tensor, quality: Tensor) -> Tensor:
    """image in 0..255 after JPEG of `quality` [N]."""
    return jpeg.compress(image.round().clamp(0, 255), quality.round())


def damaged(hr: Tensor, size: tuple[int, int], level: Tensor, rand: Rand) -> tuple[Tensor, Tensor]:
    """hr [N, C, H, W] in 0..255 -> [N, C, *size] in whole numbers, and its blur [N]; level [N] in 0..1.

    `size` is smaller than that of hr; the outer edges stay where they are. The blur is the standard deviation of both
    blurs together, in pixels of the result.
    """
    n, ratio = len(hr), hr.shape[-1] / size[1]
    strength = lambda: level * rand(n)
    some = lambda share: (rand(n) < share).float()
    quality = lambda: 100 - (100 - WORST_JPEG) * strength()
    first, second = 0.15 + BLUR * strength() * some(0.7), 0.5 * BLUR * strength() * some(0.5)
    x = blurred(hr, ratio * first, rand)
    between = float(size[1] * (1 + (ratio - 1) * rand(1) ** 2))
    middle = (round(between * size[0] / size[1]), round(between))
    x = resized(x, middle, rand)
    x = noisy(x, NOISE * between / size[1] * strength() * some(0.5), rand)
    x = torch.where((rand(n) < 0.6)[:, None, None, None], compressed(x, quality()), x)
    x = blurred(x, between / size[1] * second, rand)
    x = resized(x, size, rand)
    x = noisy(x, 0.5 * NOISE * strength() * some(0.4), rand)
    last = compressed(x, 100 - (100 - WORST_JPEG) * torch.maximum(strength(), strength()))
    made = torch.where((rand(n) < 0.8)[:, None, None, None], last, x)
    return made.round().clamp(0, 255), torch.hypot(first, second)


def blurred_or_noisy(hr: Tensor, size: tuple[int, int], rand: Rand) -> tuple[Tensor, Tensor, Tensor]:
    """As `damaged`, with blur or noise alone, and JPEG on a third: images, clean-up levels and blurs [N].

    Half are blurred (of these, a third by having been smaller), a quarter has noise that was resized with the image, a
    quarter noise that was not. In mixtures, blur and noise hide each other. Blur alone does not raise the level.
    """
    n, ratio = len(hr), hr.shape[-1] / size[1]
    at = lambda values: values[:, None, None, None]
    kind, strength = rand(n), rand(n)
    where = lambda low, high: (kind >= low) & (kind < high)
    sigma = torch.where(where(0, 1 / 3), 0.15 + BLUR_ALONE * strength, 0.15)
    x = blurred(hr, ratio * sigma, rand)
    between = float(1 + (ratio - 1) * rand(1) ** 2)
    x = resized(x, (round(size[0] * between), round(size[1] * between)), rand)
    before, after = where(1 / 2, 3 / 4), where(3 / 4, 1.01)
    x = noisy(x, NOISE * NOISE_ALONE * between * torch.where(before, strength, 0.0), rand)
    x = resized(x, size, rand)
    x = noisy(x, NOISE * NOISE_ALONE * torch.where(after, strength, 0.0), rand)
    smaller = float(1 + (LARGER - 1) * rand(1))
    shrunk = resized(hr, (round(size[0] / smaller), round(size[1] / smaller)), rand)
    enlarged = where(1 / 3, 1 / 2)
    x = torch.where(at(enlarged), resized(shrunk, size, rand), x)
    strong = torch.where(rand(n) < 1 / 3, rand(n), 0.0)
    x = torch.where(at(strong > 0), compressed(x, jpeg.quality_of(strong)), x)
    level = torch.maximum(strong, torch.where(before | after, strength, 0.0))
    blur = torch.where(enlarged, PIXEL * math.sqrt(smaller**2 - 1), sigma)
    return x.round().clamp(0, 255), level, blur
