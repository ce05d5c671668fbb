"""Images of Pillow: mode, profile, metadata and 16 bits are kept, and modes that would lose something are refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import partdiff

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")

Picture = Callable[..., NDArray[Any]]


@pytest.mark.parametrize(
    ("dtype", "channels", "mode"),
    [
        ("uint8", None, "L"),
        ("uint8", 2, "LA"),
        ("uint8", 3, "RGB"),
        ("uint8", 4, "RGBA"),
        ("uint16", None, "I;16"),
        ("float32", None, "F"),
    ],
)
def test_modes_are_kept(
    upscaler: partdiff.Upscaler, picture: Picture, dtype: str, channels: int | None, mode: str
) -> None:
    small = picture(dtype, channels)
    image = Image.fromarray(small)
    assert image.mode == mode
    large = upscaler.upscale(image, 2)
    assert large.mode == mode and large.size == (46, 38)
    np.testing.assert_array_equal(np.asarray(large), upscaler.upscale(small, 2))


def test_integers_of_16_bits_in_32_stay_such(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    small = picture("uint16", None)
    large = upscaler.upscale(Image.fromarray(small.astype(np.int32)), 2)
    assert large.mode == "I"
    np.testing.assert_array_equal(np.asarray(large), upscaler.upscale(small, 2))
    with pytest.raises(partdiff.InvalidArgumentError, match="-1 to 5"):
        upscaler.upscale(Image.fromarray(np.array([[-1, 5]], np.int32)))


def test_palettes_and_masks_become_what_they_show(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    image = Image.fromarray(picture("uint8")).quantize(16)
    assert upscaler.upscale(image).mode == "RGB"
    image.info["transparency"] = 0
    assert upscaler.upscale(image).mode == "RGBA"
    assert upscaler.upscale(Image.new("1", (5, 6))).mode == "L"
    grey = Image.new("L", (5, 6), 7)
    grey.info["transparency"] = 7
    clear = upscaler.upscale(grey)
    assert clear.mode == "LA" and not np.asarray(clear)[..., 1].any()


@pytest.mark.parametrize(("mode", "remedy"), [("CMYK", 'convert("RGB")'), ("HSV", 'convert("RGB")'), ("RGBa", "RGBA")])
def test_other_modes_are_refused(upscaler: partdiff.Upscaler, mode: str, remedy: str) -> None:
    with pytest.raises(partdiff.InvalidArgumentError) as raised:
        upscaler.upscale(Image.new(mode, (5, 5)))
    assert mode in str(raised.value) and remedy in str(raised.value)


def test_the_command_makes_the_same_of_the_file(
    upscaler: partdiff.Upscaler, picture: Picture, command: Callable[..., str], tmp_path: Path
) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.fromarray(picture("uint8", 4))
    exif = Image.Exif()
    exif[0x010E] = "a slope"
    image.save(tmp_path / "a.png", icc_profile=profile, exif=exif, dpi=(100, 100))
    command("upscale", tmp_path / "a.png", "-o", tmp_path / "b.png", "--device", "cpu")
    opened = Image.open(tmp_path / "a.png")
    large = upscaler.upscale(opened)
    expected = Image.open(tmp_path / "b.png")
    np.testing.assert_array_equal(np.asarray(large), np.asarray(expected))
    assert large.info["icc_profile"] == profile == expected.info["icc_profile"]
    stored = io.BytesIO()
    large.save(stored, "png", exif=large.info["exif"])
    assert Image.open(stored).getexif()[0x010E] == "a slope"
    assert round(large.info["dpi"][0]) == round(expected.info["dpi"][0]) == 400
