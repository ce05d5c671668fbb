"""Image measures, with the conventions of the field's tables.

PSNR and SSIM: luma of ITU-R BT.601 in 16..235, `border` pixels removed. Images are uint8-valued
float arrays [C, H, W] in 0..255; one channel is taken as it is.
"""

import numpy as np
from scipy.ndimage import gaussian_filter, laplace, sobel, uniform_filter


def luma(image: np.ndarray) -> np.ndarray:
    """[C, H, W] -> [H, W] float64."""
    image = image.astype(np.float64)
    if image.shape[0] == 1:
        return image[0]
    r, g, b = image / 255
    return 16 + 65.481 * r + 128.553 * g + 24.966 * b


def _inside(image: np.ndarray, border: int) -> np.ndarray:
    plane = luma(image)
    return plane[border : plane.shape[0] - border, border : plane.shape[1] - border]


def psnr(image: np.ndarray, reference: np.ndarray, border: int = 4) -> float:
    """Decibels."""
    error = np.mean((_inside(image, border) - _inside(reference, border)) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-10)))


def ssim_map(a: np.ndarray, b: np.ndarray, peak: float) -> np.ndarray:
    """[..., H, W] each, with values up to `peak` -> local similarity, by Wang et al. 2004: Gaussian window of sigma 1.5
    on 11x11, over the last two axes."""
    sigma = (0,) * (a.ndim - 2) + (1.5, 1.5)
    mean = lambda x: gaussian_filter(x, sigma, truncate=5 / 1.5)
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = (0.01 * peak) ** 2, (0.03 * peak) ** 2
    return (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))


def ssim(image: np.ndarray, reference: np.ndarray, border: int = 4) -> float:
    """Mean of `ssim_map`, valid part only."""
    return float(np.mean(ssim_map(_inside(image, border), _inside(reference, border), 255)[5:-5, 5:-5]))


def sharpness(image: np.ndarray, reference: np.ndarray, border: int = 4) -> float:
    """Mean absolute Laplacian relative to the reference's: 1 is as sharp as the original."""
    energy = lambda x: np.mean(np.abs(laplace(luma(x))))
    cut = lambda x: x[:, border : x.shape[1] - border, border : x.shape[2] - border]
    return float(energy(cut(image)) / max(energy(cut(reference)), 1e-10))


FLAT = 0.2
"""Share of an image that counts as flat."""


def grain(image: np.ndarray, reference: np.ndarray, border: int = 4) -> float:
    """Deviation of fine detail where the reference is flattest, relative to the reference's: above 1 is noise."""
    a, b = _inside(image, border), _inside(reference, border)
    fine = lambda x: (x - gaussian_filter(x, 1.0)) ** 2
    busy = uniform_filter((b - uniform_filter(b, 9)) ** 2, 9)
    flat = busy <= np.quantile(busy, FLAT)
    return float(np.sqrt(fine(a)[flat].mean() / max(fine(b)[flat].mean(), 1e-10)))


def directions(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """[H, W] -> (strength of its gradients, their direction as a complex number of twice the angle and length 0..1).

    From the structure tensor over a window of deviation 2: the length is its coherence, 1 for straight lines.
    """
    y, x = (sobel(plane, axis) for axis in (0, 1))
    xx, yy, xy = (gaussian_filter(product, 2.0) for product in (x * x, y * y, x * y))
    strength = xx + yy
    return strength, (xx - yy + 2j * xy) / np.maximum(strength, 1e-10)


def structure(image: np.ndarray, reference: np.ndarray, border: int = 4) -> float:
    """How far lines run as in the reference, weighted by its gradients: 1 the same, 0 in all directions alike."""
    _, a = directions(_inside(image, border))
    strength, b = directions(_inside(reference, border))
    return float((strength * (a * b.conj()).real).sum() / max((strength * abs(b) ** 2).sum(), 1e-10))


def spectrum(image: np.ndarray) -> np.ndarray:
    """Mean power in 32 rings (fewer for tiny images) of radial frequencies 0..0.5 cycles per pixel."""
    plane = luma(image)
    bins = min(32, min(plane.shape) // 4)
    window = np.outer(np.hanning(plane.shape[0]), np.hanning(plane.shape[1]))
    power = np.abs(np.fft.fft2((plane - plane.mean()) * window)) ** 2
    fy, fx = (np.fft.fftfreq(n) for n in plane.shape)
    ring = np.minimum(np.hypot(fy[:, None], fx[None]) * 2 * bins, bins).astype(int)
    return np.array([power[ring == i].mean() for i in range(bins)])


def spectral_distance(image: np.ndarray, reference: np.ndarray) -> float:
    """Mean absolute difference of the logarithmic radial power spectra, in decibels."""
    ratio = np.log10(spectrum(image) + 1e-6) - np.log10(spectrum(reference) + 1e-6)
    return float(10 * np.mean(np.abs(ratio)))


def mean(rows: list[dict[str, float]]) -> dict[str, float]:
    """Average of each measure over the images that have it."""
    finite = lambda key: [row[key] for row in rows if np.isfinite(row[key])]
    return {key: float(np.mean(finite(key))) if finite(key) else float("nan") for key in rows[0]}
