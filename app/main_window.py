"""The window: arranges the widgets and connects them to the session."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QSize, Qt, QTimer, qVersion
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app import preferences, theme
from app.actions import Actions
from app.background import Background
from app.downloads import Downloads
from app.export_commands import ExportCommands
from app.export_queue import ExportQueue
from app.files import Files
from app.frame_loader import FrameLoader, Thumbnailer
from app.look_pictures import LookPictures
from app.mask_commands import MaskCommands
from app.play_commands import PlayCommands
from app.playback import Player
from app.presenter import Presenter
from app.preview import PreviewController
from app.session import Session
from app.settings_commands import SettingsCommands
from app.sound import Sound
from app.tasks import ImportModel, UseDevice
from app.view_commands import ViewCommands
from app.widgets.banner import Banner
from app.widgets.brush import BrushTools
from app.widgets.dialogs import CrashDialog, PreferencesDialog, ShortcutsDialog
from app.widgets.explorer import Explorer
from app.widgets.faces import Faces
from app.widgets.models import ModelsDialog
from app.widgets.named import named
from app.widgets.parameters import Parameters
from app.widgets.queue import QueuePanel
from app.widgets.status import Status
from app.widgets.step_strip import StageView, StepStrip
from app.widgets.timeline import Timeline
from app.widgets.top_bar import TopBar
from app.widgets.transport import Transport
from app.widgets.viewer import Viewer
from app.widgets.welcome import Welcome
from app.worker import Worker
from flair_core.settings.look import Look
from flair_core.settings.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent

    from app.frame_loader import OpenSource
    from app.requests import Core, Offer
    from flair_core.jobs.queue import Jobs
    from flair_core.settings.groups import RestorationSettings

MARGIN = 8


class MainWindow(QMainWindow):
    """Everything on the screen, and the threads behind it."""

    def __init__(
        self, load_core: Callable[[], Core], open_source: OpenSource, jobs: Jobs, device: str = "auto"
    ) -> None:
        super().__init__()
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
        self.look_pictures = LookPictures(self.session, self.worker, self.previews, self)
        self.downloads = Downloads(self)
        self.settings_commands = SettingsCommands(self.session, self.previews, self)
        self.actions_ = Actions(self)
        self._make_widgets()
        self._make_commands(device)
        self._arrange()
        self._connect()
        self.setAcceptDrops(True)
        self.resize(QSize(1400, 860).boundedTo(self.screen().availableSize()))
        self._clip_changed()
        self._threads = self.worker, self.loader, self.thumbnailer, self.sound
        # They load libraries, and would hold up the window that is not shown yet.
        self._soon = QTimer(self, singleShot=True, interval=0)
        self._soon.timeout.connect(self._start_threads)
        self._soon.start()

    def _start_threads(self) -> None:
        for thread in self._threads:
            thread.start()

    # --- arrangement ----------------------------------------------------------------------------

    def _make_widgets(self) -> None:
        action_of = self.actions_.__getitem__
        self.top = TopBar(self.actions_)
        self.banner = Banner()
        self.welcome = Welcome()
        self.viewer, self.stage_view = Viewer(), StageView()
        self.pictures = QStackedWidget()
        self.pictures.addWidget(self.viewer)
        self.pictures.addWidget(self.stage_view)
        self.steps = StepStrip()
        self.transport = Transport(self.session, self.player, action_of)
        self.faces, self.explorer = Faces(self.session), Explorer()
        self.brush_tools = BrushTools(action_of)
        self.parameters = Parameters(self.session, preferences.load().groups)
        self.timeline = Timeline(self.session, self.thumbnailer)
        self.status = Status()
        self.side = QStackedWidget()
        self.side.addWidget(self.parameters)
        self.side.addWidget(QueuePanel(self.queue))

    def _make_commands(self, device: str) -> None:
        session = self.session
        self.presenter = Presenter(
            session,
            self.files,
            self.loader,
            self.previews,
            self.background,
            viewer=self.viewer,
            faces=self.faces,
            steps=self.steps,
            schedule=self.parameters.schedule,
            status=self.status,
            parent=self,
        )
        self.mask_commands = MaskCommands(session, self.actions_, self.viewer, self.steps, self.status, self)
        self.view_commands = ViewCommands(
            self.previews,
            self.presenter,
            self.mask_commands,
            pictures=self.pictures,
            viewer=self.viewer,
            stage_view=self.stage_view,
            steps=self.steps,
            transport=self.transport,
            parent=self,
        )
        self.play_commands = PlayCommands(session, self.player, self.sound, self.status, self)
        self.export_commands = ExportCommands(
            session,
            self.queue,
            device,
            self.actions_,
            banner=self.banner,
            top=self.top,
            side=self.side,
            status=self.status,
            window=self,
        )
        commands = (self.view_commands, self.mask_commands, self.play_commands, self.export_commands)
        direct: dict[str, Callable[..., object]] = {
            "undo": session.undo.undo,
            "redo": session.undo.redo,
            "mask": self.viewer.show_mask,
            "brush_smaller": partial(self.brush_tools.grow, -1),
            "brush_larger": partial(self.brush_tools.grow, 1),
            "play": self.player.toggle,
            "stop": self.player.stop,
            "shuttle_back": partial(self.player.shuttle, -1),
            "shuttle_forward": partial(self.player.shuttle, 1),
            "prerender": self.background.prerender,
            "quit": self.close,
        }
        self.actions_.connect_to((self, self.files, self.settings_commands, *commands), direct)

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
        session.index_changed.connect(self.presenter.load_frame)
        session.title_changed.connect(self._show_title)
        session.faces_changed.connect(self.presenter.load_frame)  # for the faces' pictures
        for signal in (session.faces_changed, session.selection_changed, session.index_changed):
            signal.connect(self.presenter.show_faces)
        session.undo.canUndoChanged.connect(self.actions_["undo"].setEnabled)
        session.undo.canRedoChanged.connect(self.actions_["redo"].setEnabled)
        self.loader.arrived.connect(self.presenter.take_frame)
        worker.ready.connect(self._show_offer)
        worker.unusable.connect(self.banner.say)
        worker.crashed.connect(self.report_crash)
        previews.shown.connect(self.presenter.show_preview)
        previews.covered.connect(lambda: self.timeline.show_restored(previews.marks()))
        previews.failed.connect(self.banner.say)
        previews.noted.connect(self.banner.say)
        self.player.changed.connect(lambda: previews.pause(self.player.playing))
        self.player.silenced.connect(self.play_commands.note_silence)
        for source in (self.files, self.settings_commands, self.background, self.queue, self.mask_commands):
            source.said.connect(self.banner.say)
        self.settings_commands.settled.connect(self.banner.unsay)
        self._connect_background()
        self._connect_panels()

    def _connect_background(self) -> None:
        files, background, estimator = self.files, self.background, self.parameters.estimator
        files.clip_chosen.connect(background.read_sidecar)
        files.recent_changed.connect(self._show_recent)
        files.demo_wanted.connect(background.make_demo)
        files.reference_chosen.connect(background.check_reference)
        background.offered.connect(self._show_offer)
        background.spread_known.connect(self.presenter.show_spread)
        background.demo_made.connect(self._open_demo)
        background.progressed.connect(self.status.show_task)
        background.exploring.connect(self.explorer.set_running)
        background.point_found.connect(self.explorer.add)
        background.search_changed.connect(self.faces.set_state)
        background.no_face_found.connect(self.mask_commands.offer_to_draw)
        background.estimating.connect(estimator.set_running)
        background.estimated.connect(estimator.show_estimate)
        background.referenced.connect(lambda found: self.explorer.show_reference(found.path, found.lacking))
        estimator.wanted.connect(background.estimate)
        self.parameters.scopes.peeked.connect(self.previews.peek)
        self.parameters.scopes.presets.setMenu(self.settings_commands.menu)
        self.parameters.looks.chosen.connect(self.settings_commands.take_look)
        self.parameters.auto.wanted.connect(self.settings_commands.leave_to_auto)
        self.look_pictures.pictured.connect(self.parameters.looks.show_picture)
        self.explorer.wanted.connect(background.explore)
        self.explorer.adopted.connect(self.settings_commands.adopt)
        self.explorer.reference_wanted.connect(files.on_load_reference)
        self.explorer.reference_unwanted.connect(files.on_remove_reference)

    def _connect_panels(self) -> None:
        session, view, mask = self.session, self.view_commands, self.mask_commands
        self.queue.changed.connect(self.export_commands.show_queue)
        self.queue.advanced.connect(self.export_commands.show_queue)
        self.queue.ended.connect(self.export_commands.say_ended)
        self.downloads.ended.connect(self._download_ended)
        self.viewer.zoomed.connect(view.show_zoom)
        self.stage_view.zoomed.connect(view.show_zoom)
        self.viewer.face_clicked.connect(session.select)
        self.viewer.face_drawn.connect(mask.add_face)
        self.viewer.stroke_painted.connect(mask.add_stroke)
        self.brush_tools.resized.connect(self.viewer.resize_brush)
        self.faces.draw_wanted.connect(mask.on_draw_face)
        self.timeline.face_clicked.connect(session.select)
        self.timeline.span_dragged.connect(self.play_commands.set_span)
        self.steps.chosen.connect(view.show_stages)
        self.welcome.open_wanted.connect(self.files.on_open)
        self.welcome.demo_wanted.connect(self.files.on_open_demo)
        self.welcome.recent_wanted.connect(lambda path: self.files.open_path(Path(path)))
        session.undo.undoTextChanged.connect(lambda what: self.actions_.explain("undo", what))
        session.undo.redoTextChanged.connect(lambda what: self.actions_.explain("redo", what))
        QApplication.styleHints().colorSchemeChanged.connect(self._follow_system)
        for name in ("wipe", "mask", "loop", "sound"):
            self.actions_[name].setChecked(True)
        self._take_effect(preferences.load())
        self._show_recent()
        self.export_commands.show_queue()

    # --- the session has changed ----------------------------------------------------------------

    def _clip_changed(self) -> None:
        clip = self.session.clip
        self.actions_.clip_is_open(clip is not None)
        self.top.show_tools(clip is not None)
        # In a turn of its own: painting it takes as long as all of this.
        QTimer.singleShot(1, self, self._turn_page)
        self.viewer.clear()
        self.explorer.clear()
        self.explorer.set_running(False, possible=clip is not None)
        for name, able in (("undo", self.session.undo.canUndo()), ("redo", self.session.undo.canRedo())):
            self.actions_[name].setEnabled(able)
        self.presenter.load_frame()
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
        self.presenter.show_faces()
        self.presenter.load_frame()  # its size in the viewer may be another now

    def _show_title(self) -> None:
        session = self.session
        name = session.path or session.project.clip
        words = name.name if name else ""
        self.setWindowTitle(f"{words}[*] — FLAIR Studio" if words else "FLAIR Studio")
        self.setWindowModified(session.dirty)
        self.top.show_name(self.tr("{0}  •  edited").format(words) if words and session.dirty else words)

    # --- commands -------------------------------------------------------------------------------

    def on_preferences(self) -> None:
        """Ask for theme, device and the like."""
        now = preferences.load()
        dialog = PreferencesDialog(now, self)
        if dialog.exec():
            chosen = dialog.chosen
            preferences.save(chosen)
            self.apply_theme(chosen.theme)
            self._take_effect(chosen)
            if chosen.language != now.language:
                self.status.note(self.tr("The language changes when FLAIR Studio starts next."))
            if chosen.device != now.device:
                self.export_commands.device = chosen.device
                self.worker.submit(UseDevice(chosen.device))

    def apply_theme(self, name: str) -> None:
        """Draw the window in a theme."""
        theme.apply(name)
        self.actions_.redraw_icons()
        self.transport.refresh()

    def _follow_system(self) -> None:
        """The system has become dark or light."""
        if preferences.load().theme == "system":
            self.apply_theme("system")

    def _take_effect(self, chosen: preferences.Preferences) -> None:
        """Follow those preferences that need no restart."""
        self.files.autosave_every(chosen.autosave)
        self.viewer.amplify(chosen.amplified)

    def on_find_setting(self) -> None:
        """Let a person type what a setting is called."""
        self.actions_["queue"].setChecked(False)  # it lies over the settings
        self.parameters.search.begin()

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

    # --- the window itself ----------------------------------------------------------------------

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
            self.worker.submit(
                UseDevice(self.export_commands.device)
            )  # whose answer is what can be chosen now

    def _show_recent(self) -> None:
        recent = preferences.load().recent
        self.welcome.show_recent(recent)
        menu = self.actions_.recent
        menu.clear()
        for path in recent:
            menu.addAction(path.replace("&", "&&"), partial(self.files.open_path, Path(path)))
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
        kept = replace(preferences.load(), window=place, groups=self.parameters.opened)
        preferences.save(kept)
        self.player.stop()
        self.downloads.close()
        self._soon.stop()
        for thread in self._threads:
            thread.close()
        event.accept()


def about() -> str:
    """Versions, for a report."""
    package = importlib.metadata.version("flair-studio")
    python, system = platform.python_version(), platform.platform()
    return f"FLAIR Studio {package} · Qt {qVersion()} · Python {python} · {system}"
