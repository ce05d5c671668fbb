"""Pixel values: 0..255 in image files and measures, [-1, 1] in the networks."""

from typing import TypeVar

import numpy as np
from torch import Tensor

Values = TypeVar("Values", np.ndarray, Tensor)


def from_bytes(image: Values) -> Values:
    """0..255 -> [-1, 1], in floating point."""
    return image / 127.5 - 1


def to_bytes(image: np.ndarray) -> np.ndarray:
    """[-1, 1] -> whole numbers 0..255, still as floating point."""
    return np.clip(np.round((image + 1) * 127.5), 0, 255)
