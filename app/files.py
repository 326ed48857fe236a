"""Opening and saving: clips and projects; autosave and its recovery."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app import preferences
from app.recovery import Recovery
from flair_core.errors import FlairError
from flair_core.settings.groups import UNTOLD
from flair_core.settings.look import Look
from flair_core.settings.project import SUFFIX, Project, ProjectError, read, write

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from app.frame_loader import FrameLoader
    from app.session import Clip, Session


def untold(clip: Path) -> Project:
    """The project that a clip begins with: what happened to its footage is unknown."""
    return Project(clip=clip, look=Look(UNTOLD))


class Files(QObject):
    """What the File menu does."""

    said = Signal(str, object)
    """A sentence, and choices by their words."""
    clip_chosen = Signal(object)
    """Path of a clip that was opened by itself, not by a project."""
    recent_changed = Signal()
    demo_wanted = Signal()
    reference_chosen = Signal(object)
    """Path of the clip that the present one is to be measured against."""

    def __init__(self, session: Session, loader: FrameLoader, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._loader, self._window = session, loader, window
        self._pending: tuple[Project, Path | None, bool] | None = None
        """What is being opened, where it lies, and whether it holds unsaved work."""
        self._recovery = Recovery()
        self._recovering = False
        """Whether what is being opened is what a crash left behind."""
        # In a turn of its own: what is drawn of it then comes after what else waits for the window.
        loader.opened.connect(lambda clip: QTimer.singleShot(0, self, lambda: self._opened(clip)))
        loader.failed.connect(self._failed)
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.autosave)

    def _say(self, text: str, choices: Mapping[str, Callable[[], object]] | None = None) -> None:
        self.said.emit(text, choices)

    # --- opening --------------------------------------------------------------------------------

    def on_open(self) -> None:
        """Ask for a clip or a project."""
        title, folder = self.tr("Open a clip or a project"), preferences.load().usual_folder
        path, _ = QFileDialog.getOpenFileName(self._window, title, folder)
        if path:
            self.open_path(Path(path))

    def on_open_folder(self) -> None:
        """Ask for a folder whose images are the frames of a clip."""
        title, folder = self.tr("Open a folder of images"), preferences.load().usual_folder
        path = QFileDialog.getExistingDirectory(self._window, title, folder)
        if path:
            self.open_path(Path(path))

    def on_open_demo(self) -> None:
        """Open the sample clip."""
        if self.may_leave():
            self.demo_wanted.emit()

    def open_path(self, path: Path) -> None:
        """Open a clip, a folder of images or a project, unless unsaved work is to be kept."""
        if not self.may_leave():
            return
        self._recovering = False
        if path.suffix != SUFFIX:
            self.open_project(untold(path.absolute()))
            return
        try:
            self.open_project(read(path), path)
        except FlairError as error:
            self._say(str(error))

    def open_project(self, project: Project, path: Path | None = None, *, unsaved: bool = False) -> None:
        """Open a project's clip; the project takes the place of the present one when that works.

        A clip that was moved together with its project is found. unsaved: this is not what lies in `path`.
        """
        if project.clip is None:
            self._session.load(project, path)
            return
        clip = project.clip
        if path is not None and not project.clip.exists():
            moved = path.absolute().parent / project.clip.name
            if moved.exists():
                clip, unsaved = moved, True
                project = replace(project, clip=clip)
        self._pending = (project, path, unsaved)
        first = project.span[0] if project.span else 0
        self._loader.open(clip, first, project.look.settings.footage)

    @property
    def opening(self) -> bool:
        """Whether a clip is being opened that will replace the present one."""
        return self._pending is not None

    def _opened(self, clip: Clip) -> None:
        if self._pending is None or self._pending[0].clip != clip.path:
            self._session.clip_read_anew(clip)
            return
        (project, path, unsaved), self._pending = self._pending, None
        self._session.load(project, path, clip)
        if unsaved:
            self._session.undo.resetClean()
        if self._recovering:
            self._recovery.take_up()
            self._recovering = False
        QTimer.singleShot(0, self, lambda: self._remember(path or clip.path))
        if path is None and project == untold(clip.path):
            self.clip_chosen.emit(clip.path)
        if clip.notes:
            self._say(" ".join(clip.notes))

    def _failed(self, clip: Path, message: str) -> None:
        if self._pending is None or self._pending[0].clip != clip:
            self._say(message)
            return
        (project, path, unsaved), self._pending = self._pending, None
        if path is None and not unsaved:
            self._say(message)
        else:
            self._say(message, {self.tr("Find the clip…"): lambda: self._relink(project, clip, path)})

    def _relink(self, project: Project, lost: Path, path: Path | None) -> None:
        clip, _ = QFileDialog.getOpenFileName(self._window, self.tr("Where is {0}?").format(lost.name))
        if clip:
            self.open_project(replace(project, clip=Path(clip)), path, unsaved=True)

    def _remember(self, path: Path) -> None:
        preferences.save(preferences.load().opened(path))
        self.recent_changed.emit()

    def forget_recent(self) -> None:
        """No file was opened before."""
        preferences.save(replace(preferences.load(), recent=()))
        self.recent_changed.emit()

    # --- reference ------------------------------------------------------------------------------

    def on_load_reference(self) -> None:
        """Ask for the clip as it was before it was degraded."""
        clip = self._session.clip
        assert clip is not None  # else the command is disabled
        title = self.tr("The same clip before it was degraded")
        path, _ = QFileDialog.getOpenFileName(self._window, title, str(clip.path.parent))
        if path:
            self.reference_chosen.emit(Path(path))

    def on_remove_reference(self) -> None:
        """Measure against the footage again."""
        self._session.edit(self.tr("Remove the reference"), reference=None)

    # --- saving ---------------------------------------------------------------------------------

    def on_save(self) -> bool:
        """Save the project; False when that was given up or failed."""
        return self.save_to(self._session.path) if self._session.path else self.on_save_as()

    def on_save_as(self) -> bool:
        """Ask where, and save."""
        clip = self._session.project.clip
        name = str(clip.with_suffix(SUFFIX)) if clip else ""
        title, kind = self.tr("Save project"), self.tr("FLAIR projects (*{0})").format(SUFFIX)
        chosen, _ = QFileDialog.getSaveFileName(self._window, title, name, kind)
        if not chosen:
            return False
        path = Path(chosen)
        return self.save_to(path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX))

    def save_to(self, path: Path) -> bool:
        """Write the project there."""
        try:
            write(self._session.to_save, path)
        except ProjectError as error:
            self._say(str(error))
            return False
        self._session.saved(path)
        self._recovery.forget()
        self._remember(path)
        return True

    def may_leave(self) -> bool:
        """Offer to save unsaved work; False when the user would rather stay."""
        if not self._session.dirty:
            return True
        box = QMessageBox(self._window)
        box.setText(self.tr("Save the changes to this project?"))
        keep, drop, stay = (
            QMessageBox.StandardButton.Save,
            QMessageBox.StandardButton.Discard,
            QMessageBox.StandardButton.Cancel,
        )
        box.setStandardButtons(keep | drop | stay)
        answer = box.exec()
        if answer == keep:
            return self.on_save()
        if answer == drop:
            self._recovery.forget()
        return answer == drop

    # --- after a crash --------------------------------------------------------------------------

    def autosave_every(self, seconds: int) -> None:
        """How often unsaved work is kept aside."""
        self._timer.start(1000 * seconds)

    def autosave(self, *, settled: bool = False) -> None:
        """Write unsaved work aside, if there is any that isn't there yet; `settled`: return when that is done."""
        if settled:
            self._recovery.settle()
        if self._session.dirty:
            self._recovery.keep(self._session.project, self._session.path)
        if settled:
            self._recovery.settle()

    def offer_recovery(self) -> None:
        """Ask about work that a crash left behind."""
        if (found := self._recovery.left_behind()) is not None:
            self._offer(*found)

    def _offer(self, project: Project, path: Path | None) -> None:
        self._say(
            self.tr("FLAIR Studio ended unexpectedly, but your work was kept."),
            {
                self.tr("Recover it"): lambda: self._recover(project, path),
                self.tr("Discard"): self._recovery.discard,
            },
        )

    def _recover(self, project: Project, path: Path | None) -> None:
        if self.may_leave():
            self._recovering = True
            self.open_project(project, path, unsaved=True)
        else:
            self._offer(project, path)
