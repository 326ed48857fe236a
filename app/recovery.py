"""Unsaved work, kept aside: each running program has a place for its own, and finds what a crash left behind."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from app import preferences
from flair_core.errors import FlairError
from flair_core.settings.project import SUFFIX, Project, ProjectError, read, write

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN = "recovered from"
"""Where the project lies that this is the unsaved work on."""


class Recovery:
    """One file under a lock that the system lets go of when the program ends, however it ends."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._lock: FileLock | None = None
        self._found: tuple[Path, FileLock] | None = None
        """What a crash left behind, until someone decides what shall become of it."""
        self._kept: Project | None = None
        self._writing = threading.Thread()

    def keep(self, project: Project, path: Path | None) -> None:
        """Write a project aside, unless it is there already; `path` is where it was saved last.

        That is done on a thread, so that nobody waits for the disk. While the one before is still at it, nothing
        happens: a later call will write what is new.
        """
        if project is self._kept or self._writing.is_alive():
            return
        if self._file is None:
            self._take(next(self._free()))
        noted = replace(project, unknown={**project.unknown, ORIGIN: str(path) if path else None})
        self._writing = threading.Thread(target=self._write, args=(project, noted, self._file))
        self._writing.start()

    def _write(self, project: Project, noted: Project, file: Path) -> None:
        with contextlib.suppress(ProjectError):  # a full disk must not interrupt the work; saving will say so
            write(noted, file)
            self._kept = project

    def settle(self) -> None:
        """Wait until what is to be kept lies on the disk."""
        if self._writing.is_alive():
            self._writing.join()

    def forget(self) -> None:
        """Nothing is unsaved any more."""
        self.settle()
        self._kept = None
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def left_behind(self) -> tuple[Project, Path | None] | None:
        """The latest work of a program that ended without saving it, and where that was saved last.

        It stays as it is, also for the next start, until it is taken up or discarded.
        """
        for file in sorted(_folder().glob(f"*{SUFFIX}"), key=lambda file: file.stat().st_mtime, reverse=True):
            lock = _locked(file)
            if lock is None:
                continue
            try:
                project = read(file)
            except FlairError:
                lock.release()
                continue
            self._found = (file, lock)
            unknown = dict(project.unknown)
            origin = unknown.pop(ORIGIN, None)
            return replace(project, unknown=unknown), Path(origin) if origin else None
        return None

    def take_up(self) -> None:
        """What was found is the work of this program now: what it keeps or forgets, it keeps or forgets there."""
        assert self._found is not None
        self.forget()
        self._take(self._found)
        self._found = None

    def discard(self) -> None:
        """Nobody wants what was found."""
        assert self._found is not None
        file, lock = self._found
        file.unlink(missing_ok=True)
        lock.release()
        self._found = None

    def _take(self, place: tuple[Path, FileLock]) -> None:
        if self._lock is not None:
            self._lock.release()
        self._file, self._lock = place

    def _free(self) -> Iterator[tuple[Path, FileLock]]:
        """Places where no program keeps anything."""
        for number in count():
            file = _folder() / f"{number}{SUFFIX}"
            if not file.exists() and (lock := _locked(file)) is not None:
                yield file, lock


def _folder() -> Path:
    return preferences.folder() / "recovery"


def _locked(file: Path) -> FileLock | None:
    """The lock of a place; None when another program has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(file.with_suffix(".lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return None
    return lock
