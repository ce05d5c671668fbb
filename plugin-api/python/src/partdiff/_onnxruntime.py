"""ONNX Runtime's library in this Python environment."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
from pathlib import Path

from .errors import OnnxRuntimeError

_LIBRARY = {"win32": "onnxruntime.dll", "darwin": "libonnxruntime*.dylib"}.get(sys.platform, "libonnxruntime.so*")
_CUDA = {"win32": "onnxruntime_providers_cuda.dll"}.get(sys.platform, "libonnxruntime_providers_cuda.so")
_UPGRADE = 'pip install --upgrade "onnxruntime>=1.19"'


def _folder() -> Path | None:
    """The folder of the package onnxruntime that would be imported."""
    spec = importlib.util.find_spec("onnxruntime")
    return Path(spec.origin).parent if spec and spec.origin else None


def installed() -> bool:
    """Whether a package onnxruntime can be imported."""
    return _folder() is not None


def _version(folder: Path) -> str:
    """The version of the package in `folder`; all its builds (-gpu and others) write it there."""
    for found in importlib.metadata.packages_distributions().get("onnxruntime", []):
        return importlib.metadata.version(found)
    text = (folder / "__init__.py").read_text(encoding="utf-8", errors="replace")
    match = re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE)
    return match[1] if match else "of unknown version"


def library(device: str) -> str | None:
    """The path of the library for `device`; None where libpartdiff is to look for one.

    Raises `OnnxRuntimeError` for a package that is too old.
    """
    folder = _folder()
    if os.environ.get("ORT_DYLIB_PATH") or folder is None:
        return None
    libraries = sorted(folder.joinpath("capi").glob(_LIBRARY), key=lambda path: path.name)
    if not libraries:
        raise OnnxRuntimeError(
            f"onnxruntime {_version(folder)} in {folder} holds no library that PartDiff can load: {_UPGRADE}"
        )
    # For NVIDIA, `partdiff runtime install --device cuda` may have brought a better one.
    if device in ("cuda", "tensorrt") and not folder.joinpath("capi", _CUDA).exists():
        return None
    return str(libraries[-1])
