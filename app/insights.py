"""What is worked out quietly beside the preview: shots, flicker, and the other one of A and B."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.tasks import FindShots, MeasureWarp, Prerender, PreviewResult
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
        worker.progressed.connect(self._progressed)
        worker.ended.connect(self._ended)
        session.clip_changed.connect(self._find_shots)
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
            case Prerender(), PreviewResult() if task is self._other:
                self._previews.remember(event)

    def _ended(self, task: Task, outcome: Outcome, _: str) -> None:
        if task is self._shots:
            self._shots = None
            self._session.shots_complete = outcome is Outcome.DONE
        elif task is self._other:
            self._other = None
            if outcome is not Outcome.FAILED:
                self._previews.refresh()
        elif task is self._warp:
            self._warp = None
            if outcome is Outcome.DONE:
                self._previews.covered.emit()
