"""The conditional reverse diffusion of section 4: one generator, one state per step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from flair_core.denoisers.base import Condition, Denoiser
    from flair_core.denoisers.schedule import NoiseSchedule
    from flair_core.diffusion.plan import Plan
    from flair_core.diffusion.refiners import Refiner

Noise = Callable[[int, torch.Size], "Tensor"]
"""`noise(k, shape)`: standard normal draw number k; 0 makes x_T, k > 0 is for the k-th executed step."""

MOST_DRAWS = 4096
FRAME_BITS = 20
KEPT = 3 * 512**2
"""Numbers in a draw that is kept: as many as in a face."""


@dataclass(frozen=True, slots=True, eq=False)
class StepState:
    """What one reverse step did; images are (N, 3, H, W)."""

    index: int
    """K − 1 at the first step, 0 at the last."""
    x_t: Tensor
    """The noisy image that the step started from."""
    x0_raw: Tensor
    """The network's clean estimate, eq. (3)."""
    stages: Mapping[str, Tensor]
    """The estimate after each refiner, by its name, in order."""

    @property
    def x0(self) -> Tensor:
        """The refined estimate; at index 0 it is the restored window."""
        *_, refined = self.x0_raw, *self.stages.values()
        return refined


@dataclass(frozen=True, slots=True)
class SeededNoise:
    """Noise that depends on the seed, the step and the size of a frame only, or on the frame's index, too.

    Our networks get the same for all frames: noise that stays put in aligned faces does not flicker. The released
    video networks were trained with noise of its own for each frame: `first` is then the index of the window's
    first one. Either way a frame gets the same noise in whichever window it stands. It is drawn
    on the CPU, so that all devices agree.
    """

    seed: int
    device: torch.device | str = "cpu"
    first: int | None = None

    def __call__(self, step: int, shape: torch.Size) -> Tensor:
        """Draw number `step` (below 4096), (N, 3, H, W) for frames of indices below 2²⁰."""
        key = self.seed * MOST_DRAWS + step
        if self.first is None:
            return self._draw(key, shape[1:]).expand(shape)
        frames = range(self.first, self.first + shape[0])
        return torch.stack([self._draw((key << FRAME_BITS) + index + 1, shape[1:]) for index in frames])

    def _draw(self, key: int, shape: torch.Size) -> Tensor:
        draw = _kept if self.first is None and shape.numel() <= KEPT else _drawn
        return draw(key, shape).to(self.device)


def _drawn(key: int, shape: torch.Size) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(key))


_kept = lru_cache(maxsize=32)(_drawn)
"""Draws that the next frame takes, too."""


def start(c: Tensor, schedule: NoiseSchedule, noise: Noise) -> Tensor:
    """x_T: the condition c, (N, 3, H, W), diffused to the schedule's noisiest step."""
    return schedule.diffuse(c, noise(0, c.shape), len(schedule) - 1)


@torch.no_grad()
def sample(
    x_T: Tensor,
    *,
    schedule: NoiseSchedule,
    denoiser: Denoiser,
    condition: Condition,
    refiners: Mapping[str, Refiner],
    plan: Plan,
    noise: Noise,
) -> Iterator[StepState]:
    """Yield one state per reverse step; the last one's x0 is the restored window.

    x_T: (N, 3, H, W), see `start`.  schedule: the K steps to take, with the vectors of `plan` beside it.
    refiners: applied to the clean estimate in order; the names are those of `StepState.stages`.
    """
    x_t = x_T
    before = None
    for k, index in enumerate(reversed(range(len(schedule))), 1):
        eps = denoiser.predict_noise(x_t, int(schedule.timesteps[index]), condition)
        x0 = x0_raw = schedule.predict_x0(x_t, eps, index)  # (3)
        stages = {}
        for name, refine in refiners.items():  # (9) or (11), then (12)
            stages[name] = x0 = refine(x0, index)
        yield StepState(index, x_t, x0_raw, stages)
        refined = x0
        if before is not None and (momentum := float(plan.momentum[index])) != 0:
            x0 = x0 + momentum * (x0 - before)
        before = refined
        eps = schedule.predict_eps(x_t, x0, index)  # ε̃ of (9)
        x_t = math.sqrt(schedule.alpha_bar_before(index)) * x0  # (9), second line
        if (scale := plan.eps_scale[index]).any():
            x_t = x_t + plan.weighed(scale, eps)
        if (scale := plan.noise_scale[index]).any():
            x_t = x_t + plan.weighed(scale, noise(k, x_t.shape))
