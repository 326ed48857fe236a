"""The enhancer stage: G of eq. (12), from what the sampler makes of degraded faces to the faces themselves."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from accelerate import PartialState
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from flair_core.checkpoints import catalogue, store
from flair_core.degradations import degrade
from flair_core.denoisers import compact
from flair_core.denoisers.compact import Compact
from flair_core.enhancers import learned
from flair_core.enhancers.base import Unchanged
from flair_core.enhancers.learned import Learned, LearnedConfig, LearnedNetwork
from flair_core.frames import to_float, to_uint8
from flair_core.restoration.models import Models
from flair_core.restoration.window import restore_window
from flair_core.settings.groups import FaceSettings, RestorationSettings, SamplerSettings
from flair_core.training import validation
from flair_core.training.data import load_clips, load_faces
from flair_core.training.image import VALIDATED
from flair_core.training.loop import Logged, Run, fit, inner_kernels, write
from flair_core.training.synthesis import draw, picture, random_crop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from flair_core.denoisers.base import Denoiser

GROUP = 4
"""Faces that are restored together, from one degradation."""
STEPS = (3, 7)
"""K of those restorations, the last one excluded: few, as in practice."""
MIXED = SamplerSettings().w_tau
"""How much of G is mixed in while it learns: what is the best then, is so by default."""
FAINT = 0.4 / 127.5
"""Amplitude, range [-1, 1], below which a picture is as good as flat: what rounding to 8 bits leaves."""
COST = 0.5
"""Weight of the squared error, in units of the one that was there before: a decibel costs the same anywhere."""
MOST = 0.3
"""Share of a picture's pixels that have most of its detail."""
SHARE, LESS = 0.95, 0.4
"""How much of the truth's detail there shall be where none is left, and how much less of it where all is."""
BEND = 0.2
"""How far off, as a logarithm, a picture's detail may be before it pulls no harder than one that is further off."""
EXCESS = 0.25
"""Weight of detail in places that had less."""
ENOUGH = 1.2
"""How many times the truth's energy of detail a place may have."""
STEEP = 0.4
"""Weight of what fine structure has too much, beside coarser one."""
RINGS, COARSEST = 9, 1 / 16
"""Of the spectrum, and the frequency in cycles a pixel where the first one begins."""
QUIET = 0.15
"""Weight of detail where there was none."""
PLAIN = 1.5 / 127.5
"""Amplitude up to which a place counts as one without detail."""
AROUND = 8
"""Side in pixels of such places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnhancerTraining(Run):
    """One run of the enhancer stage. Pairs are made once, in pairs.npy of `out`; where it is, it is learned from."""

    data: Path
    """Folder of faces: shards and index.csv."""
    clips: Path | None = None
    """Folder of clips whose frames are learned from, too."""
    sources: tuple[str, ...] | None = None
    """Tags of the faces."""
    theta: Path | None = None
    """The network whose results are to be enhanced; without it, the starter model."""
    faces: int = 3000
    """How many are restored to learn from."""
    batch: int = 4
    crop: int = 256
    """A whole face: how much detail there shall be is a matter of the picture, not of a flat part of it."""


class EnhancerStage:
    """Crops of faces as the sampler restores them, and as they are."""

    settings = validation.SETTINGS

    def __init__(self, run: EnhancerTraining, network: LearnedNetwork) -> None:
        self._run, self.network = run, network
        self.shape: Mapping[str, Any] = asdict(network.config)
        self.kernels = inner_kernels(network, network.first, network.last)

    def load(self) -> None:
        """See Stage. Makes the pairs first, where they are not there; the others wait for the main process."""
        run, device = self._run, PartialState().device
        network = compact.read(run.theta or store.path(catalogue.SHIPPED))
        self._denoiser = Compact(network, device)
        with PartialState().main_process_first():
            path = run.out / "pairs.npy"
            if not path.exists():
                run.out.mkdir(parents=True, exist_ok=True)
                faces, clips = load_faces(run.data, run.sources), load_clips(run.clips) if run.clips else []
                rng, side = np.random.default_rng(run.seed), faces.shape[1]
                real = np.stack(
                    [random_crop(picture(faces, clips, rng), side, rng) for _ in range(run.faces)]
                )
                write_pairs(real, self._denoiser, device, run.seed, path)
            self._pairs = np.load(path, mmap_mode="r")

    def validation(self) -> list[NDArray[np.uint8]]:
        """See Stage."""
        assert self._run.validate is not None
        return [load_faces(self._run.validate)[:VALIDATED]]

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """See Stage. Crops of what was seen and of what it should be at the same places, mirrored half of the time."""
        side, seen, real = self._run.crop, [], []
        for at in rng.integers(len(self._pairs), size=self._run.batch):
            top, left = rng.integers(self._pairs.shape[-2] - side + 1, size=2)
            cut = np.s_[top : top + side, left : left + side]
            turn = np.s_[:, ::-1] if rng.random() < 0.5 else np.s_[:, :]
            *estimates, face = self._pairs[at]
            seen.append(estimates[rng.integers(len(estimates))][cut][turn])
            real.append(face[cut][turn])
        return to_float(np.stack(seen)), to_float(np.stack(real))

    def loss(self, model: nn.Module, batch: Sequence[Tensor], generator: torch.Generator) -> Tensor:
        """See Stage."""
        seen, real = batch
        # In a chain G may get what it has enhanced before, and has to know when it is enough.
        before = MIXED * (2 * torch.rand(len(seen), 1, 1, 1, generator=generator, device=seen.device) - 1)
        with torch.no_grad():
            met = seen + before.clamp(min=0) * (self.network(seen) - seen)
        return sharpened(met + MIXED * (model(met) - met), seen, real)

    def models(self, state: Mapping[str, Tensor], device: torch.device) -> Models:
        """See Stage."""
        network = deepcopy(self.network)
        network.load_state_dict(state)
        return Models(self._denoiser, Learned(network, device), device)

    def export(self, state: Mapping[str, Tensor], path: Path) -> None:
        """See Stage."""
        write(state, learned.metadata(self.network.config), path)


def sharpened(enhanced: Tensor, seen: Tensor, real: Tensor) -> Tensor:
    """The loss, from (N, 3, S, S): how much of the error is left, and how far the energy of detail is off.

    Energy is that above a 5×5 mean. Where a picture has most of it there shall be nearly as much, whatever the lines
    that make it, which nobody can know from coarse footage: of all ways to have as much, the error chooses the truest.
    Where more of it is left there shall be less: there the truth is known, and each bit of untruth shows.

    No place shall have much more than there was: the energy of a picture could be had in eyes and outlines alone. In
    plain places there shall be no more at all: noise is no detail.

    Nor shall a finer ring of the spectrum have a larger share of the truth's power than the one before it, or more than
    all. That energy comes cheapest at periods of three to four pixels, where θ has left next to nothing: enough of
    it there is a mesh.
    """
    error = (enhanced - real).square().mean((1, 2, 3)) / ((seen - real).square().mean((1, 2, 3)) + FAINT**2)
    before, found, wanted = (energy(images) for images in (seen, enhanced, real))
    most = wanted >= wanted.flatten(1).quantile(1 - MOST, dim=1)[:, None, None, None]
    left, there, true = ((most * energies).mean((1, 2, 3)) for energies in (before, found, wanted))
    share = SHARE - LESS * (left / (true + FAINT**2)).clamp(max=1)
    lack = logarithm(share * true) - logarithm(there)
    off = functional.smooth_l1_loss(lack, torch.zeros_like(lack), beta=BEND)
    found, wanted = (functional.avg_pool2d(energies, AROUND) for energies in (found, wanted))
    excess = functional.relu(found - ENOUGH * wanted).mean((1, 2, 3)) / (true + FAINT**2)
    noise = functional.relu(logarithm(found) - logarithm(wanted)) * PLAIN**2 / (PLAIN**2 + wanted)
    made, asked = logarithm(spectrum(torch.cat((enhanced, real)))).chunk(2)
    shares = made - asked
    rise = functional.relu(shares[:, 1:] - shares[:, :-1].clamp(max=0))
    return (
        COST * error.mean()
        + off
        + EXCESS * excess.mean()
        + STEEP * rise.square().mean()
        + QUIET * noise.square().mean()
    )


def spectrum(images: Tensor) -> Tensor:
    """Mean power in rings of frequencies, equally wide as logarithms and the coarsest first: (N, 3, S, S) → (N, RINGS).

    Noise of variance v has v in all of them. The margins of a picture count less than its middle.
    """
    side, device = images.shape[-1], images.device
    window = torch.hann_window(side, device=device)
    window = window / window.square().mean().sqrt()
    waves = torch.fft.rfft2(images.float() * window[:, None] * window, norm="ortho")
    columns, rows = torch.fft.rfftfreq(side, device=device), torch.fft.fftfreq(side, device=device)
    edges = torch.logspace(math.log2(COARSEST), -1, RINGS + 1, 2, device=device)
    ring = torch.bucketize((rows[:, None].square() + columns.square()).sqrt(), edges).flatten()
    power = waves.abs().square().mean(1).flatten(1)
    sums = power.new_zeros(len(images), RINGS + 2).index_add(1, ring, power)
    means: Tensor = sums / ring.bincount(minlength=RINGS + 2).clamp(min=1)
    return means[:, 1:-1]


def energy(images: Tensor) -> Tensor:
    """Of fine detail: the square of what is above a 5×5 mean, (N, 3, H, W) → (N, 1, H − 4, W − 4)."""
    above = images[..., 2:-2, 2:-2] - functional.avg_pool2d(images, 5, 1)
    return above.square().mean(1, keepdim=True)


def logarithm(energies: Tensor) -> Tensor:
    """Of energies, where those too faint to be seen are as good as none."""
    return (energies + FAINT**2).log()


def write_pairs(
    faces: NDArray[np.uint8], denoiser: Denoiser, device: torch.device, seed: int, path: Path
) -> None:
    """What the sampler makes of faces (n, S, S, 3), degraded at random: (n, 3, S, S, 3) into the file `path`.

    The estimates before the enhancer would have them, of any step but the first and the last, and of the last; then the
    face itself. What an interrupted run has done is kept.
    """
    partial, shape = path.with_suffix(".partial"), (len(faces), 3, *faces.shape[1:])
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
        states = list(restore_window(y, settings, models))
        for place, state in enumerate((states[int(rng.integers(1, steps))], states[-1])):
            out[at : at + GROUP, place] = to_uint8(state.stages["after DC"].clamp(-1, 1))
        out[at : at + GROUP, 2] = faces[at : at + GROUP]
    out.flush()
    partial.replace(path)


def train(run: EnhancerTraining, config: LearnedConfig | None = None) -> Iterator[Logged]:
    """See `fit`. A network that starts from `init` has its shape."""
    torch.manual_seed(run.seed)
    network = learned.read(run.init) if run.init else LearnedNetwork(config or LearnedConfig())
    yield from fit(run, EnhancerStage(run, network))
