"""A restored window of one face, and what keeps it between runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from flair_core.errors import DeviceError
from flair_core.frames import to_uint16
from flair_core.restoration.window import WindowStep

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.kept.cache import Arrays


CPU = torch.device("cpu")


class Kept(Protocol):
    """What `Cache` is used for here."""

    def get(self, key: str) -> Arrays | None:
        """The arrays under a key; None when there are none."""

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep arrays under a key."""


class OutOfMemory(DeviceError):
    """The processor's memory does not hold so many faces at once."""


class Stopped(Exception):
    """Nobody waits for the face any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """A restored window of one face. It has 16 bits a channel, whether it is new or was kept."""

    x0: torch.Tensor
    """(N, 3, H, W) in [-1, 1], on the CPU."""
    error: NDArray[np.float32]
    """(N,): mean square of A x̂ − y in [-1, 1] units."""
    mask: NDArray[np.float32]
    """(N, S, S) in [0, 1]: where it replaces the footage; 1 everywhere when the frame is the face."""

    def part(self, frames: slice) -> Restored:
        """Some consecutive frames of it."""
        return Restored(self.x0[frames], self.error[frames], self.mask[frames])


def as_arrays(state: WindowStep) -> dict[str, NDArray[Any]]:
    """What is kept of a restored face: x0 (N, H, W, 3) with 16 bits, and the error (N,)."""
    return {"x0": to_uint16(state.x0), "error": mean_square(state.residual)}


def mean_square(residual: torch.Tensor) -> NDArray[np.float32]:
    """(N, 3, h, w) → (N,)."""
    mean: NDArray[np.float32] = residual.square().mean((1, 2, 3)).float().cpu().numpy()
    return mean


def joined_parts(parts: list[Restored]) -> Restored:
    """Consecutive frames of one face that were restored apart."""
    return Restored(
        torch.cat([part.x0 for part in parts]),
        np.concatenate([part.error for part in parts]),
        np.concatenate([part.mask for part in parts]),
    )
