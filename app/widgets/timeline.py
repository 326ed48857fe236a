"""The clip along time: ruler, thumbnails, faces, residual, in and out point, playhead."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QFrame

from app import theme
from app.timecode import timecode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set
    from pathlib import Path

    from PySide6.QtGui import QImage, QKeyEvent, QMouseEvent, QPaintEvent, QResizeEvent, QWheelEvent
    from PySide6.QtWidgets import QWidget

    from app.frame_loader import Thumbnailer
    from app.session import Session
    from flair_core.faces.track import Track

LEFT, RIGHT, TOP = 74, 14, 6
RULER, FILM, LANE, STRIP, BETWEEN = 20, 46, 12, 26, 4
MOST_LANES = 3
HANDLE = 6
TICKS = (1, 2, 5, 10, 20, 50)
TICK_DISTANCE = 92
"""Least pixels from one number of the ruler to the next."""
LEAST_SHOWN = 8
"""Frames at the closest zoom."""
LEAST_RESIDUAL = 1.0
"""8-bit levels that fill the residual strip, or the largest one, if that is more."""


class Grip(Enum):
    """What the mouse holds."""

    PLAYHEAD = auto()
    IN = auto()
    OUT = auto()
    PAN = auto()


class Timeline(QFrame):
    """Paints the whole clip or a part of it; click or drag to move the playhead, the wheel zooms."""

    face_clicked = Signal(int)
    span_dragged = Signal(int, int)

    def __init__(self, session: Session, thumbnailer: Thumbnailer, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="panel")
        self._session, self._thumbnailer = session, thumbnailer
        self._thumbnails: dict[int, QImage] = {}
        self._residuals: Mapping[int, float] = {}
        self._stale: Set[int] = frozenset()
        self._first, self._shown = 0.0, 1.0
        self._grip: Grip | None = None
        self._pan_from = QPointF()
        self._ask_soon = QTimer(self, singleShot=True, interval=30)
        self._ask_soon.timeout.connect(self._ask_for_thumbnails)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Timeline"))
        self.setMinimumWidth(320)
        session.clip_changed.connect(self._reset)
        session.project_changed.connect(self.update)
        session.faces_changed.connect(self._faces_changed)
        session.selection_changed.connect(self.update)
        session.index_changed.connect(self._follow)
        thumbnailer.arrived.connect(self._take_thumbnail)
        self._faces_changed()

    def show_restored(self, residuals: Mapping[int, float], stale: Set[int]) -> None:
        """Mark frames restored with the current settings, by how far they are from the footage, or with others."""
        self._residuals, self._stale = residuals, stale
        self.update()

    # --- geometry -------------------------------------------------------------------------------

    def _lanes(self) -> list[list[Track]]:
        """Faces packed into rows, so that none overlaps another."""
        rows: list[list[Track]] = []
        for track in self._session.tracks:
            row = next((row for row in rows if row[-1].first + len(row[-1]) <= track.first), None)
            if row is None:
                rows.append(row := [])
            row.append(track)
        return rows[:MOST_LANES]

    def _film(self) -> QRectF:
        return QRectF(LEFT, TOP + RULER, self.width() - LEFT - RIGHT, FILM)

    def _lane(self, row: int) -> QRectF:
        return QRectF(LEFT, self._film().bottom() + BETWEEN + row * (LANE + 2), self._film().width(), LANE)

    def _strip(self) -> QRectF:
        rows = max(1, len(self._lanes()))
        return QRectF(LEFT, self._lane(rows - 1).bottom() + BETWEEN, self._film().width(), STRIP)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        """As high as its rows."""
        return QSize(600, round(self._strip().bottom()) + TOP + 2)

    def x_of(self, index: float) -> float:
        """Where a frame begins."""
        return LEFT + (index - self._first) * self._film().width() / self._shown

    def index_at(self, x: float) -> int:
        """The frame at a place."""
        return int(self._first + (x - LEFT) * self._shown / self._film().width())

    def _length(self) -> int:
        return len(self._session.clip) if self._session.clip else 0

    def _show_range(self, first: float, shown: float) -> None:
        length = self._length()
        self._shown = min(max(shown, min(LEAST_SHOWN, length), 1), max(length, 1))
        self._first = min(max(first, 0), max(length - self._shown, 0))
        self._ask_soon.start()
        self.update()

    def zoom_out(self) -> None:
        """Show the whole clip."""
        self._show_range(0, self._length())

    def _reset(self) -> None:
        self._thumbnails.clear()
        self.zoom_out()

    def _follow(self, index: int) -> None:
        if not self._first <= index < self._first + self._shown and self._grip is None:
            self._show_range(index - self._shown / 8, self._shown)
        self.update()

    def _faces_changed(self) -> None:
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    # --- thumbnails -----------------------------------------------------------------------------

    def _slots(self) -> Iterator[tuple[float, float, int]]:
        """Left edge, width and frame of each picture on the film."""
        clip = self._session.clip
        if clip is None:
            return
        width = max(FILM * clip.info.width / max(clip.info.height, 1), FILM / 2)
        frames = width * self._shown / self._film().width()
        # The grid is fixed in time, so that pictures stay the same while the view moves.
        at = int(self._first // frames)
        while at * frames < min(self._first + self._shown, len(clip)):
            yield self.x_of(at * frames), width, min(int((at + 0.5) * frames), len(clip) - 1)
            at += 1

    def _ask_for_thumbnails(self) -> None:
        clip = self._session.clip
        missing = tuple(index for _, _, index in self._slots() if index not in self._thumbnails)
        if clip is not None and missing:
            self._thumbnailer.load(clip.path, missing)

    def _take_thumbnail(self, path: Path, index: int, image: QImage) -> None:
        if self._session.clip is not None and path == self._session.clip.path:
            self._thumbnails[index] = image
            self.update()

    def _nearest_thumbnail(self, index: int, reach: float) -> QImage | None:
        if index in self._thumbnails:
            return self._thumbnails[index]
        nearest = min(self._thumbnails, key=lambda other: abs(other - index), default=None)
        return self._thumbnails[nearest] if nearest is not None and abs(nearest - index) <= reach else None

    # --- painting -------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802
        """Paint everything."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPixelSize(10)
        painter.setFont(font)
        self._paint_names(painter)
        if self._session.clip is None:
            return
        painter.save()
        painter.setClipRect(QRectF(LEFT - HANDLE, 0, self._film().width() + 2 * HANDLE, self.height()))
        self._paint_ruler(painter)
        self._paint_film(painter)
        self._paint_faces(painter)
        self._paint_residuals(painter)
        self._paint_span(painter)
        self._paint_playhead(painter)
        painter.restore()

    def _paint_names(self, painter: QPainter) -> None:
        painter.setPen(theme.current().colour("muted"))
        rows = max(1, len(self._lanes()))
        faces = self._lane(0).united(self._lane(rows - 1))
        for name, place in (
            (self.tr("Video"), self._film()),
            (self.tr("Faces"), faces),
            (self.tr("Residual"), self._strip()),
        ):
            box = QRectF(12, place.top(), LEFT - 18, place.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)

    def _paint_ruler(self, painter: QPainter) -> None:
        clip, film, colours = self._session.clip, self._film(), theme.current()
        assert clip is not None
        step = self._tick_step()
        index = int(self._first // step) * step
        while index <= self._first + self._shown:
            x = self.x_of(index)
            painter.setPen(colours.colour("border"))
            painter.drawLine(QPointF(x, TOP + 4), QPointF(x, film.top() - 2))
            painter.setPen(colours.colour("muted"))
            painter.drawText(QPointF(x + 4, TOP + 12), timecode(index, clip.info.rate))
            index += step

    def _tick_step(self) -> int:
        """Frames from one number of the ruler to the next: whole seconds or minutes where they are large."""
        clip = self._session.clip
        assert clip is not None
        needed = TICK_DISTANCE * self._shown / self._film().width()
        base = max(1, round(clip.info.rate))
        choices = [n for n in TICKS if n < base]
        choices += [base * n for n in (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)]
        return next((step for step in choices if step >= needed), choices[-1])

    def _paint_film(self, painter: QPainter) -> None:
        film, colours = self._film(), theme.current()
        painter.fillRect(film, colours.colour("canvas"))
        painter.save()
        painter.setClipRect(film)
        for left, width, index in self._slots():
            image = self._nearest_thumbnail(index, self._shown / 4)
            if image is not None:
                painter.drawImage(QRectF(left, film.top(), width, FILM), image)
            painter.setPen(colours.colour("canvas"))
            painter.drawLine(QPointF(left, film.top()), QPointF(left, film.bottom()))
        painter.restore()
        width = self.x_of(1) - self.x_of(0) + 0.5
        for frames, colour in ((self._stale, "muted"), (self._residuals, "accent")):
            for index in frames:
                painter.fillRect(QRectF(self.x_of(index), film.top() - 3, width, 2), colours.colour(colour))

    def _paint_faces(self, painter: QPainter) -> None:
        colours, project = theme.current(), self._session.project
        painter.setPen(Qt.PenStyle.NoPen)
        for row, tracks in enumerate(self._lanes()):
            lane = self._lane(row)
            for track in tracks:
                box = self._track_box(track, lane)
                left_out = track.id in project.left_out
                colour = colours.colour("muted" if left_out else "accent" if track.id % 2 == 0 else "blue")
                colour.setAlphaF(0.35 if left_out else 0.9)
                painter.setBrush(colour)
                selected = track.id == self._session.selected
                painter.setPen(QPen(colours.colour("text"), 1.5) if selected else Qt.PenStyle.NoPen)
                painter.drawRoundedRect(box, 3, 3)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.colour("orange", 0.9))
        for face in project.drawn:
            lane = self._lane(0)
            left, right = self.x_of(face.first), self.x_of(face.last + 1)
            painter.drawRoundedRect(QRectF(left, lane.bottom() - 3, right - left, 3), 1, 1)

    def _track_box(self, track: Track, lane: QRectF) -> QRectF:
        left, right = self.x_of(track.first), self.x_of(track.first + len(track))
        return QRectF(left, lane.top(), max(right - left, 2), lane.height())

    def _paint_residuals(self, painter: QPainter) -> None:
        strip, colours = self._strip(), theme.current()
        painter.fillRect(strip, colours.colour("canvas", 0.5))
        width = max(self.x_of(1) - self.x_of(0), 1)
        colour = colours.colour("accent", 0.6)
        most = max(self._residuals.values(), default=0) * 1.15
        for index, residual in self._residuals.items():
            height = strip.height() * max(0.04, residual / max(most, LEAST_RESIDUAL))
            painter.fillRect(QRectF(self.x_of(index), strip.bottom() - height, width, height), colour)

    def _paint_span(self, painter: QPainter) -> None:
        span, film, colours = self._session.span, self._film(), theme.current()
        left, right = self.x_of(span.start), self.x_of(span.stop)
        bottom = self._strip().bottom()
        veil = colours.colour("panel", 0.72)
        painter.fillRect(QRectF(QPointF(film.left(), film.top()), QPointF(left, bottom)), veil)
        painter.fillRect(QRectF(QPointF(right, film.top()), QPointF(film.right(), bottom)), veil)
        if self._session.project.span is None:
            return
        painter.setPen(QPen(colours.colour("orange"), 2))
        for x, inwards in ((left, 4), (right, -4)):
            painter.drawPolyline(
                QPolygonF(
                    [
                        QPointF(x + inwards, film.top()),
                        QPointF(x, film.top()),
                        QPointF(x, film.bottom()),
                        QPointF(x + inwards, film.bottom()),
                    ]
                )
            )

    def _paint_playhead(self, painter: QPainter) -> None:
        x, red = self.x_of(self._session.index + 0.5), theme.current().colour("red")
        painter.setPen(QPen(red, 1.5))
        painter.drawLine(QPointF(x, TOP + 8), QPointF(x, self._strip().bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(red)
        painter.drawPolygon(
            QPolygonF([QPointF(x - 5, TOP + 1), QPointF(x + 5, TOP + 1), QPointF(x, TOP + 10)])
        )

    # --- mouse ----------------------------------------------------------------------------------

    def _grip_at(self, position: QPointF) -> Grip:
        span, film = self._session.span, self._film()
        if self._session.project.span is not None and film.top() <= position.y() <= film.bottom():
            for grip, index in ((Grip.IN, span.start), (Grip.OUT, span.stop)):
                if abs(position.x() - self.x_of(index)) <= HANDLE:
                    return grip
        return Grip.PLAYHEAD

    def _face_at(self, position: QPointF) -> int | None:
        for row, tracks in enumerate(self._lanes()):
            for track in tracks:
                if self._track_box(track, self._lane(row)).contains(position):
                    return track.id
        return None

    def mousePressEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Click a face, take a handle or the playhead; the middle button pans."""
        if self._session.clip is None:
            return
        face = self._face_at(event.position())
        if event.button() == Qt.MouseButton.MiddleButton:
            self._grip, self._pan_from = Grip.PAN, event.position()
        elif event.button() == Qt.MouseButton.LeftButton and face is not None:
            self.face_clicked.emit(face)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._grip = self._grip_at(event.position())
            self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:  # noqa: N802
        """Drag what is held."""
        x, span = event.position().x(), self._session.span
        boundary = round(self._first + (x - LEFT) * self._shown / self._film().width())
        match self._grip:
            case Grip.PLAYHEAD:
                self._session.seek(self.index_at(x))
            case Grip.IN:
                self.span_dragged.emit(min(max(boundary, 0), span.stop - 1), span.stop - 1)
            case Grip.OUT:
                self.span_dragged.emit(span.start, min(max(boundary - 1, span.start), self._length() - 1))
            case Grip.PAN:
                moved = (self._pan_from.x() - x) * self._shown / self._film().width()
                self._pan_from = event.position()
                self._show_range(self._first + moved, self._shown)
            case None if self._session.clip is not None:
                over_handle = self._grip_at(event.position()) is not Grip.PLAYHEAD
                self.setCursor(Qt.CursorShape.SizeHorCursor if over_handle else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, _: QMouseEvent) -> None:  # noqa: N802
        """Let go."""
        self._grip = None

    def wheelEvent(self, event: QWheelEvent) -> None:  # noqa: N802
        """Zoom around the pointer; sideways, or with Shift, move along."""
        turn = event.angleDelta()
        if turn.x() or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._show_range(self._first - (turn.x() or turn.y()) / 120 * self._shown / 10, self._shown)
        elif turn.y():
            factor = 1.25 ** (-turn.y() / 120)
            share = (event.position().x() - LEFT) / self._film().width()
            at = self._first + share * self._shown
            shown = min(max(self._shown * factor, LEAST_SHOWN), max(self._length(), 1))
            self._show_range(at - share * shown, shown)
        event.accept()

    def mouseDoubleClickEvent(self, _: QMouseEvent) -> None:  # noqa: N802
        """Show the whole clip."""
        self.zoom_out()

    def resizeEvent(self, _: QResizeEvent) -> None:  # noqa: N802
        """More or fewer thumbnails fit."""
        self._ask_soon.start()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802
        """Plus and minus zoom around the playhead."""
        factor = {Qt.Key.Key_Plus: 0.8, Qt.Key.Key_Minus: 1.25}.get(event.key())
        if factor is None:
            super().keyPressEvent(event)
            return
        share = (self._session.index - self._first) / self._shown
        shown = self._shown * factor
        self._show_range(self._session.index - share * shown, shown)
