"""The menu's entry: dialog, progress, result or failure."""

from __future__ import annotations

from dataclasses import fields

from krita import Extension, Krita

try:
    from PyQt6.QtCore import Qt
    from PyQt6.QtWidgets import QApplication, QMessageBox, QProgressDialog, QWidget
except ImportError:
    from PyQt5.QtCore import Qt
    from PyQt5.QtWidgets import QApplication, QMessageBox, QProgressDialog, QWidget

from .dialog import Dialog
from .partdiff.errors import CancelledError, PartDiffError
from .settings import Settings
from .upscale import DocumentError, upscale

_GROUP = "partdiff"


class Progress(QProgressDialog):
    """Says what is done, with a button that cancels."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__("Loading the model…", "Cancel", 0, 1000, parent)
        self.setWindowTitle("Upscale with PartDiff")
        self.setObjectName("partdiff_progress")
        self.setWindowModality(Qt.WindowModality.ApplicationModal)
        # It closes when the result is there, not when the bar is full.
        self.setAutoClose(False)
        self.setAutoReset(False)
        self.setMinimumDuration(0)
        self.setValue(0)
        QApplication.processEvents()

    def tell(self, share: float, step: int, steps: int) -> None:
        """Shows the share of the work done and the denoising step."""
        self.setLabelText(f"Step {step} of {steps}" if step else "Reading the image…")
        self.setValue(round(1000 * share))

    def is_set(self) -> bool:
        """Whether the user has cancelled; asked ten times a second, which keeps the window alive."""
        QApplication.processEvents()
        return self.wasCanceled()


class Upscale(Extension):
    """Image > Upscale with PartDiff."""

    def __init__(self, parent: object) -> None:
        super().__init__(parent)

    def setup(self) -> None:
        """Called by Krita when it starts."""

    def createActions(self, window: object) -> None:
        """Called by Krita for each of its windows."""
        action = window.createAction("partdiff_upscale", "Upscale with PartDiff…", "image")
        action.triggered.connect(lambda: self.run())

    def run(self) -> None:
        """Asks for the settings, works, and shows the result or what went wrong."""
        app = Krita.instance()
        # The one that `createActions` was told is a wrapper that Krita has deleted since.
        window = app.activeWindow()
        parent = window.qwindow()
        document = app.activeDocument()
        if document is None:
            self._fail(parent, "No image is open.")
            return
        names = [field.name for field in fields(Settings)]
        dialog = Dialog(Settings.from_texts({name: app.readSetting(_GROUP, name, "") for name in names}), parent)
        if not dialog.exec():
            return
        settings = dialog.settings()
        for name, text in settings.texts().items():
            app.writeSetting(_GROUP, name, text)
        warnings: list[str] = []
        progress = Progress(parent)
        try:
            large = upscale(document, settings, progress.tell, progress, warnings.append)
        except CancelledError:
            return
        except (DocumentError, ValueError, PartDiffError) as error:
            self._fail(parent, str(error))
            return
        finally:
            progress.close()
            progress.deleteLater()
        window.addView(large)
        if warnings:
            QMessageBox.warning(parent, "PartDiff", "\n".join(warnings))

    @staticmethod
    def _fail(parent: QWidget, text: str) -> None:
        QMessageBox.critical(parent, "PartDiff", text)
