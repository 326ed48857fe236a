"""Frames that keep coming: one that can't be read is replaced by the last good one, and reported."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flair_core.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flair_core.frames import Frame
    from flair_core.video import FrameSource

MOST_HELD = 25
"""So many frames in a row may be unreadable; more of them are no blemish, but a clip that is gone."""


def steady(source: FrameSource, span: range, notes: list[str]) -> Iterator[Frame]:
    """The frames of a span; for an unreadable one the last good one is held, at the start the first good one.

    `notes` gets one sentence for each run of them. Raises MediaError when the clip can't be read on.
    """
    last: Frame | None = None
    unread: list[int] = []
    position = span.start
    incoming = source.frames(span.start, span.stop)
    while position < span.stop:
        try:
            frame = next(incoming, None)
        except MediaError:
            if not source.path.exists():
                raise MediaError(
                    f"{source.path} vanished while it was read. Bring it back and run again; "
                    "what was restored is kept."
                ) from None
            if len(unread) == MOST_HELD:
                raise
            unread.append(position)
            position += 1
            incoming = source.frames(position, span.stop)
            continue
        if frame is None:
            break
        yield from _held(unread, last or frame, notes)
        unread = []
        yield frame
        last, position = frame, frame.index + 1
    if last is None and unread:
        raise MediaError(f"None of the frames {span.start} to {span.stop - 1} of {source.path} can be read.")
    if last is not None:
        yield from _held(unread, last, notes)


def _held(indices: list[int], good: Frame, notes: list[str]) -> Iterator[Frame]:
    """`good` in the place of other frames."""
    if indices:
        frames = f"Frame {indices[0]}" if len(indices) == 1 else f"Frames {indices[0]} to {indices[-1]}"
        notes.append(f"{frames} can't be read; frame {good.index} is shown instead.")
    for index in indices:
        yield replace(good, index=index, pts=good.pts + good.duration * (index - good.index))
