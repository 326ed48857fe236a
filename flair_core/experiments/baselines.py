"""Other samplers beside FLAIR, with the same network and operators: what differs is what is done at each step.

The published ones use an unconditional network and start from noise. Here all share the conditional network and its
start, so that a comparison shows the refinements alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, cast

import torch
from torch.nn import functional

from flair_core.degradations import Levels, linear, upscale
from flair_core.diffusion.plan import Plan
from flair_core.diffusion.refiners import Anchor, Clamp, Consistency
from flair_core.diffusion.sampler import SeededNoise, sample, start
from flair_core.restoration import window
from flair_core.settings.groups import changed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

    from flair_core.degradations import Degradation, Linear
    from flair_core.denoisers.base import Denoiser
    from flair_core.denoisers.schedule import NoiseSchedule
    from flair_core.diffusion.refiners import Refiner
    from flair_core.restoration.models import Models
    from flair_core.settings.groups import RestorationSettings

DDNM_ETA = 0.85
"""η of DDNM and DDNM+, as they were published."""
DIFFPIR_LAMBDA, DIFFPIR_ZETA = 8.0, 0.3
"""λ and ζ of DiffPIR."""
SOLVER_STEPS = 20
"""Of conjugate gradients for DiffPIR's subproblem."""
DR2_FILTER, DR2_STOP = 4, 0.25
"""DR2 keeps of y what survives a further reduction by 4, and stops when this share of the chain is left."""
AVERAGED = 4
"""Samples of FLAIR-SA."""


@dataclass(frozen=True, slots=True, eq=False)
class ObservedWindow:
    """One observed window, and what restores it."""

    y: Tensor
    """(N, 3, h, w) in [-1, 1]."""
    size: tuple[int, int]
    """(H, W) of x, `scale` times that of y."""
    settings: RestorationSettings
    models: Models
    first: int = 0
    """Index of the window's first frame."""
    previous: Tensor | None = None
    """(n, 3, H, W), if it leans on the window before: its first n frames as that one has them."""

    @property
    def operator(self) -> Linear:
        """A, without JPEG."""
        return linear(self.settings.degradation, self.size, self.models.device)

    def schedule(self) -> NoiseSchedule:
        """The K steps."""
        return self.models.denoiser.schedule.respaced(self.settings.sampler.steps)

    def sampled(self, refiners: Mapping[str, Refiner], plan: Plan, *, stop: int = 0) -> Tensor:
        """The last refined estimate under a plan, or that of step `stop`; (N, 3, H, W)."""
        schedule, y = self.schedule(), self.y.to(self.models.device)
        condition = window.condition_for(y, self.size, self.settings, self.models)
        noise = SeededNoise(
            self.settings.sampler.seed,
            self.models.device,
            self.first if self.models.denoiser.own_noise else None,
        )
        if self.previous is not None:
            refiners = {**refiners, "joined": Anchor(self.previous)}
        for state in sample(
            start(condition.c, schedule, noise),
            schedule=schedule,
            denoiser=self.models.denoiser,
            condition=condition,
            refiners=refiners,
            plan=plan,
            noise=noise,
        ):
            if state.index == stop:
                break
        return state.x0


class VideoDenoiser(Protocol):
    """A network whose temporal layers can be passed over."""

    temporal: Sequence[str]
    """The kinds that it has."""

    def without(self, kinds: Sequence[str]) -> Denoiser:
        """The same network without these kinds."""
        ...


@dataclass(frozen=True, slots=True)
class Baseline:
    """A sampler: its label, what it does, and how."""

    label: str
    text: str
    restore: Callable[[ObservedWindow], Tensor]
    """Observed window → (N, 3, H, W), about [-1, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class LowPass:
    """ILVR's condition: the low frequencies of the estimate are those of a reference, x0 + φ(r) − φ(x0)."""

    reference: Tensor
    """r, (N, 3, H, W)."""
    factor: int
    """φ reduces by this and enlarges again, bicubic."""

    def __call__(self, x0: Tensor, index: int) -> Tensor:
        """φ is linear, so one pass over the difference does."""
        return x0 + self._filtered(self.reference - x0)

    def _filtered(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        size = (max(1, height // self.factor), max(1, width // self.factor))
        small = functional.interpolate(images, size, mode="bicubic", antialias=True)
        return functional.interpolate(small, (height, width), mode="bicubic")


@dataclass(frozen=True, slots=True, eq=False)
class Proximal:
    """DiffPIR's data step: argmin over x of |y − A x|² + ρ_t |x − x0|², solved exactly.

    x = x0 − Aᵀ (A Aᵀ + ρ_t)⁻¹ (A x0 − y), by conjugate gradients; Aᵀ is the gradient of A.
    """

    A: Degradation
    y: Tensor
    rho: Tensor
    """(K,): ρ_t = λ σ_e² / σ̄_t² with σ̄_t² = (1 − ᾱ_t) / ᾱ_t."""

    def __call__(self, x0: Tensor, index: int) -> Tensor:
        """Move x0 towards the measurement as far as its noise allows."""
        rho = float(self.rho[index])
        residual = self.A.forward(x0) - self.y
        u, r = torch.zeros_like(residual), residual
        p, norm = r, _dot(r, r)
        for _ in range(SOLVER_STEPS):
            q = self.A.forward(self._adjoint(p, x0)) + rho * p
            step = norm / _dot(p, q).clamp(min=1e-30)
            u, r = u + step * p, r - step * q
            following = _dot(r, r)
            p, norm = r + following / norm.clamp(min=1e-30) * p, following
        return x0 - self._adjoint(u, x0)

    def _adjoint(self, u: Tensor, like: Tensor) -> Tensor:
        with torch.enable_grad():
            x = torch.zeros_like(like, requires_grad=True)
            (gradient,) = torch.autograd.grad(self.A.forward(x), x, u)
        return gradient


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Per image, (N, 1, 1, 1)."""
    return (a * b).sum((1, 2, 3), keepdim=True)


def _plan(schedule: NoiseSchedule, gamma: Tensor, fresh: float) -> Plan:
    """ε̃ and fresh noise share 1 − ᾱ_{t−1}; `fresh` is the latter's part of the variance."""
    before = torch.tensor([schedule.alpha_bar_before(t) for t in range(len(schedule))], dtype=torch.float64)
    total = 1 - before
    zero = torch.zeros_like(gamma)
    return Plan(gamma, zero, ((1 - fresh) * total).sqrt(), (fresh * total).sqrt(), zero)


def _ones(observed: ObservedWindow) -> Tensor:
    return torch.ones(observed.settings.sampler.steps, dtype=torch.float64)


def _flair(observed: ObservedWindow, **changes: float) -> Tensor:
    sampler = changed(observed.settings.sampler, **changes)
    settings = replace(observed.settings, sampler=sampler)
    *_, last = window.restore_window(
        observed.y, settings, observed.models, first=observed.first, previous=observed.previous
    )
    return last.x0


def _pinv(observed: ObservedWindow) -> Tensor:
    return observed.operator.pinv(observed.y.to(observed.models.device))


def _bicubic(observed: ObservedWindow) -> Tensor:
    return upscale(observed.y.to(observed.models.device), observed.size)


def _ddnm(observed: ObservedWindow) -> Tensor:
    refiners: dict[str, Refiner] = {
        "x0": Clamp(),
        "after DC": Consistency(observed.operator, observed.y.to(observed.models.device), _ones(observed)),
    }
    return observed.sampled(refiners, _plan(observed.schedule(), _ones(observed), DDNM_ETA**2))


def _ddnm_noisy(observed: ObservedWindow) -> Tensor:
    """λ_t and γ_t of DDNM+, in each direction of A: what A⁺ brings in of the noise is taken off the fresh noise."""
    schedule, A, sigma = observed.schedule(), observed.operator, observed.settings.degradation.sigma_e
    if sigma == 0:
        return _ddnm(observed)
    plan, levels = _plan(schedule, _ones(observed), DDNM_ETA**2), Levels.of(A, sigma)
    before = torch.tensor([schedule.alpha_bar_before(t) for t in range(len(schedule))], dtype=torch.float64)
    brought, scale = before.sqrt()[:, None] * levels.sigma, plan.noise_scale[:, None]
    # The last step has no noise to hide any in.
    weight = (scale / brought).clamp(max=1).where(brought > 0, 1)
    fresh = (scale**2 - (weight * brought) ** 2).clamp(min=0).sqrt()
    refiners: dict[str, Refiner] = {
        "x0": Clamp(),
        "after DC": Consistency(A, observed.y.to(observed.models.device), weight, levels),
    }
    eps = plan.eps_scale[:, None].expand_as(fresh)
    plan = replace(plan, gamma=weight, eps_scale=eps, noise_scale=fresh, levels=levels)
    return observed.sampled(refiners, plan)


def _ilvr(observed: ObservedWindow) -> Tensor:
    reference = upscale(observed.y.to(observed.models.device), observed.size)
    factor = max(2, observed.settings.degradation.scale)
    refiners: dict[str, Refiner] = {"x0": Clamp(), "low pass": LowPass(reference, factor)}
    return observed.sampled(refiners, _plan(observed.schedule(), _ones(observed), 1.0))


def _diffpir(observed: ObservedWindow) -> Tensor:
    schedule = observed.schedule()
    noise = max(
        observed.settings.degradation.sigma_e, 2e-3
    )  # a floor for footage without noise, as in its program
    spread = (1 - schedule.alpha_bar) / schedule.alpha_bar
    proximal = Proximal(
        observed.operator, observed.y.to(observed.models.device), DIFFPIR_LAMBDA * noise**2 / spread
    )
    return observed.sampled(
        {"x0": Clamp(), "proximal": proximal}, _plan(schedule, _ones(observed), DIFFPIR_ZETA)
    )


def _dr2(observed: ObservedWindow) -> Tensor:
    reference = upscale(observed.y.to(observed.models.device), observed.size)
    factor = DR2_FILTER * max(1, observed.settings.degradation.scale // 2)
    stop = math.floor(DR2_STOP * (observed.settings.sampler.steps - 1))
    refiners: dict[str, Refiner] = {"x0": Clamp(), "low pass": LowPass(reference, factor)}
    smooth = observed.sampled(refiners, _plan(observed.schedule(), _ones(observed), 1.0), stop=stop)
    return observed.models.enhancer(smooth.clamp(-1, 1))


def _sr3(observed: ObservedWindow) -> Tensor:
    return _flair(observed, gamma=0.0, w_tau=0.0)


BASELINES = {
    "pinv": Baseline("A⁺y", "the pseudo-inverse of the degradation alone", _pinv),
    "bicubic": Baseline("Bicubic", "the observation enlarged", _bicubic),
    "ddnm": Baseline("DDNM", "full data consistency at every step, whatever the noise", _ddnm),
    "ddnm-noisy": Baseline(
        "DDNM+", "data consistency as far as the noise of a step hides that in y", _ddnm_noisy
    ),
    "ilvr": Baseline("ILVR", "low frequencies of the estimate replaced by those of y", _ilvr),
    "diffpir": Baseline("DiffPIR", "a proximal step of the data term at every step", _diffpir),
    "dr2": Baseline("DR2 + G", "stronger low-pass, stopped early, then the enhancer once", _dr2),
    "sr3": Baseline("SR3-style", "the conditional network alone: no data consistency, no enhancer", _sr3),
    "flair": Baseline("FLAIR", "the settings as they are", _flair),
    "flair-no-dc": Baseline("FLAIR without DC", "γ = 0", lambda observed: _flair(observed, gamma=0.0)),
    "flair-no-g": Baseline("FLAIR without G", "w_τ = 0", lambda observed: _flair(observed, w_tau=0.0)),
    "flair-sa": Baseline(
        "FLAIR-SA", f"mean of {AVERAGED} samples", lambda observed: _flair(observed, samples=AVERAGED)
    ),
}


def samplers(models: Models) -> dict[str, Baseline]:
    """All samplers that these models allow: for a video network also FLAIR without one kind of its temporal layers.

    Such a network names the kinds in `temporal`, and its `without(kinds)` is the same network with those layers
    passed over; without all of them it is the image network.
    """
    kinds: Sequence[str] = getattr(models.denoiser, "temporal", ())
    if not kinds:
        return BASELINES
    found = {**BASELINES, "flair-image": _without(kinds, "FLAIR image model", "no temporal layers")}
    if len(kinds) > 1:
        for kind in kinds:
            found[f"flair-no-{kind}"] = _without(
                (kind,), f"FLAIR without {kind}", f"its {kind} layers passed over"
            )
    return found


def _without(kinds: Sequence[str], label: str, text: str) -> Baseline:
    def restore(observed: ObservedWindow) -> Tensor:
        denoiser = cast("VideoDenoiser", observed.models.denoiser).without(kinds)
        return _flair(replace(observed, models=replace(observed.models, denoiser=denoiser)))

    return Baseline(label, text, restore)
