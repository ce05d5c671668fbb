"""libpartdiff's C ABI through ctypes. The rules are those of include/partdiff.h."""

from __future__ import annotations

import ctypes as c
import os
import sys
from pathlib import Path
from typing import Any

from . import errors
from ._command import command

#: The ABI that this package is written for.
ABI = (1, 0)

PROGRESS = c.CFUNCTYPE(c.c_int32, c.c_void_p, c.c_double, c.c_uint32, c.c_uint32)


class Image(c.Structure):
    """partdiff_image."""

    _fields_ = [
        ("struct_size", c.c_uint32),
        ("sample", c.c_uint32),
        ("color", c.c_uint32),
        ("layout", c.c_uint32),
        ("width", c.c_uint32),
        ("height", c.c_uint32),
        ("data", c.c_void_p),
        ("size", c.c_size_t),
        ("row_stride", c.c_size_t),
        ("plane_stride", c.c_size_t),
    ]


_P, _S, _N = c.c_void_p, c.c_char_p, c.c_size_t
# Addresses and sizes must not pass as 32-bit integers.
_ARGUMENTS: dict[str, list[Any]] = {
    "context_create": [c.c_uint32, c.c_uint32, _P],
    "context_destroy": [_P],
    "context_set_text": [_P, _S, _S],
    "context_set_int": [_P, _S, c.c_int64],
    "context_get_text": [_P, _S, _P, _N, _P],
    "context_error": [_P, _P, _N, _P],
    "model_open": [_P, _S, _P],
    "model_destroy": [_P],
    "model_get_text": [_P, _S, _P, _N, _P],
    "model_get_int": [_P, _S, _P],
    "model_error": [_P, _P, _N, _P],
    "job_create": [_P, _P],
    "job_destroy": [_P],
    "job_set_text": [_P, _S, _S],
    "job_set_profile": [_P, _S, _N],
    "job_set_progress": [_P, PROGRESS, _P],
    "job_output_size": [_P, c.c_uint32, c.c_uint32, _P, _P],
    "job_cancel": [_P],
    "job_get_text": [_P, _S, _P, _N, _P],
    "job_error": [_P, _P, _N, _P],
    "upscale": [_P, _P, _P],
}

_library: c.CDLL | None = None
_started = False
_forked = False


def _after_fork() -> None:
    global _forked
    _forked = _started


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def file_name() -> str:
    """What the library is called beside this module."""
    return {"win32": "partdiff.dll", "darwin": "libpartdiff.dylib"}.get(sys.platform, "libpartdiff.so")


def library() -> c.CDLL:
    """The library, loaded: the one that PARTDIFF_LIBRARY names, else the one beside this module.

    Raises `ForkError` in a child of a process that has used it, and `AbiMismatchError` where it cannot be loaded.
    """
    global _library, _started
    if _forked:
        raise errors.ForkError(
            "PartDiff was in use when this process was forked: make the Upscaler in the child only, or start "
            'processes with "spawn" or "forkserver" (multiprocessing.set_start_method)'
        )
    if _library is None:
        path = os.environ.get("PARTDIFF_LIBRARY") or str(Path(__file__).with_name(file_name()))
        # ONNX Runtime reads it when it starts, and sends an event where it is not set.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        # Execution providers are tried in a process of the command first.
        program = command()
        if program.is_file():
            os.environ.setdefault("PARTDIFF_COMMAND", str(program))
        try:
            loaded = c.CDLL(path)
        except OSError as error:
            raise errors.AbiMismatchError(f"libpartdiff cannot be loaded: {error}") from error
        for name, arguments in _ARGUMENTS.items():
            getattr(loaded, f"partdiff_{name}").argtypes = arguments
        loaded.partdiff_status_text.restype = c.c_char_p
        loaded.partdiff_version.restype = c.c_char_p
        _library = loaded
    _started = True
    return _library


class Handle:
    """A context, a model or a job, and what can be asked of each."""

    def __init__(self, kind: str, address: c.c_void_p) -> None:
        self.kind = kind
        self.address = address

    def __del__(self) -> None:
        self.destroy()

    @classmethod
    def context(cls) -> Handle:
        """A new context."""
        address = c.c_void_p()
        status = library().partdiff_context_create(*ABI, c.byref(address))
        if status:
            raise errors.error(status, _status_text(status))
        return cls("context", address)

    def destroy(self) -> None:
        """Ends it. What still needs it keeps it alive inside."""
        address, self.address = self.address, c.c_void_p()
        # A child process must not touch what its parent has.
        if address and not _forked and _library is not None:
            getattr(_library, f"partdiff_{self.kind}_destroy")(address)

    def check(self, status: int) -> None:
        """Raises what `status` of a call on this handle means."""
        if status:
            raise errors.error(status, self._text("error") or _status_text(status))

    def call(self, function: str, *arguments: Any) -> None:
        """Calls `function` on this handle."""
        self.check(getattr(library(), f"partdiff_{self.kind}_{function}")(self.address, *arguments))

    def make(self, kind: str, function: str, *arguments: Any) -> Handle:
        """What `function` on this handle makes."""
        address = c.c_void_p()
        self.check(getattr(library(), f"partdiff_{function}")(self.address, *arguments, c.byref(address)))
        return Handle(kind, address)

    def text(self, key: str) -> str:
        """The text called `key`."""
        return self._text("get_text", key.encode())

    def integer(self, key: str) -> int:
        """The number called `key`."""
        value = c.c_int64()
        self.call("get_int", key.encode(), c.byref(value))
        return value.value

    def _text(self, function: str, *arguments: Any) -> str:
        give = getattr(library(), f"partdiff_{self.kind}_{function}")
        size, length = 256, c.c_size_t()
        while True:
            buffer = c.create_string_buffer(size)
            status = give(self.address, *arguments, buffer, size, c.byref(length))
            if status:
                raise errors.error(status, _status_text(status))
            if length.value < size:
                return buffer.value.decode()
            size = length.value + 1


def _status_text(status: int) -> str:
    text: bytes = library().partdiff_status_text(status)
    return text.decode()
