"""Overlapping windows of frames: where each one begins, and how neighbours share the frames of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


OVERLAP = 3
"""Frames that neighbouring windows have in common, as in the released program."""


@dataclass(frozen=True, slots=True)
class Window:
    """Frames [first, last) are looked at together; those before `first_new` are in the window before, too."""

    first: int
    first_new: int
    last: int

    @property
    def overlap(self) -> int:
        """How many frames the window before has, too."""
        return self.first_new - self.first

    @property
    def middle(self) -> int:
        """The middle one of its new frames: its settings are those of the window."""
        return (self.first_new + self.last - 1) // 2

    def share(self, index: int) -> float:
        """How much of a frame comes from this window and not from the one before: rises over the overlap to 1."""
        return min(1.0, (index - self.first + 1) / (self.overlap + 1))


def overlap(length: int) -> int:
    """Frames that windows of `length` frames share; so few that no frame is in more than two of them."""
    return min(OVERLAP, (length - 1) // 2)


def windows(
    first: int, last: int, length: int, overlap: int = 0, span: range | None = None
) -> Iterator[Window]:
    """Cover frames [first, last) by windows of `length` frames, each repeating `overlap` frames of the one before.

    The grid begins at `first`; the last window may be shorter.  span: only those that hold some of these frames.
    """
    span = span or range(first, last)
    stride = length - overlap
    start = first + stride * max(0, (span.start - first - length) // stride + 1)
    while start < min(last, span.stop):
        stop = min(start + length, last)
        yield Window(start, start if start == first else start + overlap, stop)
        if stop == last:
            return
        start += stride
