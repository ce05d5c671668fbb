"""One call of the library on a thread of its own, while the calling thread listens to the user."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Protocol

from . import _abi
from .errors import BusyError

#: Told the share of the work done, 0 to 1, the denoising step at work (0: none yet) and their number; False cancels.
Progress = Callable[[float, int, int], object]

#: Seconds between two looks at what cancels.
_POLL = 0.1

_here = threading.local()


class Cancel(Protocol):
    """Says whether to stop, as `threading.Event` does."""

    def is_set(self) -> bool:
        """Whether to stop."""


def refuse_within_callback() -> None:
    """Raises `BusyError` inside a progress callback, where a second image could wait for the memory of the first."""
    if getattr(_here, "in_callback", False):
        raise BusyError("upscale was called from within a progress callback")


def run(job: _abi.Handle, call: Callable[[], int], progress: Progress | None, cancel: Cancel | None) -> None:
    """Makes `call` on `job`, and passes on what it tells.

    The library's thread never runs code of the user: exceptions have no way through C, and Ctrl-C reaches Python
    code of the main thread only. Whatever is raised here ends the work.
    """
    events: queue.SimpleQueue[tuple[float, int, int] | int] = queue.SimpleQueue()

    def hear(_: object, fraction: float, step: int, steps: int) -> int:
        events.put((fraction, step, steps))
        return 0

    # Both live as long as the call, which this thread keeps alive.
    callback = _abi.PROGRESS(hear)
    if progress is not None:
        job.call("set_progress", callback, None)

    def work() -> None:
        status = 15
        try:
            status = call()
        finally:
            _ = callback
            events.put(status)

    thread = threading.Thread(target=work, name="partdiff", daemon=True)
    thread.start()
    try:
        status, wanted = None, True
        while status is None:
            try:
                event = events.get(timeout=_POLL)
            except queue.Empty:
                event = None
            if isinstance(event, int):
                status = event
                continue
            if event is not None and progress is not None and wanted:
                _here.in_callback = True
                try:
                    wanted = progress(*event) is not False
                finally:
                    _here.in_callback = False
                if not wanted:
                    job.call("cancel")
            if cancel is not None and wanted and cancel.is_set():
                wanted = False
                job.call("cancel")
    except BaseException:
        job.call("cancel")
        thread.join()
        raise
    thread.join()
    job.check(status)
