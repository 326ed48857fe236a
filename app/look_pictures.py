"""Small pictures of what each look makes of the face under the playhead, made while nothing else is wanted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.tasks import LookPicture, PictureLook
from app.worker import Outcome
from flair_core.settings.looks import LOOKS, values_for

if TYPE_CHECKING:
    from app.preview import PreviewController
    from app.requests import PreviewRequest
    from app.session import Session
    from app.tasks import Task
    from app.worker import Worker

REST_MS = 500
"""Playhead and settings have to rest for so long before a picture is made."""


class LookPictures(QObject):
    """One look at a time; a change of playhead or settings ends it, and all is begun anew."""

    pictured = Signal(str, object)
    """Name of the look, and (S, S, 3), or None where there is no picture any more."""

    def __init__(
        self, session: Session, worker: Worker, previews: PreviewController, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._worker, self._previews = session, worker, previews
        self._pictures: dict[str, tuple[PreviewRequest, LookPicture]] = {}
        """Those on the screen, and what they are of; where there is no face, or it failed, empty ones."""
        self._task: PictureLook | None = None
        self._due = False
        """Whether some may be missing or of other settings."""
        self._timer = QTimer(self, singleShot=True, interval=REST_MS)
        self._timer.timeout.connect(self._go_on)
        for signal in (
            session.project_changed,
            session.faces_changed,
            session.selection_changed,
            session.scope_changed,
            session.shots_changed,
            session.found_changed,
        ):
            signal.connect(self._changed)
        session.index_changed.connect(self._moved)
        session.clip_changed.connect(self._moved)
        previews.shown.connect(self._shown)
        worker.progressed.connect(self._progressed)
        worker.ended.connect(self._ended)

    def _moved(self) -> None:
        """Another frame: what is on the screen is wrong at once."""
        for name in self._pictures:
            self.pictured.emit(name, None)
        self._pictures.clear()
        self._changed()

    def _changed(self) -> None:
        if self._task is not None:
            self._worker.cancel(self._task)
            self._task = None
        self._due = True
        self._timer.start()

    def _shown(self) -> None:
        """The preview may have ended just now, for which pictures wait."""
        if self._due and not self._previews.running and not self._timer.isActive():
            self._timer.start()

    def _go_on(self) -> None:
        """Drop pictures of other settings, and make the next one that is missing."""
        if self._session.clip is None or self._previews.running or self._task is not None:
            return  # `shown` says when the preview has ended
        self._due = False
        wanted = self._requests()
        for name, (request, _) in list(self._pictures.items()):
            if not _same(request, wanted[name]):
                del self._pictures[name]
                self.pictured.emit(name, None)
        for name, request in wanted.items():
            if name in self._pictures:
                continue
            known = self._known(request)
            if known is None:
                self._task = PictureLook(name, request)
                self._worker.submit(self._task)
                return
            self._take(name, request, known)

    def _requests(self) -> dict[str, PreviewRequest]:
        """For each look, the frame as it would be restored with that."""
        session = self._session
        now = self._previews.request(session.index)
        assert now is not None
        seen = session.look.seen_from(session.scope, session.index)
        return {name: replace(now, look=session.tried(**values_for(name, seen))) for name in LOOKS}

    def _known(self, request: PreviewRequest) -> LookPicture | None:
        """What was made already: for another look that comes to the same here, or for the preview."""
        for other, picture in self._pictures.values():
            if _same(other, request):
                return picture
        shown = self._previews.result
        if shown is None or not shown.complete or not shown.is_for(request):
            shown = self._previews.cache.get(request)
        return None if shown is None else LookPicture.of(shown)

    def _take(self, name: str, request: PreviewRequest, picture: LookPicture) -> None:
        self._pictures[name] = request, picture
        self.pictured.emit(name, picture.rgb)

    def _progressed(self, task: Task, event: object) -> None:
        if task is self._task and isinstance(task, PictureLook) and isinstance(event, LookPicture):
            self._take(task.name, task.request, event)

    def _ended(self, task: Task, outcome: Outcome) -> None:
        if task is not self._task or not isinstance(task, PictureLook):
            return
        self._task, self._due = None, True
        if outcome is Outcome.FAILED:
            self._take(task.name, task.request, LookPicture(None))  # and not tried again
        if outcome is not Outcome.CANCELLED:
            self._go_on()


def _same(one: PreviewRequest, other: PreviewRequest) -> bool:
    """Whether both ask for the same picture, as far as its own frame decides."""
    frame = range(one.index, one.index + 1)
    return one.seen_by(frame) == other.seen_by(frame)
