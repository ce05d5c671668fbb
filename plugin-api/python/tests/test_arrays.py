"""Arrays in, arrays out: what the command makes of the same image, any layout, and errors that say what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import partdiff
from partdiff import _arrays

Picture = Callable[..., NDArray[Any]]


def pnm(array: NDArray[Any]) -> bytes:
    """PGM, PPM or PFM with these samples."""
    height, width, color = *array.shape[:2], array.ndim == 3
    if array.dtype == np.float32:
        return f"{'PF' if color else 'Pf'}\n{width} {height}\n-1.0\n".encode() + array[::-1].astype("<f4").tobytes()
    most = np.iinfo(array.dtype).max
    return (
        f"{'P6' if color else 'P5'}\n{width} {height}\n{most}\n".encode()
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def samples(data: bytes, like: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """What a file of `pnm` holds."""
    body = data[len(data) - int(np.prod(shape)) * like.itemsize :]
    if like.dtype == np.float32:
        return np.frombuffer(body, "<f4").reshape(shape)[::-1]
    return np.frombuffer(body, like.dtype.newbyteorder(">")).reshape(shape)


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("options", [{}, {"scale": 2}, {"preset": "detailed", "seed": 7}, {"width": 50}])
def test_results_are_the_commands(
    upscaler: partdiff.Upscaler,
    picture: Picture,
    command: Callable[..., str],
    tmp_path: Path,
    dtype: str,
    channels: int | None,
    options: dict[str, Any],
) -> None:
    small = picture(dtype, channels)
    name = "a.pfm" if dtype == "float32" else "a.ppm"
    (tmp_path / name).write_bytes(pnm(small))
    arguments = [text for key, value in options.items() for text in (f"--{key}", value)]
    command("upscale", tmp_path / name, "-o", tmp_path / f"large{name[1:]}", "--device", "cpu", *arguments)
    # PFM holds linear light.
    large = upscaler.upscale(small, **options, linear=dtype == "float32")
    expected = samples((tmp_path / f"large{name[1:]}").read_bytes(), small, large.shape)
    assert large.dtype == small.dtype
    np.testing.assert_array_equal(large, expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_each_layout_gives_the_same(
    upscaler: partdiff.Upscaler, picture: Picture, dtype: str, channels: int | None
) -> None:
    small = picture(dtype, channels)
    large = upscaler.upscale(small, 2)
    assert large.shape == (38, 46, *small.shape[2:]) and large.dtype == small.dtype and large.flags.c_contiguous
    wide = np.zeros((25, 31, *small.shape[2:]), dtype)
    wide[3:22, 4:27] = small
    # Read where they lie: a part of a larger image, and planes.
    views = [wide[3:22, 4:27]]
    if channels is not None:
        views.append(np.moveaxis(np.ascontiguousarray(np.moveaxis(small, -1, 0)), 0, -1))
    if channels == 4:
        # Alpha stays behind: channels are left out by stepping over them, which has to be copied.
        rgb = small[..., :3]
        np.testing.assert_array_equal(upscaler.upscale(rgb, 2), upscaler.upscale(rgb.copy(), 2))
    for view in views:
        assert _arrays.checked(view) is view
    # Copied: mirrored twice, every second pixel, Fortran's order, another byte order.
    sparse = np.zeros((38, 46, *small.shape[2:]), dtype)[::2, ::2]
    sparse[...] = small
    views += [small[::-1].copy()[::-1], sparse, np.asfortranarray(small), small.astype(small.dtype.newbyteorder(">"))]
    for view in views:
        before = view.copy()
        np.testing.assert_array_equal(upscaler.upscale(view, 2), large)
        np.testing.assert_array_equal(view, before)


def test_single_pixels_rows_and_columns_are_images(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    for height, width in ((1, 1), (1, 9), (9, 1)):
        small = picture("uint8", 3, height, width)
        assert upscaler.upscale(small).shape == (4 * height, 4 * width, 3)
        assert upscaler.upscale(small[:, :, ::-1]).shape == (4 * height, 4 * width, 3)


@pytest.mark.parametrize(
    ("array", "error", "said"),
    [
        (np.zeros((4, 4)), TypeError, "float64, expected uint8, uint16, float16 or float32: use image.astype"),
        (np.zeros((4, 4), bool), TypeError, "astype(numpy.uint8) * 255"),
        (np.zeros((4, 4), np.int32), TypeError, "int32"),
        (np.zeros((4, 4), "datetime64[s]"), TypeError, "datetime64"),
        (None, TypeError, "object"),
        ("photo.jpg", TypeError, "dtype str"),
        (np.zeros(4, np.uint8), partdiff.InvalidArgumentError, "shape (4,), expected (height, width)"),
        (np.zeros((3, 8, 9), np.uint8), partdiff.InvalidArgumentError, "numpy.moveaxis(image, 0, -1)"),
        (np.zeros((8, 9, 5), np.uint8), partdiff.InvalidArgumentError, "1 to 4 channels"),
        (np.zeros((8, 9, 0), np.uint8), partdiff.InvalidArgumentError, "1 to 4 channels"),
        (np.zeros((2, 8, 9, 3), np.uint8), partdiff.InvalidArgumentError, "(2, 8, 9, 3)"),
        (np.zeros((0, 9), np.uint8), partdiff.InvalidArgumentError, "at least 1 x 1 pixels"),
        (np.zeros((9, 0, 3), np.float32), partdiff.InvalidArgumentError, "at least 1 x 1 pixels"),
        (np.full((4, 4), np.nan, np.float32), partdiff.InputError, "column 0, row 0 is not finite"),
        (np.full((4, 4, 3), np.inf, np.float16), partdiff.InputError, "not finite"),
    ],
)
def test_what_is_no_image_is_refused_with_the_remedy(
    upscaler: partdiff.Upscaler, array: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as raised:
        upscaler.upscale(array)
    assert said in str(raised.value)


def test_a_single_nan_is_found(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    small = picture("float32", 4)
    small[5, 6, 3] = np.nan
    with pytest.raises(partdiff.InputError, match="alpha at column 6, row 5"):
        upscaler.upscale(small)
