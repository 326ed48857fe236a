"""The enhancer stage: G of eq. (12), from what the sampler makes of degraded faces to faces that look real."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import reduce
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from flair_core.checkpoints import catalogue, store
from flair_core.degradations import degrade, enlarged
from flair_core.degradations.damage import damaged, draw_damage
from flair_core.denoisers import compact
from flair_core.denoisers.base import Condition
from flair_core.denoisers.compact import Compact, CompactConfig, CompactNetwork
from flair_core.denoisers.compact_temporal import estimated_flows
from flair_core.denoisers.flow import warp
from flair_core.enhancers import drawn
from flair_core.enhancers.base import Unchanged
from flair_core.enhancers.drawn import Drawn
from flair_core.errors import WeightsError
from flair_core.frames import to_float, to_uint8
from flair_core.restoration.models import Models
from flair_core.restoration.window import restore_window
from flair_core.settings.groups import DegradationSettings, FaceSettings, RestorationSettings, SamplerSettings
from flair_core.training import synthesis, validation
from flair_core.training.data import load_clips, load_faces
from flair_core.training.discriminators import Critics, Features, feature_distance, hinge
from flair_core.training.enhancer_validation import EnhancerValidation
from flair_core.training.loop import Logged, fit, write
from flair_core.training.movement import moving
from flair_core.training.synthesis import DAMAGED, DamagedFaces, in_place, picture
from flair_core.video.recoded import recode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from flair_core.degradations.damage import Damage
    from flair_core.restoration.window import WindowStep

WHOLE = 1 / 3
"""How often whole faces are drawn on, half as many as crops: eyes are to match."""
NEIGHBOURS = 0.2
"""How often two frames are drawn in place of two crops: with the same z what is drawn shall move as they do."""
UNTOUCHED = 0.04
"""How often the estimate is the picture itself, which then is to stay."""
FURTHER = 0.25
"""How often the estimate is a later one of a walk of several steps, and not the first one."""
LONGEST = 4
"""K of such a walk at most."""
COLOURS = 8
"""Side in pixels of the means that colours are compared in."""
FEATURES = 0.5
"""Weight of the features' distance beside that of pixels."""
STEADY = 0.5
"""Weight of how the error of neighbouring frames changes along the motion."""
CRITICS = 0.04
"""Weight of each critic's opinion."""
FADE = 200
"""Steps over which the critics' opinions begin to count."""
SPREAD = 0.25
"""What the variance of drawn faces, without their grain, shall be in units of the squared error of the estimate."""
ENOUGH = 2.0
"""Times SPREAD at which a picture's faces differ enough to earn nothing for differing more."""
FOLLOWED, TURNED = 0.95, 0.02
"""Decay of the average that the controller looks at, and the most by which it turns the logarithm of the reward."""
REWARDS = (0.01, 3.0)
"""Limits of the weight of the reward."""
FAINT = (0.4 / 127.5) ** 2
"""Squared error, range [-1, 1], of an estimate that leaves nothing to be drawn: what rounding to 8 bits leaves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancerTraining(DamagedFaces):
    """One run of the enhancer stage."""

    theta: Path | None = None
    """The network whose estimates are to be enhanced, and from which G begins; without it, the starter model."""
    batch: int = 4
    """Crops in a step, each of which is drawn on twice."""
    crop: int = 192
    """Side of the crops."""
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.5, 0.99)
    ema: float = 0.998


class Case(NamedTuple):
    """What was done to a picture, and which estimate of it is to be enhanced."""

    degradation: DegradationSettings | Damage
    told: bool
    """Whether θ and data consistency know."""
    steps: int
    """K of the walk; 0 for the picture itself."""
    executed: int
    """How many of them are made."""
    seed: int


class EnhancerStage:
    """Faces as the sampler estimates them, each drawn on twice, and as they are."""

    settings = validation.SETTINGS
    kernels: Sequence[nn.Parameter] = ()
    critics_rate = 2.0

    def __init__(self, run: EnhancerTraining, network: CompactNetwork) -> None:
        self._run, self.network = run, network
        # Nothing of what is drawn depends on how large θ's errors are expected to be.
        network.condition_variance.requires_grad_(False)
        self.shape: Mapping[str, Any] = asdict(network.config)
        self._features = Features()
        self.critics = Critics(self._features.channels)
        self.parts: dict[str, float] = {}
        self._state = {"steps": torch.tensor(0), "reward": torch.tensor(0.3), "spread": torch.tensor(SPREAD)}
        self._met: tuple[Tensor, Tensor, list[Tensor], list[Tensor]] | None = None

    def load(self) -> None:
        """See Stage."""
        run, device = self._run, PartialState().device
        self._faces, self._clips = (
            load_faces(run.data, run.sources),
            load_clips(run.clips) if run.clips else [],
        )
        self._features.to(device)
        theta = compact.read(run.theta or store.path(catalogue.SHIPPED))
        self._models = Models(Compact(theta, device), Unchanged(), device)

    def validation(self) -> list[NDArray[np.uint8]]:
        """See Stage."""
        assert self._run.validate is not None
        return [load_faces(self._run.validate)]

    def validator(self) -> EnhancerValidation:
        """See Adversarial."""
        return EnhancerValidation(self.validation()[0], self._models, self._run.out)

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, list[Tensor], list[Case], Tensor | None]:
        """See Stage. Pictures (N, 3, S, S), what is left of them, and how; of neighbouring frames the flow, too.

        Each picture is degraded in a way of its own, and each two frames, which are (g, 3, h, w) with g = 2.
        """
        side, count, together = self._run.crop, self._run.batch, 1
        kind = rng.random()
        if kind < WHOLE:
            side, count = min(self._faces.shape[1:3]), max(1, count // 2)
        elif kind < WHOLE + NEIGHBOURS:
            count, together = max(1, count // 2), 2
        parts = [
            self._frames(side, rng) if together > 1 else self._crop(side, rng)[None] for _ in range(count)
        ]
        real = to_float(np.concatenate(parts))
        cases = [_case(rng, self._run.kinds) for _ in range(count)]
        observed = [_observed(x, case) for x, case in zip(torch.split(real, together), cases, strict=True)]
        flow = (
            torch.cat([estimated_flows(two).forward[0] for two in torch.split(real, 2)])
            if together > 1
            else None
        )
        return real, observed, cases, flow

    def _frames(self, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """Two neighbours of a clip at the same place, or a still in motion: (2, side, side, 3)."""
        moves = not self._clips or rng.random() < 0.5
        source = (
            self._faces[rng.integers(len(self._faces))]
            if moves
            else self._clips[rng.integers(len(self._clips))]
        )
        left, top = corner = rng.integers(source.shape[-2] - side + 1, size=2)
        if moves:
            return moving(source, corner, 2, side, rng)
        first = int(rng.integers(len(source) - 1))
        return source[first : first + 2, top : top + side, left : left + side]

    def _crop(self, side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A part of a picture at its own resolution, mirrored half of the time."""
        whole = picture(self._faces, self._clips, rng)
        top, left = (int(rng.integers(extent - side + 1)) for extent in whole.shape[:2])
        part = whole[top : top + side, left : left + side]
        return part[:, ::-1] if rng.random() < 0.5 else part

    def loss(self, model: nn.Module, batch: Sequence[Any], generator: torch.Generator) -> Tensor:
        """See Stage. Two faces x1, x2 are drawn for each estimate, with noise of their own.

        Their mean shall be near the truth and its colours the truth's, as the mean of all plausible faces would be
        (Bendel et al., 2023); each shall have features near the truth's, and look real to the critics; and the two
        shall differ. What is drawn with one z on neighbouring frames shall err alike along the motion.
        """
        real, observed, cases, flow = batch
        seen = self._estimates(real, observed, cases)
        twice = seen.repeat(2, 1, 1, 1)
        together = len(real) // len(cases)
        one = twice[::together]
        z = torch.randn(one.shape, generator=generator, device=one.device).repeat_interleave(together, 0)
        faces = drawn.draw(model, twice, z)
        pair = faces.view(2, *real.shape)
        mean = pair.mean(0)
        pixels = (mean - real).abs().mean()
        colours = functional.avg_pool2d(mean - real, COLOURS).abs().mean()
        with torch.no_grad():
            wanted = self._features(real)
        found = self._features(faces)
        features = feature_distance(found, wanted)
        critics = {name: value.detach() for name, value in self.critics.state_dict().items()}
        self.critics.eval()
        opinions = torch.stack(
            [-one.mean() for one in functional_call(self.critics, critics, (faces, found))]
        )
        self.critics.train()
        shimmer = pixels.new_zeros(()) if flow is None else shimmering(pair - real, flow)
        reward, spread = differing(pair, seen, real)
        fade = min(1.0, (int(self._state["steps"]) + 1) / FADE)
        loss: Tensor = (
            pixels
            + colours
            + FEATURES * features
            + STEADY * shimmer
            + CRITICS * fade * opinions.sum()
            - float(self._state["reward"]) * reward
        )
        self._met = real, faces.detach(), wanted, [level.detach() for level in found]
        self._control(spread)
        self.parts = {
            "pixels": float(pixels.detach()),
            "colours": float(colours.detach()),
            "features": float(features.detach()),
            "shimmer": float(shimmer.detach()),
            "heads": float(opinions[:-1].sum().detach()),
            "patches": float(opinions[-1].detach()),
            "apart": float(reward.detach()),
            "spread": float(self._state["spread"]),
            "reward": float(self._state["reward"]),
        }
        return loss

    def judge(self, critics: nn.Module) -> Tensor:
        """See Adversarial."""
        assert self._met is not None
        real, faces, wanted, found = self._met
        together = [torch.cat(levels) for levels in zip(wanted, found, strict=True)]
        opinions = critics(torch.cat((real, faces)), together)
        loss: Tensor = hinge([one[: len(real)] for one in opinions], [one[len(real) :] for one in opinions])
        self.parts["critics"] = float(loss.detach())
        return loss

    def _control(self, spread: Tensor | None) -> None:
        """Turns the weight of the reward, up where faces differ less than SPREAD, and down where more.

        An average of the spread over about twenty steps is compared; the weight changes by at most TURNED, as a
        logarithm, in a step, in proportion to how far off the average is. All processes agree.
        """
        told = torch.zeros(2) if spread is None else torch.stack((spread.cpu(), torch.tensor(1.0)))
        total, count = reduce(told.to(PartialState().device), "sum").tolist()
        state = self._state
        state["steps"] += 1
        if count:
            state["spread"] = FOLLOWED * state["spread"] + (1 - FOLLOWED) * total / count
        lack = (1 - state["spread"] / SPREAD).clamp(-1, 1)
        state["reward"] = (state["reward"] * (TURNED * lack).exp()).clamp(*REWARDS)

    def state_dict(self) -> dict[str, Tensor]:
        """See Adversarial: the controller."""
        return {name: value.clone() for name, value in self._state.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """See Adversarial."""
        self._state = {name: value.clone() for name, value in state.items()}

    @torch.no_grad()
    def _estimates(self, real: Tensor, observed: Sequence[Tensor], cases: Sequence[Case]) -> Tensor:
        """What the sampler makes of each observation, before G: (N, 3, S, S) in [-1, 1]."""
        size = real.shape[-2:]
        with torch.autocast(real.device.type, enabled=False):
            found = [
                x if case.steps == 0 else estimated(y.to(x), (size[0], size[1]), case, self._models)
                for x, y, case in zip(
                    torch.split(real, len(real) // len(cases)), observed, cases, strict=True
                )
            ]
        return torch.cat(found).clamp(-1, 1)

    def models(self, state: Mapping[str, Tensor], device: torch.device) -> Models:
        """See Stage."""
        network = deepcopy(self.network)
        network.load_state_dict(network.state_dict() | dict(state))
        return Models(self._models.denoiser, Drawn(network, device), device)

    def export(self, state: Mapping[str, Tensor], path: Path) -> None:
        """See Stage."""
        write(state, drawn.metadata(self.network.config), path)


def _case(rng: np.random.Generator, kinds: Sequence[str]) -> Case:
    """`kinds` of damage are met as often as by θ, which then is told nothing."""
    if kinds and rng.random() < DAMAGED:
        return Case(in_place(draw_damage(rng, kinds)), told=False, steps=1, executed=1, seed=0)
    degradation, told = synthesis.draw(rng)
    seed = int(rng.integers(2**31))
    if rng.random() < UNTOUCHED:
        return Case(degradation, told, 0, 0, seed)
    if told and rng.random() < FURTHER:
        steps = int(rng.integers(2, LONGEST + 1))
        return Case(degradation, told, steps, int(rng.integers(2, steps + 1)), seed)
    return Case(degradation, told, 1, 1, seed)


def _observed(x: Tensor, case: Case) -> Tensor:
    """y of pictures (g, 3, S, S), as a file of 8 bits holds it."""
    if not isinstance(case.degradation, DegradationSettings):
        return to_float(damaged(to_uint8(x), case.degradation, recode))
    return to_float(to_uint8(degrade(x, case.degradation, torch.Generator().manual_seed(case.seed))))


def estimated(y: Tensor, size: tuple[int, int], case: Case, models: Models) -> Tensor:
    """The estimate of x of `size` from y, (g, 3, h, w): after data consistency, where θ is told what was done."""
    if not (case.told and isinstance(case.degradation, DegradationSettings)):
        c, denoiser = enlarged(y, size, None), models.denoiser
        last = len(denoiser.schedule) - 1
        return denoiser.schedule.predict_x0(c, denoiser.predict_noise(c, last, Condition(c)), last)
    sampler = SamplerSettings(steps=case.steps, seed=case.seed, w_tau=0, monochrome="off")
    settings = RestorationSettings(
        degradation=case.degradation, sampler=sampler, faces=FaceSettings(aligned=True)
    )
    state: WindowStep
    for state in restore_window(y, settings, models):
        if state.step == case.executed:
            break
    return state.stages["after DC"]


def differing(pair: Tensor, seen: Tensor, real: Tensor) -> tuple[Tensor, Tensor | None]:
    """The reward for two faces (2, N, 3, S, S) of each estimate `seen` that differ, and their spread.

    The reward is the mean of |x1 − x2| without grain, which anybody can draw. Pictures that differ enough earn none,
    nor do those whose estimate leaves nothing open. The spread is the variance of faces in units of the squared error
    of the estimate, both without grain, the mean over pictures; None when all estimates are true.
    """
    apart = without_grain(pair[0] - pair[1])
    variance = apart.detach().square().mean((1, 2, 3)) / 2
    error = without_grain(seen - real).square().mean((1, 2, 3))
    spread, open_ = variance / (error + FAINT), error > FAINT
    earns = (open_ & (spread < ENOUGH * SPREAD)).to(apart.dtype)
    reward = (earns * apart.abs().mean((1, 2, 3))).mean()
    return reward, spread[open_].mean() if open_.any() else None


def shimmering(errors: Tensor, flow: Tensor) -> Tensor:
    """What errors (2, 2·B, 3, S, S) of B pairs of frames, drawn on twice, change by along the motion: the mean, ().

    flow: (B, 2, S, S), from the second frame of each pair back to the first.
    """
    first, second = (errors[:, at::2].flatten(0, 1) for at in (0, 1))
    return (second - warp(first, flow.repeat(2, 1, 1, 1), padding="border")).abs().mean()


def without_grain(images: Tensor) -> Tensor:
    """Smoothed by 3×3 means twice: (N, 3, S, S) → (N, 3, S − 4, S − 4). Half is left of periods of seven pixels."""
    return functional.avg_pool2d(functional.avg_pool2d(images, 3, 1), 3, 1)


def begin(run: EnhancerTraining) -> CompactNetwork:
    """The network that a new run starts from: an enhancer's or θ's file, or the starter model."""
    path = run.init or run.theta or store.path(catalogue.SHIPPED)
    try:
        return drawn.read(path)
    except WeightsError:
        return image_network(compact.read(path))


def image_network(network: CompactNetwork) -> CompactNetwork:
    """The network without temporal layers."""
    config = CompactConfig.from_plain(asdict(network.config) | {"window": 1})
    image = CompactNetwork(config)
    image.load_state_dict(
        {name: value for name, value in network.state_dict().items() if name in image.state_dict()}
    )
    return image


def train(run: EnhancerTraining) -> Iterator[Logged]:
    """See `fit`."""
    torch.manual_seed(run.seed)
    yield from fit(run, EnhancerStage(run, begin(run)))
