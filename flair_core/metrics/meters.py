"""What a metric is: told one pair of frames after the other, it has a score at the end."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

MIDDLE = 128
"""Grey level that stands where a network must not look."""


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A clean frame and its restoration, (H, W, 3) uint8."""

    clean: NDArray[np.uint8]
    restored: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None = None
    """(H, W): the region that counts; None is the whole frame."""
    observed: NDArray[np.uint8] | None = None
    """(h, w, 3): the degraded frame y."""

    def hidden(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Both frames, grey outside of the mask: what networks are shown."""
        if self.mask is None:
            return self.clean, self.restored
        outside = ~self.mask[..., None]
        return (
            np.where(outside, np.uint8(MIDDLE), self.clean),
            np.where(outside, np.uint8(MIDDLE), self.restored),
        )


class Meter(Protocol):
    """A metric at work."""

    @abstractmethod
    def add(self, pair: Pair) -> float | None:
        """Take the next pair of a clip; returns its own value, None when it has none."""

    @abstractmethod
    def cut(self) -> None:
        """The next pair belongs to another clip."""

    @abstractmethod
    def result(self) -> float:
        """The score of all that was added; NaN when that is too little."""


class Mean(Meter):
    """The mean of a value that every pair has on its own; pairs for which it is None don't count."""

    def __init__(self, value: Callable[[Pair], float | None]) -> None:
        self._value = value
        self._values: list[float] = []

    def add(self, pair: Pair) -> float | None:
        """See Meter."""
        value = self._value(pair)
        if value is not None:
            self._values.append(value)
        return value

    def cut(self) -> None:
        """Pairs are independent."""

    def result(self) -> float:
        """See Meter."""
        return float(np.mean(self._values)) if self._values else float("nan")
