"""The axis that the rows of the timeline share: which frame lies where, and what all of them show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame

from app.preview import Marks

if TYPE_CHECKING:
    from PySide6.QtGui import QImage
    from PySide6.QtWidgets import QWidget

    from app.session import Session

LEFT, RIGHT = 74, 14
"""Pixels that the rows leave free at the sides; at the left stand their names."""


class TimeAxis(QFrame):
    """The part of the clip that is in view, from the left edge of the rows to the right one."""

    face_clicked = Signal(int)
    span_dragged = Signal(int, int)
    value_wanted = Signal(object, object)
    """KeyRow and Key: the value of this keyframe is to be typed."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._thumbnails: dict[int, QImage] = {}
        self.marks = Marks({}, {}, set())
        self.first, self.shown = 0.0, 1.0
        """The frame at the left edge, and how many there are to the right one."""
        self.chosen_key: tuple[str, int] | None = None
        """Setting and frame of the keyframe that was clicked."""

    @property
    def length(self) -> int:
        """Frames of the clip."""
        return len(self._session.clip) if self._session.clip else 0

    @property
    def breadth(self) -> float:
        """Pixels from the left edge of the rows to the right one."""
        return float(max(self.width() - LEFT - RIGHT, 1))

    def x_of(self, index: float) -> float:
        """Where a frame begins."""
        return LEFT + (index - self.first) * self.breadth / self.shown

    def index_at(self, x: float) -> int:
        """The frame at a place."""
        return int(self.first + (x - LEFT) * self.shown / self.breadth)

    def boundary_at(self, x: float) -> int:
        """The frame whose beginning is nearest to a place."""
        return round(self.first + (x - LEFT) * self.shown / self.breadth)

    def nearest_thumbnail(self, index: int) -> QImage | None:
        """The picture of a frame, or that of one not far from it."""
        if index in self._thumbnails:
            return self._thumbnails[index]
        nearest = min(self._thumbnails, key=lambda other: abs(other - index), default=None)
        if nearest is None or abs(nearest - index) > self.shown / 4:
            return None
        return self._thumbnails[nearest]
