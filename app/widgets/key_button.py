"""The diamond next to a setting that may have keyframes."""

from __future__ import annotations

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QToolButton

from app import theme

KEY_SIDE = 18


class KeyButton(QToolButton):
    """Filled on a keyframe, outlined where the setting has some elsewhere, pale where it has none."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.setObjectName("tiny")
        self._words, self._moves, self._here = words, False, False
        self.setFixedSize(KEY_SIDE, KEY_SIDE)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.show_state(False, False)

    def show_state(self, moves: bool, here: bool) -> None:
        """Whether the setting has keyframes, and one in this frame."""
        self._moves, self._here = moves, here
        words = self.tr("Remove the keyframe of {0} here") if here else self.tr("Set a keyframe of {0} here")
        self.setToolTip(words.format(self._words))
        self.setAccessibleName(self.toolTip())
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the diamond."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        strong = self._moves or self.underMouse() or self.hasFocus()
        painter.setPen(QPen(colours.colour("accent" if strong else "muted"), 1.3))
        painter.setBrush(colours.colour("accent") if self._here else Qt.BrushStyle.NoBrush)
        middle, size = QPointF(KEY_SIDE / 2, KEY_SIDE / 2), 4.5
        corners = ((0, -size), (size, 0), (0, size), (-size, 0))
        painter.drawPolygon(QPolygonF([middle + QPointF(x, y) for x, y in corners]))
