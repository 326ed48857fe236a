"""Samplers side by side on degraded clean clips: scores, frames and a video."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from flair_core.baselines import BASELINES, Job
from flair_core.degradations import degrade
from flair_core.errors import SettingsError
from flair_core.frames import to_float, to_uint8
from flair_core.metrics.meters import Pair
from flair_core.metrics.suite import METRICS, Evaluation, Setup
from flair_core.settings import DegradationSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from flair_core.recipe import Models
    from flair_core.settings import RestorationSettings

    Pixels = NDArray[np.uint8]

TASKS = {
    "bicubic4": DegradationSettings(scale=4),
    "bicubic8": DegradationSettings(scale=8),
    "bicubic16": DegradationSettings(scale=16),
    "blur": DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0, noise=0.05),
    "motion": DegradationSettings(scale=4, kernel="motion", motion_length=9.0, angle=30.0, noise=0.05),
    "jpeg": DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0, noise=0.05, jpeg=60),
}
"""The degradations of section 5: what a name on the command line stands for."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One sampler on one task."""

    task: str
    sampler: str
    restored: Pixels
    """(N, H, W, 3)"""
    observed: Pixels
    """(N, h, w, 3)"""
    scores: Mapping[str, float]
    skipped: Mapping[str, str]


def compare(
    clean: Pixels,
    tasks: Sequence[str],
    samplers: Sequence[str],
    metrics: Sequence[str],
    settings: RestorationSettings,
    models: Models,
) -> Iterator[Result]:
    """Degrade aligned faces (N, H, W, 3), restore them by every sampler, and measure; one result at a time.

    H and W must be multiples of 16. Raises SettingsError for an unknown task or sampler.
    """
    for names, known in ((tasks, TASKS), (samplers, BASELINES)):
        if unknown := [name for name in names if name not in known]:
            raise SettingsError(f"There is no {unknown[0]!r} to compare; choose from {', '.join(known)}.")
    x = to_float(clean)
    size = (clean.shape[1], clean.shape[2])
    for task in tasks:
        degradation = TASKS[task]
        chosen = replace(settings, degradation=degradation)
        observed = to_uint8(degrade(x, degradation, torch.Generator().manual_seed(0)))
        for sampler in samplers:
            parts = []
            for first in range(0, len(clean), models.denoiser.window):
                y = to_float(observed[first : first + models.denoiser.window])
                parts.append(to_uint8(BASELINES[sampler].restore(Job(y, size, chosen, models))))
            restored = np.concatenate(parts)
            evaluation = Evaluation(list(metrics), Setup(models.device, degradation))
            for truth, result, seen in zip(clean, restored, observed, strict=True):
                evaluation.add(Pair(truth, result, observed=seen))
            yield Result(task, sampler, restored, observed, evaluation.scores(), evaluation.skipped)


def table(results: Sequence[Result]) -> str:
    """The scores as Markdown, one table for each task; the best of each column is bold."""
    lines: list[str] = []
    for task in dict.fromkeys(result.task for result in results):
        rows = [result for result in results if result.task == task]
        names = [name for name in METRICS if any(name in row.scores for row in rows)]
        best = {
            name: (max if METRICS[name].rises else min)(
                row.scores[name] for row in rows if name in row.scores
            )
            for name in names
        }
        heads = [
            f"{METRICS[n].label} {METRICS[n].unit}".strip() + (" ↑" if METRICS[n].rises else " ↓")
            for n in names
        ]
        lines += [f"### {task}", "", f"| Sampler | {' | '.join(heads)} |", "|---" * (len(names) + 1) + "|"]
        for row in rows:
            cells = []
            for name in names:
                text = f"{row.scores[name]:.3f}" if name in row.scores else "–"
                cells.append(f"**{text}**" if row.scores.get(name) == best[name] else text)
            lines.append(f"| {BASELINES[row.sampler].label} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def side_by_side(clean: Pixels, results: Sequence[Result], index: int) -> Pixels:
    """Frame `index` of one task: observation, every sampler, truth; (H, W · n, 3), each with its name."""
    height, width = clean.shape[1:3]
    seen = cv2.resize(results[0].observed[index], (width, height), interpolation=cv2.INTER_NEAREST)
    pictures = [("Observed", seen)]
    pictures += [(ascii_label(result.sampler), result.restored[index]) for result in results]
    pictures.append(("Truth", clean[index]))
    return np.hstack([_named(np.ascontiguousarray(picture, np.uint8), name) for name, picture in pictures])


def ascii_label(sampler: str) -> str:
    """A sampler's label as OpenCV's font has it."""
    return BASELINES[sampler].label.replace("⁺", "+")


def _named(picture: Pixels, name: str) -> Pixels:
    marked = picture.copy()
    for colour, thickness in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(marked, name, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, thickness, cv2.LINE_AA)
    return marked
