"""The image stage: θ of the compact network, eq. (6) on single faces."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from flair_core.denoisers import compact
from flair_core.denoisers.compact import START, Compact, CompactConfig, CompactNetwork, Guess
from flair_core.enhancers.base import Unchanged
from flair_core.recipe import Models
from flair_core.schedule import NoiseSchedule
from flair_core.training.data import load_clips, load_faces
from flair_core.training.loop import Logged, Run, fit, inner_kernels, write
from flair_core.training.synthesis import draw_batch
from flair_core.training.validation import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


VALIDATED = 8
"""Faces."""
SOFTENED = 0.4
"""How near to 0 the error of an image may come, in units of what is expected, and still count more for it."""
STARTS = 0.25
"""Share of crops that learn the first reverse step, at which the network sees c alone."""
WALKED = 0.7
"""Share of the chain that comes after the last of a few reverse steps on clean footage: σ below 0.2."""
REACH = 0.7
"""How far below the noise level at which the walk ends on clean footage is learned, as a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTraining(Run):
    """One run of the image stage."""

    data: Path
    """Folder with shards and index.csv."""
    clips: Path | None = None
    """Folder of clips whose frames are learned from, too."""
    sources: tuple[str, ...] | None = None
    batch: int = 16
    group: int = 4
    """Crops that share one degradation."""
    crop: int = 128


def noise_level(schedule: NoiseSchedule, t: Tensor) -> Tensor:
    """σ = √((1 − ᾱ)/ᾱ) of steps t, (N,)."""
    return (1 / schedule.alpha_bar.to(t.device)[t].float() - 1).sqrt()


def missed(guess: Guess, x0: Tensor) -> Tensor:
    """Eq. (6) for each image, (N,): ‖F − F*‖² where x0 = m + √w·F*, see flair_core.denoisers.compact."""
    return (guess.f - (x0 - guess.mean) / guess.std).square().mean((1, 2, 3))


def even(errors: Tensor, expected: Tensor) -> Tensor:
    """Weights for images of which c misses `errors`, (N,), where its degradation lets expect `expected`.

    A decibel is a share of the error: without them the few images with most edges outweigh the others.
    """
    return expected / (errors + SOFTENED * expected)


def loss_of(
    network: torch.nn.Module, schedule: NoiseSchedule, batch: Sequence[Tensor], noise: Tensor, t: Tensor
) -> Tensor:
    """Eq. (6), with weights that make images count evenly, plus the likelihood that fits s_c².

    batch: x0, c (N, 3, H, W) and descriptions (N, FEATURES); noise like x0; t: (N,) steps of the chain.
    """
    x0, c, description = batch
    guess: Guess = network(c, *observed(schedule, x0, c, noise, t), description)
    error = (c - x0).square().mean((1, 2, 3), keepdim=True)
    fit_of_variance = 0.5 * (error * (-guess.log_variance).exp() + guess.log_variance).mean()
    weights = even(error.flatten(), guess.log_variance.detach().exp().flatten())
    return (weights * missed(guess, x0)).mean() + 0.05 * fit_of_variance


def observed(
    schedule: NoiseSchedule, x0: Tensor, c: Tensor, noise: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """What the network is shown at steps t, (N,), as flair_core.denoisers.compact.observation, and the σ it is told.

    x0, c and noise: (N, 3, H, W).
    """
    sigma = noise_level(schedule, t)
    first = t == len(schedule) - 1
    seen = c.where(first[:, None, None, None], x0 + sigma[:, None, None, None] * noise)
    return seen, sigma.masked_fill(first, START)


def few_steps(ends: Tensor, chain: int, generator: torch.Generator) -> Tensor:
    """Steps of the chain to train on, (N,): the first reverse one, those where few of them walk, and any others.

    ends: (N,), the least noisy steps that are walked.
    """
    count, device = len(ends), ends.device
    high = torch.rand(count, generator=generator, device=device) < 0.5
    low = ends.maximum((WALKED * chain * high).long())
    t = low + (torch.rand(count, generator=generator, device=device) * (chain - low)).long()
    starts = torch.rand(count, generator=generator, device=device) < STARTS
    return t.clamp(max=chain - 1).masked_fill(starts, chain - 1)


def ends(network: CompactNetwork, schedule: NoiseSchedule, description: Tensor) -> Tensor:
    """Where the walk ends on footage of these descriptions, (N, FEATURES) → (N,), and some steps beyond it.

    Footage that was only made smaller is walked to the noise that c has of its own, all other to the last step.
    """
    with torch.no_grad(), torch.autocast(description.device.type, enabled=False):
        variance = network.expected_variance(description)
    levels = 1 / schedule.alpha_bar.to(description.device, torch.float32) - 1
    walked = (levels < (REACH * compact.END) ** 2 * variance).sum(1)
    return walked.where(compact.clean(description), 0)


class CompactStage:
    """What the stages have in common that train the compact network, or a part of it."""

    settings = SETTINGS
    kernels: Sequence[torch.nn.Parameter] = ()

    def __init__(self, network: CompactNetwork) -> None:
        config = network.config
        self.network, self.shape = network, dict[str, Any](asdict(config))
        self._schedule = NoiseSchedule.log_spaced(config.chain, config.sigma_min, config.sigma_max)

    def models(self, state: Mapping[str, Tensor], device: torch.device) -> Models:
        """See Stage."""
        averaged = deepcopy(self.network)
        averaged.load_state_dict(state, strict=False)
        return Models(Compact(averaged, device), Unchanged(), device)

    def export(self, state: Mapping[str, Tensor], path: Path) -> None:
        """See Stage."""
        write(state, compact.metadata(self.network.config), path)


class ImageStage(CompactStage):
    """Random crops of faces, degraded at random; all of θ is trained."""

    def __init__(self, run: ImageTraining, network: CompactNetwork) -> None:
        super().__init__(network)
        self._run = run
        self.kernels = inner_kernels(network, network.first, network.last)

    def load(self) -> None:
        """See Stage."""
        self._faces = load_faces(self._run.data, self._run.sources)
        self._clips = load_clips(self._run.clips) if self._run.clips else []

    def validation(self) -> list[NDArray[np.uint8]]:
        """See Stage."""
        assert self._run.validate is not None
        return [load_faces(self._run.validate)[:VALIDATED]]

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """See Stage."""
        run = self._run
        return draw_batch(self._faces, self._clips, run.batch, run.group, run.crop, rng)

    def loss(self, model: torch.nn.Module, batch: Sequence[Tensor], generator: torch.Generator) -> Tensor:
        """See Stage."""
        x0, _, description = batch
        noise = torch.randn(x0.shape, generator=generator, device=x0.device)
        t = few_steps(ends(self.network, self._schedule, description), len(self._schedule), generator)
        return loss_of(model, self._schedule, batch, noise, t)


def train(run: ImageTraining, config: CompactConfig | None = None) -> Iterator[Logged]:
    """See `fit`. A network that starts from `init` has its shape; temporal layers are left out."""
    torch.manual_seed(run.seed)
    if run.init:
        start = compact.read(run.init)
        network = CompactNetwork(replace(start.config, window=1))
        network.load_state_dict(start.state_dict(), strict=False)
    else:
        network = CompactNetwork(config or CompactConfig())
    yield from fit(run, ImageStage(run, network))
