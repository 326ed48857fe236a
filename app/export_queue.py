"""The window's side of the job list: one job after the other through the worker, and news for the widgets."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.tasks import Exported, RunJob
from flair_core.errors import JobError
from flair_core.jobs.queue import FINISHED, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.worker import Outcome, Worker
    from flair_core.jobs.queue import Job, Jobs
    from flair_core.jobs.request import Request


@dataclass(slots=True)
class Pace:
    """How far the job at work is, and how fast."""

    now: Exported
    started: float
    """When the first frame was written."""
    first: int
    """How many frames were done then."""

    def seconds_left(self) -> float | None:
        """A guess from the pace so far; None before the second frame."""
        done = self.now.done - self.first
        if self.now.stage != "restore" or done < 1:
            return None
        return (time.monotonic() - self.started) / done * (self.now.total - self.now.done)


class ExportQueue(QObject):
    """Runs the jobs of the list in their order, as long as there is one that waits."""

    changed = Signal()
    """The list is another one."""
    advanced = Signal()
    """The job at work has written a frame."""
    ended = Signal(object)
    """Job: done, or failed."""
    said = Signal(str)

    def __init__(self, worker: Worker, jobs: Jobs, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker, self._list = worker, jobs
        self._task: RunJob | None = None
        self.pace: Pace | None = None
        """Of the job at work."""
        self.jobs: tuple[Job, ...] = jobs.list()
        worker.progressed.connect(self._progressed)
        worker.ended.connect(self._ended)

    @property
    def running(self) -> Job | None:
        """The job at work in this program."""
        return self._task.job if self._task else None

    @property
    def open(self) -> list[Job]:
        """Jobs that are not over."""
        return [job for job in self.jobs if job.state not in (*FINISHED, State.FAILED)]

    def add(self, request: Request) -> None:
        """Append a job."""
        self._change(lambda: self._list.add(request))

    def pause(self, job: Job) -> None:
        """Let a job rest."""
        if self._task is not None and self._task.job.id == job.id:
            self._worker.cancel(self._task)  # which counts as a pause, unless the list says otherwise
        else:
            self._change(lambda: self._list.pause(job.id))

    def cancel(self, job: Job) -> None:
        """Give a job up; nothing of its output stays."""
        self._change(lambda: self._list.cancel(job.id))
        if self._task is not None and self._task.job.id == job.id:
            self._worker.cancel(self._task)

    def resume(self, *jobs: Job) -> None:
        """Let jobs wait for their turn again; each goes on where it was."""
        for job in jobs:
            if job.state is not State.QUEUED:
                self._change(partial(self._list.retry, job.id))
        self._run_next()

    def move_up(self, job: Job) -> None:
        """Let a job run before the one in front of it."""
        place = [other.id for other in self.jobs].index(job.id)
        self._change(lambda: self._list.move(job.id, place - 1))

    def move_down(self, job: Job) -> None:
        """Let a job run after the one behind it."""
        place = [other.id for other in self.jobs].index(job.id)
        self._change(lambda: self._list.move(job.id, place + 1))

    def log(self, job: Job) -> str:
        """What happened to a job so far."""
        return self._list.read_log(job.id)

    def clear(self) -> None:
        """Forget the jobs that are over."""
        self._change(self._list.clear)

    def _change(self, act: Callable[[], object]) -> None:
        try:
            act()
        except JobError as error:
            self.said.emit(str(error))
        self._run_next()

    def _run_next(self) -> None:
        try:
            if self._task is None and (job := self._list.next()) is not None:
                self._task, self.pace = RunJob(self._list, job), None
                self._worker.submit(self._task)
            self.jobs = self._list.list()
        except JobError as error:
            self.said.emit(str(error))
        self.changed.emit()

    def _progressed(self, task: object, event: object) -> None:
        if task is self._task and isinstance(event, Exported):
            if self.pace is None or self.pace.now.stage != event.stage:
                self.pace = Pace(event, time.monotonic(), event.done)
            self.pace.now = event
            self.advanced.emit()

    def _ended(self, task: object, _: Outcome, message: str) -> None:
        if task is not self._task or self._task is None:
            return
        id, self._task, self.pace = self._task.job.id, None, None
        self._run_next()
        job = next((job for job in self.jobs if job.id == id), None)
        if job is not None and job.state in (State.DONE, State.FAILED):
            self.ended.emit(job)
        elif message:
            self.said.emit(message)
