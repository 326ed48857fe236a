"""A button with a line drawing that follows the theme."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize
from PySide6.QtWidgets import QToolButton

from app import theme


class IconButton(QToolButton):
    """Named for screen readers and in its tooltip, since it has no words on it."""

    def __init__(self, drawing: str, words: str, *, style: str = "flat") -> None:
        super().__init__()
        self.setToolTip(words)
        self.setObjectName(style)
        self._drawing = drawing
        self.setAccessibleName(words)
        self.setIcon(theme.icon(drawing))
        if style == "tiny":
            self.setIconSize(QSize(12, 12))

    def changeEvent(self, event: QEvent) -> None:
        """Draw anew in another theme. Qt tells of the style at each move to another parent, too."""
        super().changeEvent(event)
        if event.type() != QEvent.Type.StyleChange:
            return
        icon = theme.icon(self._drawing)
        if icon.cacheKey() != self.icon().cacheKey():
            self.setIcon(icon)
