"""Newest value wins: a slow reader never finds more than one value waiting."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Mailbox(Generic[Value]):
    """Holds at most one value; safe between threads."""

    def __init__(self) -> None:
        self._filled = threading.Condition()
        self._value: Value | None = None

    def put(self, value: Value) -> bool:
        """Replace the value; True when the reader must be woken."""
        with self._filled:
            wake, self._value = self._value is None, value
            self._filled.notify()
        return wake

    @property
    def filled(self) -> bool:
        """Whether a value waits."""
        return self._value is not None

    def take(self) -> Value | None:
        """Empty the mailbox; None when nothing lay in it."""
        with self._filled:
            value, self._value = self._value, None
        return value

    def wait(self) -> Value:
        """Empty the mailbox, waiting until something lies in it."""
        with self._filled:
            self._filled.wait_for(lambda: self._value is not None)
            value, self._value = self._value, None
        assert value is not None
        return value
