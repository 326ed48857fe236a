"""How strongly each reverse step is corrected, enhanced and made noisy: γ_t, w_t and ρ_t as plain vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from flair_core.settings import EIGHT_BIT

if TYPE_CHECKING:
    from torch import Tensor

    from flair_core.schedule import NoiseSchedule
    from flair_core.settings import SamplerSettings


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The weights of every step; vectors of K float64, index 0 is the last and least noisy step."""

    gamma: Tensor
    """γ_t of eq. (9): how much of the correction is applied."""
    w: Tensor
    """w_t of eq. (12): how much of the enhanced image is mixed in; 0 means that the enhancer rests."""
    eps_scale: Tensor
    """Factor of the recomputed noise ε̃ in x_{t−1}."""
    noise_scale: Tensor
    """Factor of the fresh noise ε in x_{t−1}; 0 at index 0, like `eps_scale`."""


def paper(schedule: NoiseSchedule, sampler: SamplerSettings, sigma: float) -> Plan:
    """The paper's policy: the noise in x_{t−1} conforms to q(x_{t−1} | x_0), below eq. (9).

    Data consistency brings noise of variance v_t = ᾱ_{t−1} γ_t² σ² into x_{t−1}. γ_t is as large as q allows, fresh
    noise fills up to the part ρ, and ε̃, counted as independent of both, the rest: v_t + eps² + noise² = 1 − ᾱ_{t−1}.
    With noise in the footage γ is 0 at the last step, where q allows none.

    sigma: std of A⁺e on images in [-1, 1], that is σ_e · noise_gain; 0 for clean footage.
    """
    alpha_bar = _before(schedule)
    total = 1 - alpha_bar
    allowed = total.sqrt() / (alpha_bar.sqrt() * sigma) if sigma > 0 else torch.ones_like(total)
    gamma = sampler.gamma * allowed.clamp(max=1)
    brought = alpha_bar * gamma.square() * sigma**2
    fresh = (sampler.rho * total - brought).clamp(min=0)
    kept = (total - brought - fresh).clamp(min=0)
    return Plan(gamma, enhancement(len(schedule), sampler.w_tau, sampler.tau), kept.sqrt(), fresh.sqrt())


def released(schedule: NoiseSchedule, sampler: SamplerSettings, noise: float, zeta: float) -> Plan:
    """The released program's policy: γ_t switches between about 1 and 0 by the noise level, ρ is constant.

    noise: σ_e on the [0, 1] scale; the program compares 8-bit levels with images in [-1, 1], and so does this.
    zeta: below 0 (its bicubic tasks) trusts the footage at every step; its blur tasks have 1.
    Its option w is our 1 − w_τ.
    """
    level = schedule.alpha_bar / (1 - schedule.alpha_bar)
    distrust = zeta * (noise * EIGHT_BIT) ** 2 * level
    distrust = distrust.where(distrust > 0.1, 1e-6).where(distrust < 1, 0.991)
    gamma = sampler.gamma * (1 - distrust if zeta >= 0 else torch.ones_like(distrust))
    total = 1 - _before(schedule)
    return Plan(
        gamma,
        enhancement(len(schedule), sampler.w_tau, sampler.tau),
        ((1 - sampler.rho) * total).sqrt(),
        (sampler.rho * total).sqrt(),
    )


def enhancement(steps: int, w_tau: float, tau: int) -> Tensor:
    """w_t of eq. (12) for `steps` steps: w_τ at t = τ, falling to 0 at the first step t = K − 1, and 0 below τ.

    If τ is the first step, w is w_τ there; if τ ≥ K, the enhancer never runs.
    """
    t, first = torch.arange(steps, dtype=torch.float64), steps - 1
    u = (t - tau) / max(first - tau, 1)
    end = math.exp(-1)
    return (w_tau * ((-u).exp() - end) / (1 - end)).where(t >= tau, 0)


def _before(schedule: NoiseSchedule) -> Tensor:
    """ᾱ_{t−1} of every step; 1 before the last one."""
    return torch.tensor([schedule.alpha_bar_before(index) for index in range(len(schedule))], dtype=torch.float64)
