"""The upscaler itself: settings, progress, cancelling, errors, threads."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import partdiff
from partdiff import errors

Picture = Callable[..., NDArray[Any]]


def test_it_says_what_it_is(upscaler: partdiff.Upscaler) -> None:
    info = upscaler.info
    assert info.name == "natural-x4" and info.scale == 4 and info.channels == 3 and info.cleanup
    assert "faithful" in info.presets and "detailed" in info.presets
    assert info.provider.startswith("cpu") and len(info.digest) == 64
    # The library beside this Python's package, not one that lies elsewhere.
    import onnxruntime

    assert info.runtime_version == onnxruntime.__version__
    assert info.runtime.startswith(str(onnxruntime.__path__[0]))
    assert info.library_version == partdiff.library_version()


def test_each_status_has_a_class() -> None:
    kinds = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    assert sorted(kind.status for kind in kinds if kind.status) == list(range(1, 16))
    assert all(issubclass(kind, partdiff.PartDiffError) for kind in kinds)
    assert type(errors.error(99, "new")) is partdiff.InternalError


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"scale": 99}, partdiff.InvalidOptionError, "scale"),
        ({"preset": "nicest"}, partdiff.InvalidOptionError, "faithful"),
        ({"seed": -1}, partdiff.InvalidOptionError, "seed"),
        ({"steps": 1000}, partdiff.InvalidOptionError, "steps"),
        ({"scale": 2, "width": 50}, partdiff.InvalidOptionError, "conflicting sizes"),
        ({"fit_width": 50}, partdiff.InvalidOptionError, "fit_height"),
        ({"scal": 2}, partdiff.UnknownKeyError, "expected one of scale"),
    ],
)
def test_settings_that_are_wrong_are_named(
    upscaler: partdiff.Upscaler, picture: Picture, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as raised:
        upscaler.upscale(picture("uint8"), **options)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"model": "no-such-model"}, partdiff.ModelError, "no-such-model"),
        ({"device": "abacus"}, partdiff.InvalidOptionError, "abacus"),
        ({"threads": -1}, partdiff.InvalidOptionError, "threads"),
        ({"memory": "much"}, partdiff.InvalidOptionError, "memory"),
        ({"memory": 20 << 20}, partdiff.InvalidOptionError, "expected more than 128 MiB"),
    ],
)
def test_an_upscaler_that_cannot_be_had_says_why(arguments: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error) as raised:
        partdiff.Upscaler(**{"device": "cpu", **arguments})
    assert said in str(raised.value)


def test_a_seed_a_preset_and_a_report(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    small = picture("uint8")
    report: dict[str, Any] = {}
    first = upscaler.upscale(small, preset="detailed", seed=1, report=report)
    assert report["seed"] == 1 and report["sampling"]["steps"] == 4 and "max_error" in report["fidelity"]
    np.testing.assert_array_equal(upscaler.upscale(small, preset="detailed", seed=1), first)
    assert (upscaler.upscale(small, preset="detailed", seed=2) != first).any()
    tiled, plain = (upscaler.upscale(small, cleanup=np.float32(0.0), tile=tile) for tile in (16, 64))
    np.testing.assert_array_equal(tiled, plain)


def test_progress_ends_with_all_done(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    told: list[tuple[float, int, int]] = []
    here = threading.get_ident()

    def progress(*event: Any) -> None:
        assert threading.get_ident() == here
        told.append(event)

    upscaler.upscale(picture("uint8"), steps=3, progress=progress)
    shares = [event[0] for event in told]
    assert shares == sorted(shares) and told[-1] == (1.0, 3, 3)


def test_a_callback_cancels_or_raises_and_the_next_call_works(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    small = picture("uint8", 3, 64, 64)

    def broken(*_: object) -> None:
        raise KeyError("mine")

    def nested(*_: object) -> None:
        upscaler.upscale(small)

    with pytest.raises(partdiff.CancelledError):
        upscaler.upscale(small, progress=lambda *_: False)
    with pytest.raises(KeyError, match="mine"):
        upscaler.upscale(small, progress=broken)
    with pytest.raises(partdiff.BusyError, match="progress callback"):
        upscaler.upscale(small, progress=nested)
    assert upscaler.upscale(small, progress=lambda *_: None).shape == (256, 256, 3)


def test_an_event_cancels(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    cancel = threading.Event()
    started = threading.Event()

    def stop() -> None:
        started.wait()
        cancel.set()

    thread = threading.Thread(target=stop)
    thread.start()
    # Would take minutes.
    large = picture("uint8", 3, 300, 300)
    with pytest.raises(partdiff.CancelledError):
        upscaler.upscale(large, steps=40, cancel=cancel, progress=lambda *_: started.set())
    thread.join()
    cancel.clear()
    assert upscaler.upscale(large[:8, :8], cancel=cancel).shape == (32, 32, 3)


def test_an_interrupt_ends_the_work(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    # Processes in the background begin with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            upscaler.upscale(
                picture("uint8", 3, 300, 300),
                steps=40,
                progress=lambda *_: _thread.interrupt_main(),
            )
    finally:
        signal.signal(signal.SIGINT, before)


def test_python_runs_meanwhile(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    counted, stop = 0, threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.is_set():
            counted += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    while not counted:
        time.sleep(0.001)
    before = counted
    upscaler.upscale(picture("uint8", 3, 100, 100))
    stop.set()
    thread.join()
    assert counted > before


def test_threads_share_one_and_use_several(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    images = [picture("uint8", channels) for channels in (None, 2, 3, 4)] * 3
    expected = [upscaler.upscale(image) for image in images]
    with partdiff.Upscaler(device="cpu", threads=1) as other, ThreadPoolExecutor(6) as pool:
        for engines in ([upscaler], [upscaler, other]):
            jobs = [pool.submit(engines[i % len(engines)].upscale, image) for i, image in enumerate(images)]
            for job, image in zip(jobs, expected):
                np.testing.assert_array_equal(job.result(), image)


def test_closing_is_final_and_spares_what_is_at_work(picture: Picture) -> None:
    small = picture("uint8", 3, 64, 64)
    with partdiff.Upscaler(device="cpu") as upscaler:
        closed = threading.Event()

        def close(*_: object) -> None:
            if not closed.is_set():
                upscaler.close()
                closed.set()

        assert upscaler.upscale(small, progress=close).shape == (256, 256, 3)
        assert closed.is_set()
    upscaler.close()
    for call in (lambda: upscaler.upscale(small), lambda: upscaler.info):
        with pytest.raises(partdiff.InvalidHandleError, match="closed"):
            call()
    assert "closed" in repr(upscaler)


def test_a_profile_that_cannot_be_used_is_a_warning(upscaler: partdiff.Upscaler, picture: Picture) -> None:
    small = picture("uint8")
    with pytest.warns(partdiff.PartDiffWarning, match="profile"):
        large = upscaler.upscale(small, icc=b"no profile")
    np.testing.assert_array_equal(large, upscaler.upscale(small))


def test_too_little_memory_is_told(picture: Picture) -> None:
    with (
        partdiff.Upscaler(device="cpu", memory=130 << 20) as upscaler,
        pytest.raises(partdiff.LimitError, match="memory"),
    ):
        upscaler.upscale(picture("uint8", 3, 500, 500), consistency=1)
