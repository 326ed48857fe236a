"""The field to find settings in, by what they are called, what they do, or the paper's symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QLineEdit, QToolButton, QWidget

if TYPE_CHECKING:
    from collections.abc import Sequence


class Search(QLineEdit):
    """Escape clears it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPlaceholderText(self.tr("Find a setting"))
        self.setAccessibleName(self.tr("Find a setting"))
        self.setToolTip(self.tr("By its name, what it does, or its symbol in the paper  (Ctrl+F)"))
        self.setClearButtonEnabled(True)
        for clear in self.findChildren(QToolButton):
            clear.setAccessibleName(self.tr("Clear"))

    @property
    def parts(self) -> Sequence[str]:
        """What is looked for: all of these; empty when nothing is."""
        return self.text().casefold().split()

    def begin(self) -> None:
        """Let a person type."""
        self.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.selectAll()

    def event(self, event: QEvent) -> bool:
        """Keeps Escape from cancelling the preview as long as there is something to clear."""
        overrides = event.type() == QEvent.Type.ShortcutOverride
        if overrides and isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape and self.text():
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape clears."""
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
        else:
            super().keyPressEvent(event)


def matches(parts: Sequence[str], *words: str) -> bool:
    """Whether all parts occur in some words."""
    text = "\n".join(words).casefold()
    return all(part in text for part in parts)
