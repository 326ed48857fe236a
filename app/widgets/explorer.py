"""Perception against distortion: K × w_τ tried on the current frame, a point for each to adopt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyqtgraph as pg
from PySide6.QtCore import QBuffer, QEvent, QIODevice, QRect, Qt, Signal
from PySide6.QtGui import QColor, QCursor, QImage
from PySide6.QtWidgets import QLabel, QPushButton, QToolTip, QVBoxLayout, QWidget

from app import theme
from app.imaging import to_qimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from app.tasks import Point
    from flair_core.settings import SamplerSettings

TIP_WIDTH = 180


class Explorer(QWidget):
    """A scatter that fills while it runs."""

    wanted = Signal()
    """Start, or stop when it runs."""
    adopted = Signal(object)
    """SamplerSettings of the clicked point."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points: list[Point] = []
        self._sampler: SamplerSettings | None = None
        self._hovered: Point | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(QLabel(self.tr("Perception – distortion").upper(), objectName="heading"))
        self._plot = pg.PlotWidget()
        self._plot.setAccessibleName(self.tr("Sharpness against agreement with the footage"))
        self._plot.setMinimumHeight(120)
        item = self._plot.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.setMouseEnabled(False, False)
        item.showGrid(True, True, 0.15)
        item.setLabel("bottom", self.tr("agreement (dB)"))
        item.setLabel("left", self.tr("sharpness"))
        self._front = item.plot([], [], antialias=True)
        self._dots = pg.ScatterPlotItem(size=9, pen=None, hoverable=True, hoverSize=13, tip=None)
        self._dots.sigClicked.connect(lambda _, spots: self._adopt(spots[0].data()))
        self._dots.sigHovered.connect(lambda _, spots: self._hover(spots))
        item.addItem(self._dots)
        column.addWidget(self._plot, 1)
        self._plot.setToolTip(self.tr("Right: true to the footage. Up: more fine detail, true or invented."))
        self._hint = QLabel(objectName="muted", wordWrap=True)
        column.addWidget(self._hint)
        self._button = QPushButton()
        self._button.clicked.connect(self.wanted)
        column.addWidget(self._button)
        column.addStretch(0)
        self.set_running(False)
        self._dress()

    def set_running(self, running: bool, *, possible: bool = True) -> None:
        """Change the button between start and stop."""
        self._button.setText(self.tr("Stop exploring") if running else self.tr("Explore K × w_τ here"))
        self._button.setToolTip(
            self.tr("Try few and many steps K, and weak and strong enhancement w_τ, on this frame")
        )
        self._button.setEnabled(running or possible)
        self._show_hint()

    def _show_hint(self) -> None:
        empty = self.tr(
            "Tries few and many steps with weak and strong enhancement on the frame that you see."
        )
        self._hint.setText(
            self.tr("Click a point to adopt it; the line joins those that none beats in both.")
            if self._points
            else empty
        )
        self._plot.setVisible(bool(self._points))

    def clear(self) -> None:
        """Forget the points."""
        self._points = []
        self._redraw()

    def add(self, point: Point) -> None:
        """One more point."""
        self._points.append(point)
        self._redraw()

    def show_current(self, sampler: SamplerSettings) -> None:
        """The point with these settings gets a star."""
        self._sampler = sampler
        self._redraw()

    def _redraw(self) -> None:
        colours = theme.current()
        spots = []
        for point in self._points:
            here = point.result.request.settings.sampler == self._sampler
            spots.append(
                {
                    "pos": (point.fidelity, point.sharpness),
                    "data": point,
                    "symbol": "star" if here else "o",
                    "size": 15 if here else 8,
                    "brush": QColor(colours.orange if here else colours.blue),
                }
            )
        self._dots.setData(spots)
        best = frontier([(point.fidelity, point.sharpness) for point in self._points])
        self._front.setData([x for x, _ in best], [y for _, y in best])
        self._front.setPen(pg.mkPen(colours.accent, width=1.5))
        self._show_hint()
        self._plot.getPlotItem().autoRange(padding=0.12)

    def _adopt(self, point: Point) -> None:
        self.adopted.emit(point.result.request.settings.sampler)

    def _hover(self, spots: np.ndarray) -> None:
        point = spots[0].data() if len(spots) else None
        if point is self._hovered:
            return
        self._hovered = point
        if point is None:
            QToolTip.hideText()
            return
        sampler, preview = point.result.request.settings.sampler, point.result.preview
        words = self.tr("K {0} · w_τ {1:.2f} · {2:.1f} dB").format(
            sampler.steps, sampler.w_tau, point.fidelity
        )
        picture = _as_html(_face(preview.frame, preview.mask))
        QToolTip.showText(QCursor.pos(), f"{picture}<br>{words}", self._plot)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_button"):
            self._dress()

    def _dress(self) -> None:
        colours = theme.current()
        self._plot.setBackground(colours.panel)
        for name in ("left", "bottom"):
            axis = self._plot.getPlotItem().getAxis(name)
            axis.setPen(colours.border)
            axis.setTextPen(colours.muted)
            axis.label.setDefaultTextColor(QColor(colours.muted))
        self._redraw()


def frontier(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other one beats in both directions, from left to right."""
    best: list[tuple[float, float]] = []
    for point in sorted(set(points), reverse=True):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best[::-1]


def _face(frame: NDArray[np.uint8], mask: NDArray[np.float32]) -> QImage:
    """The part of the frame that was restored."""
    rows, columns = (mask > 0).any(axis=1).nonzero()[0], (mask > 0).any(axis=0).nonzero()[0]
    image = to_qimage(frame)
    if len(rows):
        image = image.copy(
            QRect(int(columns[0]), int(rows[0]), int(columns[-1] - columns[0]), int(rows[-1] - rows[0]))
        )
    return image.scaledToWidth(TIP_WIDTH, Qt.TransformationMode.SmoothTransformation)


def _as_html(image: QImage) -> str:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return f'<img src="data:image/png;base64,{buffer.data().toBase64().toStdString()}">'
