"""The preferences: theme, language, device and the like."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QComboBox, QDialog, QDialogButtonBox, QFormLayout, QWidget

from app.preferences import AUTOSAVES, CHOICES, LANGUAGES
from app.widgets.dialogs.parts import column_of, explained_buttons

if TYPE_CHECKING:
    from app.preferences import Preferences


class PreferencesDialog(QDialog):
    """What the application remembers about its user."""

    def __init__(self, preferences: Preferences, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        self.setWindowTitle(self.tr("Preferences"))
        self.setMinimumWidth(400)
        names: dict[object, str] = {
            "dark": self.tr("Dark"),
            "light": self.tr("Light"),
            "system": self.tr("As the system"),
            "auto": self.tr("Automatic"),
            "all": self.tr("All graphics cards"),
            "cpu": "CPU",
            "cuda": "CUDA",
            "mps": "Apple MPS",
            **{seconds: self.tr("every {0} seconds").format(seconds) for seconds in AUTOSAVES},
        }
        names.update(LANGUAGES.items())
        rows = {
            "theme": (self.tr("Theme"), self.tr("Colours of the window; pictures look best in the dark")),
            "language": (
                self.tr("Language"),
                self.tr("Of menus, buttons and explanations, from the next start on"),
            ),
            "device": (
                self.tr("Device"),
                self.tr(
                    'What computes previews and exports; with "all", every graphics card takes its share of an export'
                ),
            ),
            "autosave": (
                self.tr("Autosave"),
                self.tr("How often unsaved work is kept aside, to be recovered after a crash"),
            ),
            "amplified": (
                self.tr("Differences"),
                self.tr("How much brighter the mode Difference shows what was changed"),
            ),
        }
        form = QFormLayout()
        form.setSpacing(10)
        self._boxes: dict[str, QComboBox] = {}
        for name, (words, tip) in rows.items():
            box = self._boxes[name] = QComboBox()
            box.setToolTip(tip)
            for value in CHOICES[name]:
                box.addItem(f"× {value}" if name == "amplified" else names[value], value)
            box.setCurrentIndex(box.findData(getattr(preferences, name)))
            box.setAccessibleName(words)
            form.addRow(words, box)
        column = column_of(self)
        column.addLayout(form)
        which = QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        column.addWidget(explained_buttons(self, which))

    @property
    def chosen(self) -> Preferences:
        """With what was chosen."""
        return replace(self._preferences, **{name: box.currentData() for name, box in self._boxes.items()})
