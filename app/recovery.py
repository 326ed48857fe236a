"""Unsaved work, kept aside: each running program has a place for its own, and finds what a crash left behind."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from app import preferences
from flair_core.errors import FlairError
from flair_core.project import SUFFIX, Project, ProjectError, read, write

if TYPE_CHECKING:
    from collections.abc import Iterator

ORIGIN = "recovered from"
"""Where the project lies that this is the unsaved work on."""


class Recovery:
    """One file under a lock that the system lets go of when the program ends, however it ends."""

    def __init__(self) -> None:
        self._file: Path | None = None
        self._lock: FileLock | None = None
        self._kept: Project | None = None

    def keep(self, project: Project, path: Path | None) -> None:
        """Write a project aside, unless it is there already; `path` is where it was saved last."""
        if project is self._kept:
            return
        if self._file is None:
            self._take(next(self._free()))
        assert self._file is not None
        noted = replace(project, unknown={**project.unknown, ORIGIN: str(path) if path else None})
        with contextlib.suppress(ProjectError):  # a full disk must not interrupt the work; saving will say so
            write(noted, self._file)
            self._kept = project

    def forget(self) -> None:
        """Nothing is unsaved any more."""
        self._kept = None
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def left_behind(self) -> tuple[Project, Path | None] | None:
        """The latest work of a program that ended without saving it, and where that was saved last.

        From now on this is the work of this program: what it keeps or forgets, it keeps or forgets there.
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
            self._take((file, lock))
            unknown = dict(project.unknown)
            origin = unknown.pop(ORIGIN, None)
            return replace(project, unknown=unknown), Path(origin) if origin else None
        return None

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
