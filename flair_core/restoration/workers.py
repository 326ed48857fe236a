"""Who restores faces: one worker for each device, at work while the caller decodes and encodes.

Any worker may do any face, so the results do not depend on which one does. One whose device fails hands its face to
the others. A face that begins with the results of the window before waits for those, whoever makes them.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from flair_core.errors import DeviceError
from flair_core.restoration.restored import Stopped

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from flair_core.restoration.crop import Face
    from flair_core.restoration.restored import Restored
    from flair_core.restoration.restorer import FaceRestorer


FAILURES = (DeviceError, MemoryError, RuntimeError)
"""What may be the device's fault; then another one may succeed."""


@dataclass(slots=True, eq=False)
class Work:
    """Faces that somebody restores, or will: one in a window, or several of single frames in a batch."""

    faces: Sequence[Face]
    before: Work | None
    """The same face in the window before, if this one begins with its results; let go when this one is done."""
    result: Future[list[Restored]] = field(default_factory=Future)

    @property
    def ready(self) -> bool:
        """Whether what it begins with is known."""
        return self.before is None or self.before.result.done()

    def done_by(self, worker: FaceRestorer) -> list[Restored]:
        """The restored faces."""
        if self.before is None:
            return worker.together(self.faces)
        (face,), (earlier,), (known,) = self.faces, self.before.faces, self.before.result.result()
        return [worker.restored(face, known.x0[face.first - earlier.first :])]


class Workers:
    """Restores faces, those first that were begun first; leaving it ends all work after the current step.

    notes: hears of workers that failed, one sentence each.
    """

    def __init__(self, workers: Sequence[FaceRestorer], notes: list[str]) -> None:
        self._workers, self._notes = workers, notes
        self._waiting: list[Work] = []
        self._changed = threading.Condition()
        self._active, self._closed = len(workers), False
        self._error: BaseException | None = None
        intra_op = torch.get_num_threads()
        self._threads = [
            threading.Thread(target=self._serve, args=(worker, intra_op), name=f"restores {at}", daemon=True)
            for at, worker in enumerate(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def first(self) -> FaceRestorer:
        """One of the workers, for what is cheap."""
        return self._workers[0]

    def __len__(self) -> int:
        return len(self._workers)

    def begin(self, faces: Sequence[Face], before: Work | None = None) -> Work:
        """Have faces restored; what goes wrong is raised by `result`."""
        work = Work(faces, before)
        with self._changed:
            if self._error:
                work.result.set_exception(self._error)
            else:
                self._waiting.append(work)
                self._changed.notify_all()
        return work

    def stop(self) -> None:
        """All that is at work ends after its current step."""
        for worker in self._workers:
            worker.stop()

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _serve(self, worker: FaceRestorer, intra_op: int) -> None:
        # Sums depend in their last bits on the number of threads: it must be that of a preview.
        torch.get_num_threads()  # a thread takes over the common number when it first asks: so not later
        torch.set_num_threads(intra_op)
        while (work := self._next()) is not None:
            try:
                work.result.set_result(work.done_by(worker))
            except Stopped:
                return
            except FAILURES as error:
                if self._hand_over(work, worker, error):
                    return
                self._fail(work, error)
            except BaseException as error:  # it is raised where the result is asked for
                self._fail(work, error)
            work.before = None
            with self._changed:
                self._changed.notify_all()  # what begins with it is ready

    def _next(self) -> Work | None:
        """The first one that is ready; None when nothing more is wanted."""
        with self._changed:
            while not self._closed:
                for work in self._waiting:
                    if work.ready:
                        self._waiting.remove(work)
                        return work
                self._changed.wait()
        return None

    def _hand_over(self, work: Work, worker: FaceRestorer, error: Exception) -> bool:
        """Leave some work to the others; False when there are none."""
        with self._changed:
            if self._active == 1:
                return False
            self._active -= 1
            self._notes.append(f"{worker.name} failed ({error}); the others went on with its work.")
            self._waiting.insert(0, work)
            self._changed.notify_all()
        return True

    def _fail(self, work: Work, error: BaseException) -> None:
        """The run will end by this error: what is at work may be finished, nothing more is begun."""
        with self._changed:
            self._error = error
            for lost in (work, *self._waiting):
                lost.result.set_exception(error)
            self._waiting.clear()
