"""Exports one after the other; what waits survives a restart."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app import preferences
from app.project import DrawnFace, write_atomically
from app.tasks import Export, Exported
from app.worker import Outcome
from flair_core.errors import FlairError
from flair_core.settings import RestorationSettings

if TYPE_CHECKING:
    from app.worker import Worker


class State(Enum):
    """Where a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (State.WAITING, State.RUNNING, State.PAUSED)


@dataclass(slots=True, eq=False)
class Job:
    """An export and how far it is."""

    task: Export
    state: State = State.WAITING
    progress: Exported | None = None
    message: str = ""
    _started: float = 0.0

    def seconds_left(self) -> float | None:
        """A guess from the pace so far; None before the first frames."""
        now = self.progress
        if now is None or now.stage != "frames" or now.done < 2 or self.state is not State.RUNNING:
            return None
        return (time.monotonic() - self._started) / (now.done - 1) * (now.total - now.done)

    def advance(self, progress: Exported) -> None:
        """Take news from the worker."""
        if progress.stage == "frames" and (self.progress is None or self.progress.stage != "frames"):
            self._started = time.monotonic()
        self.progress = progress


class ExportQueue(QObject):
    """The list of jobs; the first one that waits is the next to run."""

    changed = Signal()
    ended = Signal(object)
    """A job that is done or failed."""
    advanced = Signal(object)
    """The job that runs."""

    def __init__(self, worker: Worker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker = worker
        self.jobs: list[Job] = []
        worker.progressed.connect(self._progressed)
        worker.ended.connect(self._ended)

    @property
    def running(self) -> Job | None:
        """The job at work."""
        return next((job for job in self.jobs if job.state is State.RUNNING), None)

    @property
    def open(self) -> list[Job]:
        """Jobs that are not over."""
        return [job for job in self.jobs if job.state in OPEN]

    def add(self, task: Export) -> Job:
        """Append a job, and start it when nothing else runs."""
        self.jobs.append(job := Job(task))
        self._run_next()
        return job

    def cancel(self, job: Job) -> None:
        """Stop a job; what it has written goes."""
        if job.state in (State.RUNNING, State.PAUSED):
            self._worker.cancel(job.task)
        if job.state in OPEN:
            job.state = State.CANCELLED
            self._run_next()

    def pause(self, job: Job) -> None:
        """Hold a job; those behind it go on."""
        if job.state is State.RUNNING:
            self._worker.hold(job.task)
        if job.state in (State.RUNNING, State.WAITING):
            job.state = State.PAUSED
            self._run_next()

    def resume(self, job: Job) -> None:
        """Let a job wait for its turn again: a paused one goes on, one that is over starts anew."""
        if job.state is not State.PAUSED:
            job.progress, job.message = None, ""
        job.state = State.WAITING
        self._run_next()

    def remove(self, job: Job) -> None:
        """Take a job off the list."""
        self.cancel(job)
        self.jobs.remove(job)
        self._tell()

    def move_up(self, job: Job) -> None:
        """Let a job run before the one in front of it."""
        at = self.jobs.index(job)
        if at > 0:
            self.jobs[at - 1 : at + 1] = [job, self.jobs[at - 1]]
            self._tell()

    def _run_next(self) -> None:
        if self.running is None:
            job = next((job for job in self.jobs if job.state is State.WAITING), None)
            if job is not None:
                job.state = State.RUNNING
                self._worker.submit(job.task)  # goes on where a pause stopped it
        self._tell()

    def _tell(self) -> None:
        self._save()
        self.changed.emit()

    def _job_of(self, task: object) -> Job | None:
        return next((job for job in self.jobs if job.task is task), None)

    def _progressed(self, task: object, event: object) -> None:
        job = self._job_of(task)
        if job is not None and isinstance(event, Exported):
            job.advance(event)
            self.advanced.emit(job)

    def _ended(self, task: object, outcome: Outcome, message: str) -> None:
        job = self._job_of(task)
        if job is None or job.state is State.CANCELLED:
            return
        job.message = message
        job.state = {
            Outcome.DONE: State.DONE,
            Outcome.FAILED: State.FAILED,
            Outcome.CANCELLED: State.CANCELLED,
        }[outcome]
        self._run_next()
        self.ended.emit(job)

    # --- across restarts ------------------------------------------------------------------------

    def _save(self) -> None:
        try:
            write_atomically(_file(), json.dumps([_record(job.task) for job in self.open], indent=2))
        except OSError:
            return  # the queue still works; it just won't survive

    def restore(self) -> int:
        """Bring back, paused, what was open when the application last ended; returns how many jobs."""
        try:
            tasks = [_task(record) for record in json.loads(_file().read_text(encoding="utf-8"))]
        except (OSError, ValueError, KeyError, TypeError, FlairError):
            return 0
        self.jobs += [Job(task, State.PAUSED) for task in tasks]
        self.changed.emit()
        return len(tasks)


def _file() -> Path:
    return preferences.folder() / "queue.json"


def _record(task: Export) -> dict[str, Any]:
    return {
        "clip": str(task.clip),
        "output": str(task.output),
        "span": [task.span.start, task.span.stop],
        "settings": json.loads(task.settings.to_json()),
        "left_out": sorted(task.left_out),
        "drawn": [asdict(face) for face in task.drawn],
        "codec": task.codec,
    }


def _task(record: dict[str, Any]) -> Export:
    """Without the faces found then: they are searched again."""
    return Export(
        clip=Path(record["clip"]),
        output=Path(record["output"]),
        span=range(*record["span"]),
        settings=RestorationSettings.from_json(json.dumps(record["settings"])),
        left_out=frozenset(record["left_out"]),
        drawn=tuple(DrawnFace(tuple(face["box"]), face["first"], face["last"]) for face in record["drawn"]),
        codec=record["codec"],
    )
