"""A process of the command that makes files, one engine loaded for all of them.

It is the worker of `partdiff watch`, which comes with this package, in the same version: it decodes, keeps metadata,
and records how a result was made. Orders and replies are JSON, one object a line (src/watch/worker/protocol.rs).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import _onnxruntime
from ._command import command
from .errors import InvalidOptionError, OnnxRuntimeError


@dataclass(frozen=True)
class Order:
    """A file to make."""

    input: Path
    #: SHA-256 of the input's bytes, in hexadecimal.
    hash: str
    #: Where the result goes; nothing may be there.
    result: Path


@dataclass(frozen=True)
class Outcome:
    """What became of an order: `made` as the worker tells it, or the `error`."""

    made: dict[str, Any] = field(default_factory=dict)
    error: str = ""


class WorkerDiedError(Exception):
    """The process ended over its orders."""


class Worker:
    """The process, with the model of `settings` loaded.

    Raises:
        OnnxRuntimeError: The model cannot be used; the text says why.
        InvalidOptionError: A setting does not exist, or is of the wrong kind.
    """

    def __init__(self, settings: dict[str, Any], device: str, threads: int | None, memory: int | None) -> None:
        # The process takes its limit from its start, the engine from what each image asks for.
        self._settings = settings if memory is None else {**settings, "memory": str(memory)}
        runtime = {"device": device, "threads": threads, "memory": memory, "library": _onnxruntime.library(device)}
        self._process = subprocess.Popen(
            [command(), "watch-worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, "ORT_DISABLE_TELEMETRY": "1"},
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self._say({"runtime": runtime, "nice": 0})
        # A file that is not there: the answer tells that the settings were understood.
        nothing = Path(os.devnull).with_name("no-such-file")
        self._say(self._make(-1, Order(nothing, "", nothing)))
        for reply in self._replies():
            if reply.get("event") == "failed":
                break
        self._say({"do": "load", "model": settings.get("model") or "natural-x4"})
        for reply in self._replies():
            if reply.get("event") == "refused":
                raise OnnxRuntimeError(reply["reason"])
            if reply.get("event") == "loaded":
                self.provider: str = reply["provider"]
                break

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()

    def make(self, orders: list[Order]) -> Iterator[tuple[int, Outcome]]:
        """Makes `orders`, several at a time; gives the place in the list and the outcome of each, as they come.

        Raises `WorkerDiedError` if the process ends meanwhile.
        """
        for number, order in enumerate(orders):
            self._say(self._make(number, order))
        left = len(orders)
        while left:
            reply = next(self._replies())
            if reply.get("event") == "made":
                yield reply["id"], Outcome(made=reply["made"])
            elif reply.get("event") == "failed":
                yield reply["id"], Outcome(error=reply["reason"])
            else:
                continue
            left -= 1

    def _make(self, number: int, order: Order) -> dict[str, Any]:
        return {
            "do": "make",
            "id": number,
            "input": os.fsencode(order.input).hex(),
            "hash": order.hash,
            "temporary": os.fsencode(order.result).hex(),
            "settings": self._settings,
            "ready": None,
        }

    def _say(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerDiedError("the worker ended") from error

    def _replies(self) -> Iterator[dict[str, Any]]:
        assert self._process.stdout is not None
        for line in iter(self._process.stdout.readline, ""):
            if line.startswith("{"):
                yield json.loads(line)
            elif "invalid request: " in line:
                self.close()
                raise InvalidOptionError(line.partition("invalid request: ")[2].strip())
            else:
                print(line, end="", file=sys.stderr)
        raise WorkerDiedError(f"the worker ended with status {self._process.wait()}")
