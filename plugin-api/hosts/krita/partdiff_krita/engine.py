"""libpartdiff, with the model loaded."""

from __future__ import annotations

import ctypes as c
import os
import shutil
from pathlib import Path

from .partdiff import _abi, _run
from .pixels import Format
from .settings import Settings

_FOLDER = Path(__file__).parent
#: What `partdiff krita install` links to.
_RUNTIME = ("libonnxruntime.so", "libonnxruntime.dylib")

_models: dict[tuple[str, str], _abi.Handle] = {}


def model(settings: Settings) -> _abi.Handle:
    """The model of `settings` on its device, loaded once.

    Raises a `PartDiffError` that says what is missing.
    """
    key = (settings.model, settings.device)
    if key not in _models:
        if program := shutil.which("partdiff"):
            os.environ.setdefault("PARTDIFF_COMMAND", program)
        context = _abi.Handle.context()
        context.call("set_text", b"device", settings.device.encode())
        linked = [_FOLDER / name for name in _RUNTIME if (_FOLDER / name).exists()]
        if linked and not os.environ.get("ORT_DYLIB_PATH"):
            context.call("set_text", b"library", os.fsencode(linked[0]))
        _models[key] = context.make("model", "model_open", settings.model.encode() or None)
    return _models[key]


class Job:
    """One image to be made larger."""

    def __init__(self, settings: Settings, width: int, height: int) -> None:
        """Raises a `PartDiffError` for settings that do not fit each other or the size."""
        self.handle = model(settings).make("job", "job_create")
        for key, text in settings.options().items():
            self.handle.call("set_text", key.encode(), text.encode())
        self.input = (width, height)
        w, h = c.c_uint32(), c.c_uint32()
        self.handle.call("output_size", width, height, c.byref(w), c.byref(h))
        #: Width and height of the result.
        self.size = (w.value, h.value)

    def run(
        self,
        pixels: bytes,
        form: Format,
        profile: bytes,
        progress: _run.Progress | None = None,
        cancel: _run.Cancel | None = None,
    ) -> bytearray:
        """Pixels as Krita stores them -> those of the result. `cancel` is asked ten times a second."""
        self.handle.call("set_profile", profile, len(profile))
        given = bytearray(pixels)
        form.order(given)
        made = bytearray(self.size[0] * self.size[1] * form.pixel)
        upscale = _abi.library().partdiff_upscale

        def call() -> int:
            # Descriptions do not keep memory alive; this function does.
            source, target = form.image(given, *self.input), form.image(made, *self.size)
            status: int = upscale(self.handle.address, c.byref(source), c.byref(target))
            return status

        _run.run(self.handle, call, progress, cancel)
        form.order(made)
        return made

    def warnings(self) -> list[str]:
        """What could not be kept, in sentences."""
        return self.handle.text("warnings").splitlines()
