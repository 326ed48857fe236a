"""Degradations drawn at random, as section 5.1 lists them, damage as it is in life, and the conditions they make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from flair_core.degradations import degrade, enlarged
from flair_core.degradations.damage import KINDS, damaged, draw_damage
from flair_core.degradations.damage.values import Film, Tape
from flair_core.denoisers.compact import describe
from flair_core.denoisers.compact_temporal import WindowMotion, estimated_flows, face
from flair_core.denoisers.flow import Flows
from flair_core.errors import SettingsError
from flair_core.frames import to_float, to_uint8
from flair_core.settings.fields import EIGHT_BIT
from flair_core.settings.groups import DegradationSettings
from flair_core.training.loop import Run
from flair_core.training.movement import moving
from flair_core.video.recoded import recode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray
    from torch import Tensor

    from flair_core.degradations.damage import Damage

TASKS = {"bicubic": 0.55, "blur": 0.15, "jpeg": 0.15, "blind": 0.15}
"""How often each family of degradations is drawn."""
FROM_CLIPS = 0.25
"""How often a crop is cut from a clip, where there are clips."""
ENLARGED = 0.4
"""How often a crop is enlarged."""
SHARP = 0.4
"""How often footage as large as the face, of which nothing is told, is only noisy or compressed, and not blurred."""
UNTOLD = 0.1
"""How often the network is not told what was done (always so for the blind family)."""
DAMAGED = 0.4
"""How often crops are damaged as in life instead, where kinds of damage are named. With the families above the network
is told nothing of about half of the crops then."""
UNHARMED = 0.08
"""How many of those nothing happens to: a network that is told nothing shall leave a good picture alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedFaces(Run):
    """A run that learns from faces, and from frames of clips, degraded and damaged at random."""

    data: Path
    """Folder of faces: shards and index.csv."""
    clips: Path | None = None
    """Folder of clips whose frames are learned from, too."""
    sources: tuple[str, ...] | None = None
    """Tags of the faces; None takes all."""
    leave_out: tuple[str, ...] = ()
    """Kinds of damage that are not learned from, to be judged on what was never seen."""

    def __post_init__(self) -> None:
        """Raises SettingsError when a kind that is left out is none."""
        check_kinds(self.leave_out)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of damage that are learned from."""
        return tuple(kind for kind in KINDS if kind not in self.leave_out)


def check_kinds(kinds: Sequence[str]) -> None:
    """Raises SettingsError when one of them is no kind of damage."""
    if unknown := set(kinds) - set(KINDS):
        raise SettingsError(f"No kind of damage: {', '.join(sorted(unknown))}; there are {', '.join(KINDS)}.")


def draw(rng: Generator) -> tuple[DegradationSettings, bool]:
    """A degradation, and whether the network is told of it."""
    task = rng.choice(list(TASKS), p=list(TASKS.values()))
    told = bool(task != "blind" and rng.random() > UNTOLD)
    if task == "bicubic":
        scale = int(rng.choice([2, 4, 8, 16], p=[0.1, 0.3, 0.4, 0.2]))
        noise = rng.uniform(0, 15) / EIGHT_BIT if rng.random() < 0.2 else 0.0
        return DegradationSettings(scale=scale, noise=noise), told
    scale = int(rng.choice([1, 2, 4, 8])) if task == "blind" else 4
    quality = int(rng.integers(60, 101)) if task == "jpeg" else None
    if task == "blind" and rng.random() < 0.7:
        quality = int(rng.integers(30, 96))
    kernel = "motion" if rng.random() < 0.3 else "gaussian"
    if task == "blind" and scale == 1 and rng.random() < SHARP:
        kernel = "bicubic"
    settings = DegradationSettings(
        scale=scale,
        kernel=kernel,
        blur_sigma=float(rng.uniform(0.4, 3)),
        blur_ratio=float(rng.uniform(0.3, 1)) if rng.random() < 0.6 else 1.0,
        motion_length=float(rng.uniform(2, 15)),
        angle=float(rng.uniform(-90, 90)),
        noise=float(rng.uniform(0, 25) / EIGHT_BIT),
        jpeg=quality,
    )
    return settings, told


def draw_batch(
    faces: NDArray[np.uint8],
    clips: list[NDArray[np.uint8]],
    batch: int,
    group: int,
    side: int,
    rng: Generator,
    kinds: Sequence[str] = (),
) -> tuple[Tensor, Tensor, Tensor]:
    """Crops x0, conditions c (both (batch, 3, side, side)) and descriptions (batch, FEATURES).

    Crops are taken at random from faces and, where there are any, frames of clips; enlarged and mirrored at times;
    each `group` of them shares one degradation, or has damage of these `kinds`, each crop its own.
    """
    x0, conditions, descriptions = [], [], []
    for _ in range(batch // group):
        crops = np.stack([random_crop(picture(faces, clips, rng), side, rng) for _ in range(group)])
        x = to_float(crops)
        if kinds and rng.random() < DAMAGED:
            c, description = to_float(worn(crops, kinds, rng)), describe(None)
        else:
            c, description = observe(x, rng)
        x0.append(x)
        conditions.append(c)
        descriptions.append(description.expand(group, -1))
    return torch.cat(x0), torch.cat(conditions), torch.cat(descriptions)


def draw_windows(
    faces: NDArray[np.uint8],
    clips: list[NDArray[np.uint8]],
    windows: int,
    frames: int,
    side: int,
    rng: Generator,
) -> tuple[Tensor, Tensor, Tensor, WindowMotion]:
    """Like `draw_batch`, for windows of frames, one after the other: (windows · frames, …); and their motion.

    Half of them are cut from clips, half are stills in smooth motion. Frames of a window share one degradation.
    """
    x0, conditions, descriptions, flows, masks = [], [], [], [], []
    for _ in range(windows):
        moves = rng.random() < 0.5
        source = faces[rng.integers(len(faces))] if moves else clips[rng.integers(len(clips))]
        left, top = corner = rng.integers(source.shape[-2] - side + 1, size=2)
        if moves:
            cut = moving(source, corner, frames, side, rng)
        else:
            first, way = int(rng.integers(len(source) - frames + 1)), int(rng.choice((-1, 1)))
            cut = source[first : first + frames, top : top + side, left : left + side][::way]
        mask = face(torch.empty(source.shape[-3:-1]))[..., top : top + side, left : left + side]
        x = to_float(np.ascontiguousarray(cut))
        if rng.random() < 0.5:
            x, mask = x.flip(-1), mask.flip(-1)
        c, description = observe(x, rng)
        x0.append(x)
        conditions.append(c)
        descriptions.append(description.expand(frames, -1))
        flows.append(estimated_flows(conditions[-1]))
        masks.append(mask)
    forward, backward = (torch.cat(way) for way in zip(*flows, strict=True))
    motion = WindowMotion(Flows(forward, backward), torch.cat(masks))
    return torch.cat(x0), torch.cat(conditions), torch.cat(descriptions), motion


def observe(x: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
    """Images x, (N, 3, H, W), degraded at random: the conditions c, and the description (FEATURES,) of it."""
    settings, told = draw(rng)
    y = degrade(x, settings, torch.Generator().manual_seed(int(rng.integers(2**62))))
    known = settings if told else None
    return enlarged(to_float(to_uint8(y)), (x.shape[-2], x.shape[-1]), known), describe(known)


def worn(crops: NDArray[np.uint8], kinds: Sequence[str], rng: Generator) -> NDArray[np.uint8]:
    """Pictures (N, H, W, 3), each damaged in its own way, but for a few that stay as they are: as many, as large."""
    return np.stack(
        [
            one
            if rng.random() < UNHARMED
            else damaged(one[None], in_place(draw_damage(rng, kinds)), recode)[0]
            for one in crops
        ]
    )


def in_place(damage: Damage) -> Damage:
    """The same without what moves pixels: where they came from can't be known, and whoever guesses blurs."""
    match damage.marks:
        case Film():
            return replace(damage, marks=replace(damage.marks, weave=0.0))
        case Tape():
            return replace(damage, marks=replace(damage.marks, jitter=0.0, switching=0.0))
    return damage


def picture(faces: NDArray[np.uint8], clips: list[NDArray[np.uint8]], rng: Generator) -> NDArray[np.uint8]:
    """One of the faces, or, where there are clips, at times one of their frames: (H, W, 3)."""
    pictures = clips[rng.integers(len(clips))] if clips and rng.random() < FROM_CLIPS else faces
    chosen: NDArray[np.uint8] = pictures[rng.integers(len(pictures))]
    return chosen


def random_crop(face: NDArray[np.uint8], side: int, rng: Generator) -> NDArray[np.uint8]:
    """A square part of a face, up to twice as large as it was: in films no larger than a face they are soft, too."""
    cut = round(side / rng.uniform(1, 2)) if rng.random() < ENLARGED else side
    top, left = (int(rng.integers(extent - cut + 1)) for extent in face.shape[:2])
    part = face[top : top + cut, left : left + cut]
    if cut < side:
        part = cv2.resize(part, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.uint8, copy=False)
    return part[:, ::-1] if rng.random() < 0.5 else part
