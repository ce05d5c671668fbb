"""Pillow's images as arrays and back. Pillow is imported only where an image of it is at hand."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import InvalidArgumentError

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import TypeIs

#: Modes that an array holds as they are, and the mode of the result.
_MODES = {
    "L": "L",
    "LA": "LA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "I;16": "I;16",
    "I;16L": "I;16",
    "I;16B": "I;16",
    "I;16N": "I;16",
    "I": "I",
    "F": "F",
}
#: What is kept of an image's `info`.
_KEPT = ("icc_profile", "exif", "xmp")


def is_image(value: object) -> TypeIs[Image]:
    """Whether `value` is an image of Pillow."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


def samples(image: Image) -> tuple[NDArray[Any], str, bytes | None]:
    """Samples, the mode of the result and the ICC profile.

    Raises `InvalidArgumentError` for a mode that would lose something.
    """
    if image.mode == "1":
        image = image.convert("L")
    elif "transparency" in image.info and image.mode in ("P", "L", "RGB"):
        image = image.convert("LA" if image.mode == "L" else "RGBA")
    elif image.mode in ("P", "PA"):
        image = image.convert("RGBA" if image.mode == "PA" else image.palette.mode if image.palette else "RGB")
    if image.mode not in _MODES:
        advice = 'image.convert("RGBA")' if image.mode in ("RGBa", "La") else 'image.convert("RGB")'
        raise InvalidArgumentError(f"image has mode {image.mode}, expected one of {', '.join(_MODES)}: use {advice}")
    array = np.asarray(image)
    if image.mode == "I":
        if array.size and (array.min() < 0 or array.max() > 65535):
            raise InvalidArgumentError(
                f"image of mode I has values from {array.min()} to {array.max()}, expected 0 (black) to 65535 (white)"
            )
        array = array.astype(np.uint16)
    profile = image.info.get("icc_profile")
    return array, _MODES[image.mode], profile or None


def restored(array: NDArray[Any], mode: str, original: Image) -> Image:
    """An image of `mode` with the samples `array`, and of `original` profile, EXIF, XMP and size in print."""
    from PIL import Image as pillow

    result = pillow.fromarray(array.astype(np.int32) if mode == "I" else array)
    result.info.update({key: original.info[key] for key in _KEPT if key in original.info})
    if dpi := original.info.get("dpi"):
        factors = result.width / original.width, result.height / original.height
        result.info["dpi"] = tuple(float(value) * factor for value, factor in zip(dpi, factors))
    return result
