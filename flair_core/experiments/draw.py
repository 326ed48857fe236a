"""Plots as SVG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from flair_core.errors import FlairError

if TYPE_CHECKING:
    from flair_core.experiments.record import Plot

COLOURS = ("#1f6feb", "#d9480f", "#2b8a3e", "#862e9c", "#c92a2a", "#0b7285", "#5c940d", "#495057")
MARKERS = "os^Dv<>p"
SIZE = (5.2, 3.6)
"""Inches."""


def require() -> None:
    """Raise FlairError unless plots can be drawn."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise FlairError(
            "Figures need matplotlib, which is not installed: pip install flair-studio[report]"
        ) from None


def svg(plot: Plot) -> str:
    """A plot as an SVG document. The same plot gives the same text. Raises FlairError."""
    require()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # A figure of its own, without pyplot: nothing global is touched, and no window system is looked for.
    style: dict[Any, Any] = {
        "svg.hashsalt": plot.title,
        "svg.fonttype": "path",
        "font.size": 9.0,
        "axes.titlesize": 10.0,
    }
    with mpl.rc_context(style):
        figure = Figure(SIZE, layout="constrained")
        axes = figure.subplots()
        for at, line in enumerate(plot.lines):
            marker = MARKERS[at % len(MARKERS)] if len(line.x) <= 40 else ""
            colour = COLOURS[at % len(COLOURS)]
            axes.plot(
                line.x, line.y, marker=marker, color=colour, label=line.label, linewidth=1.4, markersize=4.5
            )
        for mark in plot.marks:
            axes.axvline(mark, color="#adb5bd", linewidth=0.8, linestyle=":")
        if plot.log:
            axes.set_xscale("log")
            ticks = sorted({x for line in plot.lines for x in line.x})
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.minorticks_off()
        axes.set(title=plot.title, xlabel=plot.x, ylabel=plot.y)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if len(plot.lines) > 1:
            axes.legend(frameon=False)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
