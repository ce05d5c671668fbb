"""The dialog: a field for each setting."""

from __future__ import annotations

try:
    from PyQt6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QSpinBox, QWidget
except ImportError:
    from PyQt5.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QLineEdit, QSpinBox, QWidget

from .settings import DEVICES, LONGEST, Settings

_SCALES = (("4", "x4"), ("3", "x3"), ("2", "x2"), ("0", "Width and height"))
_PRESETS = (
    ("", "The model's choice"),
    ("faithful", "Faithful"),
    ("balanced", "Balanced"),
    ("detailed", "Detailed"),
)
_CLEANUPS = (
    ("", "What the image seems to need"),
    ("0", "None"),
    ("0.25", "Weak"),
    ("0.5", "Medium"),
    ("0.75", "Strong"),
    ("1", "Strongest"),
)


class Dialog(QDialog):
    """Asks for the settings, which begin as the last ones."""

    def __init__(self, last: Settings, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Upscale with PartDiff")
        self.setObjectName("partdiff")
        self._fields: dict[str, QWidget] = {}
        form = QFormLayout(self)
        self._last = last.texts()
        self._choice(form, "scale", "&Scale:", _SCALES, "How much larger")
        self._whole(form, "width", "&Width:", LONGEST, "In pixels; 0 follows from the height")
        self._whole(form, "height", "&Height:", LONGEST, "In pixels; 0 follows from the width")
        tip = "Faithful keeps to what is known, detailed adds likely texture"
        self._choice(form, "preset", "&Preset:", _PRESETS, tip)
        tip = "0 leaves them to the preset; more steps add texture"
        self._whole(form, "steps", "S&teps:", 1000, tip)
        tip = "How much noise, blur and JPEG damage to take out"
        self._choice(form, "cleanup", "&Clean-up:", _CLEANUPS, tip)
        self._whole(form, "seed", "See&d:", (1 << 31) - 1, "Another seed gives other texture")
        model = QLineEdit(self._last["model"])
        self._add(form, "model", "&Model:", model, "Name or path of a model; empty for the default one")
        self._choice(form, "device", "De&vice:", DEVICES, "Where the model runs")
        self._fields["scale"].currentIndexChanged.connect(self._size_or_factor)
        self._size_or_factor()
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, parent=self
        )
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText("&Upscale")
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form.addRow(buttons)

    def settings(self) -> Settings:
        """The settings as they stand."""
        return Settings.from_texts({name: self._text(field) for name, field in self._fields.items()})

    @staticmethod
    def _text(field: QWidget) -> str:
        if isinstance(field, QComboBox):
            return field.currentData()
        return str(field.value()) if isinstance(field, QSpinBox) else field.text().strip()

    def _size_or_factor(self) -> None:
        for name in ("width", "height"):
            self._fields[name].setEnabled(self._text(self._fields["scale"]) == "0")

    def _add(self, form: QFormLayout, name: str, label: str, field: QWidget, tip: str) -> None:
        field.setObjectName(name)
        field.setToolTip(tip)
        form.addRow(label, field)
        self._fields[name] = field

    def _choice(self, form: QFormLayout, name: str, label: str, values: tuple[tuple[str, str], ...], tip: str) -> None:
        field = QComboBox()
        for value, text in values:
            field.addItem(text, value)
        field.setCurrentIndex(max(0, field.findData(self._last[name])))
        self._add(form, name, label, field, tip)

    def _whole(self, form: QFormLayout, name: str, label: str, most: int, tip: str) -> None:
        field = QSpinBox()
        field.setRange(0, most)
        field.setValue(int(self._last[name]))
        self._add(form, name, label, field, tip)
