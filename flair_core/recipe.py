"""From settings and one observed window to the sampler's ingredients: operator, condition, plan, refiners."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from flair_core import policies
from flair_core.degradations import build, upscale
from flair_core.denoisers.base import Condition, Denoiser
from flair_core.refiners import Clamp, Consistency, Enhancement, Refiner
from flair_core.sampler import SeededNoise, sample, start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from flair_core.enhancers.base import Enhancer
    from flair_core.settings import RestorationSettings


STAGES = ("x0", "after DC", "after G")


@dataclass(frozen=True, slots=True)
class Models:
    """The networks of a restoration, ready on their device."""

    denoiser: Denoiser
    enhancer: Enhancer
    device: torch.device


@dataclass(frozen=True, slots=True)
class Estimate:
    """The restored window after one executed step; the last one is the result."""

    step: int
    """1 … steps, counted over all samples."""
    steps: int
    x0: Tensor
    """(N, 3, H, W) in [-1, 1]: the current estimate; with several samples, their mean so far."""
    stages: Mapping[str, Tensor]
    """The network's x0, and what data consistency and the enhancer made of it: the names of STAGES."""
    residual: Tensor
    """(N, 3, h, w): A x̂ − y, in [-1, 1] units."""


def estimate(
    y: Tensor, size: tuple[int, int], settings: RestorationSettings, models: Models, mask: Tensor | None = None
) -> Iterator[Estimate]:
    """Restore one window step by step: section 4 for FLAIR, and FLAIR-SA when several samples are asked for.

    y: (N, 3, h, w) in [-1, 1].  size: (H, W) of x, `scale` times that of y.  mask: broadcasts against (N, 1, H, W), m_t of eq. (12).
    Not advancing the generator cancels; a step is never torn.
    """
    sampler, degradation = settings.sampler, settings.degradation
    if not settings.faces.aligned:
        # Cropping has resampled the footage, and with it went the grid of its JPEG blocks.
        degradation = replace(degradation, jpeg=None)
    y = y.to(models.device)
    A = build(degradation, size, models.device)
    condition = Condition(upscale(y, size), settings.degradation)
    schedule = models.denoiser.schedule.respaced(sampler.steps)
    plan = policies.paper(schedule, sampler, degradation.sigma_e * A.noise_gain)
    mask = None if mask is None else mask.to(models.device)
    refiners: dict[str, Refiner] = {
        "x0": Clamp(),
        "after DC": Consistency(A, y, plan.gamma),
        "after G": Enhancement(models.enhancer, plan.w, mask),
    }
    total = torch.zeros_like(condition.c)
    for number in range(sampler.samples):
        noise = SeededNoise(sampler.seed + number, models.device)
        x_T = start(condition.c, schedule, noise)
        states = sample(
            x_T,
            schedule=schedule,
            denoiser=models.denoiser,
            condition=condition,
            refiners=refiners,
            plan=plan,
            noise=noise,
        )
        for done, state in enumerate(states, 1):
            x0 = (total + state.x0) / (number + 1)
            step = number * sampler.steps + done
            stages = {name: state.stages[name] for name in STAGES}
            yield Estimate(step, sampler.samples * sampler.steps, x0, stages, A.forward(x0) - y)
        total += state.x0
