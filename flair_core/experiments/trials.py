"""Clean clips, degraded by known tasks, restored in several ways, and measured: what all experiments do."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from flair_core import video
from flair_core.degradations import degrade
from flair_core.errors import MediaError, SettingsError
from flair_core.experiments.baselines import ObservedWindow
from flair_core.experiments.record import Column, Table
from flair_core.faces.shots import ShotDetector, as_uint8
from flair_core.frames import to_float, to_uint8
from flair_core.interpolation.base import times
from flair_core.metrics.meters import Pair
from flair_core.metrics.suite import METRICS, Evaluation, Setup
from flair_core.restoration.windows import overlap, windows
from flair_core.settings.groups import DegradationSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from fractions import Fraction
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from flair_core.interpolation.base import Interpolator
    from flair_core.restoration.models import Models
    from flair_core.settings.groups import RestorationSettings

    Pixels = NDArray[np.uint8]

MULTIPLE = 16
"""Sides of frames are multiples of this, so that every scale divides them."""
MOST_BESIDE = 6
"""Pictures in a row: more would be too small to compare, and wider than players take."""
CLIPS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v")

TASKS = {
    "bicubic4": DegradationSettings(scale=4),
    "bicubic8": DegradationSettings(scale=8),
    "bicubic16": DegradationSettings(scale=16),
    "blur": DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0, noise=0.05),
    "motion": DegradationSettings(scale=4, kernel="motion", motion_length=9.0, angle=30.0, noise=0.05),
    "jpeg": DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0, noise=0.05, jpeg=60),
    "jpeg-clean": DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0, jpeg=60),
}
"""The degradations of section 5: what a name on the command line stands for. The last one is that of figure 7b."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Clean frames of one aligned face."""

    name: str
    frames: Pixels
    """(N, H, W, 3)"""
    rate: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One way to restore what one task left."""

    task: str
    label: str
    restore: Callable[[ObservedWindow], Tensor]
    settings: RestorationSettings
    """The degradation in it is the task's."""
    models: Models
    slowed: Slowed | None = None
    """None when the footage has all frames."""


@dataclass(frozen=True, slots=True)
class Slowed:
    """Footage with one frame of every `factor`, section 5.4; those between are made before or after restoring."""

    factor: int
    first: bool
    """Whether they are made of the observed frames, not of the restored ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What a trial came to."""

    trial: Trial
    scores: Mapping[str, float]
    skipped: Mapping[str, str]
    observed: Pixels
    """(N, h, w, 3) of the first clip."""
    restored: Pixels
    """(N, H, W, 3) of the first clip; frames that no two known ones enclose are left out."""


def read_clips(path: Path, *, frames: int, size: int | None = None) -> list[Clip]:
    """The first frames of a clip, or of all clips in a folder.

    size: the square that frames are resized to; None keeps their size, cut to multiples of 16.
    Raises MediaError, also when a frame is smaller than 16 pixels.
    """
    found = sorted(p for p in path.iterdir() if p.suffix.lower() in CLIPS) if path.is_dir() else []
    clips = []
    for clip in found or [path]:
        with video.open_source(clip) as source:
            pictures = [
                _fitted(as_uint8(frame.rgb), size) for frame in source.frames(0, min(frames, len(source)))
            ]
            if min(pictures[0].shape[:2]) < MULTIPLE:
                raise MediaError(f"{clip.name} is smaller than {MULTIPLE} pixels. Choose larger clips.")
            clips.append(Clip(clip.stem, np.stack(pictures), source.info.rate))
    return clips


def _fitted(rgb: Pixels, size: int | None) -> Pixels:
    if size is not None:
        how = cv2.INTER_AREA if min(rgb.shape[:2]) > size else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(rgb, (size, size), interpolation=how), np.uint8)
    height, width = (extent // MULTIPLE * MULTIPLE for extent in rgb.shape[:2])
    return rgb[:height, :width]


def task_named(name: str) -> DegradationSettings:
    """A task's degradation. Raises SettingsError when there is none of that name."""
    if name not in TASKS:
        raise SettingsError(f"There is no task {name!r}; choose from {', '.join(TASKS)}.")
    return TASKS[name]


def observe(clip: Clip, degradation: DegradationSettings) -> Pixels:
    """y of a clip, (N, h, w, 3): 8-bit, as footage is. The same for every trial."""
    return to_uint8(degrade(to_float(clip.frames), degradation, torch.Generator().manual_seed(0)))


def remade(y: Pixels, trial: Trial, interpolator: Interpolator | None = None) -> Pixels:
    """A clip restored, and its missing frames made again: (N, h, w, 3) → (M, H, W, 3).

    M is the largest k · factor + 1 within N. Raises SettingsError when that is 1.
    """
    slowed = trial.slowed
    if slowed is None:
        return restored(y, trial)
    assert interpolator is not None
    if len(y) <= slowed.factor:
        raise SettingsError(
            f"A clip of {len(y)} frames has none between frames {slowed.factor} apart. Give more --frames."
        )
    known = y[: (len(y) - 1) // slowed.factor * slowed.factor + 1 : slowed.factor]
    if slowed.first:
        return restored(_faster(known, slowed.factor, interpolator), trial)
    return _faster(restored(known, trial), slowed.factor, interpolator)


def _faster(frames: Pixels, factor: int, interpolator: Interpolator) -> Pixels:
    """factor − 1 frames made between neighbours, across cuts repeated, as `flair interpolate` does it."""
    shots: ShotDetector[Pixels] = ShotDetector()
    known = [one for frame in frames for one in shots.push(frame, frame)] + shots.rest()
    made = [frames[0]]
    for (before, _), (after, cut) in pairwise(known):
        moments = times(factor)
        made += [before] * len(moments) if cut else interpolator.between(before, after, moments)
        made.append(after)
    return np.stack(made)


def restored(y: Pixels, trial: Trial) -> Pixels:
    """A clip restored window by window, as `flair restore` does it: (N, h, w, 3) → (N, H, W, 3)."""
    scale, length = trial.settings.degradation.scale, trial.models.denoiser.window
    size = (y.shape[1] * scale, y.shape[2] * scale)
    observed = to_float(y)
    chained = trial.settings.sampler.policy == "released"
    parts: list[Tensor] = []
    for window in windows(0, len(y), length, overlap(length)):
        part, before = observed[window.first : window.last], None
        if window.overlap:
            parts[-1], before = parts[-1].tensor_split([-window.overlap])
        previous = before if chained else None
        found = trial.restore(
            ObservedWindow(part, size, trial.settings, trial.models, window.first, previous)
        )
        if before is not None:
            shares = [
                0.0 if chained else window.share(index) for index in range(window.first, window.first_new)
            ]
            faded = before.lerp(found[: window.overlap], torch.tensor(shares).view(-1, 1, 1, 1))
            found = torch.cat([faded, found[window.overlap :]])
        parts.append(found)
    return to_uint8(torch.cat(parts))


def run(
    clips: Sequence[Clip],
    trials: Sequence[Trial],
    metrics: Sequence[str],
    *,
    fetch: bool = False,
    interpolator: Interpolator | None = None,
) -> Iterator[Outcome | None]:
    """Do all trials on all clips: None after each clip, and at its end each trial's Outcome.

    fetch: whether networks that metrics need may be downloaded.
    interpolator: what slowed trials need.
    """
    for trial in trials:
        degradation = trial.settings.degradation
        evaluation = Evaluation(list(metrics), Setup(trial.models.device, degradation, fetch))
        first: tuple[Pixels, Pixels] | None = None
        for clip in clips:
            y = observe(clip, degradation)
            made = remade(y, trial, interpolator)
            first = first or (y, made)
            for truth, result, seen in zip(clip.frames[: len(made)], made, y[: len(made)], strict=True):
                evaluation.add(Pair(truth, result, observed=seen))
            evaluation.cut()
            yield None
        assert first is not None
        yield Outcome(trial, evaluation.scores(), evaluation.skipped, *first)


def table(title: str, outcomes: Sequence[Outcome], first: str = "Sampler") -> Table:
    """Scores by label; metrics that nobody has are left out."""
    names = [name for name in METRICS if any(name in outcome.scores for outcome in outcomes)]
    columns = [Column(first)]
    columns += [Column(f"{METRICS[n].label} {METRICS[n].unit}".strip(), METRICS[n].rises) for n in names]
    rows = [(o.trial.label, [o.scores.get(name) for name in names]) for o in outcomes]
    return Table(title, columns, rows)


def skipped(outcomes: Sequence[Outcome]) -> list[str]:
    """Which metrics were skipped, and why: one sentence each."""
    reasons = {name: reason for outcome in outcomes for name, reason in outcome.skipped.items()}
    return [f"{METRICS[name].label} was skipped: {reason}." for name, reason in reasons.items()]


def with_task(settings: RestorationSettings, task: str) -> RestorationSettings:
    """The settings for a task's degradation."""
    return replace(settings, degradation=task_named(task))


def side_by_side(clip: Clip, outcomes: Sequence[Outcome], index: int) -> Pixels:
    """Frame `index` of the first clip: observation, every result, truth, each with its name; in rows of few."""
    height, width = clip.frames.shape[1:3]
    seen = cv2.resize(outcomes[0].observed[index], (width, height), interpolation=cv2.INTER_NEAREST)
    pictures = [("Observed", np.asarray(seen, np.uint8))]
    pictures += [(outcome.trial.label, outcome.restored[index]) for outcome in outcomes]
    pictures.append(("Truth", clip.frames[index]))
    rows = math.ceil(len(pictures) / MOST_BESIDE)
    columns = math.ceil(len(pictures) / rows)
    named = [_named(picture, name) for name, picture in pictures]
    named += [np.zeros_like(clip.frames[index])] * (rows * columns - len(named))
    return np.vstack([np.hstack(named[at : at + columns]) for at in range(0, len(named), columns)])


def _named(picture: Pixels, name: str) -> Pixels:
    marked = np.ascontiguousarray(picture).copy()
    text = name.translate({ord("⁺"): "+", ord("τ"): "tau", ord("γ"): "gamma"})  # what OpenCV's font has
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 3)
    size = 0.45 * min(1, (marked.shape[1] - 12) / width)
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(marked, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)
    return marked
