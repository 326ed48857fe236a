"""Reads from the footage what happened to it, and says how sure that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from app.widgets.named import named

if TYPE_CHECKING:
    from flair_core.estimation import Estimate

DOUBTFUL = 0.5
"""A part that is less certain is called a guess."""


class Estimator(QWidget):
    """A button, and the certainty of each part of the last estimate."""

    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        self.button = QPushButton()
        self.button.setToolTip(
            self.tr(
                "For footage that was made smaller, blurred or compressed in a known way, in place of Auto: reads\n"
                "scale ↓s, blur h, noise σ_e and JPEG quality Q from the largest face of this shot.\n"
                "They can be changed afterwards, and one Undo brings the former ones back."
            )
        )
        self.button.clicked.connect(self.wanted)
        self._words = named(QLabel(wordWrap=True), "muted")
        column.addWidget(self.button)
        column.addWidget(self._words)
        self.refresh(possible=False)

    @property
    def words(self) -> str:
        """What is said of the last estimate."""
        return self._words.text()

    def refresh(self, possible: bool) -> None:
        """Another clip, or none: nothing is known of it."""
        self.set_running(False)
        self.button.setEnabled(possible)
        self._words.hide()

    def set_running(self, running: bool) -> None:
        """One at a time."""
        self.button.setText(self.tr("Measuring…") if running else self.tr("Measure blur, noise and JPEG…"))
        self.button.setEnabled(not running)

    def show_estimate(self, found: Estimate) -> None:
        """Say how sure each part is."""
        names = {
            "scale": self.tr("scale"),
            "kernel": self.tr("kind of blur"),
            "blur": self.tr("amount of blur"),
            "noise": self.tr("noise"),
            "jpeg": self.tr("JPEG"),
        }
        if found.settings.kernel == "bicubic":
            del names["blur"]
        sure = [f"{name} {found.confidence[part]:.0%}" for part, name in names.items()]
        words = self.tr("Frames {0}–{1}, certainty: {2}.").format(
            found.frames.start, found.frames.stop - 1, ", ".join(sure)
        )
        guessed = [name for part, name in names.items() if found.confidence[part] < DOUBTFUL]
        if guessed:
            words += " " + self.tr("A guess: {0}. Compare with your eyes.").format(", ".join(guessed))
        if found.enlarged > 1:
            words += " " + self.tr("The footage was enlarged {0} times before.").format(found.enlarged)
        self._words.setText(words)
        self._words.show()
