"""The brush that paints over the mask of a face: its tools, and the stroke while it is drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtGui import QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QVBoxLayout, QWidget

from app import theme
from app.widgets.named import named
from flair_core.settings.drawn import Stroke

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QAction, QTransform

    ActionOf = Callable[[str], QAction]
    """A command of the window by its name."""

SMALLEST, LARGEST, USUAL = 1, 25, 6
"""Radius of the brush in hundredths of the aligned face's side."""
LEAST_MOVE = 1.5
"""Screen pixels that the pointer moves from one point of a stroke to the next."""


@dataclass(slots=True)
class Brush:
    """How the brush is set, and the stroke at work."""

    radius: float = USUAL / 100
    """As a fraction of the aligned face's side."""
    erases: bool = False
    face: int | None = None
    """On which face the stroke at work is; None without one."""
    to_face: QTransform | None = None
    """From the picture to that face."""
    path: list[QPointF] = field(default_factory=list)
    """In pixels of the picture."""
    flipped: bool = False
    """Whether the stroke at work does the opposite."""

    def begin(self, face: int, to_face: QTransform, spot: QPointF, *, flipped: bool) -> None:
        """Put the brush down; with the other mouse button it does the opposite."""
        self.face, self.to_face, self.path, self.flipped = face, to_face, [spot], flipped

    def move(self, spot: QPointF, zoom: float) -> None:
        """Draw on; `zoom` is in screen pixels per pixel of the picture."""
        if (spot - self.path[-1]).manhattanLength() * zoom >= LEAST_MOVE:
            self.path.append(spot)

    def lift(self) -> Stroke:
        """The finished stroke."""
        assert self.face is not None
        assert self.to_face is not None
        on_face = [self.to_face.map(spot) for spot in self.path]
        points = tuple((round(spot.x(), 4), round(spot.y(), 4)) for spot in on_face)
        stroke = Stroke(self.face, points, self.radius, self.erases != self.flipped)
        self.face, self.path = None, []
        return stroke

    def reach(self, to_face: QTransform) -> float:
        """Its radius in pixels of the picture, on a face."""
        return self.radius / max(math.sqrt(abs(to_face.determinant())), 1e-9)

    def paint(self, painter: QPainter) -> None:
        """Draw the stroke at work, in pixels of the picture."""
        if self.face is None or self.to_face is None:
            return
        line = QPainterPath(self.path[0])
        for spot in (*self.path[1:], self.path[-1] + QPointF(0.01, 0)):
            line.lineTo(spot)
        colour = theme.DARK.colour("red" if self.erases != self.flipped else "accent", 0.4)
        round_ = Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin
        painter.setPen(QPen(colour, 2 * self.reach(self.to_face), Qt.PenStyle.SolidLine, *round_))
        painter.drawPath(line)


class BrushTools(QWidget):
    """Paint, erase, size, and away with it."""

    resized = Signal(float)
    """Radius as a fraction of the aligned face's side."""

    def __init__(self, action_of: ActionOf, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(named(QLabel(self.tr("Mask").upper()), "heading"))
        row = QHBoxLayout()
        row.setSpacing(6)
        for name in ("paint_mask", "erase_mask", "reset_mask"):
            button = named(QToolButton(), "narrow")
            button.setDefaultAction(action_of(name))
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setSizePolicy(QSizePolicy.Policy.MinimumExpanding, QSizePolicy.Policy.Fixed)
            row.addWidget(button)
        column.addLayout(row)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(named(QLabel(self.tr("Brush")), "muted"))
        self._size = QSlider(Qt.Orientation.Horizontal)
        self._size.setRange(SMALLEST, LARGEST)
        self._size.setValue(USUAL)
        self._size.setAccessibleName(self.tr("Size of the brush"))
        self._size.setToolTip(self.tr("Size of the brush; [ and ] change it too"))
        self._size.valueChanged.connect(lambda size: self.resized.emit(size / 100))
        row.addWidget(self._size, 1)
        column.addLayout(row)

    def grow(self, by: int) -> None:
        """A larger brush, or a smaller one."""
        self._size.setValue(self._size.value() + by)
