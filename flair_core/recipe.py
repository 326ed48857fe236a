"""From settings and one observed window to the sampler's ingredients: operator, condition, plan, refiners."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from flair_core import policies
from flair_core.degradations import Degradation, blur_kernel, build, enlarged, linear, released
from flair_core.degradations.jpeg import JpegDegradation, coding_noise
from flair_core.denoisers.base import Condition, Conditioned, Denoiser, Ending
from flair_core.enhancers.base import BATCH, with_seed
from flair_core.enhancers.locks import MonochromeLock
from flair_core.errors import SettingsError
from flair_core.refiners import Anchor, Clamp, Consistency, Enhancement, Refiner
from flair_core.sampler import SeededNoise, sample, start
from flair_core.weights import RELEASED, RELEASED_PARSER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from flair_core.enhancers.base import Enhancer
    from flair_core.faces.detect import Detector
    from flair_core.faces.parse import Parser
    from flair_core.schedule import NoiseSchedule
    from flair_core.settings import RestorationSettings, SamplerSettings


STAGES = ("x0", "after DC", "after G")


@dataclass(frozen=True, slots=True)
class Models:
    """The networks of a restoration, ready on their device."""

    denoiser: Denoiser
    enhancer: Enhancer
    device: torch.device
    weights: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the files that they came from, by name."""
    parser: Parser | None = None
    """What finds the parts of a face; None when the landmarks have to do."""
    released_parser: Parser | None = None
    """What tells a released network face and background apart, for w̃ of eq. (5), and `inlays` where an enhanced face
    goes; None without need, or for w̃ without file."""
    detector: Detector | None = None
    """What finds the face that `inlays` where no track leads; None without need."""

    @property
    def side_by_side(self) -> bool:
        """Whether frames may be restored in one thread each, to the very bits that one alone has in all threads."""
        parsers = self.parser, self.released_parser
        alone = self.denoiser.window == 1 and self.enhancer.size is None and parsers == (None, None)
        return alone and self.device.type == "cpu"

    @property
    def together(self) -> int:
        """How many faces of single frames are restored in one batch: one where a batch gains nothing."""
        alone = self.denoiser.window == 1 and not self.denoiser.own_noise
        return BATCH if alone and self.device.type != "cpu" else 1


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
    y: Tensor,
    size: tuple[int, int],
    settings: RestorationSettings,
    models: Models,
    mask: Callable[[Tensor], Tensor] | None = None,
    *,
    first: int = 0,
    previous: Tensor | None = None,
) -> Iterator[Estimate]:
    """Restore one window step by step: section 4 for FLAIR, and FLAIR-SA when several samples are asked for.

    y: (N, 3, h, w) in [-1, 1].  size: (H, W) of x, `scale` times that of y.
    mask: m_t of eq. (12) as a function of x0, see Enhancement.
    first: index of the window's first frame.
    previous: (n, 3, H, W), if the window leans on the one before: its first n frames as that one has them.
    Not advancing the generator cancels; a step is never torn.
    """
    sampler = settings.sampler
    y = y.to(models.device)
    A = operator(settings, size, models.device)
    condition = condition_for(y, size, settings, models)
    schedule = schedule_for(settings, models.denoiser)
    plan = plan_for(settings, schedule, models.denoiser, size, models.device)
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
            yield Estimate(step, sampler.samples * sampler.steps, x0, stages, A.forward(x0) - y)
        total += state.x0


def inlays(settings: RestorationSettings) -> bool:
    """Whether G gets a face cut out of x, which is pasted back at every step: the released program's unaligned mode.

    Its networks have that under its policy; where frames are aligned faces, only when ParseNet's mask is asked for.
    """
    sampler, faces = settings.sampler, settings.faces
    released = sampler.policy == "released" and sampler.model in RELEASED and sampler.enhances
    return released and (not faces.aligned or faces.mask == RELEASED_PARSER)


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
) -> policies.Plan:
    """The weights of every step under the chosen policy, for x of (H, W) = size."""
    degradation = settings.degradation
    if settings.sampler.policy == "released":
        zeta = -1 if degradation.kernel == "bicubic" else 1  # as in its commands
        return policies.released(schedule, settings.sampler, degradation.noise, zeta)
    # What compression took away is noise in y, too: A⁺ amplifies it like e, and x̂ should not follow it.
    coding = 0.0 if degradation.jpeg is None else 2 * coding_noise(degradation.jpeg)
    sigma, A = math.hypot(degradation.sigma_e, coding), linear(degradation, size, device)
    return policies.paper(schedule, settings.sampler, sigma, A, anew=isinstance(denoiser, Ending))
