"""Undoable edits: each swaps one immutable project for another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from PySide6.QtGui import QUndoCommand

if TYPE_CHECKING:
    from app.session import Session
    from flair_core.project import Project

MERGE_SECONDS = 1.0
"""A slider drawn without a longer pause is one edit."""


class EditProject(QUndoCommand):
    """Replace the session's project; edits of the same `subject` in quick succession become one."""

    def __init__(self, session: Session, text: str, after: Project, subject: str | None) -> None:
        super().__init__(text)
        self._session, self._before, self._after = session, session.project, after
        self._subject, self._time = subject, time.monotonic()

    def redo(self) -> None:
        """Put the edited project in place."""
        self._session.adopt(self._after)

    def undo(self) -> None:
        """Put the former project back."""
        self._session.adopt(self._before)

    def id(self) -> int:
        """Qt offers commands with the same id for merging."""
        return 1 if self._subject else -1

    def mergeWith(self, other: QUndoCommand) -> bool:  # noqa: N802 - Qt's name
        """Take a later edit of the same subject into this one."""
        if not isinstance(other, EditProject) or other._subject != self._subject:
            return False
        if other._time - self._time > MERGE_SECONDS:
            return False
        self._after, self._time = other._after, other._time
        return True
