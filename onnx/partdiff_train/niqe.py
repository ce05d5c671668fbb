"""NIQE: the distance of an image's local statistics from those of good photographs, without a reference image.

Mittal, Soundararajan, Bovik, "Making a 'completely blind' image quality analyzer", IEEE SPL 2013. The model
is fitted on our own training crops, so values compare with each other but not with published ones.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, zoom
from scipy.special import gamma

from .metrics import luma

BLOCK = 96
SHARP = 0.75
"""Blocks at least this sharp, relative to the sharpest of their image, take part in the fit."""

SHAPES = np.arange(0.2, 10, 0.001)
RATIOS = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))


def normalised(plane: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean-subtracted, contrast-normalised coefficients and the local deviation, of a plane in 0..255."""
    blur = lambda x: gaussian_filter(x, 7 / 6, truncate=3 / (7 / 6), mode="nearest")
    mean = blur(plane)
    deviation = np.sqrt(np.abs(blur(plane * plane) - mean * mean))
    return (plane - mean) / (deviation + 1), deviation


def asymmetric(x: np.ndarray) -> tuple[float, float, float, float]:
    """Asymmetric generalised Gaussian by moments: shape, mean, left and right scale."""
    negative, positive = x[x < 0], x[x > 0]
    left = np.sqrt(np.mean(negative**2)) if negative.size else 1e-6
    right = np.sqrt(np.mean(positive**2)) if positive.size else 1e-6
    g = left / right
    ratio = np.mean(np.abs(x)) ** 2 / max(np.mean(x**2), 1e-12)
    ratio *= (g**3 + 1) * (g + 1) / (g**2 + 1) ** 2
    shape = SHAPES[np.argmin((RATIOS - ratio) ** 2)]
    factor = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    mean = (right - left) * factor * gamma(2 / shape) / gamma(1 / shape)
    return shape, mean, left * factor, right * factor


def block_features(block: np.ndarray) -> list[float]:
    """18 numbers: the coefficients and their products with the neighbours in four directions."""
    shape, _, left, right = asymmetric(block)
    result = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        result += asymmetric(block * np.roll(block, shift, (0, 1)))
    return result


def blocks(plane: np.ndarray, size: int) -> np.ndarray:
    """plane [H, W] of multiples of `size` -> [blocks, size, size], row by row."""
    h, w = plane.shape
    return plane.reshape(h // size, size, w // size, size).swapaxes(1, 2).reshape(-1, size, size)


def features(image: np.ndarray, sharp: float = 0.0) -> np.ndarray:
    """[C, H, W] in 0..255 -> [blocks, 36], of blocks at least `sharp` times as sharp as the sharpest."""
    plane = luma(image)
    rows, columns = plane.shape[0] // BLOCK, plane.shape[1] // BLOCK
    plane = plane[: rows * BLOCK, : columns * BLOCK]
    scales, deviations = [], []
    for size in (BLOCK, BLOCK // 2):
        coefficients, local = normalised(plane)
        scales.append(np.array([block_features(block) for block in blocks(coefficients, size)]))
        deviations.append(blocks(local, size).mean(axis=(1, 2)))
        plane = zoom(plane, 0.5, order=3, mode="nearest", grid_mode=True)
    return np.concatenate(scales, axis=1)[deviations[0] >= sharp * deviations[0].max()]


def fit(images: Iterable[np.ndarray], path: Path) -> None:
    """Writes the multivariate Gaussian of the images' sharp blocks; images [C, H, W] in 0..255."""
    rows = np.concatenate([features(image, SHARP) for image in images])
    np.savez(path, mean=rows.mean(axis=0), covariance=np.cov(rows, rowvar=False), blocks=len(rows))


class Niqe:
    """The measure over a fitted model; lower is more like a good photograph."""

    def __init__(self, path: Path):
        model = np.load(path)
        self.mean, self.covariance = model["mean"], model["covariance"]

    def __call__(self, image: np.ndarray) -> float:
        """image [C, H, W] in 0..255; NaN if it has fewer than two blocks, too few for statistics."""
        if (image.shape[1] // BLOCK) * (image.shape[2] // BLOCK) < 2:
            return float("nan")
        rows = features(image)
        pooled = (self.covariance + np.cov(rows, rowvar=False)) / 2
        difference = self.mean - rows.mean(axis=0)
        return float(np.sqrt(difference @ np.linalg.pinv(pooled) @ difference))
