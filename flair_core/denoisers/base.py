"""What the sampler asks of a network, and what a network is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from flair_core.schedule import NoiseSchedule
    from flair_core.settings import DegradationSettings


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
