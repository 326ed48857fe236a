"""What makes frames between frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from flair_core.errors import SettingsError

if TYPE_CHECKING:
    from flair_core.frames import Pixels


def times(factor: int) -> list[float]:
    """The moments k / factor, 0 < k < factor, of the frames that multiply a frame rate by `factor`.

    The released program adds up floats instead and so, for 3, 6, 7 or 14, meets t = 1, where the network
    divides by zero. Raises SettingsError unless factor is 1 or more.
    """
    if factor < 1:
        raise SettingsError(f"Frames can be multiplied by 1, 2, 3, …, but got {factor}.")
    return [k / factor for k in range(1, factor)]


class Interpolator(Protocol):
    """Predicts how a scene looks between two of its frames."""

    def between(self, before: Pixels, after: Pixels, moments: Sequence[float]) -> list[Pixels]:
        """Frames (H, W, 3) at moments between 0 (`before`) and 1 (`after`), of their type."""
        ...
