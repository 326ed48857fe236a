"""Trains the network of `flair_core.estimation.judge`: θ restores damaged faces, and what came of it is compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.stats import norm
from torch.nn import functional

from flair_core.degradations import degrade, enlarged
from flair_core.degradations.damage import KINDS, damaged, draw_damage
from flair_core.errors import SettingsError
from flair_core.estimation.judge import RESOLUTIONS, Judge, observed
from flair_core.frames import to_float, to_uint8
from flair_core.restoration import auto
from flair_core.settings.fields import EIGHT_BIT
from flair_core.training import synthesis
from flair_core.training.data import load_faces
from flair_core.training.discriminators import Features, perceptual_distance
from flair_core.video.recoded import recode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    Random = np.random.Generator
    Picture = NDArray[np.uint8]

OFTEN = {"damage": 0.65, "known": 0.2, "noise": 0.08, "clean": 0.07}
"""How often a face is damaged as in life, degraded as in eq. (10), only noisy, or left as it is."""
ENLARGED = 0.15
"""How often it is a part of a face, enlarged: it then is soft without damage."""
STRONGEST = 25.0
"""Std of noise at most, in levels."""
DISTANCE = 20.0
"""dB that a feature distance of 1 counts as."""
STILL = 10**-4.5
"""Mean square error, of pictures in [0, 1], that nobody sees: 45 dB."""
LIMITS = (-8.0, 12.0)
"""A gain beyond counts as that much."""
BATCH, STEPS, RATE, DECAY = 64, 1500, 3e-3, 1e-2
SHAKEN = 0.1
"""Std of noise on the inputs in training, in units of theirs."""
FEWEST = 4
"""Examples, so that each kind can be left out and something is left."""
SHARE = 0.8
"""Of the examples, that each of the networks learns from: they then differ where little is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeTraining:
    """One run."""

    data: Path
    """Folder of faces: shards and index.csv."""
    out: Path
    """The file to write."""
    sources: tuple[str, ...] | None = None
    leave_out: tuple[str, ...] = ()
    """Kinds of damage that are not learned from."""
    examples: int = 2400
    seed: int = 0

    def __post_init__(self) -> None:
        """Raises SettingsError: a kind that is left out is none, too few examples, a file that can't be written."""
        synthesis.check_kinds(self.leave_out)
        if self.examples < FEWEST or self.seed < 0:
            raise SettingsError(f"The judge needs {FEWEST} examples or more, and a seed of 0 or more.")
        if self.out.is_dir() or not self.out.absolute().parent.is_dir():
            raise SettingsError(f"{self.out} can't be written. Name a file in a folder that is there.")


@dataclass(frozen=True, slots=True)
class Example:
    """A face, what the network sees of it, and what it is to say."""

    kind: str
    inputs: Tensor
    gains: Tensor
    """(len(RESOLUTIONS),): see Judge."""


def train(run: JudgeTraining) -> Iterator[float]:
    """Yields the mean gain of what was looked at so far after each example; the weights are written at the end."""
    faces, rng, features = load_faces(run.data, run.sources), np.random.default_rng(run.seed), Features()
    kinds = tuple(kind for kind in KINDS if kind not in run.leave_out)
    made: list[Example] = []
    for _ in range(run.examples):
        made.append(example(faces, kinds, rng, features))
        yield float(torch.stack([one.gains for one in made]).mean())
    network = fitted(made, run.seed)
    network.spread.copy_(spread(made, run.seed))
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, run.out)


def example(faces: Picture, kinds: Sequence[str], rng: Random, features: Features) -> Example:
    """A face that something happened to, of faces (n, S, S, 3), and what came of θ at each resolution."""
    face = faces[rng.integers(len(faces))]
    if rng.random() < ENLARGED:
        face = synthesis.random_crop(face, face.shape[0], rng)
    kind, y = _harmed(face, kinds, rng)
    x = to_float(face[None])
    restored = [auto.restored(y, resolution, torch.device("cpu")) for resolution in RESOLUTIONS]
    truth = features(x)

    def off(image: Tensor) -> tuple[float, float]:
        image = to_float(to_uint8(image))  # as it is stored
        error = float((image - x).square().mean()) / 4 + STILL
        return -10 * np.log10(error), float(perceptual_distance(features(image), truth)[0])

    before, *after = [off(image) for image in (y, *restored)]
    gains = [(one[0] - before[0]) - DISTANCE * (one[1] - before[1]) for one in after]
    inputs = observed(y[0], [one[0] for one in restored])
    return Example(kind, inputs, torch.tensor(gains).float().clamp(*LIMITS))


def _harmed(face: Picture, kinds: Sequence[str], rng: Random) -> tuple[str, Tensor]:
    """What happened to a face (S, S, 3), and what is left, (1, 3, S, S) in [-1, 1]."""
    what = str(rng.choice(list(OFTEN), p=list(OFTEN.values())))
    if what == "damage":
        kind = str(rng.choice(list(kinds)))
        return kind, to_float(damaged(face[None], synthesis.in_place(draw_damage(rng, (kind,))), recode))
    if what == "known":
        settings, _ = synthesis.draw(rng)
        noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
        y = to_float(to_uint8(degrade(to_float(face[None]), settings, noise)))
        return what, to_float(to_uint8(enlarged(y, (face.shape[0], face.shape[1]), None)))
    if what == "noise":
        channels = 3 if rng.random() < 0.5 else 1
        noise_ = rng.normal(size=(*face.shape[:2], channels)) * rng.uniform(1, STRONGEST)
        y_ = np.clip(np.rint(face + noise_), 0, EIGHT_BIT).astype(np.uint8)
        return what, to_float(y_[None])
    return what, to_float(face[None])


def fitted(examples: Sequence[Example], seed: int) -> Judge:
    """A network that has learned from examples."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    inputs = torch.stack([one.inputs for one in examples])
    gains = torch.stack([one.gains for one in examples])
    network = Judge()
    network.mean.copy_(inputs.mean(0))
    network.std.copy_(inputs.std(0) + 1e-3)
    optimizer = torch.optim.AdamW(network.networks.parameters(), lr=RATE, weight_decay=DECAY)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS)
    known = [torch.rand(len(inputs), generator=generator) < SHARE for _ in network.networks]
    for _ in range(STEPS):
        some = torch.randint(len(inputs), (BATCH,), generator=generator)
        shaken = torch.randn(BATCH, inputs.shape[1], generator=generator) * SHAKEN * network.std
        losses = []
        for its_own, out in zip(known, network.each(inputs[some] + shaken), strict=True):
            off = functional.smooth_l1_loss(out, gains[some], reduction="none").mean(1)
            losses.append((off * its_own[some]).sum() / its_own[some].sum().clamp_min(1))
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        rate.step()
    return network.eval()


@torch.no_grad()
def spread(examples: Sequence[Example], seed: int) -> Tensor:
    """How far off what is said of kinds is that were not learned from, (2,): see Judge.

    Each kind is left out in turn. The middle two thirds count: a few that are far off say nothing of the others.
    """
    off = []
    for kind in sorted({one.kind for one in examples}):
        with torch.enable_grad():
            network = fitted([one for one in examples if one.kind != kind], seed)
        unseen = [one for one in examples if one.kind == kind]
        said = network(torch.stack([one.inputs for one in unseen]))
        off.append(said - torch.stack([one.gains for one in unseen]))
    errors = torch.cat(off)
    beside = errors[:, 1:] - errors[:, :1]
    middle = norm.cdf(1) - norm.cdf(-1)
    return torch.stack([one.abs().flatten().quantile(middle) for one in (errors, beside)])
