"""Images of libvips, as docs/hosts.md has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import partdiff

pyvips = pytest.importorskip("pyvips", exc_type=ImportError)


def enlarge(upscaler: partdiff.Upscaler, image: Any) -> Any:
    """An image of libvips, four times as large, with its colour profile."""
    icc = image.get("icc-profile-data") if image.get_typeof("icc-profile-data") else None
    large = pyvips.Image.new_from_array(upscaler.upscale(image.numpy(), icc=icc))
    large = large.copy(interpretation=image.interpretation)
    if icc:
        large.set_type(pyvips.GValue.blob_type, "icc-profile-data", icc)
    return large


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_an_image_of_libvips_goes_through(
    upscaler: partdiff.Upscaler, picture: Callable[..., NDArray[Any]], kind: str
) -> None:
    pixels = picture(kind)
    image = pyvips.Image.new_from_array(pixels)
    large = enlarge(upscaler, image)
    assert (large.width, large.height) == (4 * image.width, 4 * image.height)
    np.testing.assert_array_equal(large.numpy(), upscaler.upscale(pixels))


def test_the_profile_stays(upscaler: partdiff.Upscaler, picture: Callable[..., NDArray[Any]]) -> None:
    pixels = picture("uint8")
    image = pyvips.Image.new_from_array(pixels).icc_transform("p3", input_profile="srgb")
    large = enlarge(upscaler, image)
    assert large.get("icc-profile-data") == image.get("icc-profile-data")
    assert not np.array_equal(large.numpy(), upscaler.upscale(image.numpy()))
