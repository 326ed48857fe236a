"""The temporal stage: φ of the compact network, eq. (6) on windows of frames, θ frozen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from flair_core.checkpoints import catalogue, store
from flair_core.denoisers import compact
from flair_core.denoisers.compact import CompactNetwork, Guess
from flair_core.denoisers.compact_temporal import WindowMotion
from flair_core.denoisers.flow import Flows, warp
from flair_core.training.data import load_clips, load_faces
from flair_core.training.image import OWN, CompactStage, earlier, ends, few_steps, missed, observed, walked
from flair_core.training.loop import Logged, Run, fit
from flair_core.training.synthesis import draw_windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

WINDOW = 7
"""Frames that a new video network looks at together when it restores."""
FLICKER = 2.0
"""Weight of what shimmers."""
VALIDATED, SIDE = 3, 256
"""Clips, and the side of their frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalTraining(Run):
    """One run of the temporal stage. `init` holds θ; without it, that of the starter model is taken."""

    data: Path
    """Folder of faces: shards and index.csv."""
    clips: Path
    """Folder of clips."""
    sources: tuple[str, ...] | None = None
    """Tags of the faces."""
    windows: int = 4
    """In a batch."""
    frames: int = 5
    """Of a window in training."""
    crop: int = 128


class TemporalStage(CompactStage):
    """Windows cut from clips and stills in motion, degraded at random; φ alone is trained."""

    def __init__(self, run: TemporalTraining, network: CompactNetwork) -> None:
        super().__init__(network)
        self._run = run
        network.requires_grad_(False)
        assert network.temporal is not None
        network.temporal.requires_grad_(True)

    def load(self) -> None:
        """See Stage."""
        self._faces = load_faces(self._run.data, self._run.sources)
        self._clips = load_clips(self._run.clips)

    def validation(self) -> list[NDArray[np.uint8]]:
        """See Stage."""
        run = self._run
        assert run.validate is not None
        clips = load_clips(run.validate)
        spread = clips[:: -(-len(clips) // VALIDATED)]
        return [np.stack([_small(frame) for frame in clip[: run.frames]]) for clip in spread]

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, ...]:
        """See Stage."""
        run = self._run
        *images, motion = draw_windows(self._faces, self._clips, run.windows, run.frames, run.crop, rng)
        return (*images, *motion.flows, motion.mask)

    def loss(self, model: torch.nn.Module, batch: Sequence[Tensor], generator: torch.Generator) -> Tensor:
        """See Stage."""
        x0, c, description, forward, backward, mask = batch
        run, schedule, own = self._run, self._schedule, int(OWN * self._run.windows)
        frames = own * run.frames
        noise, before = (related(run.windows, x0.shape, generator) for _ in range(2))
        told = description[:: run.frames]
        t = few_steps(ends(self.network, schedule, told), len(schedule), generator)
        came = earlier(t[:own], len(schedule), generator).repeat_interleave(run.frames)
        t = t.repeat_interleave(run.frames)
        some = WindowMotion(Flows(forward[:own], backward[:own]), mask[:own])
        estimate = walked(model, schedule, c[:frames], description[:frames], came, before[:frames], some)
        seen = observed(schedule, torch.cat((estimate, x0[frames:])), c, noise, t)
        guess: Guess = model(c, *seen, description, WindowMotion(Flows(forward, backward), mask))
        return missed(guess, x0, frames).mean() + FLICKER * flickering(guess, x0, forward)


def flickering(guess: Guess, x0: Tensor, forward: Tensor) -> Tensor:
    """What the error of B windows of T frames changes by from frame to frame along the motion: its mean square, ().

    In units of s_c. guess and x0: of B · T frames; forward: see Flows. What is wrong in the same way in all frames does
    not show, what differs shimmers. The mean of x0, which eq. (6) asks for, is right by this measure, too.
    """
    windows, steps = forward.shape[:2]
    errors = (guess.x0 - x0) * (-guess.log_variance / 2).exp().detach()
    errors = errors.view(windows, steps + 1, *x0.shape[1:])
    came = warp(errors[:, :-1].flatten(0, 1), forward.flatten(0, 1), padding="border")
    return (errors[:, 1:].flatten(0, 1) - came).square().mean()


def _small(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def related(windows: int, shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Standard normal noise for windows of frames, (N, …), of which each has its own share in common.

    Sampling gives all frames the same noise, which flickers less. Trained with nothing else, the network would
    learn that differences between frames are free of noise, and keep those of the blurred observation.
    """
    device = generator.device
    common = torch.randn(windows, 1, *shape[1:], generator=generator, device=device)
    own = torch.randn(windows, shape[0] // windows, *shape[1:], generator=generator, device=device)
    share = torch.rand(windows, 1, 1, 1, 1, generator=generator, device=device)
    return (share.sqrt() * common + (1 - share).sqrt() * own).flatten(0, 1)


def train(run: TemporalTraining, window: int = WINDOW) -> Iterator[Logged]:
    """See `fit`. Temporal layers that `init` has are trained further, others begin without effect."""
    torch.manual_seed(run.seed)
    start = compact.read(run.init or store.path(catalogue.SHIPPED))
    network = CompactNetwork(replace(start.config, window=max(start.config.window, window)))
    network.load_state_dict(start.state_dict(), strict=False)
    yield from fit(run, TemporalStage(run, network))
