"""One calm sentence above the picture, with what can be done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from app.widgets.icon_button import IconButton

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Banner(QFrame):
    """Hidden until there is something to say; the newest message replaces the one before."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("banner")
        self._text = QLabel(wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        self._buttons: list[QPushButton] = []
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(12, 6, 6, 6)
        self._row.addWidget(self._text, 1)
        close = IconButton("close", self.tr("Dismiss"))
        close.clicked.connect(self.hide)
        self._row.addWidget(close)
        self.hide()

    @property
    def text(self) -> str:
        """What is said now; empty when hidden."""
        return "" if self.isHidden() else self._text.text()

    def say(self, text: str, choices: Mapping[str, Callable[[], object]] | None = None) -> None:
        """Show a sentence, and a button for each choice by its words."""
        for button in self._buttons:
            button.deleteLater()
        self._buttons = []
        self._text.setText(text)
        self.setAccessibleName(text)
        for words, act in (choices or {}).items():
            button = QPushButton(words)
            button.clicked.connect(self.hide)
            button.clicked.connect(act)
            self._row.insertWidget(self._row.count() - 1, button)
            self._buttons.append(button)
        self.show()

    def unsay(self, text: str) -> None:
        """Take a sentence back, if nothing else was said since."""
        if self.text == text:
            self.hide()
