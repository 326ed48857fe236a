"""Reading clips: what every source of frames can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from flair_core.frames import Frame, VideoInfo


class FrameSource(ABC):
    """Frames of a clip in order of display, upright, as full-range R'G'B'.

    Any order of access gives the same frames. One thread at a time may use an instance; the iterators that
    `frames` makes are independent of it and of each other.
    """

    path: Path

    @property
    @abstractmethod
    def info(self) -> VideoInfo:
        """Size, rate and tags; `length` is exact after `len`."""

    @property
    @abstractmethod
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the clip: one sentence each, more as reading goes on."""

    @abstractmethod
    def __len__(self) -> int:
        """Number of frames; waits for the index. Raises MediaError."""

    @property
    @abstractmethod
    def pts(self) -> Sequence[int]:
        """Time of each frame in units of `info.time_base`, increasing; waits for the index."""

    @abstractmethod
    def __getitem__(self, index: int) -> Frame:
        """Frame `index`, counted from 0; negative counts from the end. Raises IndexError, MediaError."""

    @abstractmethod
    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames `start` ≤ index < `stop` in order; holds one frame at a time. Raises MediaError."""

    @abstractmethod
    def thumbnails(self, indices: Iterable[int], height: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """(index, small picture of about that moment) for each of `indices`; ascending ones are fastest."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the file; what is known of the clip stays."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _position(self, index: int) -> int:
        """A valid index, negatives counted from the end. Raises IndexError."""
        length = len(self)
        if not -length <= index < length:
            raise IndexError(f"Frame {index} was asked for, but {self.path.name} has {length} frames.")
        return index % length
