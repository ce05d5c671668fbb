"""Separable resampling as matrices: the kernels that make LR images and the upsampled image `u`.

Half-pixel grid, weights renormalised at the border (no padding), antialiased when downsampling:
the convention of Pillow and of the runtime. `apply(x, rows, columns)` applies one matrix
per axis, so an image of any size costs two small matrix products.
"""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F


def cubic(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys' cubic convolution kernel, support 2."""
    x = np.abs(x)
    inner = ((a + 2) * x - (a + 3)) * x * x + 1
    outer = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, inner, np.where(x < 2, outer, 0.0))


def lanczos(x: np.ndarray) -> np.ndarray:
    """Lanczos kernel, support 3."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def area(x: np.ndarray) -> np.ndarray:
    """Box kernel, support one half."""
    return np.where((x > -0.5) & (x <= 0.5), 1.0, 0.0)


KERNELS = {"cubic": (cubic, 2.0), "lanczos": (lanczos, 3.0), "area": (area, 0.5)}


@lru_cache(maxsize=256)
def resize_matrix(size_in: int, size_out: int, kernel: str = "cubic") -> np.ndarray:
    """[size_out, size_in] float64 weights, rows summing to 1."""
    function, support = KERNELS[kernel]
    ratio = size_in / size_out
    stretch = max(ratio, 1.0)
    centre = (np.arange(size_out)[:, None] + 0.5) * ratio
    x = (np.arange(size_in)[None, :] + 0.5 - centre) / stretch
    weights = np.where(np.abs(x) <= support, function(x), 0.0)
    return weights / weights.sum(axis=1, keepdims=True)


@lru_cache(maxsize=256)
def blur_matrix(size: int, sigma: float) -> np.ndarray:
    """[size, size] Gaussian blur of `sigma` pixels, renormalised at the border."""
    x = np.arange(size)[:, None] - np.arange(size)[None, :]
    weights = np.exp(-0.5 * (x / sigma) ** 2)
    return weights / weights.sum(axis=1, keepdims=True)


@lru_cache(maxsize=256)
def fourier_matrix(size_in: int, size_out: int) -> np.ndarray:
    """[size_out, size_in] weights of zero-filled k-space: the band of the input, on the finer half-pixel grid."""
    apart = np.pi * ((np.arange(size_out)[:, None] + 0.5) / size_out - (np.arange(size_in) + 0.5) / size_in)
    # The sum of the band's cosines; an even number of pixels has half of the last one at either end.
    last = 1.0 if size_in % 2 else np.cos(apart)
    place = np.abs(np.sin(apart)) < 1e-12
    return np.where(place, 1.0, np.sin(size_in * apart) * last / (size_in * np.where(place, 1.0, np.sin(apart))))


def apply(x: torch.Tensor, rows: np.ndarray, columns: np.ndarray) -> torch.Tensor:
    """x [..., H, W] float -> [..., H', W'] with rows [H', H] and columns [W', W]."""
    left, right = (torch.as_tensor(m, dtype=x.dtype, device=x.device) for m in (rows, columns))
    return left @ x @ right.T


def blur(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """x [..., H, W] float after a Gaussian blur of `sigma` pixels."""
    return apply(x, *(blur_matrix(size, sigma) for size in x.shape[-2:]))


def mean_around(x: torch.Tensor, side: int) -> torch.Tensor:
    """x [N, C, H, W] -> the mean around every pixel, over a square of that odd side, as far as inside the image."""
    return F.avg_pool2d(x, side, 1, side // 2, count_include_pad=False)


def upsample(lr: torch.Tensor, scale: int, kernel: str = "cubic") -> torch.Tensor:
    """lr [..., h, w] -> [..., scale h, scale w]; with `cubic` this is the `u` of the method."""
    h, w = lr.shape[-2:]
    return apply(lr, resize_matrix(h, h * scale, kernel), resize_matrix(w, w * scale, kernel))


def downsample(hr: torch.Tensor, scale: int, kernel: str = "cubic", sigma: float = 0.0) -> torch.Tensor:
    """hr [..., H, W] -> [..., H / scale, W / scale], after a blur of `sigma` HR pixels."""
    matrices = []
    for size in hr.shape[-2:]:
        m = resize_matrix(size, size // scale, kernel)
        matrices.append(m @ blur_matrix(size, sigma) if sigma > 0 else m)
    return apply(hr, *matrices)


def truncate_kspace(hr: torch.Tensor, scale: int) -> torch.Tensor:
    """hr [..., H, W] -> magnitude of the central 1/scale of k-space, on the half-pixel grid.

    This is how low-resolution MRI is acquired. The phase ramp moves the sampling points from the
    corners of the coarse pixels to their centres.
    """
    spectrum = torch.fft.fft2(hr.double())
    for axis in (-2, -1):
        size = hr.shape[axis]
        keep = size // scale
        index = torch.arange(keep, device=hr.device)
        index = torch.where(index < math.ceil(keep / 2), index, index + size - keep)
        spectrum = spectrum.index_select(axis, index)
        frequency = torch.fft.fftfreq(keep, 1 / keep, dtype=torch.float64, device=hr.device)
        ramp = torch.exp(2j * math.pi * frequency * ((scale - 1) / 2) / size)
        spectrum = spectrum * (ramp[:, None] if axis == -2 else ramp)
    return (torch.fft.ifft2(spectrum).abs() / scale**2).to(hr.dtype)
