"""Keeps the preview of the current frame up to date, and remembers finished ones."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from app.requests import PreviewRequest, PreviewResult
from app.session import filled

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Set
    from pathlib import Path

    from app.session import Session
    from app.worker import Worker
    from flair_core.faces.track import Track

PAUSE_MS = 40
"""At most one restart in this time while a slider is dragged."""
CACHE_BYTES = 768 * 2**20


@dataclass(frozen=True, slots=True)
class Marks:
    """What the timeline shows of the frames that were restored."""

    residual: Mapping[int, float]
    """Of the frames that are restored under the present look, in 8-bit levels."""
    warp: Mapping[int, float]
    """Warping error to the frame before, where both are restored and it was measured."""
    stale: Set[int]
    """Frames that are restored under other looks only."""


class PreviewCache:
    """Finished previews by what decided them, the ones used last.

    That is how the frames that a picture was made of look and are to be restored, and nothing else: an edit far
    from a frame leaves it as it is.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._results: OrderedDict[Hashable, PreviewResult] = OrderedDict()
        self._windows: dict[tuple[Path, int], set[range]] = {}
        """Of which frames pictures of a frame were made."""
        self._warps: dict[tuple[Hashable, Hashable], float | None] = {}
        self._elsewhere: set[tuple[Path, int]] = set()
        """Frames that earlier runs restored under other looks."""
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
            gone, result = self._results.popitem(last=False)
            self._bytes -= result.nbytes
            self._warps = {pair: error for pair, error in self._warps.items() if gone not in pair}

    @property
    def full(self) -> bool:
        """Whether one more result would push out another."""
        return self._bytes + self._bytes // max(len(self._results), 1) > self._limit

    def note_elsewhere(self, request: PreviewRequest) -> None:
        """This frame was restored by an earlier run, but not under this look."""
        self._elsewhere.add((request.clip, request.index))

    def frames_of(self, clip: Path) -> set[int]:
        """Frames of a clip of which there is any result."""
        results = self._results.values()
        return {result.request.index for result in results if result.request.clip == clip}

    def note_warp(self, before: PreviewResult, after: PreviewResult, error: float | None) -> None:
        """Keep the warping error from one frame to the next."""
        self._warps[_pair(before, after)] = error

    def unmeasured(self, found: Mapping[int, PreviewResult]) -> list[tuple[PreviewResult, PreviewResult]]:
        """Neighbours among these results whose warping error is not known."""
        pairs = [(found[index - 1], found[index]) for index in found if index - 1 in found]
        return [pair for pair in pairs if _pair(*pair) not in self._warps]

    def marks(self, request: PreviewRequest, found: Mapping[int, PreviewResult]) -> Marks:
        """What to show of all frames, with those `found` by `like`."""
        warps = {
            index: self._warps.get(_pair(found[index - 1], result))
            for index, result in found.items()
            if index - 1 in found
        }
        return Marks(
            {index: result.preview.residual for index, result in found.items()},
            {index: error for index, error in warps.items() if error is not None},
            (self.frames_of(request.clip) | {at for clip, at in self._elsewhere if clip == request.clip})
            - found.keys(),
        )

    def like(self, request: PreviewRequest) -> dict[int, PreviewResult]:
        """Results of other frames under the same look, by frame."""
        return {
            index: result
            for index in self.frames_of(request.clip)
            if (result := self.get(replace(request, index=index))) is not None
        }


def _pair(before: PreviewResult, after: PreviewResult) -> tuple[Hashable, Hashable]:
    keys = [result.request.seen_by(result.preview.window) for result in (before, after)]
    return keys[0], keys[1]


class PreviewController(QObject):
    """Between the session, which says what to show, and the worker, which makes it."""

    shown = Signal(object)
    """PreviewResult of the current frame and settings, or None as long as there is none."""
    covered = Signal()
    """Other frames may be in the cache than before."""
    failed = Signal(str)
    noted = Signal(str)
    """What one should know of a preview; each sentence once."""

    def __init__(self, session: Session, worker: Worker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._worker = session, worker
        self.cache = PreviewCache()
        self.result: PreviewResult | None = None
        self.running = False
        self._peeking = self._comparing = False
        self._noted = set[str]()
        self._asked: PreviewRequest | None = None
        """What the worker was asked for last."""
        self._paused = False
        self._timer = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._timer.timeout.connect(self._start)
        session.project_changed.connect(self._changed)
        session.faces_changed.connect(self._changed)
        session.selection_changed.connect(self._changed)
        session.shots_changed.connect(self._changed)
        session.found_changed.connect(self._changed)
        session.clip_changed.connect(self._changed)
        session.index_changed.connect(self.restart)
        worker.previewed.connect(self._take)
        worker.preview_failed.connect(self._fail)

    def request(self, index: int) -> PreviewRequest | None:
        """How the frame is to be restored, as the session stands; None without a clip."""
        session = self._session
        if session.clip is None:
            return None
        other = session.other_look if self._peeking else None
        look = session.filled_look if other is None else filled(other, session.found_now)
        tracks: tuple[Track, ...] | None = None
        if session.settings.faces.aligned:
            tracks = ()
        elif index in session.searched:
            kept = (track for track in session.tracks if track.id not in session.project.left_out)
            # The step strip shows the first face: let that be the one clicked.
            tracks = tuple(sorted(kept, key=lambda track: track.id != session.selected))
        project = session.project
        return PreviewRequest(session.clip.path, index, tracks, project.drawn, look, project.strokes)

    def peek(self, on: bool) -> None:
        """Show the other one of A and B, or the present one again."""
        self._peeking = on
        self.restart()

    def compare_with_other(self, on: bool) -> None:
        """Whether the other one of A and B is shown in place of the footage."""
        self._comparing = on
        self.restart()

    def other_request(self) -> PreviewRequest | None:
        """For the other one of A and B; None as long as nobody wants to see it in place of the footage."""
        request, other = self.request(self._session.index), self._session.other_look
        if not self._comparing or request is None or other is None:
            return None
        there = filled(other, self._session.found_now)
        return replace(request, look=self._session.filled_look if request.look == there else there)

    def other_result(self) -> PreviewResult | None:
        """What is shown in place of the footage."""
        request = self.other_request()
        return self.cache.get(request) if request else None

    def refresh(self) -> None:
        """Show again what is shown: something about it has become known."""
        self.shown.emit(self.result)

    def restart(self) -> None:
        """Show the current frame from the cache, or preview it in a moment."""
        request = self.request(self._session.index)
        cached = self.cache.get(request) if request else None
        # What export may write otherwise is tried again: by now more of what comes before may be restored.
        if request is None or (cached is not None and cached.preview.exact) or self._paused:
            self._timer.stop()
            self._asked = None
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
        self._asked = None
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

    def recalled(self, event: PreviewResult | PreviewRequest) -> None:
        """Take what an earlier run made; a request: of that frame it made nothing under this look."""
        if isinstance(event, PreviewResult):
            self.cache.put(event)
        else:
            self.cache.note_elsewhere(event)
        self.covered.emit()

    def _changed(self) -> None:
        now, under_way = self.request(self._session.index), self.result
        if (
            now is None
            or under_way is None
            or under_way.complete
            or under_way.request is not self._asked
            or not under_way.is_for(now)
        ):
            self.restart()  # else the edit does not concern this frame
        self.covered.emit()

    def missing_warps(self) -> list[tuple[PreviewResult, PreviewResult]]:
        """Neighbouring results under the present look whose warping error is not known."""
        request = self.request(self._session.index)
        return [] if request is None else self.cache.unmeasured(self.cache.like(request))

    def marks(self) -> Marks:
        """What the timeline shows of the frames that were restored."""
        request = self.request(self._session.index)
        return (
            Marks({}, {}, set()) if request is None else self.cache.marks(request, self.cache.like(request))
        )

    def _start(self) -> None:
        self._asked = self.request(self._session.index)
        self._worker.preview(self._asked)

    def _take(self) -> None:
        result = self._worker.previews.take()
        if result is None:
            return
        if result.complete:
            self.remember(result)
        if news := [note for note in result.preview.notes if note not in self._noted]:
            self._noted.update(news)
            self.noted.emit(" ".join(news))
        now = self.request(self._session.index)
        if now is not None and self.running and result.is_for(now):
            self._show(result, running=not result.complete)

    def _fail(self, request: PreviewRequest, message: str) -> None:
        if request == self.request(self._session.index):
            self._show(None, running=False)
            self.failed.emit(message)

    def _show(self, result: PreviewResult | None, *, running: bool) -> None:
        self.result, self.running = result, running
        self.shown.emit(result)
