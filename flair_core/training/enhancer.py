"""The enhancer stage: G of eq. (12), from what the sampler makes of degraded faces to the faces themselves."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm
from tqdm import tqdm

from flair_core import weights
from flair_core.degradations import degrade
from flair_core.denoisers import compact
from flair_core.denoisers.compact import Compact, CompactNetwork, describe, patches
from flair_core.enhancers import learned
from flair_core.enhancers.base import Unchanged
from flair_core.enhancers.learned import Learned, LearnedConfig, LearnedNetwork
from flair_core.errors import SettingsError
from flair_core.frames import to_float, to_uint8
from flair_core.recipe import Models, estimate
from flair_core.settings import FaceSettings, RestorationSettings, SamplerSettings
from flair_core.training import validation
from flair_core.training.data import load_faces
from flair_core.training.image import VALIDATED
from flair_core.training.loop import Logged, Run, fit, inner_kernels, write
from flair_core.training.synthesis import crop, draw

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from flair_core.denoisers.base import Denoiser

GROUP = 4
"""Faces that are restored together, from one degradation."""
STEPS = (3, 7)
"""K of those restorations, the last one excluded: few, as in practice."""
LEVELS = 2
"""Resolutions of θ whose features are compared."""
PERCEPTION = 0.2
"""Weight of that comparison."""
DETAIL = 2.5
"""Weight of the difference in `local_detail`."""
MIXED = SamplerSettings().w_tau
"""How much of G is mixed in while its gauge learns."""
REACH = 4
"""Radius in pixels of the neighbourhood whose energy is compared."""
FAINT = 0.4 / 127.5
"""Amplitude, range [-1, 1], below which a picture is as good as flat: what rounding to 8 bits leaves."""
LACK = 0.2
"""Weight of what the energy of detail lacks, where only the gauge learns: of its squared logarithm."""
COST = 0.4
"""Weight there of the squared error, in units of the one that was there before: a decibel costs the same anywhere."""
DIRECTIONS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps in pixels along which detail may run."""
GRID = 8
"""Pixels after which θ's features look at a picture in the same way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancerTraining(Run):
    """One run of the enhancer stage. Pairs are made once, in seen.npy of `out`; they depend on `seed`, too."""

    data: Path
    """Folder of faces: shards and index.csv."""
    sources: tuple[str, ...] | None = None
    """Tags of the faces."""
    theta: Path | None = None
    """The network whose results are to be enhanced; without it, the starter model."""
    faces: int = 3000
    """How many are restored to learn from."""
    batch: int = 16
    crop: int = 128
    adversarial: float = 0.02
    """Weight of the critic's opinion: 0 has none and learns faster, more gives crisper faces, too much patterns."""
    gauge: bool = False
    """Learn only how strongly G draws, mixed in as by default: after all the rest, from its weights in `init`."""


class Critic(nn.Module):
    """Says of every patch how natural it looks: PatchGAN with spectral normalisation (Miyato et al., 2018)."""

    def __init__(self, channels: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Conv2d(12, channels, 3, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(channels, 2 * channels, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(2 * channels, 4 * channels, 4, 2, 1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(4 * channels, 1, 3, padding=1)),
        )

    def forward(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, 1, H/8, W/8)."""
        opinion: Tensor = self.layers(functional.pixel_unshuffle(images, 2))
        return opinion


class Opinions(NamedTuple):
    """What the critic thinks."""

    of_enhanced: Tensor
    """For G to learn from."""
    of_enhanced_itself: Tensor
    """The same, for the critic to learn from."""
    of_real: Tensor


class Rivals(nn.Module):
    """G and its critic, if there is one, trained by one optimizer: each learns from its own part of the loss only."""

    def __init__(self, enhancer: LearnedNetwork, critic: Critic | None) -> None:
        super().__init__()
        self.enhancer, self.critic = enhancer, critic

    def forward(self, seen: Tensor, real: Tensor) -> tuple[Tensor, Opinions | None]:
        """seen: what the sampler made, real: what it should have been, (N, 3, H, W) → the enhanced, and what of it."""
        enhanced: Tensor = self.enhancer(seen)
        if self.critic is None:
            return enhanced, None
        self.critic.requires_grad_(False)
        opinion = self.critic(enhanced)
        self.critic.requires_grad_(True)
        return enhanced, Opinions(opinion, self.critic(enhanced.detach()), self.critic(real))


class EnhancerStage:
    """Crops of faces as the sampler restores them, and as they are."""

    settings = replace(validation.SETTINGS, sampler=SamplerSettings(w_tau=1.0))

    def __init__(self, run: EnhancerTraining, enhancer: LearnedNetwork) -> None:
        critic = Critic() if run.adversarial and not run.gauge else None
        self._run, self.network = run, Rivals(enhancer, critic)
        self.shape: Mapping[str, Any] = asdict(enhancer.config) | {"gauge": run.gauge}
        self.kernels = [] if run.gauge else inner_kernels(enhancer, enhancer.first, enhancer.last)
        for name, parameter in enhancer.named_parameters():
            parameter.requires_grad_(name.startswith("gauge.") == run.gauge)

    def load(self) -> None:
        """See Stage. Makes the pairs first, where they are not there; the others wait for the main process."""
        run, device = self._run, PartialState().device
        network = compact.read(run.theta or weights.path(weights.SHIPPED))
        self._denoiser = Compact(deepcopy(network), device)
        self._features = Features(network).to(device)
        faces = load_faces(run.data, run.sources)
        rng = np.random.default_rng(run.seed)
        chosen = rng.permutation(len(faces))[: run.faces]
        self._real = np.stack([crop(faces[at], faces.shape[1], rng) for at in chosen])
        with PartialState().main_process_first():
            path = run.out / "seen.npy"
            if not path.exists():
                run.out.mkdir(parents=True, exist_ok=True)
                restored(self._real, self._denoiser, device, run.seed, path)
            self._seen = np.load(path, mmap_mode="r")

    def validation(self) -> list[NDArray[np.uint8]]:
        """See Stage."""
        assert self._run.validate is not None
        return [load_faces(self._run.validate)[:VALIDATED]]

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """See Stage. Crops of what was seen and of what it should be at the same places, mirrored half of the time."""
        side, seen, real = self._run.crop, [], []
        for at in rng.integers(len(self._seen), size=self._run.batch):
            top, left = rng.integers(self._real.shape[1] - side + 1, size=2)
            cut = np.s_[top : top + side, left : left + side]
            turn = np.s_[:, ::-1] if rng.random() < 0.5 else np.s_[:, :]
            seen.append(self._seen[at, rng.integers(self._seen.shape[1])][cut][turn])
            real.append(self._real[at][cut][turn])
        return to_float(np.stack(seen)), to_float(np.stack(real))

    def loss(self, model: nn.Module, batch: Sequence[Tensor], generator: torch.Generator) -> Tensor:
        """See Stage. Distance in pixels and in features of θ, and the hinge losses of the critic and for it."""
        run = self._run
        seen, real = batch
        if run.gauge:
            return gauged(seen + MIXED * (model(seen, real)[0] - seen), seen, real)
        # At every step of a chain but the first, G gets what it has enhanced before, and has to know when it is enough.
        mixed = 2 * torch.rand(len(seen), 1, 1, 1, generator=generator, device=seen.device) - 1
        mixed = mixed.clamp(min=0)
        with torch.no_grad():
            seen = seen + mixed * (self.network.enhancer(seen) - seen)
        enhanced: Tensor
        opinions: Opinions | None
        enhanced, opinions = model(seen, real)
        distance = functional.l1_loss(enhanced, real)
        detail = functional.l1_loss(local_detail(enhanced), local_detail(real))
        # Seen always in the same grid, a pattern as wide as θ's patches would pass for detail.
        top, left = torch.randint(GRID, (2,), generator=generator, device=seen.device).tolist()
        side = seen.shape[-1] - GRID
        looks = (
            self._features(image[..., top : top + side, left : left + side]) for image in (enhanced, real)
        )
        perception = torch.stack(
            [functional.l1_loss(a.float(), b.float()) / b.float().std() for a, b in zip(*looks, strict=True)]
        ).sum()
        distance = distance + PERCEPTION * perception + DETAIL * detail
        if opinions is None:
            return distance
        critical = functional.relu(1 + opinions.of_enhanced_itself.float()).mean()
        critical = critical + functional.relu(1 - opinions.of_real.float()).mean()
        return distance - run.adversarial * opinions.of_enhanced.float().mean() + critical

    def models(self, state: Mapping[str, Tensor], device: torch.device) -> Models:
        """See Stage."""
        rivals = deepcopy(self.network)
        rivals.load_state_dict(state, strict=False)
        return Models(self._denoiser, Learned(rivals.enhancer, device), device)

    def export(self, state: Mapping[str, Tensor], path: Path) -> None:
        """See Stage: G alone."""
        prefix = "enhancer."
        own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        own = self.network.enhancer.state_dict() | own  # some of it may not have been trained
        write(own, learned.metadata(self.network.enhancer.config), path)


def gauged(enhanced: Tensor, seen: Tensor, real: Tensor) -> Tensor:
    """Loss for how strongly G draws, from (N, 3, H, W): by what the error grew, and detail as a whole is off."""
    error = (enhanced - real).square().mean((1, 2, 3)) / ((seen - real).square().mean((1, 2, 3)) + FAINT**2)
    lack = (energy(real) + FAINT**2).log() - (energy(enhanced) + FAINT**2).log()
    return (COST * error + LACK * lack.square()).mean()


def energy(images: Tensor) -> Tensor:
    """Of fine detail: mean square above a 5×5 mean, (N, 3, H, W) → (N,)."""
    return fine(images).square().mean((1, 2, 3))


def fine(images: Tensor) -> Tensor:
    """What lies above a 5×5 mean: (N, 3, H, W) → (N, 3, H − 4, W − 4)."""
    return images[..., 2:-2, 2:-2] - functional.avg_pool2d(images, 5, 1)


def local_detail(images: Tensor) -> Tensor:
    """Square root of the amplitude of fine detail around each pixel: (N, 3, H, W) → (N, 5, h, w).

    Above a 5×5 mean in any colour, and of the differences of luma in four directions: how much detail there is and
    how it runs, but not where each line lies, which nobody can know from coarse footage.
    """
    above = fine(images)
    luma = images.mean(1, keepdim=True)
    height, width = above.shape[-2:]
    moved = [luma[..., 2 + dy : 2 + dy + height, 2 + dx : 2 + dx + width] for dy, dx in DIRECTIONS]
    runs = (torch.cat(moved, 1) - luma[..., 2:-2, 2:-2]).square()
    energy = torch.cat((above.square().mean(1, keepdim=True), runs), 1)
    return (functional.avg_pool2d(energy, 2 * REACH + 1, 2) + FAINT**2) ** 0.25


class Features(nn.Module):
    """What θ sees in a clean picture: its features on the way down, of the finest LEVELS resolutions."""

    def __init__(self, theta: CompactNetwork) -> None:
        super().__init__()
        self._theta = theta.eval().requires_grad_(False)
        self._level = theta.config.sigma_min

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] → features; a clean picture as condition and as x_t, which so agree."""
        theta, description = self._theta, describe(None).to(images.device)[None]
        told = theta.tell(torch.full((1,), self._level, device=images.device), description)
        seen = torch.cat((images, torch.zeros_like(images)), 1)
        x = theta.first(patches(seen, images.dtype))
        found = []
        for at in range(LEVELS):
            x = theta.down[at](x, told.down[at])
            found.append(x)
            if at + 1 < LEVELS:
                x = theta.shrink[at](x)
        return found


def restored(
    faces: NDArray[np.uint8], denoiser: Denoiser, device: torch.device, seed: int, path: Path
) -> None:
    """What the sampler makes of faces (n, S, S, 3), degraded at random: (n, 2, S, S, 3) into the file `path`.

    The estimates before the enhancer would have them: of the last step, and of any other but the first. What an
    interrupted run has done is kept.
    """
    partial, shape = path.with_suffix(".partial"), (len(faces), 2, *faces.shape[1:])
    mode = "r+" if partial.exists() else "w+"
    out = np.lib.format.open_memmap(partial, mode, np.uint8, shape)
    models = Models(denoiser, Unchanged(), device)
    for at in tqdm(range(0, len(faces), GROUP), unit="batch", desc="restoring", leave=False):
        if out[at].any():
            continue
        rng = np.random.default_rng((seed, at))
        degradation, _ = draw(rng)
        steps = int(rng.integers(*STEPS))
        sampler = SamplerSettings(steps=steps, seed=int(rng.integers(2**31)), monochrome="off")
        settings = RestorationSettings(
            degradation=degradation, sampler=sampler, faces=FaceSettings(aligned=True)
        )
        x = to_float(faces[at : at + GROUP])
        y = degrade(x, degradation, torch.Generator().manual_seed(int(rng.integers(2**62))))
        states = list(estimate(y, (x.shape[-2], x.shape[-1]), settings, models))
        for place, state in enumerate((states[int(rng.integers(1, steps))], states[-1])):
            out[at : at + GROUP, place] = to_uint8(state.stages["after DC"].clamp(-1, 1))
    out.flush()
    partial.replace(path)


def train(run: EnhancerTraining, config: LearnedConfig | None = None) -> Iterator[Logged]:
    """See `fit`. A network that starts from `init` has its shape; its critic begins anew.

    Raises SettingsError when only the gauge shall learn, and there is no `init` that draws.
    """
    if run.gauge and not run.init:
        raise SettingsError(
            "--gauge trains only how strongly an enhancer draws. Name the enhancer by --init."
        )
    torch.manual_seed(run.seed)
    network = learned.read(run.init) if run.init else LearnedNetwork(config or LearnedConfig())
    yield from fit(run, EnhancerStage(run, network))
