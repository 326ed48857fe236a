"""What the commands of the View menu do: ways to compare, zoom, the stages of a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.widgets.viewer import ViewMode

if TYPE_CHECKING:
    from PySide6.QtWidgets import QStackedWidget

    from app.mask_commands import MaskCommands
    from app.presenter import Presenter
    from app.preview import PreviewController
    from app.requests import Stages
    from app.widgets.canvas import Canvas
    from app.widgets.step_strip import StageView, StepStrip
    from app.widgets.transport import Transport
    from app.widgets.viewer import Viewer


class ViewCommands(QObject):
    """Chooses what of the picture is seen, and how large."""

    def __init__(
        self,
        previews: PreviewController,
        presenter: Presenter,
        mask_commands: MaskCommands,
        *,
        pictures: QStackedWidget,
        viewer: Viewer,
        stage_view: StageView,
        steps: StepStrip,
        transport: Transport,
        parent: QObject | None = None,
    ) -> None:
        """pictures: of `viewer` and `stage_view`, the one that is seen."""
        super().__init__(parent)
        self._previews, self._presenter, self._mask_commands = previews, presenter, mask_commands
        self._pictures, self._viewer, self._stage_view = pictures, viewer, stage_view
        self._steps, self._transport = steps, transport

    # --- ways to compare ------------------------------------------------------------------------

    def on_side_by_side(self, on: bool) -> None:
        """Footage left, restoration right."""
        self._compare(ViewMode.SIDE_BY_SIDE, on)

    def on_wipe(self, on: bool) -> None:
        """One picture with a line to drag."""
        self._compare(ViewMode.WIPE, on)

    def on_difference(self, on: bool) -> None:
        """What was changed."""
        self._compare(ViewMode.DIFFERENCE, on)

    def on_residual(self, on: bool) -> None:
        """Where the restoration contradicts the footage."""
        self._compare(ViewMode.RESIDUAL, on)

    def on_uncertainty(self, on: bool) -> None:
        """What is invented."""
        self._compare(ViewMode.UNCERTAINTY, on)
        self._presenter.compare_seeds()

    def _compare(self, mode: ViewMode, on: bool) -> None:
        if on:
            self._steps.choose(None)
            self._viewer.set_mode(mode)

    # --- stages and zoom ------------------------------------------------------------------------

    def show_stages(self, stages: Stages | None) -> None:
        """Show what a step made, or the picture again."""
        if stages is not None:
            self._stage_view.show_stages(stages)
        self._pictures.setCurrentWidget(self._viewer if stages is None else self._stage_view)
        self.show_zoom()

    def show_zoom(self) -> None:
        """Write down how large what is seen is."""
        self._transport.show_zoom(self._canvas.zoom)

    def on_zoom_fit(self) -> None:
        """All of the picture."""
        self._canvas.set_zoom(None)

    def on_zoom_100(self) -> None:
        """One pixel on one."""
        self._canvas.set_zoom(1.0)

    def on_zoom_200(self) -> None:
        """Twice as large."""
        self._canvas.set_zoom(2.0)

    @property
    def _canvas(self) -> Canvas:
        """What is seen now."""
        return self._stage_view if self._stages_seen else self._viewer

    @property
    def _stages_seen(self) -> bool:
        return self._pictures.currentWidget() is self._stage_view

    def on_cancel(self) -> None:
        """Stop the preview; the same key leaves the stages of a step."""
        self._viewer.draw_face(False)
        self._mask_commands.put_brush_away()
        if self._stages_seen:
            self._steps.choose(None)
        else:
            self._previews.cancel()
