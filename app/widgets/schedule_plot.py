"""γ_t and w_t of every reverse step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app import theme

if TYPE_CHECKING:
    import pyqtgraph as pg

    from app.tasks import Schedules


class SchedulePlot(QWidget):
    """How strongly each step is tied to the footage, and how strongly enhanced."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(104)
        self.setAccessibleName(self.tr("Schedules of γ and w"))
        self.setToolTip(self.tr("How much each step is tied to the footage (γ_t) and enhanced (w_t)."))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._plot: pg.PlotWidget | None = None

    def _draw_axes(self) -> pg.PlotWidget:
        """When there is something to plot: pyqtgraph is loaded with the core, and the window need not wait for it."""
        import pyqtgraph as pg  # noqa: PLC0415

        self._plot = pg.PlotWidget(background=None)
        self.layout().addWidget(self._plot)
        plot = self._plot.getPlotItem()
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(False, False)
        plot.setYRange(0, 1.05, padding=0.02)
        plot.getAxis("left").setTicks([[(0, "0"), (0.5, "0.5"), (1, "1")]])
        plot.getAxis("left").setWidth(26)
        self._gamma = plot.plot(symbolSize=5, symbolPen=None, antialias=True)
        self._w = plot.plot(symbolSize=5, symbolPen=None, antialias=True)
        self._dress(self._plot)
        return self._plot

    def show_schedules(self, schedules: Schedules) -> None:
        """Plot the weights of the executed steps."""
        shown = self._plot or self._draw_axes()
        steps = range(1, len(schedules.gamma) + 1)
        self._gamma.setData(list(steps), list(schedules.gamma))
        self._w.setData(list(steps), list(schedules.w))
        every = -(-len(steps) // 6)
        shown.getPlotItem().getAxis("bottom").setTicks([[(step, str(step)) for step in steps[::every]]])
        shown.setXRange(1, max(2, len(steps)), padding=0.04)

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and self._plot is not None:
            self._dress(self._plot)

    def _dress(self, shown: pg.PlotWidget) -> None:
        import pyqtgraph as pg  # noqa: PLC0415

        colours = theme.current()
        for curve, colour in ((self._gamma, colours.blue), (self._w, colours.accent)):
            curve.setPen(pg.mkPen(colour, width=1.5))
            curve.setSymbol("o")
            curve.setSymbolBrush(colour)
        for name in ("left", "bottom"):
            axis = shown.getPlotItem().getAxis(name)
            axis.setPen(colours.border)
            axis.setTextPen(colours.muted)
        shown.setBackground(colours.panel)
        gamma, w = (
            f'<span style="color:{c}">{name}</span>'
            for c, name in ((colours.blue, "● γ_t"), (colours.accent, "● w_t"))
        )
        shown.getPlotItem().setLabel(
            "bottom", f"{gamma} &nbsp; {w} &nbsp; " + self.tr("by reverse step"), color=colours.muted
        )
