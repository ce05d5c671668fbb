"""Uses the plug-in as scripts and users do, and prints a line of JSON for each thing that it sees.

PARTDIFF_DRIVE names a folder with pairs NAME.EXT and NAME_large.EXT, the second as the command has made it.
PARTDIFF_SCREENSHOTS names a folder for pictures of the windows.
"""

import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from krita import Document, Extension, Krita
from PyQt5.QtCore import QTimer
from PyQt5.QtWidgets import (
    QApplication,
    QComboBox,
    QDialog,
    QMessageBox,
    QProgressDialog,
    QPushButton,
    QSpinBox,
    QTextEdit,
    QWidget,
)

FOLDER, SHOTS = Path(os.environ["PARTDIFF_DRIVE"]), os.environ.get("PARTDIFF_SCREENSHOTS")
PATIENCE = 30
"""Seconds until something that does not come is given up."""


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def shot(widget: QWidget, name: str) -> None:
    if SHOTS:
        widget.grab().save(str(Path(SHOTS, f"krita_{name}.png")))


def pixels(document: Document) -> bytes:
    document.waitForDone()
    return bytes(document.pixelData(0, 0, document.width(), document.height()))


def compare(path: Path, expected: Path) -> None:
    """A script's call against the command's result, both as Krita reads them."""
    from partdiff_krita import Settings, upscale

    small, wanted = Krita.instance().openDocument(str(path)), Krita.instance().openDocument(str(expected))
    before, warnings = pixels(small), []
    Krita.instance().writeSetting("", "imageWidthDef", "1234")
    large = upscale(small, Settings(preset="faithful"), warn=warnings.append)
    made, right = pixels(large), pixels(wanted)
    kind = f"{large.colorModel()} {large.colorDepth()}"
    unequal = sum(a != b for a, b in zip(made, right)) + abs(len(made) - len(right))
    same = {
        "profile": large.colorProfile() == small.colorProfile(),
        "input": pixels(small) == before,
        "resolution": abs(large.xRes() - small.xRes()) < 0.01,
        "new images": Krita.instance().readSetting("", "imageWidthDef", "") == "1234",
    }
    say(
        file=path.name,
        kind=kind,
        profile=large.colorProfile(),
        unequal=unequal,
        kept=same,
        warnings=warnings,
        asks=large.modified(),
    )
    for document in (small, wanted, large):
        document.setBatchmode(True)
        document.close()


class User:
    """What a user does in the window, one thing after the other; each waits for what the last one brought."""

    def __init__(self, window: object) -> None:
        self.app, self.window = Krita.instance(), window
        self.steps = self.story()

    def go(self) -> None:
        """Goes on with the story; a wait is a function that gives what it waits for."""
        self.wait = next(self.steps, None)
        if self.wait is None:
            os._exit(0)
        self.until = time.monotonic() + PATIENCE
        self.look()

    def look(self) -> None:
        try:
            if found := self.wait():
                self.found = found
                QTimer.singleShot(200, self.go_on)
            elif time.monotonic() > self.until:
                say(failed=f"nothing came of {self.wait.__name__}", raised=self.raised())
                shot(self.window.qwindow(), "failure")
                os._exit(1)
            else:
                QTimer.singleShot(100, self.look)
        except Exception:
            fail()

    def go_on(self) -> None:
        try:
            self.go()
        except Exception:
            fail()

    def sizes(self) -> list[int]:
        """The widths of all documents."""
        return sorted(document.width() for document in self.app.documents())

    def raised(self) -> str:
        """What an exception that Krita has shown said."""
        shown = [w for w in QApplication.topLevelWidgets() if w.objectName() == "ExceptHookDialog"]
        return "\n".join(text.toPlainText() for w in shown for text in w.findChildren(QTextEdit))

    def menu(self) -> None:
        """Chooses the entry; its dialog is modal, so this returns at once and the story goes on within it."""
        action = self.app.action("partdiff_upscale")
        menus = [
            menu.text()
            for menu in self.window.qwindow().menuBar().actions()
            if menu.menu() and action in menu.menu().actions()
        ]
        say(menus=[text.replace("&", "") for text in menus])
        QTimer.singleShot(0, action.trigger)

    @staticmethod
    def top(kind: type[QWidget], name: str = "") -> QWidget | None:
        shown = [w for w in QApplication.topLevelWidgets() if isinstance(w, kind) and w.isVisible()]
        return next((w for w in shown if w.objectName() == name), None)

    def dialog(self) -> QWidget | None:
        return self.top(QDialog, "partdiff")

    def progress(self) -> QWidget | None:
        shown = self.top(QProgressDialog, "partdiff_progress")
        return shown if shown and shown.value() > 0 else None

    def message(self) -> QWidget | None:
        return self.top(QMessageBox)

    def press(self, dialog: QDialog, text: str) -> None:
        (button,) = [b for b in dialog.findChildren(QPushButton) if b.text().replace("&", "") == text]
        QTimer.singleShot(0, button.click)

    def story(self) -> Iterator[Callable[[], object]]:
        document = self.app.openDocument(str(FOLDER / "photo.png"))
        self.window.addView(document)
        before = pixels(document)
        self.menu()
        yield self.dialog
        dialog = self.found
        dialog.findChild(QComboBox, "preset").setCurrentIndex(1)
        shot(dialog, "dialog")
        shot(self.window.qwindow(), "window")
        self.press(dialog, "Upscale")
        yield lambda: self.app.activeDocument().width() == 4 * document.width()
        large = self.app.activeDocument()
        wanted = self.app.openDocument(str(FOLDER / "photo_large.png"))
        say(made=[large.width(), large.height()], equal=pixels(large) == pixels(wanted), dpi=large.resolution())
        shot(self.window.qwindow(), "result")

        self.app.setActiveDocument(document)
        self.menu()
        yield self.dialog
        say(remembered=self.found.findChild(QComboBox, "preset").currentData())
        self.found.findChild(QSpinBox, "steps").setValue(40)
        self.press(self.found, "Upscale")
        sizes = self.sizes()
        yield self.progress
        shot(self.found, "progress")
        self.press(self.found, "Cancel")
        yield lambda: self.top(QProgressDialog, "partdiff_progress") is None
        say(cancelled=self.sizes() == sizes, kept=pixels(document) == before, sizes=sizes)

        refused = self.app.createDocument(8, 8, "cmyk", "CMYKA", "U8", "", 72.0)
        self.window.addView(refused)
        self.menu()
        yield self.dialog
        self.press(self.found, "Upscale")
        yield self.message
        say(refused=self.found.text())
        shot(self.found, "refused")
        self.press(self.found, "OK")
        yield lambda: self.message() is None


def fail() -> None:
    say(failed=traceback.format_exc())
    os._exit(1)


def drive() -> None:
    try:
        # Without it, Krita asks what images without a profile mean.
        Krita.instance().setBatchmode(True)
        for expected in sorted(FOLDER.glob("*_large.*")):
            (path,) = FOLDER.glob(expected.stem.replace("_large", ".*"))
            compare(path, expected)
        Krita.instance().setBatchmode(False)
        User(Krita.instance().windows()[0]).go()
    except Exception:
        fail()


class Drive(Extension):
    begun = False

    def setup(self) -> None:
        pass

    def createActions(self, window: object) -> None:
        if not Drive.begun:
            Drive.begun = True
            QTimer.singleShot(3000, drive)


Krita.instance().addExtension(Drive(Krita.instance()))
