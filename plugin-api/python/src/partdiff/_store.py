"""Files wherever pyarrow or fsspec reach them: folders, S3 and the like."""

from __future__ import annotations

import os
import posixpath
import uuid
from typing import Any

from pyarrow import fs

#: Where an object appears whole when its upload ends; elsewhere a temporary file is renamed.
_OBJECT_STORES = frozenset(("s3", "s3a", "gcs", "gs", "abfs", "az", "adl", "oss", "cos"))


def filesystem(place: str, given: Any = None) -> tuple[fs.FileSystem, str]:
    """The file system of `place`, a path or URL, and the path in it; `given` is one of pyarrow's or of fsspec's.

    Raises what pyarrow has to say of a URL that it does not know.
    """
    if given is not None and not isinstance(given, fs.FileSystem):
        given = fs.PyFileSystem(fs.FSSpecHandler(given))
    if given is not None:
        return given, place.partition("://")[2] or place
    if "://" not in place:
        return fs.LocalFileSystem(), os.path.abspath(place)
    found: tuple[fs.FileSystem, str] = fs.FileSystem.from_uri(place)
    return found


def require_bucket(store: fs.FileSystem, path: str, name: str) -> None:
    """Raises `FileNotFoundError` where `path`, called `name`, lies in a bucket that does not exist."""
    if _is_object_store(store):
        bucket = path.lstrip("/").partition("/")[0]
        if store.get_file_info(bucket).type == fs.FileType.NotFound:
            raise FileNotFoundError(f"{name}: the bucket {bucket} does not exist")


def write(store: fs.FileSystem, path: str, data: Any) -> None:
    """Writes `data` to `path`, where it appears whole or not at all."""
    folder = posixpath.dirname(path)
    if _is_object_store(store):
        _put(store, path, data)
        return
    store.create_dir(folder, recursive=True)
    temporary = posixpath.join(folder, f".{posixpath.basename(path)[:100]}.{uuid.uuid4().hex}.partial")
    try:
        _put(store, temporary, data)
        store.move(temporary, path)
    except BaseException:
        if store.get_file_info(temporary).type != fs.FileType.NotFound:
            store.delete_file(temporary)
        raise


def read(store: fs.FileSystem, path: str) -> bytes:
    """All of the file at `path`."""
    with store.open_input_stream(path, compression=None) as stream:
        data: bytes = stream.read()
        return data


def files(store: fs.FileSystem, path: str) -> list[str]:
    """All files in the folder `path`, at any depth, in order; none where it does not exist."""
    selector = fs.FileSelector(path, recursive=True, allow_not_found=True)
    return sorted(info.path for info in store.get_file_info(selector) if info.type == fs.FileType.File)


def _put(store: fs.FileSystem, path: str, data: Any) -> None:
    with store.open_output_stream(path, compression=None) as stream:
        stream.write(data)


def _is_object_store(store: fs.FileSystem) -> bool:
    kind = store.handler.fs.protocol if isinstance(store, fs.PyFileSystem) else store.type_name
    return not _OBJECT_STORES.isdisjoint([kind] if isinstance(kind, str) else kind)
