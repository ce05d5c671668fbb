"""A document of Krita, larger.

The result is always a new document: what a script writes into a layer is not part of Krita's undo, and an undo of the
scaling would leave wrong pixels behind (5.1).
"""

from __future__ import annotations

import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

from krita import Document, Krita, Node

from .engine import Job
from .partdiff import _run
from .pixels import Format
from .settings import Settings

#: Bytes that go to Krita at a time.
_STRIP = 1 << 24

#: What Krita's dialog for new images offers, which a new document changes.
_REMEMBERED = (
    "imageWidthDef",
    "imageHeightDef",
    "imageResolutionDef",
    "colorModelDef",
    "colorDepthDef",
    "colorProfileDef",
)

Warn = Callable[[str], object]


class DocumentError(Exception):
    """Why there is nothing to upscale, or nowhere to put the result."""


def upscale(
    document: Document | None,
    settings: Settings = Settings(),
    progress: _run.Progress | None = None,
    cancel: _run.Cancel | None = None,
    warn: Warn = warnings.warn,
) -> Document:
    """What is visible of `document`, larger, as a new document with its colours and resolution.

    `progress` is told the share of the work done, the denoising step and their number; `cancel.is_set()` is asked ten
    times a second; `warn` is told what could not be kept.

    Raises `DocumentError`, `FormatError`, `ValueError` for settings without a size, or a `PartDiffError` such as
    `CancelledError`.
    """
    if document is None:
        raise DocumentError("No image is open.")
    document.waitForDone()
    width, height = document.width(), document.height()
    form = Format(document.colorModel(), document.colorDepth())
    job = Job(settings, width, height)
    icc = profile(form, document.colorProfile())
    made = job.run(bytes(document.pixelData(0, 0, width, height)), form, icc, progress, cancel)
    for text in job.warnings():
        warn(text)
    name = f"{Path(document.fileName()).stem or document.name() or 'image'} x{job.size[0] / width:.4g}"
    large = new(job.size, name, form, document.colorProfile(), document.xRes())
    try:
        layer = large.rootNode().childNodes()[0]
        layer.setName("PartDiff")
        put(layer, form, made, job.size)
        large.refreshProjection()
        # Krita does not see what scripts write, and would close it without a question.
        large.setModified(True)
    except BaseException:
        close(large)
        raise
    return large


def new(size: tuple[int, int], name: str, form: Format, colours: str, resolution: float) -> Document:
    """A document with one layer; `colours` names its profile, and `resolution` is in pixels per inch."""
    app = Krita.instance()
    kept = {key: app.readSetting("", key, "") for key in _REMEMBERED}
    made = app.createDocument(*size, name, form.model, form.depth, colours, resolution)
    for key, value in kept.items():
        if value:
            app.writeSetting("", key, value)
    if made is None:
        raise DocumentError(f"Krita cannot make an image of {size[0]}x{size[1]} pixels with the profile {colours}.")
    return made


def close(document: Document) -> None:
    """Closes a document that nobody has seen, without a question."""
    document.setBatchmode(True)
    document.setModified(False)
    document.close()


def profile(form: Format, name: str) -> bytes:
    """The ICC profile that Krita calls `name`. Only files of Krita's own format give it in every depth.

    Raises `DocumentError` where Krita does not give it.
    """
    document = new((1, 1), "profile", form, name, 72.0)
    document.setBatchmode(True)
    with tempfile.TemporaryDirectory(prefix="partdiff-") as folder:
        path = Path(folder, "profile.kra")
        try:
            if document.saveAs(str(path)):
                document.waitForDone()
                with zipfile.ZipFile(path) as archive:
                    for entry in archive.namelist():
                        if entry.endswith("/annotations/icc"):
                            return archive.read(entry)
        finally:
            close(document)
    raise DocumentError(f"Krita does not give the colour profile {name}: convert the image to another one first.")


def put(layer: Node, form: Format, pixels: bytearray, size: tuple[int, int]) -> None:
    """Writes the pixels of a layer, in strips."""
    row = size[0] * form.pixel
    rows = max(1, _STRIP // row)
    for top in range(0, size[1], rows):
        strip = bytes(memoryview(pixels)[top * row : (top + rows) * row])
        # Some versions say nothing.
        if layer.setPixelData(strip, 0, top, size[0], len(strip) // row) is False:
            raise DocumentError("Krita does not take the pixels of the result.")
