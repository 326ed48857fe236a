"""The list of render jobs: one row each in SQLite, so that it survives everything.

A job that is being worked on holds a file lock. The system lets go of it when the process dies, however it
dies, and then the job counts as paused: its restored faces lie in the cache, and it goes on from there.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock, Timeout

from flair_core.errors import FlairError, JobError
from flair_core.jobs.request import Request

FORMAT = 1
"""Of the table; a later program may need another."""
REMEMBERED = 14 * 86400.0
"""Seconds for which the cache keeps what an unfinished job has done."""
INTERRUPTED = "The program ended before the job was done."
SCHEMA = """
    CREATE TABLE IF NOT EXISTS jobs (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        place INTEGER NOT NULL,
        request TEXT NOT NULL,
        state TEXT NOT NULL,
        done INTEGER NOT NULL DEFAULT 0,
        total INTEGER NOT NULL DEFAULT 0,
        error TEXT NOT NULL DEFAULT '',
        notes TEXT NOT NULL DEFAULT '[]',
        created REAL NOT NULL,
        updated REAL NOT NULL
    )
"""


class State(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINISHED = (State.DONE, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Job:
    """A row of the list, as it was when it was read."""

    id: int
    request: Request
    state: State
    done: int
    """Frames that are finished."""
    total: int
    """0 until it has begun."""
    error: str
    """Why it failed or was interrupted; one sentence."""
    notes: tuple[str, ...]
    """What a person should know of the result."""
    created: float
    """Seconds since 1970."""
    updated: float


def default_path() -> Path:
    """The user's list."""
    return platformdirs.user_data_path("flair-studio", appauthor=False) / "jobs.sqlite"


class Jobs:
    """The list in one file, for any number of programs and threads at once. Methods raise JobError.

    for job in jobs.list(): ...          # in the order in which they will be done
    while job := jobs.next():            # a queue
        for progress in render.run(jobs, job): ...
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable(error) from None
        with self._database() as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if version > FORMAT:
                raise JobError(f"The job list {self.path} was made by a newer version; update this one.")
            database.execute(SCHEMA)
            database.execute(f"PRAGMA user_version = {FORMAT}")

    def list(self) -> tuple[Job, ...]:
        """All jobs, in order; what another version wrote and this one does not understand is left out."""
        self._find_interrupted()
        with self._database() as database:
            rows = database.execute("SELECT * FROM jobs ORDER BY place, id").fetchall()
        return tuple(job for job in map(_job, rows) if job is not None)

    def get(self, id: int) -> Job:
        """One job."""
        for job in self.list():
            if job.id == id:
                return job
        raise JobError(f"There is no job {id}; see `flair jobs list`.")

    def next(self) -> Job | None:
        """The first one that waits; None when none does."""
        return next((job for job in self.list() if job.state is State.QUEUED), None)

    def add(self, request: Request) -> Job:
        """Queue a job at the end; one for the same output that is not finished is replaced, in its place.

        Raises JobError when that one is being worked on.
        """
        for job in self.list():
            if job.request.output == request.output and job.state not in FINISHED:
                with self._locked(job.id):
                    self._update(job.id, request=request.to_json(), state=State.QUEUED, done=0, error="")
                return self.get(job.id)
        now = time.time()
        with self._database() as database:
            (place,) = database.execute("SELECT COALESCE(MAX(place), 0) + 1 FROM jobs").fetchone()
            added = database.execute(
                "INSERT INTO jobs (place, request, state, created, updated) VALUES (?, ?, ?, ?, ?)",
                (place, request.to_json(), State.QUEUED, now, now),
            )
        assert added.lastrowid is not None
        return self.get(added.lastrowid)

    def pause(self, id: int) -> None:
        """Let a job rest; one that is being worked on stops after its current window."""
        self._change(id, State.PAUSED, (State.QUEUED, State.RUNNING))

    def cancel(self, id: int) -> None:
        """Give a job up; one that is being worked on stops after its current window and leaves no output."""
        self._change(id, State.CANCELLED, (State.QUEUED, State.RUNNING, State.PAUSED, State.FAILED))

    def retry(self, id: int) -> None:
        """Queue a job again; it goes on where it was."""
        self._change(id, State.QUEUED, (State.PAUSED, State.FAILED, State.CANCELLED, State.DONE))

    def move(self, id: int, place: int) -> None:
        """Put a job at position `place` of the list, counted from 0."""
        order = [job.id for job in self.list() if job.id != id]
        order.insert(max(place, 0), self.get(id).id)
        with self._database() as database:
            database.executemany("UPDATE jobs SET place = ? WHERE id = ?", list(enumerate(order)))

    def clear(self) -> int:
        """Forget the jobs that are finished or given up, and their logs; returns how many."""
        over = [job.id for job in self.list() if job.state in FINISHED]
        with self._database() as database:
            database.executemany("DELETE FROM jobs WHERE id = ?", [(id,) for id in over])
        for id in over:
            with contextlib.suppress(OSError):
                self._log(id).unlink(missing_ok=True)
        return len(over)

    def log(self, id: int, text: str) -> None:
        """Append a line to what happened to a job, with the time; a full disk is no reason to stop."""
        with contextlib.suppress(OSError), self._log(id).open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {text}\n")

    def read_log(self, id: int) -> str:
        """What happened to a job so far, one line each; empty when nothing did."""
        try:
            return self._log(id).read_text(encoding="utf-8")
        except OSError:
            return ""

    def kept_since(self) -> float:
        """When the oldest job began that may still go on, or now: what is newer must stay in the cache."""
        now = time.time()
        waiting = [
            job.created for job in self.list() if job.state not in FINISHED and job.updated > now - REMEMBERED
        ]
        return min(waiting, default=now)

    @contextlib.contextmanager
    def working_on(self, id: int) -> Iterator[None]:
        """While a job is being worked on: it counts as running, and afterwards as what became of it.

        Without `finish` it is paused then, or failed with the sentence of the FlairError that passes through.
        Raises JobError when another program works on it.
        """
        with self._locked(id):
            self._update(id, state=State.RUNNING, error="")
            self.log(id, "started")
            outcome, error = State.PAUSED, ""
            try:
                yield
            except FlairError as failure:
                outcome, error = State.FAILED, str(failure)
                raise
            except Exception as failure:
                outcome, error = State.FAILED, f"Something unexpected went wrong: {failure!r}"
                raise
            finally:
                with contextlib.suppress(JobError):  # a full disk must not hide the reason
                    if self.state(id) is State.RUNNING:
                        self._update(id, state=outcome, error=error)
                    self.log(id, f"{self.state(id)}: {error}" if error else str(self.state(id)))

    def report(self, id: int, done: int, total: int) -> bool:
        """Note how far a job is; whether it is still wanted."""
        self._update(id, done=done, total=total)
        return self.state(id) is State.RUNNING

    def finish(self, id: int, notes: tuple[str, ...]) -> None:
        """The output of a job is complete."""
        self._update(id, state=State.DONE, notes=json.dumps(notes))
        for note in notes:
            self.log(id, note)

    def state(self, id: int) -> State:
        """The state of a job as it was written last."""
        with self._database() as database:
            row = database.execute("SELECT state FROM jobs WHERE id = ?", (id,)).fetchone()
        return State(row["state"]) if row else State.CANCELLED

    def _change(self, id: int, state: State, before: tuple[State, ...]) -> None:
        job = self.get(id)
        if job.state not in before:
            wanted = " or ".join(before)
            raise JobError(f"Job {id} is {job.state}; only one that is {wanted} can become {state}.")
        self._update(id, state=state, error="")
        self.log(id, state)

    def _update(self, id: int, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        with self._database() as database:
            database.execute(
                f"UPDATE jobs SET {columns}, updated = ? WHERE id = ?", (*values.values(), time.time(), id)
            )

    def _find_interrupted(self) -> None:
        """Jobs that count as running, but nobody holds their lock: the program that did was killed."""
        with self._database() as database:
            running = database.execute("SELECT id FROM jobs WHERE state = ?", (State.RUNNING,)).fetchall()
        for (id,) in running:
            with contextlib.suppress(Timeout), self._lock(id).acquire(blocking=False):
                if self.state(id) is State.RUNNING:
                    self._update(id, state=State.PAUSED, error=INTERRUPTED)

    @contextlib.contextmanager
    def _locked(self, id: int) -> Iterator[None]:
        try:
            lock = self._lock(id).acquire(timeout=1)  # whoever only looks whether it is free is quick
        except Timeout:
            raise JobError(
                f"Job {id} is being worked on by another program; wait for it, or pause it there."
            ) from None
        with lock:
            yield

    def _log(self, id: int) -> Path:
        return self.path.with_name(f"job-{id}.log")

    def _lock(self, id: int) -> FileLock:
        return FileLock(self.path.with_name(f"job-{id}.lock"), thread_local=False)

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """One transaction."""
        try:
            database = sqlite3.connect(self.path, timeout=30)
            database.row_factory = sqlite3.Row
            with contextlib.closing(database), database:
                yield database
        except sqlite3.Error as error:
            raise self._unusable(error) from None

    def _unusable(self, error: Exception) -> JobError:
        return JobError(
            f"The job list {self.path} can't be used ({error}). Free space, make it writable, or delete it."
        )


def _job(row: sqlite3.Row) -> Job | None:
    try:
        request = Request.from_json(row["request"])
    except (FlairError, ValueError, KeyError, TypeError):
        return None
    return Job(
        row["id"],
        request,
        State(row["state"]),
        row["done"],
        row["total"],
        row["error"],
        tuple(json.loads(row["notes"])),
        row["created"],
        row["updated"],
    )
