"""Keeps the preview of the current frame up to date, and remembers finished ones."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.tasks import PreviewRequest, PreviewResult

if TYPE_CHECKING:
    from collections.abc import Hashable
    from pathlib import Path

    from app.session import Session
    from app.worker import Worker

PAUSE_MS = 40
"""At most one restart in this time while a slider is dragged."""
CACHE_BYTES = 768 * 2**20


class PreviewCache:
    """Finished previews by what decided them, the ones used last.

    That is how the frames that a picture was made of look and are to be restored, and nothing else: an edit far
    from a frame leaves it as it is.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._results: OrderedDict[Hashable, PreviewResult] = OrderedDict()
        self._windows: dict[tuple[Path, int], set[range]] = {}
        """Of which frames pictures of a frame were made."""
        self._limit, self._bytes = limit, 0

    def get(self, request: PreviewRequest) -> PreviewResult | None:
        """The result of a request for the same picture."""
        for window in self._windows.get((request.clip, request.index), ()):
            key = request.seen_by(window)
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
        return None

    def put(self, result: PreviewResult) -> None:
        """Keep a complete result; the one with stages, if it comes twice."""
        request, window = result.request, result.preview.window
        key = request.seen_by(window)
        old = self._results.get(key)
        if old is not None:
            if old.stages and not result.stages:
                return
            self._bytes -= old.nbytes
        self._windows.setdefault((request.clip, request.index), set()).add(window)
        self._results[key] = result
        self._bytes += result.nbytes
        while self._bytes > self._limit and len(self._results) > 1:
            self._bytes -= self._results.popitem(last=False)[1].nbytes

    def frames_of(self, clip: Path) -> set[int]:
        """Frames of a clip of which there is any result."""
        results = self._results.values()
        return {result.request.index for result in results if result.request.clip == clip}

    def like(self, request: PreviewRequest) -> dict[int, PreviewResult]:
        """Results of other frames under the same look, by frame."""
        return {
            index: result
            for index in self.frames_of(request.clip)
            if (result := self.get(replace(request, index=index))) is not None
        }


class PreviewController(QObject):
    """Between the session, which says what to show, and the worker, which makes it."""

    shown = Signal(object)
    """PreviewResult of the current frame and settings, or None as long as there is none."""
    covered = Signal()
    """Other frames may be in the cache than before."""
    failed = Signal(str)

    def __init__(self, session: Session, worker: Worker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._worker = session, worker
        self.cache = PreviewCache()
        self.result: PreviewResult | None = None
        self.running = False
        self._paused = False
        self._timer = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._timer.timeout.connect(self._start)
        session.project_changed.connect(self._changed)
        session.faces_changed.connect(self._changed)
        session.selection_changed.connect(self._changed)
        session.clip_changed.connect(self._changed)
        session.index_changed.connect(self.restart)
        worker.previewed.connect(self._take)
        worker.preview_failed.connect(self._fail)

    def request(self, index: int) -> PreviewRequest | None:
        """How the frame is to be restored, as the session stands; None without a clip."""
        session = self._session
        if session.clip is None:
            return None
        tracks = None
        if session.settings.faces.aligned:
            tracks = ()
        elif index in session.searched:
            kept = (track for track in session.tracks if track.id not in session.project.left_out)
            # The step strip shows the first face: let that be the one clicked.
            tracks = tuple(sorted(kept, key=lambda track: track.id != session.selected))
        project = session.project
        return PreviewRequest(session.clip.path, index, tracks, project.drawn, project.look, project.strokes)

    def restart(self) -> None:
        """Show the current frame from the cache, or preview it in a moment."""
        request = self.request(self._session.index)
        cached = self.cache.get(request) if request else None
        # What export may write otherwise is tried again: by now there may be more to lean on.
        if request is None or (cached is not None and cached.preview.exact) or self._paused:
            self._timer.stop()
            self._worker.preview(None)
            self._show(cached, running=False)
            return
        old = self.result.request if self.result else request
        # Of the same frame the old picture stays until the first new one comes: nothing flickers.
        same_frame = (old.clip, old.index) == (request.clip, request.index)
        self._show(self.result if same_frame else None, running=True)
        if not self._timer.isActive():
            self._timer.start()

    def cancel(self) -> None:
        """Stop after the current step; what is there stays on the screen."""
        self._timer.stop()
        self._worker.preview(None)
        self._show(self.result, running=False)

    def pause(self, paused: bool) -> None:
        """While a clip plays, only finished previews are shown."""
        self._paused = paused
        self.restart()

    def remember(self, result: PreviewResult) -> None:
        """Take a result that was made ahead of time."""
        self.cache.put(result)
        self.covered.emit()

    def _changed(self) -> None:
        self.restart()
        self.covered.emit()

    def _start(self) -> None:
        self._worker.preview(self.request(self._session.index))

    def _take(self) -> None:
        result = self._worker.previews.take()
        if result is None:
            return
        if result.complete:
            self.remember(result)
        if result.request == self.request(self._session.index) and self.running:
            self._show(result, running=not result.complete)

    def _fail(self, request: PreviewRequest, message: str) -> None:
        if request == self.request(self._session.index):
            self._show(None, running=False)
            self.failed.emit(message)

    def _show(self, result: PreviewResult | None, *, running: bool) -> None:
        self.result, self.running = result, running
        self.shown.emit(result)
