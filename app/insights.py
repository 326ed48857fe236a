"""What is worked out quietly beside the preview: shots, flicker, the other one of A and B, what there was before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.requests import PreviewResult
from app.tasks import FindShots, MeasureWarp, Prerender, Recall, RunJob
from app.worker import Outcome

if TYPE_CHECKING:
    from app.preview import PreviewController
    from app.session import Session
    from app.tasks import Task
    from app.worker import Worker


class Insights(QObject):
    """Keeps at most one task of each kind; what fails is simply not known."""

    def __init__(
        self, session: Session, worker: Worker, previews: PreviewController, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._worker, self._previews = session, worker, previews
        self._shots: FindShots | None = None
        self._warp: MeasureWarp | None = None
        self._other: Prerender | None = None
        self._recall: Recall | None = None
        worker.progressed.connect(self._progressed)
        worker.ended.connect(self._ended)
        session.clip_changed.connect(self._find_shots)
        session.clip_changed.connect(self._find_earlier)
        session.faces_changed.connect(self._find_earlier)
        previews.covered.connect(self._measure_warp)
        previews.shown.connect(self._restore_other)

    def _find_shots(self) -> None:
        """Of the clip, unless the user has made them."""
        session = self._session
        if self._shots is not None:
            self._worker.cancel(self._shots)
            self._shots = None
        if session.clip is not None and not session.project.look.shots:
            self._shots = FindShots(session.clip.path, session.settings.footage)
            self._worker.submit(self._shots)

    def _find_earlier(self) -> None:
        """Once faces are known, show what was restored in earlier runs, as much of it as there is room for."""
        session = self._session
        if self._recall is not None:
            self._worker.cancel(self._recall)
            self._recall = None
        request = self._previews.request(session.index)
        if request is not None and request.tracks is not None:
            span = range(len(session.clip)) if session.settings.faces.aligned else session.searched
            self._recall = Recall(request, span)
            self._worker.submit(self._recall)

    def _measure_warp(self) -> None:
        """Compare what was restored with its neighbours, one batch after the other."""
        if self._warp is None and (missing := self._previews.missing_warps()):
            self._warp = MeasureWarp(tuple(missing))
            self._worker.submit(self._warp)

    def _restore_other(self) -> None:
        """Of A and B, the one that is shown beside the present one."""
        request = None if self._previews.running else self._previews.other_request()
        if self._other is not None and request not in self._other.requests:
            self._worker.cancel(self._other)
        elif self._other is None and request is not None and self._previews.cache.get(request) is None:
            self._other = Prerender((request,))
            self._worker.submit(self._other)

    def _progressed(self, task: Task, event: object) -> None:
        match task, event:
            case FindShots(), tuple() if task is self._shots:
                self._session.shots_found(event)
            case MeasureWarp(), (before, after, error):
                self._previews.cache.note_warp(before, after, error)
            case Recall(), _ if task is self._recall:
                self._previews.recalled(event)
                if self._previews.cache.full:
                    self._worker.cancel(task)
            case Prerender(), PreviewResult() if task is self._other:
                self._previews.remember(event)

    def _ended(self, task: Task, outcome: Outcome, _: str) -> None:
        if task is self._shots:
            self._shots = None
            self._session.shots_complete = outcome is Outcome.DONE
            if len(self._session.found_shots) > 1:
                self._find_earlier()  # shots decide which frames are restored together
        elif task is self._other:
            self._other = None
            if outcome is not Outcome.FAILED:
                self._previews.refresh()
        elif task is self._recall:
            self._recall = None
        elif isinstance(task, RunJob):
            if outcome is Outcome.DONE and task.job.request.source == self._session.project.clip:
                self._find_earlier()
        elif task is self._warp:
            self._warp = None
            if outcome is Outcome.DONE:
                self._previews.covered.emit()
