"""What the sampler asks of a network, and what a network is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from flair_core.denoisers.schedule import NoiseSchedule
    from flair_core.settings.groups import DegradationSettings


Labels = Callable[["Tensor"], "NDArray[np.uint8]"]
"""(N, 3, H, W) in [-1, 1] → (N, H, W): the parts of a face, by a parser; 0 is the background."""


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Condition:
    """What a network knows of one window, besides x_t; constant over the reverse steps.

    A network may keep what it derives from a condition for as long as the condition lives.
    """

    c: Tensor
    """(N, 3, H, W) in [-1, 1]: the observation, upscaled to the size of x."""
    degradation: DegradationSettings | None = None
    """What was done to the footage; None when it is unknown."""
    y: Tensor | None = None
    """(N, 3, h, w) in [-1, 1]: the observation itself, for networks that upscale it in a way of their own."""
    flow_input: Tensor | None = None
    """(N, 3, h, w) in [-1, 1]: frames to estimate motion from; None means c."""
    weight: Tensor | None = None
    """(N, 1, H, W): background annealing w̃(1 − m) + m of eq. (5); None means 1 everywhere."""


class Denoiser(Protocol):
    """ε_θ,φ: predicts the noise in a window of frames."""

    schedule: NoiseSchedule
    """The base schedule that the network was trained with; the sampler respaces it."""
    size: int
    """Side of the face that the network was made for, in pixels."""
    window: int
    """Frames looked at together; 1 for a network without temporal layers."""
    own_noise: bool
    """Whether each frame of a window starts from noise of its own, or all from the same."""

    def predict_noise(self, x_t: Tensor, t: int, condition: Condition) -> Tensor:
        """The noise in x_t, (N, 3, H, W); `t` is a step of the base schedule, 0 the least noisy."""
        ...


@runtime_checkable
class Conditioned(Protocol):
    """A denoiser with a condition of its own."""

    background: float
    """w̃ of eq. (5): how much of the propagated features the background keeps; below 1 it needs labels."""

    def condition(
        self, y: Tensor, size: tuple[int, int], degradation: DegradationSettings, labels: Labels | None
    ) -> Condition:
        """What it is given of y, (N, 3, h, w) in [-1, 1], for x of `size`; without labels w̃ is 1."""
        ...


@runtime_checkable
class Ending(Protocol):
    """A denoiser that knows from where on it would leave more grain than detail on clean footage.

    At its noisiest step it sees the condition alone, whatever x_T is, and gives the mean of x0.
    """

    def end(self, degradation: DegradationSettings) -> int:
        """The step of its schedule at which the walk ends."""
        ...


@runtime_checkable
class Heavy(Protocol):
    """A denoiser with so many features that a window of frames may not fit into memory."""

    def bytes_for(self, frames: int, size: tuple[int, int]) -> int:
        """What a window of frames of (H, W) = size takes, beside the weights."""
        ...


def anneals(denoiser: Denoiser) -> bool:
    """Whether it tells face and background apart, and so needs labels."""
    return isinstance(denoiser, Conditioned) and denoiser.background < 1
