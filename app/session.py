"""The one mutable object: what is open, where the playhead is, which faces are known."""

from __future__ import annotations

import bisect
import dataclasses
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

from PySide6.QtCore import QCoreApplication, QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from flair_core.settings.look import CLIP, GROUP_OF, KEYFRAMED, Key, Look, Scope, Shot
from flair_core.settings.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from flair_core.faces.track import Track
    from flair_core.frames import VideoInfo
    from flair_core.settings.found import Found
    from flair_core.settings.groups import RestorationSettings
    from flair_core.settings.project import Project


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
    """Holds immutable values and signals when they are swapped."""

    clip_changed = Signal()
    project_changed = Signal()
    index_changed = Signal(int)
    faces_changed = Signal()
    selection_changed = Signal()
    scope_changed = Signal()
    shots_changed = Signal()
    found_changed = Signal()
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
        self.found_shots: tuple[int, ...] = ()
        """First frames of the shots that were found; they count until the user edits the shots."""
        self.shots_complete = False
        """Whether the search for them has come to the end of the clip."""
        self.found: tuple[Found, ...] = ()
        """What Auto found of shots, as they are now."""
        self._kind: Literal["clip", "shot", "face"] = "clip"
        self._looks: dict[tuple[Look, tuple[int, ...]], Look] = {}
        """The last one that was made, by what it was made of."""
        self.undo = QUndoStack(self)
        self.undo.cleanChanged.connect(self.title_changed)

    @property
    def settings(self) -> RestorationSettings:
        """Of the clip, where no keyframe, shot or face has others."""
        return self.project.look.settings

    @property
    def look(self) -> Look:
        """The project's, with the shots that were found where the user has made none."""
        return self._with_shots(self.project.look)

    @property
    def other_look(self) -> Look | None:
        """The other one of A and B, likewise."""
        return None if self.project.other is None else self._with_shots(self.project.other)

    @property
    def filled_look(self) -> Look:
        """The look with what Auto found: what is previewed and exported."""
        return filled(self.look, self.found_now)

    @property
    def found_now(self) -> tuple[Found, ...]:
        """What Auto found of shots that still are as they were."""
        return tuple(one for one in self.found if one.frames == self.frames_of_shot(one.frames.start))

    @property
    def found_here(self) -> Found | None:
        """What Auto found of the shot under the playhead; None as long as that is not known."""
        shot = self.frames_of_shot(self.index)
        return next((one for one in self.found if one.frames == shot), None)

    def frames_of_shot(self, frame: int) -> range:
        """The frames of a shot, which ends with the clip."""
        shot = self.look.shot_at(frame)
        return range(shot.start, min(shot.stop, 0 if self.clip is None else len(self.clip)))

    @property
    def to_save(self) -> Project:
        """The project, with the shots that were found once all are: they decide how video networks see the clip."""
        if not self.shots_complete:
            return self.project
        return dataclasses.replace(self.project, look=self.look, other=self.other_look)

    def _with_shots(self, own: Look) -> Look:
        if own.shots or len(self.found_shots) < 2:
            return own
        if (own, self.found_shots) not in self._looks:
            shots = tuple(map(Shot, self.found_shots))
            self._looks = {(own, self.found_shots): dataclasses.replace(own, shots=shots)}
        return self._looks[own, self.found_shots]

    @property
    def scope(self) -> Scope:
        """What an edited setting is for: the clip, the shot under the playhead, or the selected face."""
        if self._kind == "shot":
            return Scope("shot", self.look.shot_at(self.index).start)
        if self._kind == "face" and self.selected is not None:
            return Scope("face", self.selected)
        return CLIP

    @property
    def faces_here(self) -> tuple[int, ...]:
        """Numbers of the faces in the frame under the playhead."""
        found = (track.id for track in self.tracks if track.covers(self.index))
        drawn = enumerate(self.project.drawn)
        return (*found, *(-1 - at for at, face in drawn if face.first <= self.index <= face.last))

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

    def load(self, project: Project, path: Path | None = None, clip: Clip | None = None) -> None:
        """Start from another project, with its clip, if that is open; the playhead goes to its in point."""
        self.undo.clear()
        self.path, self.clip = path, clip
        self.project, self.found_shots, self._kind = project, (), "clip"
        self.shots_complete = False
        self.found = ()
        self.index = self.span.start
        self._forget_faces()
        self.clip_changed.emit()
        self.project_changed.emit()
        self.title_changed.emit()

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
        """Change one setting in the scope, undoably. Raises SettingsError when it is outside its limits."""
        self.edit_settings(text, subject=f"{group}.{name} {self.scope}", **{name: value})

    def edit_settings(self, text: str, *, subject: str | None = None, **values: Any) -> None:
        """Change settings in the scope, undoably; where one has keyframes, at the playhead.

        What can't differ there is changed for the whole clip.
        """
        self.edit(text, subject=subject, look=_edited(self._editable, self.scope, self.index, values))

    def tried(self, **values: Any) -> Look:
        """What would be previewed and exported after `edit_settings` with these."""
        look = _edited(self._editable, self.scope, self.index, values)
        return self._with_shots(look).filled(self.found)

    def edit_look(self, text: str, change: Callable[[Look], Look], *, subject: str | None = None) -> None:
        """Change what the scope has, undoably."""
        self.edit(text, subject=subject, look=change(self._editable))

    def edit_shots(self, text: str, change: Callable[[Look], Look], *, subject: str | None = None) -> None:
        """Change the shots, of which those that were found become the project's, undoably."""
        self.edit(text, subject=subject, look=change(self.look))

    @property
    def _editable(self) -> Look:
        """The shots that were found become the project's only when one of them is edited."""
        return self.look if self.scope.kind == "shot" else self.project.look

    def reset_setting(self, name: str, text: str) -> None:
        """Leave a setting to the wider scope."""
        self.edit(text, look=self._editable.without(self.scope, name))

    def toggle_key(self, name: str, text: str) -> None:
        """Set a keyframe at the playhead, or remove the one that is there."""
        look, scope = self._editable, self.scope
        lane = look.own(scope).lane(name)
        if lane is not None and any(key.frame == self.index for key in lane.keys):
            look = look.without_key(scope, name, self.index)
        else:
            value = getattr(getattr(look.seen_from(scope, self.index), GROUP_OF[name]), name)
            key = Key(self.index, value) if lane is None else lane.key_for(self.index, value)
            look = look.with_key(scope, name, key)
        self.edit(text, look=look)

    def swap_looks(self) -> None:
        """Work on the other one of A and B; the first time, that is a copy of the present one."""
        project = self.project
        self.edit(
            QCoreApplication.translate("Session", "Swap A and B"),
            look=project.other or project.look,
            other=project.look,
            slot="A" if project.slot == "B" else "B",
        )

    def set_scope(self, kind: Literal["clip", "shot", "face"]) -> None:
        """Let edits be for the clip, the shot under the playhead, or the selected face."""
        if kind == "face" and self.selected is None:
            self.select(next(iter(self.faces_here), None))
        if kind != self._kind:
            self._kind = kind
            self.scope_changed.emit()

    def shots_found(self, firsts: Sequence[int]) -> None:
        """Where shots begin, as far as the search has come."""
        if tuple(firsts) != self.found_shots:
            self.found_shots = tuple(firsts)
            self.shots_changed.emit()

    def found_of(self, found: Found) -> None:
        """Auto has looked at a shot."""
        self.found = (*self.found, found)
        self.found_changed.emit()

    def adopt(self, project: Project) -> None:
        """Swap the project; only undo commands call this."""
        finder = _finder(self.project)
        self.project = project
        if finder != _finder(project):
            self.found = ()
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
            if self._kind == "face":
                self.scope_changed.emit()

    def _forget_faces(self) -> None:
        self.tracks, self.searched, self.selected = (), range(0), None
        self.faces_changed.emit()


@lru_cache(maxsize=8)
def filled(look: Look, found: tuple[Found, ...]) -> Look:
    """A look with what Auto found; asked for at every move of the playhead, of programmes with many shots."""
    return look.filled(found)


def _edited(look: Look, scope: Scope, index: int, values: Mapping[str, Any]) -> Look:
    """A look with settings changed in a scope; where one has keyframes, at the playhead."""
    for name, value in values.items():
        where = CLIP if name in scope.fixed else scope
        if name in KEYFRAMED and (lane := look.own(where).lane(name)) is not None:
            look = look.with_key(where, name, lane.key_for(index, value))
        else:
            look = look.with_value(where, name, value)
    return look


def _finder(project: Project) -> object:
    """What decides which faces are found."""
    settings = project.look.settings
    return project.clip, settings.faces.detector, settings.faces.aligned, settings.footage


MERGE_SECONDS = 1.0
"""A slider drawn without a longer pause is one edit."""


class EditProject(QUndoCommand):
    """Replace the session's project; edits of the same `subject` in quick succession become one."""

    def __init__(self, session: Session, text: str, after: Project, subject: str | None) -> None:
        super().__init__(text)
        self._session, self._before, self._after = session, session.project, after
        self._subject, self._time = subject, time.monotonic()

    def redo(self) -> None:
        """Put the edited project in place."""
        self._session.adopt(self._after)

    def undo(self) -> None:
        """Put the former project back."""
        self._session.adopt(self._before)

    def id(self) -> int:
        """Qt offers commands with the same id for merging."""
        return 1 if self._subject else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take a later edit of the same subject into this one."""
        if not isinstance(other, EditProject) or other._subject != self._subject:
            return False
        if other._time - self._time > MERGE_SECONDS:
            return False
        self._after, self._time = other._after, other._time
        return True
