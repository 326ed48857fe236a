"""What goes on beside the preview: the search for faces, exploration, restoring a span ahead of time."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.requests import Offer, PreviewResult
from app.tasks import (
    CheckReference,
    Doubt,
    Estimate,
    Explore,
    FindFaces,
    FoundReference,
    ImportModel,
    MakeDemo,
    Point,
    Prerender,
    ReadSidecar,
    Spread,
    UseDevice,
)
from app.worker import Outcome
from flair_core.settings.project import LONG

if TYPE_CHECKING:
    from pathlib import Path

    from app.preview import PreviewController
    from app.requests import PreviewRequest
    from app.session import Session
    from app.tasks import Task
    from app.worker import Worker


class Background(QObject):
    """Keeps at most one task of each kind, and starts them anew when what they rest on has changed."""

    said = Signal(str, object)
    """A sentence, and choices by their words."""
    progressed = Signal(str, int, int)
    """What is going on, in words; how much is done, and of how much. An empty text when nothing is."""
    point_found = Signal(object)
    exploring = Signal(bool)
    referenced = Signal(object)
    """FoundReference: what the clip is measured against from now on."""
    demo_made = Signal(object, object)
    """Path and settings."""
    search_told = Signal(str)
    """What the search for faces does, in words; empty when it is over."""
    no_face_found = Signal()
    offered = Signal(object)
    """The Offer is another one."""
    doubt_known = Signal(object)
    """Spread."""
    estimating = Signal(bool)
    estimated = Signal(object)
    """Estimated."""

    def __init__(
        self, session: Session, worker: Worker, previews: PreviewController, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._worker, self._previews = session, worker, previews
        self._search: FindFaces | None = None
        self._exploration: Explore | None = None
        self._prerender: Prerender | None = None
        self._doubt: Doubt | None = None
        self._estimate: Estimate | None = None
        self._done = 0
        worker.progressed.connect(self._progressed)
        worker.ended.connect(self._ended)
        session.clip_changed.connect(self._clip_changed)
        session.project_changed.connect(self.search_faces)

    # --- faces ----------------------------------------------------------------------------------

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
            self.search_told.emit(words)
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
        self.search_told.emit(self.tr("Looking for faces…"))
        self._worker.submit(wanted)

    # --- other tasks ----------------------------------------------------------------------------

    def make_demo(self) -> None:
        """Make the sample clip, or find the one made before."""
        self.progressed.emit(self.tr("Making the sample clip"), 0, 0)
        self._worker.submit(MakeDemo())

    def read_sidecar(self, clip: Path) -> None:
        """Take the degradation's parameters from beside the clip."""
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
            self._estimate = Estimate(request)
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

    def doubt(self, request: PreviewRequest | None) -> None:
        """Compare seeds on a frame; None stops."""
        if self._doubt is not None:
            if self._doubt.request == request:
                return
            self._worker.cancel(self._doubt)
            self._doubt = None
        if request is not None:
            self._doubt = Doubt(request)
            self._worker.submit(self._doubt)

    def _clip_changed(self) -> None:
        for task in (self._search, self._exploration, self._prerender, self._estimate):
            if task is not None:
                self._worker.cancel(task)
        self._search = None
        self.search_faces()

    # --- news from the worker -------------------------------------------------------------------

    def _progressed(self, task: Task, event: object) -> None:
        match task, event:
            case FindFaces(), list() if task is self._search:
                self._session.faces_found(event, task.span)
                if not event and not self._session.project.drawn:
                    self.no_face_found.emit()
            case FindFaces(), _ if task is self._search:
                self.progressed.emit(self.tr("Finding faces"), event.done, event.total)
            case Explore(), Point() if task is self._exploration:
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
            case Doubt(), Spread() if task is self._doubt:
                self.doubt_known.emit(event)
                self.progressed.emit(self.tr("Comparing seeds"), event.seeds, task.seeds)
            case Estimate(), _ if task is self._estimate:
                self._session.edit_settings(self.tr("Estimate the degradation"), **asdict(event.settings))
                self.estimated.emit(event)
            case MakeDemo(), (path, settings):
                self.demo_made.emit(path, settings)
            case ReadSidecar(), _ if task.clip == self._session.project.clip:
                self._session.edit_settings(self.tr("Use the side-car"), **asdict(event))
                self.said.emit(self.tr("The degradation was read from the file beside the clip."), None)

    def _ended(self, task: Task, outcome: Outcome, message: str) -> None:
        if task is self._search:
            self._search = None
            self.search_told.emit("")
        elif task is self._exploration:
            self._exploration = None
            self.exploring.emit(False)
        elif task is self._prerender:
            self._prerender = None
        elif task is self._estimate:
            self._estimate = None
            self.estimating.emit(False)
        elif not isinstance(task, Doubt | CheckReference | UseDevice | ImportModel | MakeDemo | ReadSidecar):
            return
        self.progressed.emit("", 0, 0)
        if outcome is Outcome.FAILED:
            self.said.emit(message, None)
