"""The background thread in which all sampling happens: previews and tasks in turns, one step each."""

from __future__ import annotations

import contextlib
import threading
import traceback
from enum import Enum, auto
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QThread, Signal

from app import loading
from app.mailbox import Mailbox
from app.requests import PreviewResult
from flair_core.errors import FlairError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from app.requests import Core, PreviewRequest
    from app.tasks import Task
    from flair_core.settings.groups import FootageSettings
    from flair_core.video import FrameSource

    Events = Generator[object, None, None]


class Outcome(Enum):
    """How a task ended."""

    DONE = auto()
    CANCELLED = auto()
    FAILED = auto()


class Worker(QThread):
    """Runs previews and tasks in turns of one step, previews first.

    A newer preview request replaces the one at work after its current step; so does cancelling. Tasks share
    what time is left. Signals arrive in the thread of the receiver.
    """

    ready = Signal(object)
    """The core is loaded: its Offer."""
    previewed = Signal()
    """`previews` holds a result."""
    preview_failed = Signal(object, str)
    """Request, and one sentence."""
    progressed = Signal(object, object)
    """Task and event."""
    ended = Signal(object, object, str)
    """Task, Outcome, and one sentence when it failed."""
    unusable = Signal(str)
    """The core can't be loaded: one sentence."""
    crashed = Signal(str)
    """A mistake in the program: the traceback."""

    def __init__(self, load_core: Callable[[], Core], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.previews: Mailbox[PreviewResult] = Mailbox()
        self._load_core = load_core
        self._changed = threading.Condition()
        self._stop = False
        self._request: PreviewRequest | None = None
        self._previewing = False
        """Whether the request has steps left."""
        self._tasks: list[Task] = []
        self._cancelled: list[Task] = []

    def preview(self, request: PreviewRequest | None) -> None:
        """Show this next, whatever is being previewed; None stops."""
        with self._changed:
            self._request, self._previewing = request, request is not None
            self._changed.notify()

    def submit(self, task: Task) -> None:
        """Do this when no preview is wanted."""
        with self._changed:
            self._tasks.append(task)
            self._changed.notify()

    def hold(self, task: Task) -> None:
        """Pause a task after its current step, until it is submitted again."""
        with self._changed:
            if task in self._tasks:
                self._tasks.remove(task)

    def cancel(self, task: Task) -> None:
        """End a task after its current step, held or not; `ended` follows."""
        self.hold(task)
        with self._changed:
            self._cancelled.append(task)
            self._changed.notify()

    def close(self) -> None:
        """Cancel everything and wait for the thread; what was half written is gone then."""
        with self._changed:
            self._stop = True
            self._changed.notify()
        self.wait()

    def run(self) -> None:
        """Work until closed."""
        try:
            core = self._load_core()
        except FlairError as error:
            self._refuse(str(error))
        except Exception as error:
            words = self.tr("The restoration core can't be loaded ({0}). Run `flair doctor` for details.")
            self._refuse(words.format(error))
        else:
            self.ready.emit(core.offer())
            loading.behind_the_window()  # an import that stands back would hold the interpreter's lock longer
            self._work(core)

    def _refuse(self, message: str) -> None:
        """Without a core: answer everything with the reason."""
        self.unusable.emit(message)
        while self._await_work():
            for cancelled in self._take_cancelled():
                self._end(cancelled, {}, Outcome.CANCELLED)
            request, task = self._next()
            if request is not None:
                self._done_with(request)
                self.preview_failed.emit(request, message)
            elif task is not None:
                self._end(task, {}, Outcome.FAILED, message)

    def _work(self, core: Core) -> None:
        runs: dict[Task, Events] = {}
        with contextlib.closing(_Previewer(core)) as previewer:
            while self._await_work():
                for cancelled in self._take_cancelled():
                    self._end(cancelled, runs, Outcome.CANCELLED)
                request, task = self._next()
                if request is not None:
                    self._advance_preview(previewer, request)
                elif task is not None:
                    self._advance(task, runs, core)
            for open_task in list(runs):
                self._end(open_task, runs, Outcome.CANCELLED)

    def _await_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stop or self._previewing or self._tasks or self._cancelled)
            return not self._stop

    def _take_cancelled(self) -> list[Task]:
        with self._changed:
            cancelled, self._cancelled = self._cancelled, []
        return cancelled

    def _next(self) -> tuple[PreviewRequest | None, Task | None]:
        with self._changed:
            request = self._request if self._previewing else None
            return request, min(self._tasks, key=lambda task: task.order, default=None)

    def _advance_preview(self, previewer: _Previewer, request: PreviewRequest) -> None:
        try:
            result = previewer.advance(request)
        except FlairError as error:
            result = None
            self.preview_failed.emit(request, str(error))
        except Exception:
            result = None
            self.crashed.emit(traceback.format_exc())
        if result is not None and self.previews.put(result):
            self.previewed.emit()
        if result is None or result.complete:
            self._done_with(request)

    def _done_with(self, request: PreviewRequest) -> None:
        with self._changed:
            if self._request is request:
                self._previewing = False

    def _advance(self, task: Task, runs: dict[Task, Events], core: Core) -> None:
        try:
            event = next(runs.setdefault(task, task.run(core)))
        except StopIteration:
            self._end(task, runs, Outcome.DONE)
        except FlairError as error:
            self._end(task, runs, Outcome.FAILED, str(error))
        except Exception:
            self._end(task, runs, Outcome.FAILED, self.tr("Something unexpected went wrong."))
            self.crashed.emit(traceback.format_exc())
        else:
            if event is not None:
                self.progressed.emit(task, event)

    def _end(self, task: Task, runs: dict[Task, Events], outcome: Outcome, message: str = "") -> None:
        if (run := runs.pop(task, None)) is not None:
            run.close()
        with self._changed:
            if task in self._tasks:
                self._tasks.remove(task)
        self.ended.emit(task, outcome, message)


class _Previewer:
    """Holds the chain of the request at work and a reader of its clip."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._request: PreviewRequest | None = None
        self._steps: Iterator[PreviewResult] = iter(())
        self._opened: tuple[Path, FootageSettings] | None = None
        self._open = contextlib.ExitStack()
        self._source: FrameSource | None = None

    def advance(self, request: PreviewRequest) -> PreviewResult | None:
        """One more step of the request; None after the last."""
        if request is not self._request:
            self._request, self._steps = None, iter(())
            self._steps = request.run(
                self._core, self._reader(request.clip, request.look.settings.footage), again=True
            )
            self._request = request
        return next(self._steps, None)

    def _reader(self, path: Path, footage: FootageSettings) -> FrameSource:
        if self._source is None or (path, footage) != self._opened:
            self.close()
            self._source = self._open.enter_context(self._core.open_source(path, footage))
            self._opened = path, footage
        return self._source

    def close(self) -> None:
        """Let the clip go."""
        self._steps, self._source, self._opened = iter(()), None, None
        self._open.close()
