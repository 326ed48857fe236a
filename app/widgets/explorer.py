"""Perception against distortion: K × w_τ tried on the current frame, a point for each to adopt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QBuffer, QByteArray, QEvent, QIODevice, Qt, Signal
from PySide6.QtGui import QColor, QCursor, QImage, QImageWriter
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.imaging import to_qimage
from app.widgets.elided import Elided
from app.widgets.icon_button import IconButton
from app.widgets.named import named

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import pyqtgraph as pg
    from numpy.typing import NDArray

    from app.imaging import Pixels
    from app.tasks import ExploredPoint
    from flair_core.settings.groups import SamplerSettings

TIP_WIDTH = 180


class Explorer(QWidget):
    """A scatter that fills while it runs."""

    wanted = Signal()
    """Start, or stop when it runs."""
    adopted = Signal(object)
    """SamplerSettings of the clicked point."""
    reference_wanted = Signal()
    """Choose a clip to measure against."""
    reference_unwanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._points: list[ExploredPoint] = []
        self._sampler: SamplerSettings | None = None
        self._hovered: ExploredPoint | None = None
        self.reference: Path | None = None
        self._lacking: Path | None = None
        """The file that LPIPS would need."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(named(QLabel(self.tr("Perception – distortion").upper()), "heading"))
        self._plot: pg.PlotWidget | None = None
        self._hint = named(QLabel(wordWrap=True), "muted")
        column.addWidget(self._hint)
        self._button = QPushButton()
        self._button.clicked.connect(self.wanted)
        column.addWidget(self._button)
        column.addLayout(self._reference_row())
        column.addStretch(0)
        self.set_running(False)
        self.show_reference(None)

    def _draw_axes(self) -> pg.PlotWidget:
        """With the first point: pyqtgraph is loaded with the core, and the window need not wait for it."""
        import pyqtgraph as pg

        self._plot = pg.PlotWidget()
        self._plot.setMinimumHeight(120)
        item = self._plot.getPlotItem()
        item.setMenuEnabled(False)
        item.hideButtons()
        item.setMouseEnabled(False, False)
        item.showGrid(True, True, 0.15)
        self._front = item.plot([], [], antialias=True)
        self._dots = pg.ScatterPlotItem(size=9, pen=None, hoverable=True, hoverSize=13, tip=None)
        self._dots.sigClicked.connect(lambda _, spots: self._adopt(spots[0].data()))
        self._dots.sigHovered.connect(lambda _, spots: self._hover(spots))
        item.addItem(self._dots)
        column = self.layout()
        assert isinstance(column, QVBoxLayout)
        column.insertWidget(1, self._plot, 1)
        self._apply_theme(self._plot)
        return self._plot

    def _reference_row(self) -> QHBoxLayout:
        self._name = Elided(style="muted")
        self._load = QPushButton(self.tr("Measure against a clip…"))
        self._load.setToolTip(
            self.tr(
                "Choose the same clip as it was before it was degraded: points are then measured by how near "
                "they come to it (PSNR), and by how alike they look (LPIPS)"
            )
        )
        self._load.clicked.connect(self.reference_wanted)
        self._unload = IconButton("close", self.tr("No longer measure against this clip"))
        self._unload.clicked.connect(self.reference_unwanted)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self._load, 1)
        row.addWidget(self._name, 1)
        row.addWidget(self._unload)
        return row

    def show_reference(self, path: Path | None, lacking: Path | None = None) -> None:
        """What is measured against; points that were measured in another way are forgotten."""
        if path != self.reference:
            self._points = []
        self.reference, self._lacking = path, lacking
        self._load.setVisible(path is None)
        self._name.setVisible(path is not None)
        self._unload.setVisible(path is not None)
        if path is not None:
            self._name.setText(self.tr("against {0}").format(path.name))
            self._name.setToolTip(str(path))
        self._redraw()

    def set_running(self, running: bool, *, possible: bool = True) -> None:
        """Change the button between start and stop."""
        self._button.setText(self.tr("Stop exploring") if running else self.tr("Explore K × w_τ here"))
        self._button.setToolTip(
            self.tr("Try few and many steps K, and weak and strong enhancement w_τ, on this frame")
        )
        self._button.setEnabled(running or possible)
        self._show_hint()

    def _show_axes(self, plot: pg.PlotWidget) -> None:
        """What is measured, by the latest point."""
        right, up = self._points[-1].measures if self._points else ("agreement", "sharpness")
        words = {
            "agreement": (self.tr("agreement (dB)"), self.tr("Right: true to the footage.")),
            "psnr": (self.tr("PSNR (dB)"), self.tr("Right: nearer to the reference, pixel by pixel.")),
            "sharpness": (self.tr("sharpness"), self.tr("Up: more fine detail, true or invented.")),
            "lpips": (self.tr("LPIPS"), self.tr("Up: looks more like the reference (a smaller LPIPS).")),
        }
        item = plot.getPlotItem()
        item.setLabel("bottom", words[right][0])
        item.setLabel("left", words[up][0])
        item.invertY(up == "lpips")
        plot.setAccessibleName(self.tr("{0} against {1}").format(words[up][0], words[right][0]))
        plot.setToolTip(f"{words[right][1]} {words[up][1]}")

    def _show_hint(self) -> None:
        if self._points:
            hint = self.tr("Click a point to adopt it; the line joins those that none beats in both.")
        else:
            hint = self.tr(
                "Tries few and many steps with weak and strong enhancement on the frame that you see."
            )
        if self._lacking:
            hint += " " + self.tr("LPIPS needs {0}; without it sharpness stands in.").format(
                self._lacking.name
            )
        self._hint.setText(hint)
        self._hint.setToolTip(
            self.tr("Put it into {0}, or let “flair eval --metrics lpips --fetch” do so.").format(
                self._lacking.parent
            )
            if self._lacking
            else ""
        )
        if self._plot is not None:
            self._plot.setVisible(bool(self._points))

    def clear(self) -> None:
        """Forget the points."""
        if self._points:
            self._points = []
            self._redraw()

    def add(self, point: ExploredPoint) -> None:
        """One more point."""
        self._points.append(point)
        self._redraw()

    def show_current(self, sampler: SamplerSettings) -> None:
        """The point with these settings gets a star."""
        if sampler != self._sampler:
            self._sampler = sampler
            if self._points:
                self._redraw()

    def _redraw(self) -> None:
        self._show_hint()
        if self._plot is None and not self._points:
            return
        plot, colours = self._plot or self._draw_axes(), theme.current()
        spots = []
        for point in self._points:
            here = point.result.request.settings.sampler == self._sampler
            spots.append(
                {
                    "pos": point.values,
                    "data": point,
                    "symbol": "star" if here else "o",
                    "size": 15 if here else 8,
                    "brush": QColor(colours.orange if here else colours.blue),
                }
            )
        self._dots.setData(spots)
        best = frontier([point.goodness for point in self._points])
        self._front.setData([x for x, _ in best], [abs(y) for _, y in best])
        self._show_axes(plot)
        plot.getPlotItem().autoRange(padding=0.12)

    def _adopt(self, point: ExploredPoint) -> None:
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
        right, up = point.values
        words = self.tr("K {0} · w_τ {1:.2f} · {2:.1f} dB").format(sampler.steps, sampler.w_tau, right)
        if point.ssim is not None:
            words += f" · SSIM {point.ssim:.3f}"
        if point.measures[1] == "lpips":
            words += f" · LPIPS {up:.3f}"
        picture = _as_html(_face(preview.frame, preview.mask))
        QToolTip.showText(QCursor.pos(), f"{picture}<br>{words}", self._plot)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and hasattr(self, "_plot") and self._plot is not None:
            self._apply_theme(self._plot)
            self._redraw()

    def _apply_theme(self, plot: pg.PlotWidget) -> None:
        import pyqtgraph as pg

        colours = theme.current()
        plot.setBackground(colours.panel)
        self._front.setPen(pg.mkPen(colours.accent, width=1.5))
        for name in ("left", "bottom"):
            axis = plot.getPlotItem().getAxis(name)
            axis.setPen(colours.border)
            axis.setTextPen(colours.muted)
            axis.label.setDefaultTextColor(QColor(colours.muted))


def frontier(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other one beats in both directions, from left to right."""
    best: list[tuple[float, float]] = []
    for point in sorted(set(points), reverse=True):
        if not best or point[1] > best[-1][1]:
            best.append(point)
    return best[::-1]


def _face(frame: Pixels, mask: NDArray[np.float32]) -> QImage:
    """The part of the frame that was restored."""
    import numpy as np

    shown = mask > 0
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    if len(rows):
        frame = frame[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return to_qimage(frame).scaledToWidth(TIP_WIDTH, Qt.TransformationMode.SmoothTransformation)


def _as_html(image: QImage) -> str:
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    QImageWriter(buffer, QByteArray(b"PNG")).write(image)
    return f'<img src="data:image/png;base64,{buffer.data().toBase64().toStdString()}">'
