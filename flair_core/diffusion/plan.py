"""How strongly each reverse step is corrected, enhanced and made noisy: γ_t, w_t and ρ_t as plain vectors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from flair_core.degradations import Levels
from flair_core.runtime import threads
from flair_core.settings.fields import EIGHT_BIT, Curve, fields
from flair_core.settings.groups import AT_LAST, SamplerSettings

if TYPE_CHECKING:
    from torch import Tensor

    from flair_core.degradations import Linear
    from flair_core.denoisers.schedule import NoiseSchedule


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The weights of every step; (K,) float64, index 0 is the last and least noisy step.

    Those of γ_t, ε̃ and ε are (K, L) where A⁺ brings noise of several `levels` into the image.
    """

    gamma: Tensor
    """γ_t of eq. (9): how much of the correction is applied."""
    w: Tensor
    """(K,): w_t of eq. (12), how much of the enhanced image is mixed in; 0 means that the enhancer rests."""
    eps_scale: Tensor
    """Factor of the recomputed noise ε̃ in x_{t−1}."""
    noise_scale: Tensor
    """Factor of the fresh noise ε in x_{t−1}; 0 at index 0, like `eps_scale`."""
    momentum: Tensor
    """(K,): how far x0 is carried on along its change since the step before; 0 for a solver of first order."""
    levels: Levels | None = None

    @property
    def mean_gamma(self) -> Tensor:
        """(K,): γ_t, the mean over what A sees."""
        return self.gamma if self.levels is None else self.levels.mean(self.gamma)

    def weighed(self, weights: Tensor, image: Tensor) -> Tensor:
        """An image, (N, 3, H, W), times one step's weight, or (L,) weights."""
        if self.levels is None:
            return float(weights) * image
        with threads.narrow():
            return self.levels.filtered(image, weights)


def paper(
    schedule: NoiseSchedule,
    sampler: SamplerSettings,
    sigma: float = 0.0,
    A: Linear | None = None,
    *,
    anew: bool = False,
) -> Plan:
    """The paper's policy: the noise in x_{t−1} conforms to q(x_{t−1} | x_0), below eq. (9).

    Data consistency brings noise of variance v_t = ᾱ_{t−1} γ_t² σ² into x_{t−1}, and γ_t is at most what q allows.
    Nor is it more than suits two estimates, of which x0 errs by as much as x_t is noisy, and A⁺y by σ.
    Fresh noise fills up to ρ of the total 1 − ᾱ_{t−1}, and ε̃ gives the rest. But ε̃, recomputed from x̃0, holds the
    same A⁺e, so what x_t holds of it is followed step by step.
    (Were ε̃ called independent, up to two thirds of the variance would be missing: K = 100, ρ = 0, σ = 0.4.)

    The paper calls A⁺e white, "closely a copy" of e. But it lies in few directions, in each of them s times as strong
    as a copy's pixels are for ↓s, and stronger where A blurs. White noise of the same variance does not hide it from
    the network, which keeps it for detail. So all this holds for each direction of A with its own σ.

    Clean footage is walked by a solver of second order, as far as ρ leaves an equation to solve: with fresh noise,
    where two estimates lead is where their noise does. A x0 = y holds for every x0, hence for where it is carried.

    sigma: std of e on images in [-1, 1]; 0 for clean footage. Else γ_0 is 0.
    A: what y came from; None when it is the image itself.
    anew: whether the noise is all fresh after the first step: x_T then is no noisy x0, and its ε̃ is the blur of y.
    """
    levels = None if A is None or sigma == 0 else Levels.of(A, sigma)
    std = torch.tensor(sigma, dtype=torch.float64) if levels is None else levels.sigma
    gamma, eps_scale, noise_scale = torch.zeros(3, len(schedule), *std.shape, dtype=torch.float64)
    # The noise in x_t is `tied` · A⁺e and other noise of variance `free`; x_T begins with y, enlarged: a copy of e.
    tied, free = (part.expand_as(std) for part in (schedule.alpha_bar[-1].sqrt(), 1 - schedule.alpha_bar[-1]))
    kept = course(len(schedule), "gamma_curve", sampler.gamma_curve)
    for t in reversed(range(len(schedule))):
        alpha_bar, before = float(schedule.alpha_bar[t]), schedule.alpha_bar_before(t)
        total, spread = 1 - before, (1 - alpha_bar) / alpha_bar
        allowed = (math.sqrt(total / before) / std).clamp(max=1).where(std > 0, 1)
        gamma_t = sampler.gamma * float(kept[t]) * allowed.minimum(spread / (spread + std**2))
        brought = math.sqrt(before) * gamma_t
        left = (total - (brought * std) ** 2).clamp(min=0)
        rho = 1.0 if anew and t == len(schedule) - 1 else sampler.rho
        fresh = (left - (1 - rho) * total).clamp(min=0)
        # The same parts of ε̃; its factor solves (brought + eps tied_eps)² σ² + eps² free_eps + fresh = total.
        tied_eps = (tied - math.sqrt(alpha_bar) * gamma_t) / math.sqrt(1 - alpha_bar)
        free_eps = free / (1 - alpha_bar)
        mixed, square = brought * tied_eps * std**2, (tied_eps * std) ** 2 + free_eps
        eps = (((mixed**2 + square * (left - fresh)).sqrt() - mixed) / square).where(fresh < left, 0)
        tied, free = brought + eps * tied_eps, eps**2 * free_eps + fresh
        gamma[t], eps_scale[t], noise_scale[t] = gamma_t, eps, fresh.sqrt()
    momentum = (1 - sampler.rho if sigma == 0 else 0) * second_order(schedule)
    w = enhancement(len(schedule), sampler.w_tau, sampler.tau, sampler.w_curve)
    return Plan(gamma, w, eps_scale, noise_scale, momentum, levels)


def released(schedule: NoiseSchedule, sampler: SamplerSettings, noise: float, zeta: float) -> Plan:
    """The released program's policy: γ_t falls from about 1 to about 0 as steps get below the noise in y.

    ρ is the same at every step. The program's own option w is 1 − w_τ.

    noise: σ_e on the [0, 1] scale; as in the program, its 8-bit levels meet images in [-1, 1].
    zeta: 1 in the program's blur tasks; below 0, as in its bicubic ones, y is trusted at every step.
    """
    distrust = zeta * (noise * EIGHT_BIT) ** 2 * schedule.alpha_bar / (1 - schedule.alpha_bar)
    distrust = distrust.where(distrust > 0.1, 1e-6).where(distrust < 1, 0.991)
    kept = course(len(schedule), "gamma_curve", sampler.gamma_curve)
    gamma = sampler.gamma * kept * (1 - distrust if zeta >= 0 else torch.ones_like(distrust))
    total = 1 - _before(schedule)
    return Plan(
        gamma,
        enhancement(len(schedule), sampler.w_tau, sampler.tau, sampler.w_curve),
        ((1 - sampler.rho) * total).sqrt(),
        (sampler.rho * total).sqrt(),
        torch.zeros_like(gamma),
    )


def second_order(schedule: NoiseSchedule) -> Tensor:
    """The `momentum` of DPM-Solver++(2M), eq. (13) of Lu et al. 2022: x0 as it will be half a step ahead.

    It is linear in λ = ½ log(ᾱ/(1 − ᾱ)); 0 at the first step, which knows no other, and at the last one.
    """
    momentum = torch.zeros(len(schedule), dtype=torch.float64)
    if len(schedule) > 2:
        forward = schedule.alpha_bar.logit().diff().neg()  # 2 (λ_t − λ_{t+1})
        momentum[1:-1] = forward[:-1] / (2 * forward[1:])
    return momentum


def course(steps: int, name: str, curve: str) -> Tensor:
    """The factors of a setting's `Curve` for K = `steps`, (K,) float64 with index 0 the last step; 1 without any.

    name: of the setting, in SamplerSettings.
    """
    limit = fields(SamplerSettings)[name].limit
    assert isinstance(limit, Curve)
    factors = limit.factors(curve) or (1.0,)
    places = np.linspace(0, len(factors) - 1, steps) if steps > 1 else [len(factors) - 1]
    return torch.tensor(np.interp(places, range(len(factors)), factors), dtype=torch.float64).flip(0)


def enhancement(steps: int, w_tau: float, tau: int, curve: str = "") -> Tensor:
    """w_t of eq. (12) for K = `steps`: w_τ at t = τ, falling to 0 at the first step t = K − 1, and 0 below τ.

    If τ is the first step, w is w_τ there; if τ ≥ K, the enhancer never runs. A curve stands in place of that fall,
    from the first step to τ.
    """
    w = torch.zeros(steps, dtype=torch.float64)
    if tau >= steps:
        return w
    if curve == AT_LAST:  # more than ten steps would have some between its last two points
        w[tau] = w_tau
        return w
    if curve:
        w[tau:] = w_tau * course(steps - tau, "w_curve", curve)
        return w
    u = torch.arange(steps - tau, dtype=torch.float64) / max(steps - 1 - tau, 1)
    end = math.exp(-1)
    w[tau:] = w_tau * ((-u).exp() - end) / (1 - end)
    return w


def _before(schedule: NoiseSchedule) -> Tensor:
    """ᾱ_{t−1} of every step; 1 before the last one."""
    return torch.cat([schedule.alpha_bar.new_ones(1), schedule.alpha_bar[:-1]])
