"""numpy arrays as images of the ABI, without copies where their layout allows."""

from __future__ import annotations

import ctypes as c
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._abi import Image
from .errors import InvalidArgumentError

_SAMPLES = {"uint8": 1, "uint16": 2, "float16": 3, "float32": 4}
_INTERLEAVED, _PLANAR = 0, 1
_ADVICE = {
    "float64": "image.astype(numpy.float32), with 0 black and 1 white",
    "bool": "image.astype(numpy.uint8) * 255",
}


def checked(image: object) -> NDArray[Any]:
    """`image` as an array of samples in the machine's byte order.

    Raises `TypeError` for what is no array of a known dtype, `InvalidArgumentError` for a shape that is no image's.
    """
    array = np.asarray(image)
    if array.dtype.name not in _SAMPLES:
        advice = f": use {_ADVICE[array.dtype.name]}" if array.dtype.name in _ADVICE else ""
        raise TypeError(f"image has dtype {array.dtype.name}, expected uint8, uint16, float16 or float32{advice}")
    shape = array.shape
    if array.ndim not in (2, 3) or (array.ndim == 3 and not 1 <= shape[2] <= 4):
        planes = array.ndim == 3 and 1 <= shape[0] <= 4
        advice = "; channels come last: use numpy.moveaxis(image, 0, -1)" if planes else ""
        raise InvalidArgumentError(
            f"image has shape {shape}, "
            f"expected (height, width) or (height, width, channels) with 1 to 4 channels{advice}"
        )
    if 0 in shape[:2]:
        raise InvalidArgumentError(f"image has shape {shape}, expected at least 1 x 1 pixels")
    if max(shape[:2]) >= 1 << 32:
        raise InvalidArgumentError(f"image has shape {shape}, expected sides of less than 2^32 pixels")
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    return array if _layout(array) is not None else np.ascontiguousarray(array)


def _layout(array: NDArray[Any]) -> tuple[int, int, int, int] | None:
    """Layout, row stride, plane stride and bytes up to the end of `array`; None where the ABI has no such layout."""
    item, (height, width) = array.itemsize, array.shape[:2]
    channels = array.shape[2] if array.ndim == 3 else 1

    # The stride of an axis of one element means nothing.
    def stride(axis: int, packed: int) -> int:
        return array.strides[axis] if array.shape[axis] > 1 else packed

    for layout, pixel in ((_INTERLEAVED, item * channels), (_PLANAR, item)):
        row = stride(0, pixel * width)
        row_end = (height - 1) * row + pixel * width
        if stride(1, pixel) != pixel or row < pixel * width:
            continue
        if layout == _INTERLEAVED:
            if channels == 1 or array.strides[2] == item:
                return layout, row, 0, row_end
        else:
            plane = stride(2, row_end)
            if plane >= row_end:
                return layout, row, plane, (channels - 1) * plane + row_end
    return None


def image(array: NDArray[Any]) -> Image:
    """The description of `array`, which must be one that `checked` gave or a new one, and must outlive it."""
    layout = _layout(array)
    assert layout is not None
    kind, row, plane, size = layout
    height, width = array.shape[:2]
    channels = array.shape[2] if array.ndim == 3 else 1
    return Image(
        struct_size=c.sizeof(Image),
        sample=_SAMPLES[array.dtype.name],
        color=channels,
        layout=kind,
        width=width,
        height=height,
        data=array.ctypes.data,
        size=size,
        row_stride=row,
        plane_stride=plane,
    )
