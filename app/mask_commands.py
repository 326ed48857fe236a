"""What the commands about faces drawn by hand and painted masks do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.actions import BRUSHES
from flair_core.settings.drawn import DrawnFace

if TYPE_CHECKING:
    from PySide6.QtCore import QRectF

    from app.actions import Actions
    from app.session import Session
    from app.widgets.status import Status
    from app.widgets.step_strip import StepStrip
    from app.widgets.viewer import Viewer
    from flair_core.settings.drawn import Stroke


class MaskCommands(QObject):
    """Lets the user draw faces and paint over their masks, and makes undoable edits of that."""

    said = Signal(str, object)
    """A sentence, and choices by their words."""

    def __init__(
        self,
        session: Session,
        actions: Actions,
        viewer: Viewer,
        steps: StepStrip,
        status: Status,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._actions = session, actions
        self._viewer, self._steps, self._status = viewer, steps, status

    # --- faces ----------------------------------------------------------------------------------

    def on_draw_face(self) -> None:
        """Let the user drag an ellipse over a face."""
        self._steps.choose(None)
        self.put_brush_away()
        self._viewer.draw_face(True)
        self._status.show_preview(self.tr("Drag from one corner of the face to the other, forehead to chin"))

    def add_face(self, box: QRectF) -> None:
        """A face was drawn around this box of the picture."""
        larger, span = self._session.settings.magnification, self._session.span
        left, top, right, bottom = (
            edge / larger for edge in (box.left(), box.top(), box.right(), box.bottom())
        )
        face = DrawnFace((left, top, right, bottom), span.start, span.stop - 1)
        self._session.edit(self.tr("Draw a face"), drawn=(*self._session.project.drawn, face))
        self._session.select(-len(self._session.project.drawn))

    def on_remove_face(self) -> None:
        """Remove the selected face, if it was drawn."""
        selected, project = self._session.selected, self._session.project
        if selected is not None and selected < 0:
            drawn = list(project.drawn)
            del drawn[-1 - selected]
            # Those drawn after it move up, and take along what was painted on them.
            strokes = tuple(
                stroke._replace(face=stroke.face + (stroke.face < selected))
                for stroke in project.strokes
                if stroke.face != selected
            )
            self._session.select(None)
            look = self._session.project.look.without_drawn(selected)
            self._session.edit(self.tr("Remove a drawn face"), drawn=tuple(drawn), strokes=strokes, look=look)

    def offer_to_draw(self) -> None:
        """The search has found no face: say what can be done about it."""
        choices = {
            self.tr("Draw one…"): self.on_draw_face,
            self.tr("The whole frame is a face"): lambda: self._session.edit_setting(
                "faces", "aligned", True, self.tr("Whole frame")
            ),
        }
        self.said.emit(self.tr("No face was found in this clip."), choices)

    # --- masks ----------------------------------------------------------------------------------

    def add_stroke(self, stroke: Stroke) -> None:
        """The brush was lifted."""
        words = self.tr("Erase from the mask") if stroke.erases else self.tr("Paint the mask")
        self._session.edit(words, strokes=(*self._session.project.strokes, stroke))

    def on_paint_mask(self, _: bool) -> None:
        """Let the restoration show where it did not."""
        self._take_brush()

    def on_erase_mask(self, _: bool) -> None:
        """Let the footage show."""
        self._take_brush()

    def _take_brush(self) -> None:
        """The one that is ticked now, or none."""
        erases = self._actions["erase_mask"].isChecked()
        taken = erases or self._actions["paint_mask"].isChecked()
        self._viewer.take_brush(taken, erases=erases)
        if taken:
            self._steps.choose(None)
            self._viewer.draw_face(False)
            self._actions["mask"].setChecked(True)
            self._status.note(
                self.tr("Drag over the face; the right button does the opposite, Esc puts the brush away")
            )

    def put_brush_away(self) -> None:
        """Neither paint nor erase."""
        for name in BRUSHES:
            self._actions[name].setChecked(False)

    def on_reset_mask(self) -> None:
        """Forget what was painted on the selected face, or on all."""
        selected, strokes = self._session.selected, self._session.project.strokes
        kept = () if selected is None else tuple(one for one in strokes if one.face != selected)
        self._session.edit(self.tr("Reset the mask"), strokes=kept)
