"""Overlapping windows of frames: where each one begins, and which of its frames are new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Window:
    """Frames [first, last) are looked at together; those before `fresh` were results of the window before."""

    first: int
    fresh: int
    last: int

    @property
    def overlap(self) -> int:
        """How many frames the window before has restored already."""
        return self.fresh - self.first


def windows(first: int, last: int, length: int, overlap: int = 0) -> Iterator[Window]:
    """Cover frames [first, last) by windows of `length` frames, each repeating `overlap` frames of the one before.

    The grid begins at `first`; the last window may be shorter.
    """
    start = first
    while start < last:
        stop = min(start + length, last)
        yield Window(start, start if start == first else start + overlap, stop)
        if stop == last:
            return
        start += length - overlap
