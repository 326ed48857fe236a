"""The clip along time: the view on it, the playhead, the in and out point; its rows are in timeline_rows."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QHelpEvent, QKeyEvent, QPainter, QPen, QPolygonF
from PySide6.QtWidgets import QToolTip

from app import theme
from app.preview import Marks
from app.widgets.controls import Number
from app.widgets.time_axis import LEFT, TimeAxis
from app.widgets.timeline_keys import KeyRow
from app.widgets.timeline_rows import FaceRow, Film, Row, Ruler, Shots, Strip
from flair_core.settings.look import KEYFRAMED, Key

if TYPE_CHECKING:
    from pathlib import Path

    from PySide6.QtCore import QObject
    from PySide6.QtGui import (
        QContextMenuEvent,
        QImage,
        QMouseEvent,
        QPaintEvent,
        QResizeEvent,
        QWheelEvent,
    )
    from PySide6.QtWidgets import QWidget

    from app.frame_loader import Thumbnailer
    from app.session import Session
    from app.widgets.timeline_rows import Drag

TOP, BETWEEN = 6, 4
HANDLE = 6
LEAST_SHOWN = 8
"""Frames at the closest zoom."""
ALWAYS = ("w_tau",)
"""Settings whose keyframes have a row even where there are none yet."""


class Grip(Enum):
    """What the mouse holds."""

    PLAYHEAD = auto()
    IN = auto()
    OUT = auto()
    PAN = auto()
    ROW = auto()


class Timeline(TimeAxis):
    """Paints the whole clip or a part of it; click or drag to move the playhead, the wheel zooms."""

    def __init__(self, session: Session, thumbnailer: Thumbnailer, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.setObjectName("panel")
        self._thumbnailer = thumbnailer
        self._grip: Grip | None = None
        self._drag: Drag | None = None
        self._pan_from = QPointF()
        self.film, self.faces = Film(self, session), FaceRow(self, session)
        self.keys = {name: KeyRow(self, session, name) for name in KEYFRAMED}
        self._ruler, self.shots = Ruler(self, session), Shots(self, session)
        self._strips = [Strip(self, session, kind) for kind in ("residual", "warp")]
        self.rows: list[Row] = []
        self._ask_soon = QTimer(self, singleShot=True, interval=30)
        self._ask_soon.timeout.connect(self._ask_for_thumbnails)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setMouseTracking(True)
        self.setAccessibleName(self.tr("Timeline"))
        self.setAccessibleDescription(
            self.tr("The clip over time. Click: go there; wheel: zoom; Shift and wheel: move along")
        )
        self.setMinimumWidth(320)
        session.clip_changed.connect(self._reset)
        for signal in (session.project_changed, session.faces_changed, session.scope_changed):
            signal.connect(self._lay_out)
        session.selection_changed.connect(self.update)
        session.shots_changed.connect(self.update)
        session.index_changed.connect(self._follow)
        thumbnailer.arrived.connect(self._take_thumbnail)
        self.value_wanted.connect(self._type_value)
        self._lay_out()

    def show_restored(self, marks: Marks) -> None:
        """Mark what is restored."""
        self.marks = marks
        self.update()

    # --- geometry -------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        """Which rows there are, and where."""
        own = self._session.look.own(self._session.scope)
        keyed = [row for name, row in self.keys.items() if name in ALWAYS or own.lane(name)]
        self.rows = [self._ruler, self.film, self.shots, self.faces, *keyed, *self._strips]
        top = float(TOP)
        for row in self.rows:
            row.rect = QRectF(LEFT, top, self.breadth, row.height)
            top += row.height + (0 if row is self._ruler else BETWEEN)
        self.setFixedHeight(self.sizeHint().height())
        self.update()

    def sizeHint(self) -> QSize:
        """As high as its rows."""
        return QSize(600, round(self._bottom()) + TOP)

    def _bottom(self) -> float:
        return self.rows[-1].rect.bottom() if self.rows else 0

    def _show_range(self, first: float, shown: float) -> None:
        length = self.length
        self.shown = min(max(shown, min(LEAST_SHOWN, length), 1), max(length, 1))
        self.first = min(max(first, 0), max(length - self.shown, 0))
        self._ask_soon.start()
        self.update()

    def zoom_out(self) -> None:
        """Show the whole clip."""
        self._show_range(0, self.length)

    def _reset(self) -> None:
        self._thumbnails.clear()
        self.chosen_key = None
        self._lay_out()
        self.zoom_out()

    def _follow(self, index: int) -> None:
        if not self.first <= index < self.first + self.shown and self._grip is None:
            self._show_range(index - self.shown / 8, self.shown)
        self.update()

    # --- edits ----------------------------------------------------------------------------------

    def _type_value(self, row: KeyRow, key: Key) -> None:
        """Open a box over a keyframe to type its value; Enter takes it, Escape leaves it."""
        box = Number(self)
        box.setAccessibleName(self.tr("Value of the keyframe"))
        box.setDecimals(2)
        box.setRange(row.shown(row.limit.low), row.shown(row.limit.high))
        box.setValue(row.shown(key.value))
        box.setFixedWidth(58)
        place = row.place(key)
        box.move(round(min(place.x() + 8, self.width() - 64)), round(row.rect.center().y() - 11))
        box.editingFinished.connect(lambda: self._take_value(box, row, key))
        box.installEventFilter(self)
        box.show()
        box.setFocus()
        box.selectAll()

    def _take_value(self, box: Number, row: KeyRow, key: Key) -> None:
        if box.isHidden():
            return
        box.hide()
        box.deleteLater()
        value = min(max(box.value() / row.limit.shown, row.limit.low), row.limit.high)
        if abs(row.shown(value - key.value)) >= 0.005:
            row.replace(key, Key(key.frame, value, key.held), self.tr("Change a keyframe"))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Escape closes the box of a keyframe's value."""
        if (
            isinstance(event, QKeyEvent)
            and isinstance(watched, Number)
            and event.type() in (QEvent.Type.ShortcutOverride, QEvent.Type.KeyPress)
            and event.key() == Qt.Key.Key_Escape
        ):
            event.accept()
            watched.hide()
            watched.deleteLater()
            return True
        return super().eventFilter(watched, event)

    # --- thumbnails -----------------------------------------------------------------------------

    def _ask_for_thumbnails(self) -> None:
        clip = self._session.clip
        missing = tuple(index for _, _, index in self.film.slots() if index not in self._thumbnails)
        if clip is not None and missing:
            self._thumbnailer.load(clip.path, missing)

    def _take_thumbnail(self, path: Path, index: int, image: QImage) -> None:
        if self._session.clip is not None and path == self._session.clip.path:
            self._thumbnails[index] = image
            self.update()

    # --- painting -------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint everything."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        font = painter.font()
        font.setPixelSize(10)
        painter.setFont(font)
        painter.setPen(theme.current().colour("muted"))
        for row in self.rows:
            box = QRectF(12, row.rect.top(), LEFT - 14, row.rect.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, row.name())
        if self._session.clip is None:
            return
        shown = QRectF(LEFT, 0, self.breadth, self.height())
        painter.save()
        painter.setClipRect(shown)
        for row in self.rows:
            row.paint(painter)
        painter.setClipRect(shown.adjusted(-HANDLE, 0, HANDLE, 0))
        self._paint_span(painter)
        self._paint_playhead(painter)
        painter.restore()

    def _paint_span(self, painter: QPainter) -> None:
        span, film, colours = self._session.span, self.film.rect, theme.current()
        left, right = self.x_of(span.start), self.x_of(span.stop)
        below = self.shots.rect.top()
        for alpha, top, bottom in ((0.72, film.top(), below), (0.45, below, self._bottom())):
            veil = colours.colour("panel", alpha)
            painter.fillRect(QRectF(QPointF(film.left(), top), QPointF(left, bottom)), veil)
            painter.fillRect(QRectF(QPointF(right, top), QPointF(film.right(), bottom)), veil)
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
        painter.drawLine(QPointF(x, TOP + 8), QPointF(x, self._bottom()))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(red)
        painter.drawPolygon(
            QPolygonF([QPointF(x - 5, TOP + 1), QPointF(x + 5, TOP + 1), QPointF(x, TOP + 10)])
        )

    # --- mouse ----------------------------------------------------------------------------------

    def _row_at(self, position: QPointF) -> Row | None:
        return next((row for row in self.rows if row.rect.contains(position)), None)

    def _grip_at(self, position: QPointF) -> Grip:
        span, film = self._session.span, self.film.rect
        if self._session.project.span is not None and film.top() <= position.y() <= film.bottom():
            for grip, index in ((Grip.IN, span.start), (Grip.OUT, span.stop)):
                if abs(position.x() - self.x_of(index)) <= HANDLE:
                    return grip
        return Grip.PLAYHEAD

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Let the row have it, or take a handle or the playhead; the middle button pans."""
        if self._session.clip is None:
            return
        position = event.position()
        if event.button() == Qt.MouseButton.MiddleButton:
            self._grip, self._pan_from = Grip.PAN, position
        elif event.button() == Qt.MouseButton.LeftButton:
            row = self._row_at(position)
            self._drag = row.press(position) if row else None
            self._grip = Grip.ROW if self._drag else self._grip_at(position)
            self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag what is held."""
        x, span = event.position().x(), self._session.span
        boundary = self.boundary_at(x)
        match self._grip:
            case Grip.PLAYHEAD:
                self._session.seek(self.index_at(x))
            case Grip.IN:
                self.span_dragged.emit(min(max(boundary, 0), span.stop - 1), span.stop - 1)
            case Grip.OUT:
                self.span_dragged.emit(span.start, min(max(boundary - 1, span.start), self.length - 1))
            case Grip.PAN:
                moved = (self._pan_from.x() - x) * self.shown / self.breadth
                self._pan_from = event.position()
                self._show_range(self.first + moved, self.shown)
            case Grip.ROW if self._drag is not None:
                self._drag(event.position())
            case None if self._session.clip is not None:
                row = self._row_at(event.position())
                over_handle = self._grip_at(event.position()) is not Grip.PLAYHEAD or (
                    row is not None and row.movable(event.position())
                )
                self.setCursor(Qt.CursorShape.SizeHorCursor if over_handle else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, _: QMouseEvent) -> None:
        """Let go."""
        self._grip, self._drag = None, None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """What the row does; elsewhere, show the whole clip."""
        row = self._row_at(event.position()) if self._session.clip else None
        if row is None or not row.double_click(event.position()):
            self.zoom_out()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What the row offers."""
        position = QPointF(event.pos())
        row = self._row_at(position) if self._session.clip else None
        menu = row.menu(position) if row else None
        if menu is not None:
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(event.globalPos())

    def event(self, event: QEvent) -> bool:
        """Tell what is under the pointer; keep Delete for a chosen keyframe."""
        if (
            isinstance(event, QHelpEvent)
            and event.type() == QEvent.Type.ToolTip
            and self._session.clip is not None
        ):
            self._show_tip(event)
            return True
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and self.chosen_key
            and event.key() == Qt.Key.Key_Delete
        ):
            event.accept()
            return True
        return super().event(event)

    def _show_tip(self, event: QHelpEvent) -> None:
        row = self._row_at(QPointF(event.pos()))
        QToolTip.showText(event.globalPos(), row.tip(QPointF(event.pos())) if row else "", self)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the pointer; sideways, or with Shift, move along."""
        turn = event.angleDelta()
        if turn.x() or event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._show_range(self.first - (turn.x() or turn.y()) / 120 * self.shown / 10, self.shown)
        elif turn.y():
            factor = 1.25 ** (-turn.y() / 120)
            share = (event.position().x() - LEFT) / self.breadth
            at = self.first + share * self.shown
            shown = min(max(self.shown * factor, LEAST_SHOWN), max(self.length, 1))
            self._show_range(at - share * shown, shown)
        event.accept()

    def resizeEvent(self, _: QResizeEvent) -> None:
        """More or fewer thumbnails fit."""
        self._lay_out()
        self._ask_soon.start()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Plus and minus zoom around the playhead; Delete removes the chosen keyframe."""
        factor = {int(Qt.Key.Key_Plus): 0.8, int(Qt.Key.Key_Minus): 1.25}.get(event.key())
        if factor is not None:
            share = (self._session.index - self.first) / self.shown
            shown = self.shown * factor
            self._show_range(self._session.index - share * shown, shown)
        elif event.key() == Qt.Key.Key_Delete and self.chosen_key is not None:
            name, frame = self.chosen_key
            lane = self.keys[name].keyframes()
            key = next((key for key in lane.keys if key.frame == frame), None) if lane else None
            if key is not None:
                self.keys[name].replace(key, None, self.tr("Delete a keyframe"))
        else:
            super().keyPressEvent(event)
