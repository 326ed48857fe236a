"""γ_t and w_t of every reverse step, as curves whose points can be dragged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QPointF, Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app import theme

if TYPE_CHECKING:
    import numpy as np
    import pyqtgraph as pg

    from app.requests import Schedules
    from flair_core.settings.groups import SamplerSettings

MOST_POINTS = 9
"""Points that are dragged; where there are more steps, those between follow."""
REACH = 10
"""Pixels around a point in which it is taken."""


class SchedulePlot(QWidget):
    """How strongly each step is tied to the footage, and how strongly enhanced."""

    shaped = Signal(str, str)
    """The setting "gamma_curve" or "w_curve", and what it shall be."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedHeight(104)
        self.setAccessibleName(self.tr("Schedules of γ and w"))
        self.setToolTip(
            self.tr(
                "How much each step is tied to the footage (γ_t) and enhanced (w_t). Drag a point to shape the curve; "
                "w_t reaches up to w_τ, γ_t up to what the policy allows"
            )
        )
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._plot: pg.PlotWidget | None = None
        self._shown: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        """By setting: the weights of all steps, and the most that each may be."""
        self._taken: tuple[str, int, np.ndarray] | None = None
        """What is being dragged: setting, number of the point, and the factors of all points."""

    def _draw_axes(self) -> pg.PlotWidget:
        """When there is something to plot: pyqtgraph is loaded with the core, and the window need not wait for it."""
        import pyqtgraph as pg

        self._plot = pg.PlotWidget(background=None)
        self._column.addWidget(self._plot)
        plot = self._plot.getPlotItem()
        plot.setMenuEnabled(False)
        plot.hideButtons()
        plot.setMouseEnabled(False, False)
        plot.setYRange(0, 1.05, padding=0.02)
        plot.getAxis("left").setTicks([[(0, "0"), (0.5, "0.5"), (1, "1")]])
        plot.getAxis("left").setWidth(26)
        self._gamma = plot.plot(symbolSize=5, symbolPen=None, antialias=True)
        self._w = plot.plot(symbolSize=5, symbolPen=None, antialias=True)
        self._apply_theme(self._plot)
        self._plot.viewport().installEventFilter(self)
        return self._plot

    def show_schedules(self, schedules: Schedules, sampler: SamplerSettings) -> None:
        """Plot the weights of the executed steps."""
        import numpy as np

        if self._taken is not None:
            return
        gamma, w, most = map(np.array, (schedules.gamma, schedules.w, schedules.whole_gamma))
        enhanced = max(len(w) - sampler.tau, 0)  # the curve of w ends at step τ
        self._shown = {
            "gamma_curve": (gamma, most),
            "w_curve": (w[:enhanced], np.full(enhanced, sampler.w_tau)),
        }
        shown = self._plot or self._draw_axes()
        steps = range(1, len(schedules.gamma) + 1)
        self._gamma.setData(list(steps), list(schedules.gamma))
        self._w.setData(list(steps), list(schedules.w))
        every = -(-len(steps) // 6)
        shown.getPlotItem().getAxis("bottom").setTicks([[(step, str(step)) for step in steps[::every]]])
        shown.setXRange(1, max(2, len(steps)), padding=0.04)

    # --- dragging -------------------------------------------------------------------------------

    def point(self, name: str, number: int) -> QPointF:
        """Where a point lies in the plot's viewport."""
        assert self._plot is not None
        weights = self._shown[name][0]
        at = self._points(name)[number]
        place = self._plot.getPlotItem().vb.mapViewToScene(QPointF(at + 1, weights[at]))
        return QPointF(self._plot.mapFromScene(place))

    def _points(self, name: str) -> np.ndarray:
        """The steps whose weights are dragged."""
        import numpy as np

        steps = len(self._shown[name][0])
        return np.linspace(0, steps - 1, min(steps, MOST_POINTS)).round().astype(int)

    def _take(self, position: QPointF) -> None:
        """The point nearest to the pointer, if it can be moved at all."""
        import numpy as np

        near = []
        for name, (weights, most) in self._shown.items():
            points = self._points(name)
            for number, at in enumerate(points):
                distance = (self.point(name, number) - position).manhattanLength()
                if distance <= REACH and most[at] > 0:
                    factors = np.divide(
                        weights[points], most[points], out=np.ones(len(points)), where=most[points] > 0
                    )
                    near.append((distance, name, number, factors))
        self._taken = min(near, key=lambda one: one[0])[1:] if near else None

    def _drag(self, position: QPointF) -> None:
        import numpy as np

        assert self._plot is not None
        assert self._taken is not None
        name, number, factors = self._taken
        scene = self._plot.mapToScene(position.toPoint())
        weights, most = self._shown[name]
        points = self._points(name)
        at = points[number]
        factors[number] = round(
            min(max(self._plot.getPlotItem().vb.mapSceneToView(scene).y() / most[at], 0), 1), 2
        )
        weights = most * np.interp(range(len(weights)), points, factors)
        self._shown[name] = weights, most
        (self._gamma if name == "gamma_curve" else self._w).setData(
            list(range(1, len(weights) + 1)), weights.tolist()
        )
        self.shaped.emit(name, ", ".join(f"{factor:g}" for factor in factors.round(2)))

    def eventFilter(self, _: QObject, event: QEvent) -> bool:
        """Take, drag and let go a point."""
        kinds = QEvent.Type
        if not isinstance(event, QMouseEvent):
            return False
        if event.type() == kinds.MouseButtonPress and event.button() == Qt.MouseButton.LeftButton:
            self._take(event.position())
            return self._taken is not None
        if event.type() == kinds.MouseMove and self._taken is not None:
            self._drag(event.position())
            return True
        if event.type() == kinds.MouseButtonRelease and self._taken is not None:
            self._taken = None
            return True
        return False

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange and self._plot is not None:
            self._apply_theme(self._plot)

    def _apply_theme(self, shown: pg.PlotWidget) -> None:
        import pyqtgraph as pg

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
