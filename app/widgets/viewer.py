"""The player's picture: footage and restoration compared, the mask, the faces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QImage, QLinearGradient, QPainter, QPainterPath, QPen

from app import theme
from app.imaging import FINE, HEAT_STOPS, Heat, Picture, contour
from app.widgets.brush import Brush
from app.widgets.canvas import Canvas

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent, QTransform
    from PySide6.QtWidgets import QWidget

    from app.imaging import Pixels
    from app.tasks import SeedSpread
    from flair_core.restoration.preview import Preview

LEAST_PEAK = 2
"""8-bit levels that are shown brightest in a heatmap with nothing above; else the next power of two."""
MASK_LEVELS = (0.02, 0.5, 0.98)
"""Lines drawn: where the mask begins, its middle, and where it is full. The feather lies between them."""
GRIP = 9
LEGEND_WIDTH = 110
LEAST_DRAWN = 8
"""Pixels; a smaller drag is no face but a slip."""


class ViewMode(Enum):
    """How footage and restoration are compared."""

    SIDE_BY_SIDE = "side by side"
    WIPE = "wipe"
    DIFFERENCE = "difference"
    RESIDUAL = "residual"
    UNCERTAINTY = "uncertainty"


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face in the current frame; `box` in pixels of the picture."""

    id: int
    box: QRectF
    name: str
    selected: bool
    left_out: bool
    to_face: QTransform | None = None
    """From the picture to fractions of the aligned face's side; None as long as that is unknown."""


class Viewer(Canvas):
    """Compares the two versions of one frame."""

    face_clicked = Signal(int)
    face_drawn = Signal(QRectF)
    """A box in pixels of the picture."""
    stroke_painted = Signal(object)
    """Stroke."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mode = ViewMode.WIPE
        self._wipe = 0.5
        self._wiping = False
        self._observed: Picture | None = None
        self._restored: Picture | None = None
        self._preview: Preview | None = None
        self._left: Pixels | None = None
        """What `_observed` was made of, if that came with a preview."""
        self._spread: SeedSpread | None = None
        self._heat: Heat | None = None
        self._mask: NDArray[np.float32] | None = None
        self._contours: dict[float, QPainterPath] = {}
        self._mask_shown = False
        self._doublings = 3
        self._captions = ("", "")
        self._faces: Sequence[FaceBox] = ()
        self._hovered: int | None = None
        self._drawing = False
        self._corner: QPointF | None = None
        self._drawn = QRectF()
        self.brush = Brush()
        self._brushing = False
        self._pointer: QPointF | None = None
        self.setAccessibleName(self.tr("Picture"))
        self.setAccessibleDescription(
            self.tr(
                "Footage and restoration. Wheel: zoom; drag: pan; double click: fit; click a face: select it"
            )
        )

    # --- what is shown --------------------------------------------------------------------------

    @property
    def mode(self) -> ViewMode:
        """How the two are compared."""
        return self._mode

    def set_mode(self, mode: ViewMode) -> None:
        """Compare in another way."""
        self._mode = mode
        self.zoomed.emit()
        self.update()

    def show_mask(self, shown: bool) -> None:
        """Draw where the restoration replaces the footage."""
        self._mask_shown = shown
        self.update()

    def show_frame(self, rgb: Pixels, size: QSize) -> None:
        """Show footage that has no restoration yet; `size` is what the restoration's will be."""
        self._observed, self._restored, self._preview, self._spread = Picture(rgb), None, None, None
        self._left = None
        self.set_picture_size(size)
        self.update()

    def show_preview(self, preview: Preview, against: Pixels | None = None) -> None:
        """Show footage and restoration, or another restoration in place of the footage."""
        left = preview.observed if against is None else against
        if left is not self._left:
            self._left, self._observed = left, Picture(left)
        if self._restored is None or preview is not self._preview:
            self._preview, self._restored = preview, Picture(preview.frame)
        self.set_picture_size(self._restored.size)
        self.update()

    def show_spread(self, spread: SeedSpread | None) -> None:
        """What several seeds disagree about; None as long as it is unknown."""
        self._spread = spread
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self._observed, self._restored, self._preview, self._left = None, None, None, None
        self.set_picture_size(QSize())
        self.update()

    def set_captions(self, observed: str, restored: str) -> None:
        """What is written over the two versions."""
        self._captions = (observed, restored)
        self.update()

    def set_faces(self, faces: Sequence[FaceBox]) -> None:
        """The faces of this frame, to be outlined and clicked."""
        self._faces, self._hovered = faces, None
        self.update()

    def draw_face(self, drawing: bool) -> None:
        """Let the next drag draw the ellipse of a face."""
        self._drawing, self._corner, self._drawn = drawing, None, QRectF()
        self.setCursor(Qt.CursorShape.CrossCursor if drawing else Qt.CursorShape.ArrowCursor)
        self.update()

    def take_brush(self, taken: bool, *, erases: bool = False) -> None:
        """Let the mouse paint over masks."""
        self._brushing, self.brush.erases, self.brush.face = taken, erases, None
        self.setCursor(Qt.CursorShape.CrossCursor if taken else Qt.CursorShape.ArrowCursor)
        self.update()

    def resize_brush(self, radius: float) -> None:
        """As a fraction of the aligned face's side."""
        self.brush.radius = radius
        self.update()

    def amplify(self, times: int) -> None:
        """How much brighter a difference is shown: a power of two."""
        self._doublings = times.bit_length() - 1
        self.update()

    # --- painting -------------------------------------------------------------------------------

    def columns(self) -> int:
        """Two side by side, else one."""
        return 2 if self._mode is ViewMode.SIDE_BY_SIDE else 1

    def paint_column(self, painter: QPainter, column: int, pane: QRectF, target: QRectF) -> None:
        """See Canvas."""
        observed = self._observed
        assert observed is not None
        restored = self._restored or observed
        left, right = Qt.AlignmentFlag.AlignLeft, Qt.AlignmentFlag.AlignRight
        match self._mode:
            case ViewMode.SIDE_BY_SIDE:
                self.draw_picture(painter, target, (observed, restored)[column])
                self._paint_overlays(painter, target)
                self.draw_pill(painter, self._captions[column], pane, left)
            case ViewMode.WIPE:
                self._paint_wipe(painter, pane, target, (observed, restored))
                self._paint_overlays(painter, target)
                self._paint_grip(painter, pane)
                halves = pane.adjusted(0, 0, -pane.width() / 2, 0), pane.adjusted(pane.width() / 2, 0, 0, 0)
                self.draw_pill(painter, self._captions[0], halves[0], left)
                self.draw_pill(painter, self._captions[1], halves[1], right)
            case ViewMode.DIFFERENCE:
                painter.drawImage(pane.topLeft(), self._difference(pane, target, (observed, restored)))
                self._paint_overlays(painter, target)
                self.draw_pill(painter, self.tr("Difference × {0}").format(2**self._doublings), pane, left)
                self.draw_pill(painter, self._captions[1], pane, right)
            case ViewMode.RESIDUAL:
                preview = self._preview
                levels = None if preview is None else preview.residual_map
                self._paint_heat(painter, pane, target, levels)
                self.draw_pill(painter, self.tr("Where the restoration contradicts the footage"), pane, left)
                self.draw_pill(painter, self._captions[1], pane, right)
            case ViewMode.UNCERTAINTY:
                spread = self._spread
                self._paint_heat(painter, pane, target, None if spread is None else spread.levels)
                self.draw_pill(painter, self.tr("What is invented: where seeds disagree"), pane, left)
                count = 0 if spread is None else spread.seeds
                self.draw_pill(painter, self.tr("{0} seeds").format(count), pane, right)

    def _paint_wipe(
        self, painter: QPainter, pane: QRectF, target: QRectF, both: tuple[Picture, Picture]
    ) -> None:
        edge = self._wipe_edge(pane)
        parts = (
            QRectF(pane.left(), pane.top(), edge - pane.left(), pane.height()),
            QRectF(edge, pane.top(), pane.right() - edge, pane.height()),
        )
        for picture, part in zip(both, parts, strict=True):
            painter.save()
            painter.setClipRect(part)
            self.draw_picture(painter, target, picture)
            painter.restore()

    def _paint_grip(self, painter: QPainter, pane: QRectF) -> None:
        edge = self._wipe_edge(pane)
        light, dark = theme.DARK.colour("text"), theme.DARK.colour("canvas")
        painter.setPen(QPen(light, 2))
        painter.drawLine(QPointF(edge, pane.top()), QPointF(edge, pane.bottom()))
        painter.setBrush(light)
        painter.drawEllipse(QPointF(edge, pane.center().y()), GRIP, GRIP)
        painter.setPen(QPen(dark, 1.6))
        for side in (-1, 1):
            tip = QPointF(edge + side * 5.5, pane.center().y())
            for down in (-1, 1):
                painter.drawLine(tip, tip + QPointF(-side * 2.5, down * 2.5))

    def _difference(self, pane: QRectF, target: QRectF, both: tuple[Picture, Picture]) -> QImage:
        """|restored − observed|, doubled a few times; computed at the size of the screen."""
        ratio = self.devicePixelRatioF()
        layer = QImage((pane.size() * ratio).toSize(), QImage.Format.Format_RGB32)
        layer.setDevicePixelRatio(ratio)
        layer.fill(Qt.GlobalColor.black)
        painter = QPainter(layer)
        self.draw_picture(painter, target, both[0])
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Difference)
        self.draw_picture(painter, target, both[1])
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Plus)
        for _ in range(self._doublings):
            painter.drawImage(0, 0, layer.copy())
        painter.end()
        return layer

    def _paint_heat(
        self, painter: QPainter, pane: QRectF, target: QRectF, levels: NDArray[np.float32] | None
    ) -> None:
        """Levels as colours over the darkened footage, with a legend."""
        assert self._observed is not None
        self.draw_picture(painter, target, self._observed)
        painter.fillRect(target, theme.DARK.colour("canvas", 0.6))
        if levels is not None:
            if self._heat is None or self._heat.levels is not levels:
                import numpy as np

                every = max(1, max(levels.shape) // FINE)
                most = float(np.quantile(levels[::every, ::every], 0.999))
                self._heat = Heat(levels, 2.0 ** math.ceil(math.log2(max(most, LEAST_PEAK))))
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Screen)
            self.draw_picture(painter, target, self._heat)
            painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceOver)
        self._paint_overlays(painter, target)
        if levels is not None and self._heat is not None:
            self._paint_legend(painter, pane, self._heat.peak)

    def _paint_legend(self, painter: QPainter, pane: QRectF, peak: float) -> None:
        """The colours of a heatmap and the 8-bit levels that they stand for."""
        words = self.tr("levels of 255")
        metrics = painter.fontMetrics()
        room = metrics.horizontalAdvance(f"{words}   0{peak:g} +") + LEGEND_WIDTH + 34
        box = QRectF(pane.left() + 8, pane.bottom() - 36, room, 28)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.DARK.colour("canvas", 0.72))
        painter.drawRoundedRect(box, 5, 5)
        bar = QRectF(box.left() + 10 + metrics.horizontalAdvance("0 "), box.top() + 9, LEGEND_WIDTH, 10)
        ramp = QLinearGradient(bar.topLeft(), bar.topRight())
        for position, colour in HEAT_STOPS:
            ramp.setColorAt(position, QColor(*colour))
        painter.setBrush(ramp)
        painter.drawRect(bar)
        painter.setPen(theme.DARK.colour("text"))
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.drawText(box.adjusted(10, 0, 0, 0), middle, "0")
        after = QRectF(bar.right() + 8, box.top(), box.right() - bar.right(), box.height())
        painter.drawText(after, middle, f"{peak:g}+  {words}")

    def _paint_overlays(self, painter: QPainter, target: QRectF) -> None:
        """The mask, the faces and what is being drawn, in pixels of the picture."""
        if self._mask_shown and self._preview is not None:
            self._trace_mask(self._preview.mask)
        painter.save()
        painter.translate(target.topLeft())
        painter.scale(
            target.width() / self.picture_size.width(), target.height() / self.picture_size.height()
        )
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if self._mask_shown and self._preview is not None:
            for level, path in self._contours.items():
                edge = level == MASK_LEVELS[1]
                colour = theme.DARK.colour("accent", 1.0 if edge else 0.35)
                painter.setPen(
                    _line(painter, colour, Qt.PenStyle.DashLine if edge else Qt.PenStyle.SolidLine)
                )
                painter.drawPath(path)
        if not self._drawn.isEmpty():
            painter.setPen(_line(painter, theme.DARK.colour("orange")))
            painter.drawEllipse(self._drawn)
            painter.drawRect(self._drawn)
        self.brush.paint(painter)
        self._paint_brush_ring(painter)
        outlined = [face for face in self._faces if face.id == self._hovered or face.selected]
        for face in outlined:
            painter.setPen(_line(painter, theme.DARK.colour("muted" if face.left_out else "accent")))
            painter.drawRoundedRect(face.box, 6, 6)
        painter.restore()
        for face in outlined:
            below = self._on_screen(face.box, target).adjusted(-80, 0, 80, 36)
            self.draw_pill(
                painter, face.name, below, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom
            )

    def _paint_brush_ring(self, painter: QPainter) -> None:
        face = self._canvas_of(self._pointer) if self._brushing and self._pointer is not None else None
        if face is None or self._pointer is None or face.to_face is None:
            return
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(_line(painter, theme.DARK.colour("red" if self.brush.erases else "text")))
        reach = self.brush.reach(face.to_face)
        painter.drawEllipse(self.to_picture(self._pointer), reach, reach)

    def _canvas_of(self, position: QPointF) -> FaceBox | None:
        """The face that the brush paints on: the selected one, the one under the pointer, or the only one."""
        paintable = [face for face in self._faces if face.to_face is not None and not face.left_out]
        under = self._face_at(position)
        for rule in (lambda face: face.selected, lambda face: face.id == under):
            if found := next(filter(rule, paintable), None):
                return found
        return paintable[0] if len(paintable) == 1 else None

    def _trace_mask(self, mask: NDArray[np.float32]) -> None:
        if mask is not self._mask:
            self._mask = mask
            self._contours = {level: contour(mask, level) for level in MASK_LEVELS}

    def _on_screen(self, box: QRectF, target: QRectF) -> QRectF:
        scale = target.width() / self.picture_size.width()
        return QRectF(target.topLeft() + box.topLeft() * scale, box.size() * scale)

    # --- mouse ----------------------------------------------------------------------------------

    def _wipe_edge(self, pane: QRectF) -> float:
        return pane.left() + self._wipe * pane.width()

    def _on_grip(self, position: QPointF) -> bool:
        near = abs(position.x() - self._wipe_edge(self.panes()[0])) <= GRIP
        return self._mode is ViewMode.WIPE and near and not self.picture_size.isEmpty()

    def _face_at(self, position: QPointF) -> int | None:
        spot = self.to_picture(position)
        hit = [face for face in self._faces if face.box.contains(spot)]
        return min(hit, key=lambda face: face.box.width()).id if hit else None

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the wipe, begin a face, click one, or pan."""
        left = event.button() == Qt.MouseButton.LeftButton
        if left and self._drawing:
            self._corner = self.to_picture(event.position())
        elif self._brushing and event.button() != Qt.MouseButton.MiddleButton:
            self._put_brush(event.position(), flipped=event.button() == Qt.MouseButton.RightButton)
        elif left and self._on_grip(event.position()):
            self._wiping = True
        else:
            super().mousePressEvent(event)
            face = self._face_at(event.position())
            if left and face is not None:
                self.face_clicked.emit(face)

    def _put_brush(self, position: QPointF, *, flipped: bool) -> None:
        face = self._canvas_of(position)
        if face is not None and face.to_face is not None:
            self.brush.begin(face.id, face.to_face, self.to_picture(position), flipped=flipped)
            self.update()

    def leaveEvent(self, _: QEvent) -> None:
        """No brush to be seen."""
        self._pointer = None
        self.update()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on with it."""
        position = event.position()
        if self._corner is not None:
            whole = QRectF(QPointF(), self.picture_size.toSizeF())
            self._drawn = QRectF(self._corner, self.to_picture(position)).normalized() & whole
            self.update()
        elif self.brush.face is not None:
            self._pointer = position
            self.brush.move(self.to_picture(position), self.zoom)
            self.update()
        elif self._wiping:
            pane = self.panes()[0]
            self._wipe = min(max((position.x() - pane.left()) / pane.width(), 0), 1)
            self.update()
        elif event.buttons():
            super().mouseMoveEvent(event)
        elif self._brushing:
            self._pointer = position
            self.update()
        elif not self._drawing:
            over = Qt.CursorShape.SplitHCursor if self._on_grip(position) else Qt.CursorShape.ArrowCursor
            self.setCursor(over)
            if (face := self._face_at(position)) != self._hovered:
                self._hovered = face
                self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End it."""
        super().mouseReleaseEvent(event)
        self._wiping = False
        if self.brush.face is not None:
            self.stroke_painted.emit(self.brush.lift())
        if self._corner is not None:
            drawn = self._drawn
            self.draw_face(False)
            if min(drawn.width(), drawn.height()) >= LEAST_DRAWN:
                self.face_drawn.emit(drawn)


def _line(painter: QPainter, colour: QColor, style: Qt.PenStyle = Qt.PenStyle.SolidLine) -> QPen:
    """Of the same width at any zoom and on any screen."""
    pen = QPen(colour, 1.5 * painter.device().devicePixelRatioF(), style)
    pen.setCosmetic(True)
    return pen
