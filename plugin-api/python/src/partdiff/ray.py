"""Many files through a Ray cluster: `partdiff.ray.upscale`.

    import partdiff.ray
    summary = partdiff.ray.upscale("s3://photos/2019/", "s3://large/2019/", scale=2)

Needs the extra `ray`: pip install "partdiff[ray]". Every node needs this package.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import posixpath
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import ray
import ray.data
from pyarrow import fs

from . import _store
from ._worker import Order, Outcome, Worker, WorkerDiedError
from .errors import InvalidArgumentError

__all__ = ["Row", "Summary", "upscale"]

#: Extensions of files that are taken from a folder; what is named is tried in any case.
_READ = frozenset(
    f".{name}"
    for names in (
        "png jpg jpeg jpe jfif webp tif tiff bmp dib gif qoi jxl",
        "pbm pgm ppm pnm pam pfm exr hdr pic",
    )
    for name in names.split()
)

#: Those of them that results can have, too.
_WRITTEN = frozenset((".bmp", ".jpeg", ".jpg", ".jxl", ".png", ".tif", ".tiff", ".webp"))


@dataclass(frozen=True)
class Row:
    """A line of the manifest."""

    #: Path of the input, and its bytes and time of change (nanoseconds since 1970) by which a later run knows it.
    input: str
    input_bytes: int
    input_changed: int
    #: SHA-256 of the settings.
    settings: str
    #: Path of the result; empty if it failed.
    output: str = ""
    #: SHA-256 of both files.
    input_sha256: str = ""
    output_sha256: str = ""
    #: Size of the result in pixels, and the factor.
    width: int = 0
    height: int = 0
    scale: str = ""
    #: The model, and what it ran on.
    model: str = ""
    provider: str = ""
    #: Seconds from reading to writing, and when it ended, in seconds since 1970.
    seconds: float = 0.0
    ended: float = 0.0
    #: Ray's id of the node.
    node: str = ""
    #: What could not be kept, one sentence a line; what is wrong with an input of which a part was read.
    warnings: str = ""
    damage: str = ""
    #: Why it failed; empty if it was made.
    error: str = ""


@dataclass(frozen=True)
class Summary:
    """What a run did, and where the manifest lies."""

    done: int
    skipped: int
    failed: int
    manifest: str


@dataclass(frozen=True)
class _Plan:
    """What every actor knows."""

    source: fs.FileSystem
    target: fs.FileSystem
    root: str
    output: str
    parts: str
    settings: dict[str, Any]
    digest: str
    device: str
    threads: int | None
    memory: int | None


def upscale(
    inputs: str | os.PathLike[str] | Iterable[str] | ray.data.Dataset,
    output: str | os.PathLike[str],
    *,
    filesystem: Any = None,
    output_filesystem: Any = None,
    device: str = "auto",
    threads: int | None = None,
    memory: int | None = None,
    actors: int | tuple[int, int] = 1,
    num_cpus: float | None = None,
    num_gpus: float | None = None,
    batch_size: int = 16,
    ray_remote_args: dict[str, Any] | None = None,
    **settings: Any,
) -> Summary:
    """Makes larger images of many files, each by the command's own machinery, so that formats, metadata and the
    record of making are the command's.

    A result lies at the input's path below the common folder of all inputs. It is written whole or not at all: renamed
    on file systems, in a single put on object stores. A file that cannot be made does not stop the others. A further
    call with the same settings leaves out what is done, as long as input and result are still there and the input has
    not changed. Where a node is lost, its files are made elsewhere.

    Args:
        inputs: A folder, path or URL (of which images are taken, by their extension), or paths or URLs of files, or a
            Ray dataset with a column `path`. All in one file system.
        output: The folder for results, path or URL. The manifest is `manifest.parquet` in it, with the columns of
            `Row`; of each input the latest outcome.
        filesystem: Of pyarrow or fsspec, for the inputs. Default: from the URL. Paths have to mean the same on every
            node.
        output_filesystem: For the results. Default: `filesystem` if that is given, else from the URL.
        device: As for `Upscaler`.
        threads: Of each actor on the processor. Default: `num_cpus` if it is at least 1, else one per core.
        memory: What each actor's process may take, in bytes, more than 128 MiB. Default: half of what is free for each.
        actors: How many, or from how many to how many. Each has one engine, loaded once.
        num_cpus: What Ray is to reserve for each actor. Default: 1.
        num_gpus: What Ray is to reserve for each actor. Default: 1 for `cuda` and `tensorrt`, else none.
        batch_size: Files an actor is given at a time, of which it makes several at once, at least 1. What a lost node
            was making is made again in whole batches.
        ray_remote_args: More of Ray's options for actors, such as `{"scheduling_strategy": "SPREAD"}`.
        **settings: Those of the command, as in the configuration of `partdiff watch`: `scale`, `preset`, `seed`,
            `model`, `format`, `quality`, `depth`, `cleanup`, `strip` and so on.

    Raises:
        FileNotFoundError: The bucket or folder does not exist.
        InvalidArgumentError: Two inputs would have one result.
        ray.exceptions.RayError: The engine cannot be loaded (the text has the reason: ONNX Runtime is missing, a
            setting does not exist), or Ray itself failed.
    """
    source, paths = _inputs(inputs, filesystem)
    target, folder = _store.filesystem(os.fspath(output), output_filesystem or filesystem)
    folder = folder.rstrip("/")
    _store.require_bucket(target, folder, os.fspath(output))
    manifest, parts = posixpath.join(folder, "manifest.parquet"), posixpath.join(folder, ".partdiff-parts")
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()
    plan = _Plan(
        source,
        target,
        _root(paths),
        folder,
        parts,
        settings,
        digest,
        device,
        threads or int(1 if num_cpus is None else num_cpus) or None,
        memory,
    )
    _require_distinct(plan, paths)
    # What a run that was broken off has noted counts.
    known = _collect(plan, manifest)
    rows = [_seen(plan, info) for info in (source.get_file_info(paths) if paths else [])]
    to_do = [row for row in rows if not _is_done(plan, known.get(row.input), row)]
    if to_do:
        gpus = num_gpus if num_gpus is not None else 1 if device in ("cuda", "tensorrt") else None
        table = pa.Table.from_pylist([asdict(row) for row in to_do], _schema())
        dataset = ray.data.from_arrow([table.slice(at, batch_size) for at in range(0, len(to_do), batch_size)])
        dataset.map_batches(
            _Maker,
            fn_constructor_args=(plan,),
            batch_size=None,
            batch_format="numpy",
            compute=_pool(actors),
            num_cpus=num_cpus if num_cpus is not None else 1,
            num_gpus=gpus,
            **(ray_remote_args or {}),
        ).materialize()
    known = _collect(plan, manifest)
    failed = sum(row.input not in known or bool(known[row.input].error) for row in to_do)
    return Summary(len(to_do) - failed, len(rows) - len(to_do), failed, manifest)


class _Maker:
    """An actor: a worker process, and the way of files to it and back."""

    def __init__(self, plan: _Plan) -> None:
        self._plan = plan
        self._worker = self._start()

    def _start(self) -> Worker:
        plan = self._plan
        return Worker(plan.settings, plan.device, plan.threads, plan.memory)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        rows = [Row(**{key: column[i] for key, column in batch.items()}) for i in range(len(batch["input"]))]
        with tempfile.TemporaryDirectory(prefix="partdiff-") as folder:
            outcomes = [self._row(*made) for made in self._make(rows, Path(folder))]
        table = pa.Table.from_pylist([asdict(row) for row in outcomes], _schema())
        # The same batch, given to another actor after this one was lost, replaces what it noted.
        name = hashlib.sha256("\n".join(row.input for row in rows).encode()).hexdigest()
        _write_table(self._plan.target, posixpath.join(self._plan.parts, f"{name}.parquet"), table)
        return {"input": np.array([row.input for row in rows])}

    def _make(self, rows: list[Row], folder: Path) -> list[tuple[Row, Path, Outcome]]:
        """Reads and makes all `rows` in `folder`."""
        results: list[tuple[Row, Path, Outcome]] = []
        orders: list[tuple[Row, Order]] = []
        for number, row in enumerate(rows):
            # The extension tells the format of the result.
            name = folder / f"{number}{posixpath.splitext(row.input)[1]}"
            try:
                data = _store.read(self._plan.source, row.input)
                name.write_bytes(data)
            except Exception as error:  # Whatever a file system raises is this file's failure.
                results.append((row, name, Outcome(error=f"cannot be read: {error}")))
                continue
            digest = hashlib.sha256(data).hexdigest()
            row = Row(**{**asdict(row), "input_sha256": digest})
            orders.append((row, Order(name, digest, folder / f"{number}.result")))
        left = dict(enumerate(orders))
        try:
            for number, outcome in self._worker.make([order for _, order in orders]):
                row, order = left.pop(number)
                results.append((row, order.result, outcome))
                order.input.unlink()
        except WorkerDiedError:
            # One of the files ended it: each alone.
            self._worker = self._start()
            for row, order in left.values():
                order.result.unlink(missing_ok=True)
                results.append((row, order.result, self._alone(order)))
        return results

    def _alone(self, order: Order) -> Outcome:
        try:
            return next(outcome for _, outcome in self._worker.make([order]))
        except WorkerDiedError as error:
            self._worker = self._start()
            return Outcome(error=f"{error} over this file")

    def _row(self, row: Row, result: Path, outcome: Outcome) -> Row:
        """Brings a result to its place; gives its line."""
        made, error, output = outcome.made, outcome.error, ""
        if made:
            output = f"{_result(self._plan, row.input)}.{made['ext']}"
            try:
                _store.write(self._plan.target, output, result.read_bytes())
            except Exception as problem:  # As above.
                made, error, output = {}, f"{output}: cannot be written: {problem}", ""
            result.unlink(missing_ok=True)
        return Row(
            **{
                **asdict(row),
                "output": output,
                "output_sha256": made.get("hash", ""),
                "width": made.get("width", 0),
                "height": made.get("height", 0),
                "scale": made.get("scale", ""),
                "model": made.get("model", ""),
                "provider": self._worker.provider,
                "seconds": made.get("seconds", 0.0),
                "ended": time.time(),
                "node": ray.get_runtime_context().get_node_id(),
                "warnings": "\n".join(made.get("warnings", [])),
                "damage": made.get("damage") or "",
                "error": error,
            }
        )


def _inputs(inputs: Any, filesystem: Any) -> tuple[fs.FileSystem, list[str]]:
    """The file system of the inputs, and their paths in order, each once."""
    if isinstance(inputs, (str, os.PathLike)):
        name = os.fspath(inputs)
        source, path = _store.filesystem(name, filesystem)
        kind = source.get_file_info(path).type
        if kind == fs.FileType.File:
            return source, [path]
        _store.require_bucket(source, path, name)
        if kind == fs.FileType.NotFound:
            raise FileNotFoundError(f"{name}: no such file or folder")
        found = _store.files(source, path)
        return source, [path for path in found if posixpath.splitext(path)[1].lower() in _READ]
    if isinstance(inputs, ray.data.Dataset):
        inputs = [row["path"] for row in inputs.select_columns(["path"]).take_all()]
    places = [_store.filesystem(os.fspath(place), filesystem) for place in inputs]
    if any(not source.equals(places[0][0]) for source, _ in places):
        raise InvalidArgumentError("the inputs lie in several file systems: expected one")
    return places[0][0] if places else fs.LocalFileSystem(), sorted({path for _, path in places})


def _root(paths: list[str]) -> str:
    """The common folder of `paths`."""
    return posixpath.commonpath([posixpath.dirname(path) for path in paths]) if paths else ""


def _result(plan: _Plan, path: str) -> str:
    """The path of the result of `path`, without extension."""
    return posixpath.splitext(posixpath.join(plan.output, posixpath.relpath(path, plan.root or ".")))[0]


def _require_distinct(plan: _Plan, paths: list[str]) -> None:
    stems: dict[str, str] = {}
    for path in paths:
        extension = posixpath.splitext(path)[1].lower()
        # What cannot be written under its own extension becomes PNG, or TIFF where it has several pages.
        extensions = [extension] if extension in _WRITTEN else [".png", ".tif"]
        for name in (_result(plan, path) + end for end in ([""] if "format" in plan.settings else extensions)):
            if name in stems:
                raise InvalidArgumentError(f"{stems[name]} and {path} would have one result: expected different names")
            stems[name] = path


def _seen(plan: _Plan, info: fs.FileInfo) -> Row:
    changed = info.mtime_ns if info.mtime_ns is not None else 0
    return Row(info.path, info.size if info.size is not None else -1, changed, plan.digest)


def _is_done(plan: _Plan, known: Row | None, row: Row) -> bool:
    """Whether `known`, of an earlier run, still holds for `row`."""
    if known is None or known.error:
        return False
    same = all(getattr(known, key) == getattr(row, key) for key in ("input_bytes", "input_changed", "settings"))
    there = posixpath.splitext(known.output)[0] == _result(plan, row.input)
    return same and there and plan.target.get_file_info(known.output).type == fs.FileType.File


def _collect(plan: _Plan, manifest: str) -> dict[str, Row]:
    """Puts what the batches noted into the manifest; gives the latest line of each input."""
    parts = _store.files(plan.target, plan.parts)
    exists = plan.target.get_file_info(manifest).type == fs.FileType.File
    lines: dict[str, Row] = {}
    for path in [*([manifest] if exists else []), *parts]:
        with plan.target.open_input_file(path) as file:
            for line in pq.read_table(file).to_pylist():
                row = Row(**line)
                if row.input not in lines or lines[row.input].ended <= row.ended:
                    lines[row.input] = row
    if parts or not exists:
        rows = [asdict(lines[name]) for name in sorted(lines)]
        _write_table(plan.target, manifest, pa.Table.from_pylist(rows, _schema()))
    for path in parts:
        plan.target.delete_file(path)
    with contextlib.suppress(OSError):
        plan.target.delete_dir(plan.parts)
    return lines


def _schema() -> pa.Schema:
    types = {"str": pa.string(), "int": pa.int64(), "float": pa.float64()}
    return pa.schema([(column.name, types[str(column.type)]) for column in fields(Row)])


def _write_table(store: fs.FileSystem, path: str, table: pa.Table) -> None:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    _store.write(store, path, sink.getvalue())


def _pool(actors: int | tuple[int, int]) -> Any:
    least, most = (actors, actors) if isinstance(actors, int) else actors
    return ray.data.ActorPoolStrategy(min_size=least, max_size=most)
