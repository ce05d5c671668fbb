"""Images larger: the model, loaded, and one call for each image."""

from __future__ import annotations

import ctypes as c
import json
import os
import threading
import warnings
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from . import _abi, _arrays, _onnxruntime, _pillow, _run
from .errors import InvalidHandleError, OnnxRuntimeError, PartDiffWarning

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import Self, Unpack

__all__ = ["Info", "Settings", "Upscaler", "library_version"]

Samples = TypeVar("Samples", np.uint8, np.uint16, np.float16, np.float32)


class Settings(TypedDict, total=False):
    """Further settings of `Upscaler.upscale`; without one, the preset's or the model's default holds."""

    #: Width of the result in pixels, instead of `scale`; the height follows, unless given too.
    width: int
    #: Height of the result in pixels, instead of `scale`; the width follows, unless given too.
    height: int
    #: As large as fits into `fit_width` x `fit_height` pixels, instead of `scale`.
    fit_width: int
    #: See `fit_width`.
    fit_height: int
    #: Denoising steps, from 1 (the most faithful) to the model's start step.
    steps: int
    #: The step of the diffusion chain at which denoising starts, from 1 to the model's own.
    start_step: int
    #: Update rule of a step.
    sampler: Literal["ddim", "ddpm", "dpmpp-2m"]
    #: Share of fresh noise in each DDIM step, 0 to 1.
    eta: float
    #: Where the steps lie between the start step and 0.
    spacing: Literal["uniform", "quadratic"]
    #: How much blur, noise and compression damage to take out, 0 (none) to 1, or "auto" (what the image seems to
    #: need), for models that can. Default: "auto" where the model estimates damage, the result is larger than the
    #: image, and it need not agree with it (`consistency`, the preset `faithful`); else 0.
    cleanup: float | Literal["auto"]
    #: The factor by which a blurred image is made smaller before it is enlarged, 1 (not at all), 2 or 4, or "auto"
    #: (2 where it is found to be blurred). Default: "auto" where the clean-up follows the image, the result is
    #: larger, and it need not agree with the image; else 1.
    deblur: Literal[1, 2, 4, "auto"]
    #: Rounds at most that make the result agree with the input.
    consistency: int
    #: Largest side of a tile in pixels of the input (default: planned from the memory).
    tile: int
    #: Whether samples are linear light instead of coded as sRGB or as the profile says.
    linear: bool


@dataclass(frozen=True)
class Info:
    """A model, and what it runs on."""

    #: The model's name, version, description, licence, and the SHA-256 that identifies it.
    name: str
    version: str
    description: str
    licence: str
    digest: str
    #: The model's own factor.
    scale: int
    #: 1 (grey) or 3 (colour); images of the other kind are converted, there and back.
    channels: int
    #: Denoising steps by default, and at most.
    steps: int
    start_step: int
    #: Whether the model takes `cleanup`.
    cleanup: bool
    #: Names of the presets, fewest steps first.
    presets: tuple[str, ...]
    #: What the model really runs on, and why.
    provider: str
    #: The path and version of ONNX Runtime's library.
    runtime: str
    runtime_version: str
    #: The version of PartDiff.
    library_version: str


def library_version() -> str:
    """The version of libpartdiff."""
    text: bytes = _abi.library().partdiff_version()
    return text.decode()


class Upscaler:
    """A model, loaded, that makes images larger.

    One may be used from several threads at the same time: the calls share its processor threads, and each waits until
    its memory is free. A forked child cannot use what its parent has opened, and says so; it can open its own where
    the parent has not used PartDiff.

    Args:
        model: Name of a model inside the library (`natural-x4`, `natural-x4-int8`, `mri-x4`), or the path of a
            bundle folder or .partdiff file. Default: as for the command, `natural-x4`.
        device: `auto`, `cpu`, `cuda` and so on, as the command's `--device`. What is named is used or fails.
        threads: Threads on the processor, at least 1. Default: one per core; a small `memory` lowers it.
        memory: What PartDiff may take with its model and the images at work, more than 128 MiB, in bytes or as text
            such as `"2G"`; the arrays of the caller come on top. Default: half of what is free.
        library: Path of ONNX Runtime's library. Default: what ORT_DYLIB_PATH names, else that of the package
            onnxruntime of this environment, else as the command finds one.

    Raises:
        ModelError: The model is missing or damaged.
        OnnxRuntimeError: ONNX Runtime or the device is missing, too old, or does not work.
        InvalidOptionError: An argument is outside its range.
        ForkError: The process was forked after PartDiff had been used.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        device: str = "auto",
        threads: int | None = None,
        memory: int | str | None = None,
        *,
        library: str | os.PathLike[str] | None = None,
    ) -> None:
        self._named = None if model is None else os.fspath(model)
        self._closing = threading.Lock()
        context = _abi.Handle.context()
        context.call("set_text", b"device", device.encode())
        if threads is not None:
            context.call("set_int", b"threads", threads)
        if memory is not None:
            context.call("set_text", b"memory", str(memory).encode())
        path = _onnxruntime.library(device) if library is None else os.fspath(library)
        if path is not None:
            context.call("set_text", b"library", path.encode())
        try:
            opened = context.make("model", "model_open", self._named.encode() if self._named else None)
        except OnnxRuntimeError as error:
            if _onnxruntime.installed():
                raise
            raise OnnxRuntimeError(f"{error}\n  in this Python: pip install onnxruntime") from None
        self._handles: tuple[_abi.Handle, _abi.Handle] | None = (opened, context)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = self._named or "default model"
        return f"<partdiff.Upscaler {state}{'' if self._handles else ', closed'}>"

    def close(self) -> None:
        """Frees the model. Images at work in other threads are finished; further calls raise `InvalidHandleError`."""
        with self._closing:
            handles, self._handles = self._handles, None
        for handle in handles or ():
            handle.destroy()

    @property
    def info(self) -> Info:
        """The model, and what it runs on."""
        model, context = self._opened()
        return Info(
            name=model.text("name"),
            version=model.text("version"),
            description=model.text("description"),
            licence=model.text("licence"),
            digest=model.text("digest"),
            scale=model.integer("scale"),
            channels=model.integer("channels"),
            steps=model.integer("steps"),
            start_step=model.integer("start_step"),
            cleanup=model.integer("cleanup") == 1,
            presets=tuple(model.text("presets").splitlines()),
            provider=model.text("provider"),
            runtime=context.text("runtime"),
            runtime_version=context.text("runtime_version"),
            library_version=library_version(),
        )

    @overload
    def upscale(
        self,
        image: NDArray[Samples],
        scale: float | None = None,
        preset: str | None = None,
        seed: int = 0,
        *,
        icc: bytes | None = None,
        progress: _run.Progress | None = None,
        cancel: _run.Cancel | None = None,
        report: dict[str, Any] | None = None,
        **settings: Unpack[Settings],
    ) -> NDArray[Samples]: ...

    @overload
    def upscale(
        self,
        image: Image,
        scale: float | None = None,
        preset: str | None = None,
        seed: int = 0,
        *,
        icc: bytes | None = None,
        progress: _run.Progress | None = None,
        cancel: _run.Cancel | None = None,
        report: dict[str, Any] | None = None,
        **settings: Unpack[Settings],
    ) -> Image: ...

    def upscale(
        self,
        image: NDArray[Any] | Image,
        scale: float | None = None,
        preset: str | None = None,
        seed: int = 0,
        *,
        icc: bytes | None = None,
        progress: _run.Progress | None = None,
        cancel: _run.Cancel | None = None,
        report: dict[str, Any] | None = None,
        **settings: Unpack[Settings],
    ) -> NDArray[Any] | Image:
        """`image`, larger.

        Args:
            image: An array of shape (height, width) for grey, or (height, width, channels) with 1 (grey), 2 (grey,
                alpha), 3 (red, green, blue) or 4 (and alpha) channels, of dtype uint8 (0 to 255), uint16 (0 to 65535),
                float16 or float32 (0 black to 1 white; values beyond are kept, all must be finite). Colour is not
                multiplied by alpha. An array is read where it lies if its pixels or planes are contiguous and its
                rows follow each other at any distance, and copied otherwise. Or an image of Pillow, of mode L, LA,
                RGB, RGBA, I;16, I (0 to 65535) or F (0 to 1); 1, P and PA become L, RGB or RGBA.
            scale: Factor between the sides of input and result, more than 0 and at most 64. Default: the model's own,
                unless `settings` name a size.
            preset: One of `info.presets`, such as `"faithful"` or `"detailed"`. Default: the model's.
            seed: Of the noise, 0 to 2^64 - 1. The same seed gives the same image.
            icc: ICC profile of the samples. Default: sRGB, or the profile of a Pillow image. The result has it too.
            progress: Called on this thread with the share of the work done, 0 to 1, the denoising step at work (0:
                none yet) and their number. False, or an exception, which is passed on, ends the work.
            cancel: Such as a `threading.Event`, which another thread sets to end the work.
            report: A dictionary that is filled with how the image was made: steps, fidelity, seconds and so on.
            **settings: See `Settings`.

        Returns:
            An array of the same dtype, and of the input's channels if any, contiguous; or an image of Pillow of the
            same mode with the input's profile, EXIF, XMP and size in print.

        Raises:
            TypeError: The dtype is none of those.
            InvalidArgumentError: The shape is none of those, or the mode of a Pillow image would lose something.
            InputError: A value is not finite.
            UnknownKeyError: A setting does not exist.
            InvalidOptionError: A setting is outside its range, or settings contradict each other.
            LimitError: The image or its result is too large for the limits on pixels or memory.
            QualityError: The model gave an unusable result.
            CancelledError: `cancel` or `progress` ended the work.
            InvalidHandleError: The upscaler is closed.
            BusyError: Called from within `progress`.

        Warns:
            PartDiffWarning: Something could not be kept, such as a profile that cannot be used.
        """
        _run.refuse_within_callback()
        if _pillow.is_image(image):
            samples, mode, profile = _pillow.samples(image)
            array = _arrays.checked(samples)
        else:
            array, profile = _arrays.checked(image), None
        job = self._opened()[0].make("job", "job_create")
        options = {"scale": scale, "preset": preset, "seed": seed, **settings}
        for key, value in options.items():
            if value is not None:
                text = str(int(value) if isinstance(value, bool) else value)
                job.call("set_text", key.encode(), text.encode())
        profile = icc if icc is not None else profile
        if profile is not None:
            job.call("set_profile", profile, len(profile))
        width, height = c.c_uint32(), c.c_uint32()
        job.call("output_size", array.shape[1], array.shape[0], c.byref(width), c.byref(height))
        result = np.empty((height.value, width.value, *array.shape[2:]), array.dtype)
        upscale = _abi.library().partdiff_upscale

        def call() -> int:
            # Descriptions do not keep arrays alive; this function does.
            source, target = _arrays.image(array), _arrays.image(result)
            status: int = upscale(job.address, c.byref(source), c.byref(target))
            return status

        try:
            _run.run(job, call, progress, cancel)
            for text in job.text("warnings").splitlines():
                warnings.warn(text, PartDiffWarning, stacklevel=2)
            if report is not None:
                report.update(json.loads(job.text("report")))
        finally:
            job.destroy()
        return _pillow.restored(result, mode, image) if _pillow.is_image(image) else result

    def _opened(self) -> tuple[_abi.Handle, _abi.Handle]:
        """The model and its context."""
        _abi.library()
        # Read once: another thread may close.
        handles = self._handles
        if handles is None:
            raise InvalidHandleError("the Upscaler is closed")
        return handles
