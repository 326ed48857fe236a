"""The one mutable object: what is open, where the playhead is, which faces are known."""

from __future__ import annotations

import bisect
import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoStack

from app.commands import EditProject
from app.project import Project
from flair_core.settings import changed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flair_core.faces.track import Track
    from flair_core.frames import VideoInfo
    from flair_core.look import Look
    from flair_core.settings import RestorationSettings


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip that could be opened."""

    path: Path
    info: VideoInfo
    """With the exact length."""
    notes: tuple[str, ...] = ()
    """What a person should know about the clip."""
    pts: Sequence[int] = ()
    """When each frame is shown, in units of the info's time base; empty where they are evenly spaced."""

    def __len__(self) -> int:
        return self.info.length

    def time(self, index: int) -> float:
        """When a frame begins, in seconds of the file; of the one after the last, when the clip ends."""
        if not self.pts:
            return float(index / self.info.rate)
        if index >= len(self):
            return float(self.pts[-1] * self.info.time_base + (index - len(self) + 1) / self.info.rate)
        return float(self.pts[index] * self.info.time_base)

    def at(self, seconds: float) -> int:
        """The frame that is shown at a time of the file; before its beginning the first, after its end the last."""
        if not self.pts:
            return min(max(int(seconds * self.info.rate), 0), len(self) - 1)
        return max(bisect.bisect_right(self.pts, seconds / self.info.time_base) - 1, 0)


class Session(QObject):
    """Holds immutable values and tells its watchers when they are swapped."""

    clip_changed = Signal()
    project_changed = Signal()
    index_changed = Signal(int)
    faces_changed = Signal()
    selection_changed = Signal()
    title_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.project = Project()
        self.path: Path | None = None
        """Of the project file."""
        self.clip: Clip | None = None
        self.index = 0
        self.tracks: tuple[Track, ...] = ()
        """Faces found so far."""
        self.searched = range(0)
        """Frames that the search for faces has covered."""
        self.selected: int | None = None
        """Number of the face that the user clicked."""
        self.other: Look | None = None
        """The settings B, to be compared with those of the project."""
        self.undo = QUndoStack(self)
        self.undo.cleanChanged.connect(self.title_changed)

    @property
    def settings(self) -> RestorationSettings:
        """Of the clip, where no keyframe, shot or face has others."""
        return self.project.look.settings

    @property
    def span(self) -> range:
        """The frames between the in and the out point; empty without a clip."""
        if self.clip is None:
            return range(0)
        if self.project.span is None:
            return range(len(self.clip))
        first, last = self.project.span
        return range(min(first, len(self.clip) - 1), min(last + 1, len(self.clip)))

    @property
    def dirty(self) -> bool:
        """Whether there is something to save."""
        return not self.undo.isClean()

    def load(self, project: Project, path: Path | None = None) -> None:
        """Start from another project; its clip counts as not yet open."""
        self.undo.clear()
        self.path, self.clip, self.index = path, None, 0
        self._forget_faces()
        self.project = project
        self.clip_changed.emit()
        self.project_changed.emit()
        self.title_changed.emit()

    def clip_opened(self, clip: Clip) -> None:
        """The project's clip is readable; the playhead goes to its in point."""
        self.clip = clip
        self.clip_changed.emit()
        self.seek(self.span.start)

    def clip_read_anew(self, clip: Clip) -> None:
        """The same clip, read in another way: deinterlaced, or at another rate."""
        if self.clip is not None and clip.path == self.clip.path and clip != self.clip:
            self.clip = clip
            self.clip_changed.emit()

    def edit(self, text: str, *, subject: str | None = None, **values: Any) -> None:
        """Change fields of the project, undoably; nothing happens when they have these values already."""
        after = dataclasses.replace(self.project, **values)
        if after != self.project:
            self.undo.push(EditProject(self, text, after, subject))

    def edit_setting(self, group: str, name: str, value: Any, text: str) -> None:
        """Change one setting, undoably. Raises SettingsError when it is outside its limits."""
        edited = changed(getattr(self.settings, group), **{name: value})
        settings = dataclasses.replace(self.settings, **{group: edited})
        self.edit(
            text, subject=f"{group}.{name}", look=dataclasses.replace(self.project.look, settings=settings)
        )

    def adopt(self, project: Project) -> None:
        """Swap the project; only undo commands call this."""
        finder = _finder(self.project)
        self.project = project
        if finder != _finder(project):
            self._forget_faces()
        self.project_changed.emit()
        self.title_changed.emit()

    def saved(self, path: Path) -> None:
        """The project now lies in `path`."""
        self.path = path
        self.undo.setClean()
        self.title_changed.emit()

    def seek(self, index: int) -> None:
        """Move the playhead, kept inside the clip."""
        if self.clip is None:
            return
        index = max(0, min(index, len(self.clip) - 1))
        if index != self.index:
            self.index = index
            self.index_changed.emit(index)

    def faces_found(self, tracks: Sequence[Track], searched: range) -> None:
        """The search for faces has covered `searched`."""
        self.tracks, self.searched = tuple(tracks), searched
        self.faces_changed.emit()

    def select(self, face: int | None) -> None:
        """Mark a face."""
        if face != self.selected:
            self.selected = face
            self.selection_changed.emit()

    def _forget_faces(self) -> None:
        self.tracks, self.searched, self.selected = (), range(0), None
        self.faces_changed.emit()


def _finder(project: Project) -> object:
    """What decides which faces are found."""
    settings = project.look.settings
    return project.clip, settings.faces.detector, settings.footage
