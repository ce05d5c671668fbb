"""What can go wrong: one class for each status of libpartdiff, all of them a `PartDiffError`."""

from __future__ import annotations

__all__ = [
    "AbiMismatchError",
    "BusyError",
    "CallbackError",
    "CancelledError",
    "ForkError",
    "InputError",
    "InternalError",
    "InvalidArgumentError",
    "InvalidHandleError",
    "InvalidOptionError",
    "LimitError",
    "ModelError",
    "OnnxRuntimeError",
    "OutputError",
    "PartDiffError",
    "PartDiffWarning",
    "QualityError",
    "UnknownKeyError",
]


class PartDiffWarning(UserWarning):
    """Something of an image could not be kept, or may be wrong; the text says what."""


class PartDiffError(Exception):
    """A failure. The text names what was wrong and what was expected."""

    #: The library's status, as in partdiff.h; 0 where the library was not asked.
    status = 0


class InvalidArgumentError(PartDiffError, ValueError):
    """An array of a shape or with values that cannot be an image."""

    status = 1


class InvalidHandleError(PartDiffError):
    """The upscaler was closed."""

    status = 2


class AbiMismatchError(PartDiffError, ImportError):
    """The libpartdiff that was loaded does not serve this package."""

    status = 3


class BusyError(PartDiffError):
    """The call is not allowed from within a callback."""

    status = 4


class UnknownKeyError(PartDiffError, ValueError):
    """No setting has that name."""

    status = 5


class InvalidOptionError(PartDiffError, ValueError):
    """A setting is outside its range, or settings contradict each other."""

    status = 6


class InputError(PartDiffError, ValueError):
    """The image cannot be used, such as one with values that are not finite."""

    status = 7


class OutputError(PartDiffError):
    """The result cannot be delivered."""

    status = 8


class ModelError(PartDiffError):
    """The model is missing, damaged or does not fit its own description."""

    status = 9


class OnnxRuntimeError(PartDiffError, RuntimeError):
    """ONNX Runtime or the wanted device is missing, too old, or failed."""

    status = 10


class LimitError(PartDiffError):
    """A limit on pixels or memory does not allow the work."""

    status = 11


class QualityError(PartDiffError):
    """The model's output is unusable, and was not passed on."""

    status = 12


class CancelledError(PartDiffError):
    """The work was cancelled."""

    status = 13


class CallbackError(PartDiffError):
    """A callback reported failure. Exceptions of your callbacks are raised as they are; this one does not occur."""

    status = 14


class InternalError(PartDiffError):
    """A defect of the library (please report it); the library goes on working."""

    status = 15


class ForkError(PartDiffError):
    """The process was forked after PartDiff had started its threads, which a child process does not inherit."""


_BY_STATUS = {kind.status: kind for kind in PartDiffError.__subclasses__() if kind.status}


def error(status: int, message: str) -> PartDiffError:
    """The exception for `status`."""
    return _BY_STATUS.get(status, InternalError)(message)
