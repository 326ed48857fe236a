"""Pictures side by side under one zoom and pan, down to the pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF, Qt, Signal
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QWidget

from app import theme

if TYPE_CHECKING:
    from PySide6.QtGui import QMouseEvent, QPaintEvent, QResizeEvent, QWheelEvent

    from app.imaging import Picture

GAP = 2
LEAST_ZOOM, MOST_ZOOM = 0.05, 32.0
SMOOTH_BELOW = 2.0
"""From this zoom on every pixel is shown as a square."""
PILL_MARGIN = 8


class Canvas(QWidget):
    """Shows one or more columns of equally large pictures, all at the same place and zoom.

    Positions in a picture are in its pixels. Subclasses say how many columns there are and paint each.
    """

    zoomed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._size = QSize()
        self._zoom: float | None = None
        self._centre = QPointF()
        self._drag: QPointF | None = None
        self.setMinimumSize(240, 160)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    def columns(self) -> int:
        """How many pictures are side by side."""
        return 1

    def paint_column(self, painter: QPainter, column: int, pane: QRectF, target: QRectF) -> None:
        """Draw one picture: all of it belongs into `target`; the painter is clipped to `pane`."""

    # --- where things are -----------------------------------------------------------------------

    def set_picture_size(self, size: QSize) -> None:
        """Pictures now have this size; the view stays on the same part of them."""
        if size != self._size:
            if not self._size.isEmpty() and not size.isEmpty():
                ratio = size.width() / self._size.width()
                self._centre *= ratio
                if self._zoom is not None:
                    self._zoom /= ratio
            else:
                self._zoom = None
            self._size = size
            self.zoomed.emit()
            self.update()

    @property
    def picture_size(self) -> QSize:
        """In pixels; empty without a picture."""
        return self._size

    @property
    def zoom(self) -> float:
        """Screen pixels per pixel of the picture."""
        if self._zoom is not None or self._size.isEmpty():
            return self._zoom or 1.0
        pane = self.panes()[0]
        across, down = pane.width() / self._size.width(), pane.height() / self._size.height()
        return max(LEAST_ZOOM, min(across, down) * self.devicePixelRatioF())

    @property
    def fitted(self) -> bool:
        """Whether the zoom follows the window's size."""
        return self._zoom is None

    def set_zoom(self, zoom: float | None, around: QPointF | None = None) -> None:
        """Zoom to a factor, or to fit; what lies under the widget position `around` stays there."""
        if self._size.isEmpty():
            return
        fixed = None if around is None or zoom is None else (around, self.to_picture(around))
        if zoom is None or self._zoom is None:
            self._centre = QPointF(self._size.width() / 2, self._size.height() / 2)
        self._zoom = None if zoom is None else min(max(zoom, LEAST_ZOOM), MOST_ZOOM)
        if fixed is not None:
            self._centre += fixed[1] - self.to_picture(fixed[0])
        self._keep_inside()
        self.zoomed.emit()
        self.update()

    def panes(self) -> list[QRectF]:
        """The columns' places in the widget."""
        count = self.columns()
        width = (self.width() - GAP * (count - 1)) / count
        return [QRectF(column * (width + GAP), 0, width, self.height()) for column in range(count)]

    def target(self, pane: QRectF) -> QRectF:
        """Where the whole picture comes to lie for a column."""
        scale = self.zoom / self.devicePixelRatioF()
        size = QSizeF(self._size) * scale
        centre = QPointF(self._size.width() / 2, self._size.height() / 2) if self.fitted else self._centre
        corner = pane.center() - centre * scale
        # Whole screen pixels: otherwise neighbouring pixels blend at 100 %.
        return QRectF(QPointF(round(corner.x()), round(corner.y())), size)

    def to_picture(self, position: QPointF) -> QPointF:
        """The pixel of the picture under a place of the widget."""
        panes = self.panes()
        pane = next((pane for pane in panes if pane.contains(position)), panes[0])
        return (position - self.target(pane).topLeft()) * (self.devicePixelRatioF() / self.zoom)

    def _keep_inside(self) -> None:
        self._centre.setX(min(max(self._centre.x(), 0), self._size.width()))
        self._centre.setY(min(max(self._centre.y(), 0), self._size.height()))

    # --- painting -------------------------------------------------------------------------------

    def paintEvent(self, _: QPaintEvent) -> None:
        """Paint all columns."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), theme.current().colour("canvas"))
        if self._size.isEmpty():
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for column, pane in enumerate(self.panes()):
            painter.save()
            painter.setClipRect(pane)
            self.paint_column(painter, column, pane, self.target(pane))
            painter.restore()

    def draw_picture(self, painter: QPainter, target: QRectF, picture: Picture) -> None:
        """Draw a picture over `target`, smooth when small and crisp when large."""
        ratio, all_of_it = self.devicePixelRatioF(), picture.size.width()
        width, height = round(target.width() * ratio), round(target.height() * ratio)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, width < SMOOTH_BELOW * all_of_it)
        few = width < 0.7 * all_of_it
        painter.drawImage(target, picture.shrunk(width, height) if few else picture.whole())

    def draw_pill(self, painter: QPainter, text: str, pane: QRectF, side: Qt.AlignmentFlag) -> None:
        """A small caption on a dark ground, at a corner or the edge of a column."""
        if not text:
            return
        metrics = painter.fontMetrics()
        room = pane.width() - 2 * PILL_MARGIN - 18
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(room))
        box = QRectF(0, 0, metrics.horizontalAdvance(text) + 18, metrics.height() + 8)
        inner = pane.adjusted(PILL_MARGIN, PILL_MARGIN, -PILL_MARGIN, -PILL_MARGIN)
        box.moveTopLeft(inner.topLeft())
        if side & Qt.AlignmentFlag.AlignRight:
            box.moveRight(inner.right())
        if side & Qt.AlignmentFlag.AlignHCenter:
            box.moveLeft(inner.center().x() - box.width() / 2)
        if side & Qt.AlignmentFlag.AlignBottom:
            box.moveBottom(inner.bottom())
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.DARK.colour("canvas", 0.72))
        painter.drawRoundedRect(box, 5, 5)
        painter.setPen(theme.DARK.colour("text"))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    # --- mouse ----------------------------------------------------------------------------------

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the pointer."""
        if turned := event.angleDelta().y():
            self.set_zoom(self.zoom * 1.2 ** (turned / 120), event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin to pan."""
        self._drag = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pan all columns together."""
        if self._drag is None or not event.buttons() or self.fitted:
            return
        moved = event.position() - self._drag
        self._drag = event.position()
        self._centre -= moved * (self.devicePixelRatioF() / self.zoom)
        self._keep_inside()
        self.update()

    def mouseReleaseEvent(self, _: QMouseEvent) -> None:
        """The pan is over."""
        self._drag = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Change between fit and 100 %."""
        self.set_zoom(1.0 if self.fitted else None, event.position())

    def resizeEvent(self, _: QResizeEvent) -> None:
        """The fitting zoom has changed."""
        if self.fitted:
            self.zoomed.emit()
