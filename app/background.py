"""What is worked out in the background: faces and shots, exploration, frames ahead of time, what there was before."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, cast

from PySide6.QtCore import QObject, Signal

from app.requests import Offer, PreviewRequest, PreviewResult
from app.tasks import (
    CheckReference,
    CompareSeeds,
    EstimateDegradation,
    Explore,
    ExploredPoint,
    FindFaces,
    FindShots,
    FoundReference,
    ImportModel,
    LookAt,
    MakeDemo,
    MeasureWarp,
    Prerender,
    ReadSidecar,
    Recall,
    RunJob,
    SeedSpread,
    UseDevice,
)
from app.worker import Outcome
from flair_core.settings.found import Found
from flair_core.settings.project import LONG

if TYPE_CHECKING:
    from pathlib import Path

    from app.preview import PreviewController
    from app.session import Session
    from app.tasks import Task
    from app.worker import Worker
    from flair_core.estimation import Estimate
    from flair_core.frames import Progress
    from flair_core.settings.groups import DegradationSettings


class Background(QObject):
    """Keeps at most one task of each kind, and starts them anew when what they rest on has changed.

    What the user asked for says how far it is and why it failed. The rest goes on quietly: shots, flicker, the
    other one of A and B, what earlier runs restored; what fails of that is simply not known.
    """

    said = Signal(str, object)
    """A sentence, and choices by their words."""
    progressed = Signal(str, int, int)
    """What is going on, in words; how much is done, and of how much. An empty text when nothing is."""
    point_found = Signal(object)
    """ExploredPoint."""
    exploring = Signal(bool)
    referenced = Signal(object)
    """FoundReference: what the clip is measured against from now on."""
    demo_made = Signal(object, object)
    """Path and settings."""
    search_changed = Signal(str)
    """What the search for faces does, in words; empty when it is over."""
    no_face_found = Signal()
    offered = Signal(object)
    """The Offer is another one."""
    spread_known = Signal(object)
    """SeedSpread."""
    estimating = Signal(bool)
    estimated = Signal(object)
    """Estimate of the degradation."""

    def __init__(
        self, session: Session, worker: Worker, previews: PreviewController, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._worker, self._previews = session, worker, previews
        self._search: FindFaces | None = None
        self._exploration: Explore | None = None
        self._prerender: Prerender | None = None
        self._comparison: CompareSeeds | None = None
        self._estimate: EstimateDegradation | None = None
        self._shots: FindShots | None = None
        self._look: LookAt | None = None
        self._warp: MeasureWarp | None = None
        self._other: Prerender | None = None
        """Of the other one of A and B."""
        self._recall: Recall | None = None
        self._done = 0
        worker.progressed.connect(self._progressed)
        worker.ended.connect(self._ended)
        session.clip_changed.connect(self._clip_changed)
        session.project_changed.connect(self.search_faces)
        session.project_changed.connect(self._look_at_shots)
        session.shots_changed.connect(self._look_at_shots)
        session.index_changed.connect(self._playhead_moved)
        session.faces_changed.connect(self._recall_earlier)
        previews.covered.connect(self._measure_warp)
        previews.shown.connect(self._restore_other)

    # --- what is asked for ----------------------------------------------------------------------

    def search_faces(self) -> None:
        """Follow the faces of the clip, unless that is done or under way."""
        session = self._session
        if session.clip is None or session.settings.faces.aligned:
            if self._search is not None:
                self._worker.cancel(self._search)
            return
        span = range(len(session.clip)) if len(session.clip) <= LONG else session.span
        if len(span) > LONG:
            words = self.tr(
                "A long clip: set in and out to follow its faces. Elsewhere each frame is searched."
            )
            self.search_changed.emit(words)
            return
        settings = replace(session.settings, sampler=type(session.settings.sampler)())
        wanted = FindFaces(session.clip.path, settings, span)
        if self._search is not None:
            same = (self._search.clip, self._search.span, self._search.settings.faces.detector)
            if same == (wanted.clip, wanted.span, wanted.settings.faces.detector):
                return
            self._worker.cancel(self._search)
        elif session.searched == span:
            return
        self._search = wanted
        self.search_changed.emit(self.tr("Looking for faces…"))
        self._worker.submit(wanted)

    def make_demo(self) -> None:
        """Make the sample clip, or find the one made before."""
        self.progressed.emit(self.tr("Making the sample clip"), 0, 0)
        self._worker.submit(MakeDemo())

    def read_sidecar(self, clip: Path) -> None:
        """Take the degradation's parameters from the file next to the clip."""
        self._worker.submit(ReadSidecar(clip))

    def explore(self) -> None:
        """Try K × w_τ on the current frame; stop when that is going on."""
        if self._exploration is not None:
            self._worker.cancel(self._exploration)
            return
        request = self._previews.request(self._session.index)
        if request is not None:
            self._exploration = Explore(request, self._session.project.reference)
            self.exploring.emit(True)
            self._worker.submit(self._exploration)

    def check_reference(self, path: Path) -> None:
        """Measure against this clip from now on, if that is possible."""
        request = self._previews.request(self._session.index)
        if request is not None:
            self._worker.submit(CheckReference(request, path))

    def estimate(self) -> None:
        """Estimate the degradation of the shot on the screen, and take it into the settings."""
        request = self._previews.request(self._session.index)
        if request is not None and self._estimate is None:
            self._estimate = EstimateDegradation(request)
            self.estimating.emit(True)
            self.progressed.emit(self.tr("Estimating the degradation"), 0, 0)
            self._worker.submit(self._estimate)

    def prerender(self) -> None:
        """Restore the frames between in and out, so that they can be played; stop when that is going on."""
        if self._prerender is not None:
            self._worker.cancel(self._prerender)
            return
        requests = [self._previews.request(index) for index in self._session.span]
        missing = [one for one in requests if one is not None and self._previews.cache.get(one) is None]
        if missing:
            self._done = 0
            self._prerender = Prerender(tuple(missing))
            self._worker.submit(self._prerender)

    def compare_seeds(self, request: PreviewRequest | None) -> None:
        """Restore a frame with several seeds; None stops."""
        if self._comparison is not None:
            if self._comparison.request == request:
                return
            self._worker.cancel(self._comparison)
            self._comparison = None
        if request is not None:
            self._comparison = CompareSeeds(request)
            self._worker.submit(self._comparison)

    # --- what goes on quietly -------------------------------------------------------------------

    def _clip_changed(self) -> None:
        for task in (self._search, self._exploration, self._prerender, self._estimate):
            if task is not None:
                self._worker.cancel(task)
        self._search = None
        self.search_faces()
        self._find_shots()
        self._recall_earlier()

    def _find_shots(self) -> None:
        """Of the clip, unless the user has made them."""
        session = self._session
        if self._shots is not None:
            self._worker.cancel(self._shots)
            self._shots = None
        if session.clip is not None and not session.project.look.shots:
            self._shots = FindShots(session.clip.path, session.settings.footage)
            self._worker.submit(self._shots)

    def _playhead_moved(self) -> None:
        if self._session.found_here is None:
            self._look_at_shots()

    def _look_at_shots(self) -> None:
        """Of those that are left to Auto, one after the other, that under the playhead first."""
        session, shot = self._session, unseen_shot(self._session)
        if self._look is not None and self._look.shot == shot:
            return
        if self._look is not None:
            self._worker.cancel(self._look)
            self._look = None
        if session.clip is not None and shot is not None:
            self._look = LookAt(session.clip.path, shot, session.look.resolve(shot.start))
            self._worker.submit(self._look)

    def _recall_earlier(self) -> None:
        """Once faces are known, show what was restored in earlier runs, as much of it as there is room for."""
        session = self._session
        if self._recall is not None:
            self._worker.cancel(self._recall)
            self._recall = None
        request = self._previews.request(session.index)
        if session.clip is not None and request is not None and request.tracks is not None:
            span = range(len(session.clip)) if session.settings.faces.aligned else session.searched
            self._recall = Recall(request, span)
            self._worker.submit(self._recall)

    def _measure_warp(self) -> None:
        """Compare what was restored with its neighbours, one batch after the other."""
        if self._warp is None and (missing := self._previews.missing_warps()):
            self._warp = MeasureWarp(tuple(missing))
            self._worker.submit(self._warp)

    def _restore_other(self) -> None:
        """Of A and B, the one that is shown in place of the footage."""
        request = None if self._previews.running else self._previews.other_request()
        if self._other is not None and request not in self._other.requests:
            self._worker.cancel(self._other)
        elif self._other is None and request is not None and self._previews.cache.get(request) is None:
            self._other = Prerender((request,))
            self._worker.submit(self._other)

    # --- news from the worker -------------------------------------------------------------------

    def _progressed(self, task: Task, event: object) -> None:
        match task, event:
            case FindFaces(), list() if task is self._search:
                self._session.faces_found(event, task.span)
                if not event and not self._session.project.drawn:
                    self.no_face_found.emit()
            case FindFaces(), _ if task is self._search:
                now = cast("Progress", event)
                self.progressed.emit(self.tr("Finding faces"), now.done, now.total)
            case Explore(), ExploredPoint() if task is self._exploration:
                self.point_found.emit(event)
            case Prerender(), PreviewResult() if task is self._prerender:
                self._done += 1
                self._previews.remember(event)
                self.progressed.emit(self.tr("Restoring"), self._done, len(task.requests))
            case CheckReference(), FoundReference() if event.clip == self._session.project.clip:
                self._session.edit(self.tr("Load a reference"), reference=event.path)
                self.referenced.emit(event)
            case _, Offer():
                self.offered.emit(event)
            case CompareSeeds(), SeedSpread() if task is self._comparison:
                self.spread_known.emit(event)
                self.progressed.emit(self.tr("Comparing seeds"), event.seeds, task.seeds)
            case EstimateDegradation(), _ if task is self._estimate:
                found = cast("Estimate", event)
                self._session.edit_settings(self.tr("Estimate the degradation"), **asdict(found.settings))
                self.estimated.emit(found)
            case MakeDemo(), (path, settings):
                self.demo_made.emit(path, settings)
            case ReadSidecar(), _ if task.clip == self._session.project.clip:
                degradation = cast("DegradationSettings", event)
                self._session.edit_settings(self.tr("Use the side-car"), **asdict(degradation))
                self.said.emit(self.tr("The degradation was read from the file beside the clip."), None)
            case _:
                self._progressed_quietly(task, event)

    def _progressed_quietly(self, task: Task, event: object) -> None:
        match task, event:
            case FindShots(), tuple() if task is self._shots:
                self._session.shots_found(event)
            case LookAt(), _ if task is self._look:
                self._session.found_of(cast("Found", event))
            case MeasureWarp(), (
                PreviewResult() as before,
                PreviewResult() as after,
                float() | None as error,
            ):
                self._previews.cache.note_warp(before, after, error)
            case Recall(), PreviewResult() | PreviewRequest() if task is self._recall:
                self._previews.recalled(event)
                if self._previews.cache.full:
                    self._worker.cancel(task)
            case Prerender(), PreviewResult() if task is self._other:
                self._previews.remember(event)

    def _ended(self, task: Task, outcome: Outcome, message: str) -> None:
        if self._ended_quietly(task, outcome):
            return
        if task is self._search:
            self._search = None
            self.search_changed.emit("")
        elif task is self._exploration:
            self._exploration = None
            self.exploring.emit(False)
        elif task is self._prerender:
            self._prerender = None
        elif task is self._estimate:
            self._estimate = None
            self.estimating.emit(False)
        elif not isinstance(
            task, CompareSeeds | CheckReference | UseDevice | ImportModel | MakeDemo | ReadSidecar
        ):
            return
        self.progressed.emit("", 0, 0)
        if outcome is Outcome.FAILED:
            self.said.emit(message, None)

    def _looked_at(self, shot: range, outcome: Outcome) -> None:
        self._look = None
        if outcome is Outcome.FAILED:
            self._session.found_of(Found(shot, failed=True))
        if outcome is not Outcome.CANCELLED:
            self._look_at_shots()

    def _ended_quietly(self, task: Task, outcome: Outcome) -> bool:
        """Whether that was one of the tasks that nobody asked for."""
        done = outcome is Outcome.DONE
        if task is self._shots:
            self._shots = None
            self._session.shots_complete = done
            if (
                outcome is Outcome.FAILED
            ):  # where the last of them ends is not known, so nobody can look at it
                last = self._session.found_shots[-1] if self._session.found_shots else 0
                self._session.found_of(Found(self._session.frames_of_shot(last), failed=True))
            self._look_at_shots()
            if len(self._session.found_shots) > 1:
                self._recall_earlier()  # shots decide which frames are restored together
        elif task is self._look:
            self._looked_at(task.shot, outcome)
        elif task is self._other:
            self._other = None
            if outcome is not Outcome.FAILED:
                self._previews.refresh()
        elif task is self._recall:
            self._recall = None
        elif isinstance(task, RunJob):
            if done and task.job.request.source == self._session.project.clip:
                self._recall_earlier()
        elif task is self._warp:
            self._warp = None
            if done:
                self._previews.covered.emit()
        else:
            return False
        return True


def unseen_shot(session: Session) -> range | None:
    """A shot that Auto has to look at, that under the playhead first; None when there is none.

    Where the search for shots has not found an end yet, there may be another one.
    """
    if session.clip is None:
        return None
    look, other, seen = session.look, session.other_look, {one.frames for one in session.found}
    for first in (session.index, *(shot.first for shot in look.shots), 0):
        shot = session.frames_of_shot(first)
        known = shot.stop < len(session.clip) or session.shots_complete or bool(session.project.look.shots)
        asks = look.asks(shot.start) or (other is not None and other.asks(shot.start))
        if shot and shot not in seen and known and asks:
            return shot
    return None
