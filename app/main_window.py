"""The window: arranges the widgets and connects them to the session."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, qVersion
from PySide6.QtGui import QTransform
from PySide6.QtWidgets import (
    QApplication,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QSystemTrayIcon,
    QVBoxLayout,
    QWidget,
)

from app import preferences, theme
from app.actions import BRUSHES, Actions
from app.background import Background
from app.downloads import Downloads
from app.export_queue import ExportQueue
from app.files import Files
from app.frame_loader import FrameLoader, Thumbnailer
from app.insights import Insights
from app.looks import Looks
from app.playback import Player
from app.preview import PreviewController
from app.session import Session
from app.sound import Sound
from app.tasks import ImportModel, UseDevice
from app.widgets.banner import Banner
from app.widgets.brush import BrushTools
from app.widgets.dialogs import CrashDialog, ExportDialog, PreferencesDialog, ShortcutsDialog
from app.widgets.explorer import Explorer
from app.widgets.faces import Faces
from app.widgets.models import ModelsDialog
from app.widgets.named import named
from app.widgets.parameters import Parameters
from app.widgets.queue import QueuePanel, clock
from app.widgets.status import Status
from app.widgets.step_strip import StageView, StepStrip
from app.widgets.timeline import Timeline
from app.widgets.top_bar import TopBar
from app.widgets.transport import Transport
from app.widgets.viewer import FaceBox, Viewer, ViewMode
from app.widgets.welcome import Welcome
from app.worker import Worker
from flair_core.jobs.queue import State
from flair_core.settings.drawn import DrawnFace
from flair_core.settings.look import Look
from flair_core.settings.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent

    from app.frame_loader import OpenSource
    from app.requests import Core, Offer, PreviewResult, Stages
    from app.tasks import Spread
    from flair_core.faces.track import Track
    from flair_core.jobs.queue import Job, Jobs
    from flair_core.settings.drawn import Stroke
    from flair_core.settings.groups import RestorationSettings

MARGIN = 8


class MainWindow(QMainWindow):
    """Everything on the screen, and the threads behind it."""

    def __init__(
        self, load_core: Callable[[], Core], open_source: OpenSource, jobs: Jobs, device: str = "auto"
    ) -> None:
        super().__init__()
        self.device = device
        """Name of what exports are computed on."""
        self._silent_because = ""
        self._tray: QSystemTrayIcon | None = None
        """There from the first notification on."""
        self.session = Session(self)
        self.worker = Worker(load_core, self)
        self.loader = FrameLoader(open_source, self)
        self.thumbnailer = Thumbnailer(open_source, self)
        self.previews = PreviewController(self.session, self.worker, self)
        self.sound = Sound(parent=self)
        self.player = Player(self.session, self.sound, self)
        self.queue = ExportQueue(self.worker, jobs, self)
        self.files = Files(self.session, self.loader, self)
        self.background = Background(self.session, self.worker, self.previews, self)
        self.insights = Insights(self.session, self.worker, self.previews, self)
        self.downloads = Downloads(self)
        self.looks = Looks(self.session, self.previews, self)
        self.actions_ = Actions(self, (self, self.files, self.looks))
        self._make_widgets()
        self._arrange()
        self._connect()
        self.setAcceptDrops(True)
        self.resize(QSize(1400, 860).boundedTo(self.screen().availableSize()))
        self._clip_changed()
        for thread in (self.worker, self.loader, self.thumbnailer, self.sound):
            thread.start()

    # --- arrangement ----------------------------------------------------------------------------

    def _make_widgets(self) -> None:
        named = self.actions_.__getitem__
        self.top = TopBar(self.actions_)
        self.banner = Banner()
        self.welcome = Welcome()
        self.viewer, self.stage_view = Viewer(), StageView()
        self.pictures = QStackedWidget()
        self.pictures.addWidget(self.viewer)
        self.pictures.addWidget(self.stage_view)
        self.steps = StepStrip()
        self.transport = Transport(self.session, self.player, named)
        self.faces, self.explorer = Faces(self.session), Explorer()
        self.brush_tools = BrushTools(named)
        self.parameters = Parameters(self.session)
        self.timeline = Timeline(self.session, self.thumbnailer)
        self.status = Status()
        self.side = QStackedWidget()
        self.side.addWidget(self.parameters)
        self.side.addWidget(QueuePanel(self.queue))

    def _arrange(self) -> None:
        left = named(QFrame(), "panel")
        column = QVBoxLayout(left)
        column.setContentsMargins(10, 10, 10, 10)
        column.setSpacing(12)
        column.addStrut(190)  # as wide as this at least
        column.addWidget(self.faces)
        column.addWidget(self.brush_tools)
        column.addWidget(self.explorer, 1)
        centre = QVBoxLayout()
        centre.setSpacing(6)
        centre.addWidget(self.pictures, 1)
        centre.addWidget(self.steps)
        centre.addWidget(self.transport)
        upper = QHBoxLayout()
        upper.setSpacing(MARGIN)
        upper.addWidget(left, 1)
        upper.addLayout(centre, 6)
        upper.addWidget(self.side, 1)
        left.setMaximumWidth(320)
        self.side.setMinimumWidth(306)
        self.side.setMaximumWidth(380)
        editor = QWidget()
        column = QVBoxLayout(editor)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(MARGIN)
        column.addLayout(upper, 1)
        column.addWidget(self.timeline)
        self.pages = QStackedWidget()
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(editor)
        page = named(QWidget(), "page")
        column = QVBoxLayout(page)
        column.setContentsMargins(MARGIN, 6, MARGIN, 4)
        column.setSpacing(6)
        column.addWidget(self.top)
        column.addWidget(self.banner)
        column.addWidget(self.pages, 1)
        column.addWidget(self.status)
        self.setCentralWidget(page)

    def _connect(self) -> None:
        session, worker, previews = self.session, self.worker, self.previews
        session.clip_changed.connect(self._clip_changed)
        session.project_changed.connect(self._project_changed)
        session.index_changed.connect(self._load_frame)
        session.title_changed.connect(self._show_title)
        session.faces_changed.connect(self._load_frame)  # for the faces' pictures
        for signal in (session.faces_changed, session.selection_changed, session.index_changed):
            signal.connect(self._show_faces)
        session.undo.canUndoChanged.connect(self.actions_["undo"].setEnabled)
        session.undo.canRedoChanged.connect(self.actions_["redo"].setEnabled)
        self.loader.arrived.connect(self._take_frame)
        worker.ready.connect(self._show_offer)
        worker.unusable.connect(self.banner.say)
        worker.crashed.connect(self.report_crash)
        previews.shown.connect(self._show_preview)
        previews.covered.connect(self._show_covered)
        previews.failed.connect(self.banner.say)
        previews.noted.connect(self.banner.say)
        self.player.changed.connect(lambda: previews.pause(self.player.playing))
        self.player.silenced.connect(self._say_silent)
        for source in (self.files, self.looks, self.background, self.queue):
            source.said.connect(self.banner.say)
        self.looks.settled.connect(self.banner.unsay)
        self._connect_background()
        self._connect_panels()

    def _connect_background(self) -> None:
        self.files.clip_chosen.connect(self.background.read_sidecar)
        self.files.recent_changed.connect(self._show_recent)
        self.files.demo_wanted.connect(self.background.make_demo)
        self.background.offered.connect(self._show_offer)
        self.background.doubt_known.connect(self._show_spread)
        self.background.demo_made.connect(self._open_demo)
        self.background.progressed.connect(self.status.show_task)
        self.background.exploring.connect(self.explorer.set_running)
        self.background.point_found.connect(self.explorer.add)
        self.background.search_told.connect(self.faces.set_state)
        self.background.no_face_found.connect(self._offer_to_draw)
        self.background.estimating.connect(self.parameters.estimator.set_running)
        self.background.estimated.connect(self.parameters.estimator.show_estimate)
        self.parameters.estimator.wanted.connect(self.background.estimate)
        self.parameters.scopes.peeked.connect(self.previews.peek)
        self.parameters.scopes.presets.setMenu(self.looks.menu)
        self.explorer.wanted.connect(self.background.explore)
        self.explorer.adopted.connect(self._adopt)
        self.explorer.reference_wanted.connect(self.on_load_reference)
        self.explorer.reference_unwanted.connect(self.on_remove_reference)
        self.background.referenced.connect(
            lambda found: self.explorer.show_reference(found.path, found.lacking)
        )

    def _connect_panels(self) -> None:
        session = self.session
        self.queue.changed.connect(self._show_queue)
        self.queue.advanced.connect(self._show_queue)
        self.queue.ended.connect(self._export_ended)
        self.downloads.ended.connect(self._download_ended)
        self.viewer.zoomed.connect(self._show_zoom)
        self.stage_view.zoomed.connect(self._show_zoom)
        self.viewer.face_clicked.connect(session.select)
        self.viewer.face_drawn.connect(self._add_face)
        self.viewer.stroke_painted.connect(self._add_stroke)
        self.brush_tools.resized.connect(self.viewer.resize_brush)
        self.faces.draw_wanted.connect(self.on_draw_face)
        self.timeline.face_clicked.connect(session.select)
        self.timeline.span_dragged.connect(self._set_span)
        self.steps.chosen.connect(self._show_stages)
        self.welcome.open_wanted.connect(self.files.on_open)
        self.welcome.demo_wanted.connect(self.files.on_open_demo)
        self.welcome.recent_wanted.connect(lambda path: self.files.open_path(Path(path)))
        session.undo.undoTextChanged.connect(lambda what: self.actions_.explain("undo", what))
        session.undo.redoTextChanged.connect(lambda what: self.actions_.explain("redo", what))
        QApplication.styleHints().colorSchemeChanged.connect(self._follow_system)
        for name in ("wipe", "mask", "loop", "sound"):
            self.actions_[name].setChecked(True)
        self._prefer(preferences.load())
        self._show_recent()
        self._show_queue()

    # --- the session has changed ----------------------------------------------------------------

    def _clip_changed(self) -> None:
        clip = self.session.clip
        self.actions_.clip_is_open(clip is not None)
        self.top.show_tools(clip is not None)
        QTimer.singleShot(
            1, self, self._turn_page
        )  # in a turn of its own: painting it takes as long as all of this
        self.viewer.clear()
        self.explorer.clear()
        self.explorer.set_running(False, possible=clip is not None)
        for name, able in (("undo", self.session.undo.canUndo()), ("redo", self.session.undo.canRedo())):
            self.actions_[name].setEnabled(able)
        self._load_frame()
        self._show_title()

    def _turn_page(self) -> None:
        """To the welcome, or to the clip."""
        closed = self.session.clip is None
        self.pages.setCurrentIndex(0 if closed else 1)
        (self.welcome if closed else self.viewer).setFocus()

    def _project_changed(self) -> None:
        session = self.session
        reference = session.project.reference
        self.actions_["remove_reference"].setEnabled(reference is not None)
        if reference != self.explorer.reference:
            self.explorer.show_reference(reference)
        self.explorer.show_current(session.look.seen_from(session.scope, session.index).sampler)
        self._show_faces()
        self._load_frame()  # its size in the viewer may be another now

    def _show_title(self) -> None:
        session = self.session
        name = session.path or session.project.clip
        words = name.name if name else ""
        self.setWindowTitle(f"{words}[*] — FLAIR Studio" if words else "FLAIR Studio")
        self.setWindowModified(session.dirty)
        self.top.show_name(self.tr("{0}  •  edited").format(words) if words and session.dirty else words)

    def _load_frame(self) -> None:
        if self.session.clip is not None and not self.files.opening:
            footage = self.session.project.look.settings.footage
            self.loader.load(self.session.clip.path, self.session.index, footage)

    def _take_frame(self) -> None:
        arrived = self.loader.frames.take()
        clip = self.session.clip
        if arrived is None or clip is None or arrived[0] != clip.path:
            return
        _, frame = arrived
        self.faces.show_frame(frame.rgb, frame.index)
        result = self.previews.result
        if result is not None and result.request.index == frame.index:
            return  # the preview shows the same footage, and more
        larger = self.session.settings.magnification
        self.viewer.show_frame(frame.rgb, QSize(clip.info.width, clip.info.height) * larger)
        self._show_faces()

    # --- preview --------------------------------------------------------------------------------

    def _show_preview(self, result: PreviewResult | None) -> None:
        clip, running = self.session.clip, self.previews.running
        if clip is None:
            return
        observed = self.tr("Observed · {0} × {1}").format(clip.info.width, clip.info.height)
        if result is None:
            self.steps.show_stages(())
            waiting = self.tr("Restoring…") if running else self.tr("Not restored")
            self.viewer.set_captions(observed, waiting)
            self.status.show_preview(waiting)
            self._load_frame()
            return
        preview = result.preview
        beside = self.previews.beside()
        self.viewer.show_preview(preview, None if beside is None else beside.preview.frame)
        if beside is not None:
            observed = self.tr("Settings {0}").format("AB".replace(self.session.project.slot, ""))
        self._measure_doubt()
        self.steps.show_stages(result.stages)
        self.parameters.schedule.show_schedules(result.schedules, result.request.settings.sampler)
        self._show_faces()
        if not result.faces and not result.request.settings.faces.aligned:
            self.viewer.set_captions(observed, self.tr("No face in this frame"))
            self.status.show_preview(self.tr("No face in this frame"))
            return
        step = self.tr("step {0}/{1}").format(preview.step, preview.steps)
        self.viewer.set_captions(observed, self.tr("Restored · {0}").format(step))
        words = (
            step,
            self.tr("{0:.0f} ms/step").format(1000 * result.seconds_per_step),
            self.tr("residual {0:.2f}").format(preview.residual),
            *(
                []
                if preview.exact
                else [self.tr("export may differ here: what comes before is not restored yet")]
            ),
        )
        self.status.show_preview(self.tr("Preview") + "  " + " · ".join(words))

    def _show_covered(self) -> None:
        self.timeline.show_restored(self.previews.marks())

    def _show_stages(self, stages: Stages | None) -> None:
        if stages is not None:
            self.stage_view.show_stages(stages)
        self.pictures.setCurrentWidget(self.viewer if stages is None else self.stage_view)
        self._show_zoom()

    def _show_zoom(self) -> None:
        self.transport.show_zoom(self.pictures.currentWidget().zoom)

    def _show_faces(self) -> None:
        session, larger = self.session, self.session.settings.magnification
        boxes = []
        for track in session.tracks:
            if track.covers(session.index):
                left, top, right, bottom = (track.boxes[session.index - track.first] * larger).tolist()
                left_out = track.id in session.project.left_out
                name = self.tr("face {0} · left out") if left_out else self.tr("face {0} · tracked")
                box = QRectF(left, top, right - left, bottom - top)
                selected, to_face = track.id == session.selected, _to_face(track, session.index, larger)
                boxes.append(FaceBox(track.id, box, name.format(track.id + 1), selected, left_out, to_face))
        result = self.previews.result
        known = {track.id: track for track in result.faces} if result is not None else {}
        for at, face in enumerate(session.project.drawn):
            if face.first <= session.index <= face.last:
                left, top, right, bottom = (edge * larger for edge in face.box)
                box = QRectF(left, top, right - left, bottom - top)
                name = self.tr("drawn face {0}").format(at + 1)
                track = known.get(-1 - at)
                to_face = None if track is None else _to_face(track, session.index, larger)
                boxes.append(FaceBox(-1 - at, box, name, -1 - at == session.selected, False, to_face))
        self.viewer.set_faces(boxes)

    def _adopt(self, sampler: object) -> None:
        self.session.edit_settings(self.tr("Adopt a point"), steps=sampler.steps, w_tau=sampler.w_tau)

    def on_load_reference(self) -> None:
        """Ask for the clip as it was before it was degraded."""
        title = self.tr("The same clip before it was degraded")
        path, _ = QFileDialog.getOpenFileName(self, title, str(self.session.clip.path.parent))
        if path:
            self.background.check_reference(Path(path))

    def on_remove_reference(self) -> None:
        """Measure against the footage again."""
        self.session.edit(self.tr("Remove the reference"), reference=None)

    # --- faces ----------------------------------------------------------------------------------

    def on_draw_face(self) -> None:
        """Let the user drag an ellipse over a face."""
        self.steps.choose(None)
        for name in BRUSHES:
            self.actions_[name].setChecked(False)
        self.viewer.draw_face(True)
        self.status.show_preview(self.tr("Drag from one corner of the face to the other, forehead to chin"))

    def _add_face(self, box: QRectF) -> None:
        larger, span = self.session.settings.magnification, self.session.span
        left, top, right, bottom = (edge / larger for edge in box.getCoords())
        face = DrawnFace((left, top, right, bottom), span.start, span.stop - 1)
        self.session.edit(self.tr("Draw a face"), drawn=(*self.session.project.drawn, face))
        self.session.select(-len(self.session.project.drawn))

    def on_remove_face(self) -> None:
        """Remove the selected face, if it was drawn."""
        selected = self.session.selected
        if selected is not None and selected < 0:
            drawn = list(self.session.project.drawn)
            del drawn[-1 - selected]
            # Those drawn after it move up, and take along what was painted on them.
            strokes = tuple(
                stroke._replace(face=stroke.face + (stroke.face < selected))
                for stroke in self.session.project.strokes
                if stroke.face != selected
            )
            self.session.select(None)
            look = self.session.project.look.without_drawn(selected)
            self.session.edit(self.tr("Remove a drawn face"), drawn=tuple(drawn), strokes=strokes, look=look)

    def _add_stroke(self, stroke: Stroke) -> None:
        words = self.tr("Erase from the mask") if stroke.erases else self.tr("Paint the mask")
        self.session.edit(words, strokes=(*self.session.project.strokes, stroke))

    def on_paint_mask(self, _: bool) -> None:
        """Let the restoration show where it did not."""
        self._choose_brush()

    def on_erase_mask(self, _: bool) -> None:
        """Let the footage show."""
        self._choose_brush()

    def _choose_brush(self) -> None:
        erases = self.actions_["erase_mask"].isChecked()
        taken = erases or self.actions_["paint_mask"].isChecked()
        self.viewer.take_brush(taken, erases=erases)
        if taken:
            self.steps.choose(None)
            self.viewer.draw_face(False)
            self.actions_["mask"].setChecked(True)
            self.status.note(
                self.tr("Drag over the face; the right button does the opposite, Esc puts the brush away")
            )

    def on_reset_mask(self) -> None:
        """Forget what was painted on the selected face, or on all."""
        selected, strokes = self.session.selected, self.session.project.strokes
        kept = () if selected is None else tuple(one for one in strokes if one.face != selected)
        self.session.edit(self.tr("Reset the mask"), strokes=kept)

    def on_brush_smaller(self) -> None:
        """Paint finer."""
        self.brush_tools.grow(-1)

    def on_brush_larger(self) -> None:
        """Paint broader."""
        self.brush_tools.grow(1)

    def _offer_to_draw(self) -> None:
        self.banner.say(
            self.tr("No face was found in this clip."),
            {
                self.tr("Draw one…"): self.on_draw_face,
                self.tr("The whole frame is a face"): lambda: self.session.edit_setting(
                    "faces", "aligned", True, self.tr("Whole frame")
                ),
            },
        )

    # --- export ---------------------------------------------------------------------------------

    def on_export(self) -> None:
        """Ask how and where, and queue it."""
        dialog = ExportDialog(self.session, self, remembered=preferences.load().export)
        if dialog.exec():
            preferences.save(replace(preferences.load(), export=dialog.choices))
            self.queue.add(dialog.request(self.device))

    def _show_queue(self) -> None:
        self.top.show_queue(len(self.queue.open))
        job, pace = self.queue.running, self.queue.pace
        if job is None or pace is None:
            self.status.show_task("", 0, 0)
            return
        left = pace.seconds_left()
        words = job.request.output.name + ("" if left is None else self.tr(" · {0} left").format(clock(left)))
        self.status.show_task(words, pace.now.done, pace.now.total)

    def _export_ended(self, job: Job) -> None:
        self._notify(job)
        if job.state is State.FAILED:
            self.banner.say(job.error)
            return
        words = self.tr("{0} is ready.").format(job.request.output.name)
        self.banner.say(" ".join([words, *job.notes]), {self.tr("Show the queue"): self._open_queue})

    def _notify(self, job: Job) -> None:
        """Tell whoever looks at another window; the banner tells those who look at this one."""
        QApplication.alert(self)
        if self.isActiveWindow() or not QSystemTrayIcon.isSystemTrayAvailable():
            return
        if self._tray is None:
            self._tray = QSystemTrayIcon(theme.app_icon(), self)
            self._tray.messageClicked.connect(self.activateWindow)
        failed = job.state is State.FAILED
        title = self.tr("Export failed") if failed else self.tr("Export ready")
        kinds = QSystemTrayIcon.MessageIcon
        self._tray.show()
        self._tray.showMessage(title, job.request.output.name, kinds.Warning if failed else kinds.Information)

    def offer_queue(self) -> None:
        """Ask about exports that were open when the application last ended."""
        if waiting := self.queue.open:
            self._open_queue()
            if self.banner.text:  # lost work comes first; the queue is open beside it
                return
            self.banner.say(
                self.tr("Not finished from last time: {0} in the export queue.").format(len(waiting)),
                {self.tr("Go on"): lambda: self.queue.resume(*waiting)},
            )

    def _open_queue(self) -> None:
        self.actions_["queue"].setChecked(True)

    # --- actions --------------------------------------------------------------------------------

    def on_undo(self) -> None:
        """Take the last edit back."""
        self.session.undo.undo()

    def on_redo(self) -> None:
        """Do it again."""
        self.session.undo.redo()

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
        self._measure_doubt()

    def _measure_doubt(self) -> None:
        """Compare seeds as long as someone looks, on what is finished."""
        result = self.previews.result
        looked_at = (
            self.viewer.mode is ViewMode.UNCERTAINTY and result is not None and not self.previews.running
        )
        self.background.doubt(result.request if looked_at else None)

    def _show_spread(self, spread: Spread) -> None:
        result = self.previews.result
        if result is not None and spread.request == result.request:
            self.viewer.show_spread(spread)

    def _compare(self, mode: ViewMode, on: bool) -> None:
        if on:
            self.steps.choose(None)
            self.viewer.set_mode(mode)

    def on_mask(self, on: bool) -> None:
        """Where the restoration replaces the footage."""
        self.viewer.show_mask(on)

    def on_zoom_fit(self) -> None:
        """All of the picture."""
        self.pictures.currentWidget().set_zoom(None)

    def on_zoom_100(self) -> None:
        """One pixel on one."""
        self.pictures.currentWidget().set_zoom(1.0)

    def on_zoom_200(self) -> None:
        """Twice as large."""
        self.pictures.currentWidget().set_zoom(2.0)

    def on_queue(self, on: bool) -> None:
        """Show the queue in place of the settings, or these again."""
        self.side.setCurrentIndex(int(on))

    def on_play(self) -> None:
        """Play or pause."""
        self.player.toggle()

    def on_stop(self) -> None:
        """Stand still."""
        self.player.stop()

    def on_shuttle_back(self) -> None:
        """Backwards, and faster each time."""
        self.player.shuttle(-1)

    def on_shuttle_forward(self) -> None:
        """Forwards, and faster each time."""
        self.player.shuttle(1)

    def on_step_back(self) -> None:
        """One frame back."""
        self._jump(self.session.index - 1)

    def on_step_forward(self) -> None:
        """One frame on."""
        self._jump(self.session.index + 1)

    def on_to_in(self) -> None:
        """To the first frame that counts."""
        self._jump(self.session.span.start)

    def on_to_out(self) -> None:
        """To the last one."""
        self._jump(self.session.span.stop - 1)

    def _jump(self, index: int) -> None:
        self.player.stop()
        self.session.seek(index)

    def on_loop(self, on: bool) -> None:
        """Play between in and out again and again."""
        self.player.loop = on

    def on_sound(self, on: bool) -> None:
        """Hear the clip, or mute it."""
        self.sound.set_volume(float(on))

    def _say_silent(self, reason: str) -> None:
        """Once: that a computer has no loudspeaker is no news the second time."""
        if reason != self._silent_because:
            self._silent_because = reason
            self.status.note(reason)

    def on_mark_in(self) -> None:
        """The span begins here."""
        last = self.session.span.stop - 1
        self._set_span(self.session.index, max(last, self.session.index))

    def on_mark_out(self) -> None:
        """The span ends here."""
        first = self.session.span.start
        self._set_span(min(first, self.session.index), self.session.index)

    def _set_span(self, first: int, last: int) -> None:
        self.session.edit(self.tr("Set in and out"), subject="span", span=(first, last))

    def on_clear_span(self) -> None:
        """All frames count."""
        self.session.edit(self.tr("Clear in and out"), span=None)

    def on_cancel(self) -> None:
        """Stop the preview; the same key leaves the stages of a step."""
        self.viewer.draw_face(False)
        for name in BRUSHES:
            self.actions_[name].setChecked(False)
        if self.pictures.currentWidget() is self.stage_view:
            self.steps.choose(None)
        else:
            self.previews.cancel()

    def on_prerender(self) -> None:
        """Restore what lies between in and out, for playing."""
        self.background.prerender()

    def on_preferences(self) -> None:
        """Ask for theme, device and the like."""
        now = preferences.load()
        dialog = PreferencesDialog(now, self)
        if dialog.exec():
            chosen = dialog.chosen
            preferences.save(chosen)
            self._dress(chosen.theme)
            self._prefer(chosen)
            if chosen.language != now.language:
                self.status.note(self.tr("The language changes when FLAIR Studio starts next."))
            if chosen.device != now.device:
                self.device = chosen.device
                self.worker.submit(UseDevice(chosen.device))

    def _dress(self, name: str) -> None:
        """Take on a theme."""
        theme.apply(name)
        self.actions_.dress()
        self.transport.refresh()

    def _follow_system(self) -> None:
        """The system has become dark or light."""
        if preferences.load().theme == "system":
            self._dress("system")

    def _prefer(self, chosen: preferences.Preferences) -> None:
        """What takes effect at once."""
        self.files.autosave_every(chosen.autosave)
        self.viewer.amplify(chosen.amplified)

    def on_shortcuts(self) -> None:
        """List every key."""
        ShortcutsDialog(self.actions_.groups, self).exec()

    def on_about(self) -> None:
        """What this is."""
        QMessageBox.about(
            self,
            self.tr("About FLAIR Studio"),
            self.tr("FLAIR Studio restores faces in old footage by conditional diffusion.\nApache-2.0"),
        )

    def on_quit(self) -> None:
        """Close the window."""
        self.close()

    # --- the window itself ----------------------------------------------------------------------

    def open_demo(self) -> None:
        """Open the sample clip."""
        self.files.on_open_demo()

    def _open_demo(self, path: Path, settings: RestorationSettings) -> None:
        self.files.open_project(Project(clip=path, look=Look(settings)))

    def _show_offer(self, offer: Offer) -> None:
        self.status.show_device(offer.device)
        self.parameters.offer(offer.choices, offer.lacking)

    def on_models(self) -> None:
        """List the networks, and take in files."""
        dialog = ModelsDialog(self.downloads, self)
        dialog.import_wanted.connect(lambda file, name: self.worker.submit(ImportModel(file, name)))
        self.background.offered.connect(dialog.refresh)
        self.background.said.connect(lambda text, _: dialog.say(text))
        dialog.exec()

    def _download_ended(self, name: str, message: str) -> None:
        if not message:
            self.status.note(self.tr("{0} is ready.").format(name))
            self.worker.submit(UseDevice(self.device))  # whose answer is what can be chosen now

    def _show_recent(self) -> None:
        recent = preferences.load().recent
        self.welcome.show_recent(recent)
        menu = self.actions_.recent
        menu.clear()
        for path in recent:
            menu.addAction(path.replace("&", "&&"), lambda path=path: self.files.open_path(Path(path)))
        menu.addSeparator()
        menu.addAction(self.tr("&Clear this list"), self.files.forget_recent)
        menu.setEnabled(bool(recent))

    def report_crash(self, report: str) -> None:
        """Tell of a fault of the program itself, once the work is safe; one dialog at a time."""
        self.files.autosave(settled=True)
        if self.findChild(CrashDialog) is None:
            dialog = CrashDialog(f"{about()}\n\n{report}", self)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files are welcome."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped."""
        path = next((Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()), None)
        if path is not None:
            event.acceptProposedAction()
            self.files.open_path(path)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Offer to save, then end all threads."""
        if not self.files.may_leave():
            event.ignore()
            return
        place = bytes(self.saveGeometry().toHex().data()).decode()
        preferences.save(replace(preferences.load(), window=place))
        self.player.stop()
        self.downloads.close()
        for thread in (self.worker, self.loader, self.thumbnailer, self.sound):
            thread.close()
        event.accept()


def about() -> str:
    """Versions, for a report."""
    package = importlib.metadata.version("flair-studio")
    python, system = platform.python_version(), platform.platform()
    return f"FLAIR Studio {package} · Qt {qVersion()} · Python {python} · {system}"


def _to_face(track: Track, index: int, larger: int) -> QTransform:
    """From a picture `larger` times the frame, in pixels counted from its corner, to the track's aligned face."""
    (a, b, x), (c, d, y) = track.to_face(index).tolist()
    # The track counts from the centre of the frame's first pixel.
    return QTransform(a / larger, c / larger, b / larger, d / larger, x - (a + b) / 2, y - (c + d) / 2)
