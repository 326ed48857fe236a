"""The image stage: θ of the compact network, eq. (6) on single faces."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from flair_core.checkpoints.store import sha256_of
from flair_core.degradations import build
from flair_core.denoisers import compact
from flair_core.denoisers.compact import START, Compact, CompactConfig, CompactNetwork, Guess, clean, scale_of
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.enhancers.base import Unchanged
from flair_core.errors import WeightsError
from flair_core.restoration.models import Models
from flair_core.settings.groups import DegradationSettings
from flair_core.training.data import load_clips, load_faces
from flair_core.training.loop import Logged, fit, inner_kernels, write
from flair_core.training.synthesis import DamagedFaces, draw_batch
from flair_core.training.validation import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from flair_core.denoisers.compact_temporal import WindowMotion


VALIDATED = 8
"""Faces."""
SOFTENED = 0.4
"""How near to 0 the error of an image may come, in units of what is expected, and still count more for it."""
UNTOLD_SOFTENED = 0.1
"""The same where nothing is told: what is expected is the mean over all damage then, and little harm is common."""
STARTS = 0.25
"""Share of crops that learn the first reverse step, at which the network sees c alone."""
UNTOLD_STARTS = 0.8
"""The same where nothing is told: footage of which nothing is known is restored by that step, see docs/training.md."""
WALKED = 0.7
"""Share of the chain that comes after the last of a few reverse steps on clean footage: σ below 0.2."""
OWN = 0.5
"""Share of crops whose x_t is made of the network's own estimate, as in a walk."""
KERNEL = 4
"""Dimensions of a convolution's kernel."""
REACH = 0.7
"""How far below the noise level at which the walk ends on clean footage is learned, as a part of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageTraining(DamagedFaces):
    """One run of the image stage."""

    batch: int = 16
    group: int = 4
    """Crops that share one degradation."""
    crop: int = 128


def sigma_at(schedule: NoiseSchedule, t: Tensor) -> Tensor:
    """σ = √((1 − ᾱ)/ᾱ) of steps t, (N,)."""
    return (1 / schedule.alpha_bar.to(t.device)[t].float() - 1).sqrt()


def missed(guess: Guess, x0: Tensor, own: int = 0) -> Tensor:
    """Eq. (6) for each image, (N,): ‖F − F*‖² where x0 = m + √w·F*, see flair_core.denoisers.compact.

    An estimate errs by about s_c, whatever the noise that was added to it: of the first `own` images, which are
    such, the error counts in units of s_c instead of √w.
    """
    errors = (guess.f - (x0 - guess.mean) / guess.std).square().mean((1, 2, 3))
    share = (guess.std.square() * (-guess.log_variance).exp()).detach().flatten().expand_as(errors)
    return torch.cat((errors[:own] * share[:own], errors[own:]))


def untold(description: Tensor) -> Tensor:
    """Of which images the network is told nothing, (…, FEATURES) → (…)."""
    return description[..., 0] == 1


def even(errors: Tensor, expected: Tensor, softened: Tensor | float = SOFTENED) -> Tensor:
    """Weights for images of which c misses `errors`, (N,), where its degradation lets expect `expected`.

    A decibel is a share of the error: without them the few images with most edges outweigh the others.
    """
    return expected / (errors + softened * expected)


def loss_of(
    network: torch.nn.Module, batch: Sequence[Tensor], seen: tuple[Tensor, Tensor], own: int = 0
) -> Tensor:
    """Eq. (6), with weights that make images count evenly, plus the likelihood that fits s_c².

    batch: x0, c (N, 3, H, W) and descriptions (N, FEATURES); seen: of each, see `observed`.
    own: how many of them, the first ones, the network saw as its own estimate, see `walked`.
    """
    x0, c, description = batch
    guess: Guess = network(c, *seen, description)
    error = (c - x0).square().mean((1, 2, 3), keepdim=True)
    fit_of_variance = 0.5 * (error * (-guess.log_variance).exp() + guess.log_variance).mean()
    softened = torch.where(untold(description), UNTOLD_SOFTENED, SOFTENED)
    weights = even(error.flatten(), guess.log_variance.detach().exp().flatten(), softened)
    return (weights * missed(guess, x0, own)).mean() + 0.05 * fit_of_variance


def observed(
    schedule: NoiseSchedule, x0: Tensor, c: Tensor, noise: Tensor, t: Tensor
) -> tuple[Tensor, Tensor]:
    """What the network is shown at steps t, (N,), as flair_core.denoisers.compact.observation, and the σ it is told.

    x0, c and noise: (N, 3, H, W); x0 may be an estimate.
    """
    sigma = sigma_at(schedule, t)
    first = t == len(schedule) - 1
    seen = c.where(first[:, None, None, None], x0 + sigma[:, None, None, None] * noise)
    return seen, sigma.masked_fill(first, START)


@torch.no_grad()
def walked(
    network: torch.nn.Module,
    schedule: NoiseSchedule,
    c: Tensor,
    description: Tensor,
    t: Tensor,
    noise: Tensor,
    motion: WindowMotion | None = None,
) -> Tensor:
    """What a walk makes at steps t, (N,), after the first reverse one: the network's own estimate, (N, 3, H, W).

    It errs where c errs. A network that knew x_t from x0 alone would take it for a second witness, and believe at
    every step a little more of what is wrong with c.

    c and noise: (N, 3, H, W); description: (N, FEATURES); motion: see CompactNetwork.
    """
    estimate = c
    for step in (torch.full_like(t, len(schedule) - 1), t) if len(c) else ():
        guess: Guess = network(c, *observed(schedule, estimate, c, noise, step), description, motion)
        estimate = consistent(guess.x0.clamp(-1, 1), c, description)
    return estimate


def earlier(t: Tensor, chain: int, generator: torch.Generator) -> Tensor:
    """Steps of the chain that a walk may come from when it is at t, (N,)."""
    u = torch.rand(len(t), generator=generator, device=t.device)
    return (t + 1 + (u * (chain - 1 - t)).long()).clamp(max=chain - 1)


def consistent(estimate: Tensor, c: Tensor, description: Tensor) -> Tensor:
    """Eq. (9) at γ = 1 for those images whose c is A⁺y, footage that was only made smaller; others stay as they are.

    (N, 3, H, W) twice and (N, FEATURES) → (N, 3, H, W).
    """
    scales = scale_of(description).where(clean(description), 0)
    for s in set(scales.tolist()):
        if s:
            A = build(DegradationSettings(scale=s), (c.shape[-2], c.shape[-1]), c.device)
            with torch.autocast(c.device.type, enabled=False):
                corrected = estimate + c - A.pinv(A.forward(estimate))
            estimate = corrected.where((scales == s)[:, None, None, None], estimate)
    return estimate


def few_steps(
    ends: Tensor, chain: int, generator: torch.Generator, starts: Tensor | float = STARTS
) -> Tensor:
    """Steps of the chain to train on, (N,): the first reverse one, those where few of them walk, and any others.

    ends: (N,), the least noisy steps that are walked.  starts: (N,) or one share of those that learn the first one.
    """
    count, device = len(ends), ends.device
    high = torch.rand(count, generator=generator, device=device) < 0.5
    low = ends.maximum((WALKED * chain * high).long())
    t = low + (torch.rand(count, generator=generator, device=device) * (chain - low)).long()
    first = torch.rand(count, generator=generator, device=device) < starts
    return t.clamp(max=chain - 1).masked_fill(first, chain - 1)


def ends(network: CompactNetwork, schedule: NoiseSchedule, description: Tensor) -> Tensor:
    """Where the walk ends on footage of these descriptions, (N, FEATURES) → (N,), and some steps beyond it.

    Footage that was only made smaller is walked to the noise that c has of its own, all other to the last step.
    """
    with torch.no_grad(), torch.autocast(description.device.type, enabled=False):
        variance = network.expected_variance(description)
    levels = 1 / schedule.alpha_bar.to(description.device, torch.float32) - 1
    least = (levels < (REACH * compact.END) ** 2 * variance).sum(1)
    return least.where(clean(description), 0)


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
        return draw_batch(self._faces, self._clips, run.batch, run.group, run.crop, rng, run.kinds)

    def loss(self, model: torch.nn.Module, batch: Sequence[Tensor], generator: torch.Generator) -> Tensor:
        """See Stage."""
        x0, c, description = batch
        schedule, own = self._schedule, int(OWN * len(x0))
        noise, before = torch.randn((2, *x0.shape), generator=generator, device=x0.device)
        starts = torch.where(untold(description), UNTOLD_STARTS, STARTS)
        t = few_steps(ends(self.network, schedule, description), len(schedule), generator, starts)
        came = earlier(t[:own], len(schedule), generator)
        # The first step is shown c, whatever the estimate.
        walks = (t[:own] < len(schedule) - 1).nonzero()[:, 0]
        estimate = x0.clone()
        estimate[walks] = walked(model, schedule, c[walks], description[walks], came[walks], before[walks])
        seen = observed(schedule, estimate, c, noise, t)
        return loss_of(model, batch, seen, own)


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


def split(trained: Path, theta: Path, out: Path) -> None:
    """Write what a trained file has beside θ, φ or what draws, to lie beside the file with its θ: as it ships.

    Raises WeightsError unless `trained` was trained on that very θ.
    """
    network, base = compact.read(trained), compact.read(theta).state_dict()
    state = network.state_dict()
    if any(value.ndim == KERNEL and not state[key].equal(value) for key, value in base.items()):
        raise WeightsError(f"{trained} was not trained on {theta}: their kernels differ.")
    layers = {
        key: value.half().contiguous()
        for key, value in state.items()
        if key not in base or not value.equal(base[key])
    }
    told = compact.metadata(network.config) | {"theta": theta.name, "theta_sha256": sha256_of(theta)}
    save_file(layers, out, told)


def moved(beside: Path, before: Path, theta: Path, out: Path) -> None:
    """Write what lies beside the θ `before`, φ or what draws, for `theta`, which was trained further from that.

    Its own layers stay as they are; of weights that θ has too, the difference stays. Whether it still does what it
    did is to be measured. Raises WeightsError unless `beside` belongs to `before`.
    """
    told, layers = compact.tensors(beside)
    if told.get("theta_sha256") != sha256_of(before):
        raise WeightsError(f"{beside} does not belong to {before}.")
    old, new = (compact.tensors(path)[1] for path in (before, theta))
    state = {key: value + new[key] - old[key] if key in new else value for key, value in layers.items()}
    write(state, told | {"theta": theta.name, "theta_sha256": sha256_of(theta)}, out)
