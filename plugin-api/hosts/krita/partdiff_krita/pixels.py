"""Pixels as Krita stores them, and as libpartdiff takes them."""

from __future__ import annotations

import ctypes as c
from dataclasses import dataclass

from .partdiff import _abi

#: Krita's depths: libpartdiff's kind of sample, bytes, and how memoryview calls it.
_DEPTHS = {"U8": (1, 1, "B"), "U16": (2, 2, "H"), "F16": (3, 2, "H"), "F32": (4, 4, "f")}
_MODELS = {"RGBA": 4, "GRAYA": 2}


class FormatError(ValueError):
    """Pixels of a kind that cannot be upscaled."""


@dataclass(frozen=True)
class Format:
    """Krita's colour model (`RGBA`, `GRAYA`) and depth (`U8`, `U16`, `F16`, `F32`)."""

    model: str
    depth: str

    def __post_init__(self) -> None:
        if self.model not in _MODELS or self.depth not in _DEPTHS:
            raise FormatError(
                f"The pixels are {self.model} {self.depth}. PartDiff takes RGB and grey: "
                "use Image > Convert Image Color Space first."
            )

    @property
    def channels(self) -> int:
        """With alpha."""
        return _MODELS[self.model]

    @property
    def pixel(self) -> int:
        """Bytes of a pixel."""
        return self.channels * _DEPTHS[self.depth][1]

    def order(self, data: bytearray) -> None:
        """Exchanges blue and red where Krita stores integers as blue, green, red, alpha; twice changes nothing."""
        if self.model == "RGBA" and self.depth.startswith("U"):
            samples = memoryview(data).cast(_DEPTHS[self.depth][2])
            first = samples[0::4].tobytes()
            samples[0::4] = samples[2::4]
            samples[2::4] = memoryview(first).cast(samples.format)

    def image(self, data: bytearray, width: int, height: int) -> _abi.Image:
        """The description of `data`, which must outlive it."""
        return _abi.Image(
            struct_size=c.sizeof(_abi.Image),
            sample=_DEPTHS[self.depth][0],
            color=self.channels,
            layout=0,
            width=width,
            height=height,
            data=c.addressof(c.c_char.from_buffer(data)),
            size=len(data),
        )
