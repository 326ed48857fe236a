"""From settings and one observed window to the sampler's ingredients: operator, condition, plan, refiners."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from flair_core.degradations import (
    Degradation,
    Linear,
    blur_kernel,
    build,
    demanded,
    enlarged,
    linear,
    released,
)
from flair_core.degradations.jpeg import JpegDegradation, coding_noise
from flair_core.denoisers.base import Condition, Conditioned, Denoiser, Ending
from flair_core.diffusion import plan as plans
from flair_core.diffusion.refiners import Anchor, Clamp, Consistency, Enhancement, Refiner
from flair_core.diffusion.sampler import SeededNoise, sample, start
from flair_core.enhancers.base import with_seed
from flair_core.enhancers.locks import MonochromeLock
from flair_core.errors import MediaError, SettingsError, ShapeError
from flair_core.restoration.models import Models
from flair_core.settings.fields import demand
from flair_core.settings.groups import RestorationSettings, changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from flair_core.degradations import Operator
    from flair_core.denoisers.schedule import NoiseSchedule
    from flair_core.settings.groups import SamplerSettings


STAGES = ("x0", "after DC", "after G")


@dataclass(frozen=True, slots=True)
class WindowStep:
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


def restore_window(
    y: Tensor,
    settings: RestorationSettings,
    models: Models,
    *,
    A: Operator | None = None,
    mask: Callable[[Tensor], Tensor] | None = None,
    first: int = 0,
    previous: Tensor | None = None,
) -> Iterator[WindowStep]:
    """Restore one window step by step: section 4 for FLAIR, and FLAIR-SA when several samples are asked for.

    y: (N, 3, h, w) in [-1, 1]: N consecutive frames of one aligned face; x is (N, 3, s h, s w), with s the scale.
    A: an operator of one's own, anything with `forward`, `pinv` and `scale`, in place of that of the settings'
    degradation; the network is then told nothing.
    mask: m_t of eq. (12) as a function of x0, see Enhancement.
    first: index of the window's first frame.
    previous: (n, 3, s h, s w): the first n frames as the window before has them, if this one begins with those.
    Not advancing the generator cancels; a step is never torn.
    Raises ShapeError when y or `previous` is no such tensor of floats, and when A⁺ y has not the shape of x, A x that
    of y, or m_t that of a mask; MediaError when y or `previous` holds NaN or infinity; SettingsError when A is no
    operator, and when something else is of the wrong type.

    Example:
        >>> import flair_core as flair, torch
        >>> settings = flair.settings.RestorationSettings(
        ...     degradation=flair.settings.DegradationSettings(scale=8),
        ...     sampler=flair.settings.SamplerSettings(steps=1, w_tau=0),
        ...     faces=flair.settings.FaceSettings(aligned=True),
        ... )
        >>> models = flair.load_models(settings, "cpu")
        >>> *_, last = flair.restore_window(torch.zeros(1, 3, 8, 8), settings, models)
        >>> tuple(last.x0.shape), last.steps
        ((1, 3, 64, 64), 1)
    """
    demand("settings", settings, RestorationSettings)
    if not isinstance(models, Models):
        raise SettingsError(
            f"models must come from load_models, but got a value of type {type(models).__name__}."
        )
    if mask is not None and not callable(mask):
        raise SettingsError(f"mask must be a function of x0, but got a value of type {type(mask).__name__}.")
    _demand_frames("y", y)
    sampler = settings.sampler
    y = y.to(models.device, torch.float32)
    own = None if A is None else demanded(A, y)
    scale = settings.degradation.scale if own is None else own.scale
    size = (y.shape[-2] * scale, y.shape[-1] * scale)
    if previous is not None:
        _demand_frames("previous", previous)
        if len(previous) > len(y) or previous.shape[-2:] != size:
            raise ShapeError(
                f"previous must be (n, 3, {size[0]}, {size[1]}) with n up to {len(y)}, the frames of y, "
                f"but got {tuple(previous.shape)}."
            )
    schedule = schedule_for(settings, models.denoiser)
    if own is None:
        A, condition = operator(settings, size, models.device), condition_for(y, size, settings, models)
    else:
        A, condition = own, Condition(enlarged(y, size, None), None, y)
    plan = plan_for(settings, schedule, models.denoiser, size, models.device, own)
    enhancement = Enhancement(models.enhancer, plan.w, mask, A if sampler.null_space_lock else None)
    refiners: dict[str, Refiner] = {
        "x0": Clamp(),
        "after DC": Consistency(A, y, plan.gamma, plan.levels),
        # The released program clamps once more, which loosens A x0 = y a little.
        **({"in range": Clamp()} if sampler.policy == "released" else {}),
        "after G": enhancement,
    }
    if (monochrome := _monochrome(y, sampler)) is not None:
        refiners["monochrome"] = monochrome
    if previous is not None:
        refiners["joined"] = Anchor(previous)
    total = torch.zeros_like(condition.c)
    for number in range(sampler.samples):
        seed = sampler.seed + number
        noise = SeededNoise(seed, models.device, first if models.denoiser.own_noise else None)
        refiners["after G"] = replace(enhancement, enhancer=with_seed(models.enhancer, seed))
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
            yield WindowStep(step, sampler.samples * sampler.steps, x0, stages, A.forward(x0) - y)
        total += state.x0


def _demand_frames(name: str, frames: object) -> None:
    """Raise ShapeError unless it is (N, 3, h, w) of floats, and MediaError unless all of them are numbers."""
    if not isinstance(frames, torch.Tensor) or not frames.is_floating_point():
        found = getattr(frames, "dtype", type(frames).__name__)
        raise ShapeError(f"{name} must be a tensor of floats in [-1, 1], but got {found}.")
    if frames.ndim != 4 or frames.shape[1] != 3 or not frames.numel():
        raise ShapeError(
            f"{name} must be (N, 3, h, w), N frames in three colours, but got {tuple(frames.shape)}."
        )
    if not frames.isfinite().all():
        raise MediaError(f"{name} holds NaN or infinity, which no picture does. Check where it comes from.")


def condition_for(
    y: Tensor, size: tuple[int, int], settings: RestorationSettings, models: Models
) -> Condition:
    """What the network is told of a window y, (N, 3, h, w) in [-1, 1] on its device."""
    denoiser, parser = models.denoiser, models.released_parser
    if isinstance(denoiser, Conditioned):
        return denoiser.condition(y, size, settings.degradation, None if parser is None else parser.labels)
    return Condition(enlarged(y, size, settings.degradation), settings.degradation, y)


def _monochrome(y: Tensor, sampler: SamplerSettings) -> MonochromeLock | None:
    """The lock that keeps footage without colours so; None when it has some, or the lock is off."""
    match sampler.monochrome:
        case "on":
            return MonochromeLock.to(y)
        case "auto":
            return MonochromeLock.where_monochrome(y)
    return None


def operator(settings: RestorationSettings, size: tuple[int, int], device: torch.device) -> Degradation:
    """A of eq. (7) and (11) for x of (H, W) = size: ours, or the released program's for its blur tasks."""
    degradation = settings.degradation
    if not settings.faces.aligned:
        # Cropping has resampled the footage, and with it went the grid of its JPEG blocks.
        degradation = replace(degradation, jpeg=None)
    if settings.sampler.policy != "released" or degradation.kernel == "bicubic":
        return build(degradation, size, device)
    if degradation.scale != released.SCALE:
        raise SettingsError(
            f"The released policy deblurs at scale {released.SCALE} only, but got {degradation.scale}. "
            "Choose that scale, or the paper's policy."
        )
    blur = released.ReleasedBlur(blur_kernel(replace(degradation, scale=1)), device)
    return blur if degradation.jpeg is None else JpegDegradation(blur, degradation.jpeg)


def schedule_for(settings: RestorationSettings, denoiser: Denoiser) -> NoiseSchedule:
    """The K steps to take. With noise in y they go down to the end of the chain, for γ_t to fall on the way."""
    whole = settings.sampler.policy == "released" or settings.degradation.noise > 0
    t_end = denoiser.end(settings.degradation) if isinstance(denoiser, Ending) and not whole else 0
    return denoiser.schedule.respaced(settings.sampler.steps, t_end=t_end)


def plan_for(
    settings: RestorationSettings,
    schedule: NoiseSchedule,
    denoiser: Denoiser,
    size: tuple[int, int],
    device: torch.device,
    own: Degradation | None = None,
) -> plans.Plan:
    """The weights of every step under the chosen policy, for x of (H, W) = size; `own`: an operator of one's own."""
    degradation, sampler = settings.degradation, settings.sampler
    if sampler.policy == "released":
        zeta = -1 if degradation.kernel == "bicubic" else 1  # as in its commands
        return plans.released(schedule, sampler, degradation.noise, zeta)
    if own is None and not degradation.known:
        # Consistency with an A that nobody knows would keep the damage.
        sampler = changed(sampler, gamma=0.0)
    # What compression took away is noise in y, too: A⁺ amplifies it like e, and x̂ should not follow it.
    coding = 0.0 if degradation.jpeg is None else 2 * coding_noise(degradation.jpeg)
    sigma = math.hypot(degradation.sigma_e, coding)
    A = linear(degradation, size, device) if own is None else own if isinstance(own, Linear) else None
    return plans.paper(schedule, sampler, sigma, A, anew=isinstance(denoiser, Ending))
