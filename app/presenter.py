"""Shows the frame under the playhead: first the footage, then its restoration step by step, with its faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QRectF, QSize
from PySide6.QtGui import QTransform

from app.widgets.viewer import FaceBox, ViewMode

if TYPE_CHECKING:
    from app.background import Background
    from app.files import Files
    from app.frame_loader import FrameLoader
    from app.preview import PreviewController
    from app.requests import PreviewResult
    from app.session import Session
    from app.tasks import SeedSpread
    from app.widgets.faces import Faces
    from app.widgets.schedule_plot import SchedulePlot
    from app.widgets.status import Status
    from app.widgets.step_strip import StepStrip
    from app.widgets.viewer import Viewer
    from flair_core.faces.track import Track


class Presenter(QObject):
    """Carries frames and results to the widgets that show them."""

    def __init__(
        self,
        session: Session,
        files: Files,
        loader: FrameLoader,
        previews: PreviewController,
        background: Background,
        *,
        viewer: Viewer,
        faces: Faces,
        steps: StepStrip,
        schedule: SchedulePlot,
        status: Status,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session, self._files, self._loader = session, files, loader
        self._previews, self._background = previews, background
        self._viewer, self._faces, self._steps = viewer, faces, steps
        self._schedule, self._status = schedule, status

    # --- footage --------------------------------------------------------------------------------

    def load_frame(self) -> None:
        """Decode the frame under the playhead, unless another clip is being opened."""
        if self._session.clip is not None and not self._files.opening:
            footage = self._session.project.look.settings.footage
            self._loader.load(self._session.clip.path, self._session.index, footage)

    def take_frame(self) -> None:
        """Show the frame that was decoded, where no restoration of it is shown."""
        arrived = self._loader.frames.take()
        clip = self._session.clip
        if arrived is None or clip is None or arrived[0] != clip.path:
            return
        _, frame = arrived
        self._faces.show_frame(frame.rgb, frame.index)
        result = self._previews.result
        if result is not None and result.request.index == frame.index:
            return  # the preview shows the same footage, and more
        larger = self._session.settings.magnification
        self._viewer.show_frame(frame.rgb, QSize(clip.info.width, clip.info.height) * larger)
        self.show_faces()

    # --- restoration ----------------------------------------------------------------------------

    def show_preview(self, result: PreviewResult | None) -> None:
        """Show a result and its numbers; None: there is none yet of this frame."""
        clip = self._session.clip
        if clip is None:
            return
        observed = self.tr("Observed · {0} × {1}").format(clip.info.width, clip.info.height)
        if result is None:
            self._show_unrestored(observed)
            return
        preview = result.preview
        other = self._previews.other_result()
        self._viewer.show_preview(preview, None if other is None else other.preview.frame)
        if other is not None:
            observed = self.tr("Settings {0}").format("AB".replace(self._session.project.slot, ""))
        self.compare_seeds()
        self._steps.show_stages(result.stages)
        self._schedule.show_schedules(result.schedules, result.request.settings.sampler)
        self.show_faces()
        if not result.faces and not result.request.settings.faces.aligned:
            self._viewer.set_captions(observed, self.tr("No face in this frame"))
            self._status.show_preview(self.tr("No face in this frame"))
            return
        step = self.tr("step {0}/{1}").format(preview.step, preview.steps)
        self._viewer.set_captions(observed, self.tr("Restored · {0}").format(step))
        words = [
            step,
            self.tr("{0:.0f} ms/step").format(1000 * result.seconds_per_step),
            self.tr("residual {0:.2f}").format(preview.residual),
        ]
        if not preview.exact:
            words.append(self.tr("export may differ here: what comes before is not restored yet"))
        self._status.show_preview(self.tr("Preview") + "  " + " · ".join(words))

    def _show_unrestored(self, caption: str) -> None:
        self._steps.show_stages(())
        words = self.tr("Restoring…") if self._previews.running else self.tr("Not restored")
        self._viewer.set_captions(caption, words)
        self._status.show_preview(words)
        self.load_frame()

    def compare_seeds(self) -> None:
        """Measure what is invented as long as someone looks at it, on what is finished."""
        result = self._previews.result
        looked_at = self._viewer.mode is ViewMode.UNCERTAINTY and not self._previews.running
        self._background.compare_seeds(result.request if result is not None and looked_at else None)

    def show_spread(self, spread: SeedSpread) -> None:
        """Show where seeds disagree, if that was measured on what is seen."""
        result = self._previews.result
        if result is not None and spread.request == result.request:
            self._viewer.show_spread(spread)

    # --- faces ----------------------------------------------------------------------------------

    def show_faces(self) -> None:
        """Outline the faces of this frame: those found, then those drawn by hand."""
        self._viewer.set_faces([*self._found_faces(), *self._drawn_faces()])

    def _found_faces(self) -> list[FaceBox]:
        session, larger = self._session, self._session.settings.magnification
        boxes = []
        for track in session.tracks:
            if track.covers(session.index):
                box = _rect((track.boxes[session.index - track.first] * larger).tolist())
                left_out = track.id in session.project.left_out
                name = self.tr("face {0} · left out") if left_out else self.tr("face {0} · tracked")
                selected, to_face = track.id == session.selected, _to_face(track, session.index, larger)
                boxes.append(FaceBox(track.id, box, name.format(track.id + 1), selected, left_out, to_face))
        return boxes

    def _drawn_faces(self) -> list[FaceBox]:
        session, larger = self._session, self._session.settings.magnification
        result = self._previews.result
        restored = {track.id: track for track in result.faces} if result is not None else {}
        boxes = []
        for at, face in enumerate(session.project.drawn):
            if face.first <= session.index <= face.last:
                box = _rect([edge * larger for edge in face.box])
                name = self.tr("drawn face {0}").format(at + 1)
                track = restored.get(-1 - at)
                to_face = None if track is None else _to_face(track, session.index, larger)
                boxes.append(FaceBox(-1 - at, box, name, -1 - at == session.selected, False, to_face))
        return boxes


def _rect(edges: list[float]) -> QRectF:
    left, top, right, bottom = edges
    return QRectF(left, top, right - left, bottom - top)


def _to_face(track: Track, index: int, larger: int) -> QTransform:
    """From a picture `larger` times the frame, in pixels counted from its corner, to the track's aligned face."""
    (a, b, x), (c, d, y) = track.to_face(index).tolist()
    # The track counts from the centre of the frame's first pixel.
    return QTransform(a / larger, c / larger, b / larger, d / larger, x - (a + b) / 2, y - (c + d) / 2)
