"""What a restoration did over time: flicker along the motion, identity, and whether windows show where they join."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from flair_core.errors import ShapeError
from flair_core.experiments.record import Finding, Line, Plot, Record
from flair_core.faces.shots import as_uint8, marked
from flair_core.metrics.region import region
from flair_core.metrics.temporal import warping_error
from flair_core.motion import dense_flow, visible

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from flair_core.video import FrameSource

    Picture = NDArray[np.uint8]

SHOWS = 1.25
"""Joins show when flicker is so much stronger there than elsewhere."""
FLICKERS = 1.1
"""A restoration flickers when it differs so much more along the motion than the footage does."""
SAME = 0.363
"""Similarity of SFace from which two faces count as one person's."""
LEAST = 1e-5
"""Warping errors below this are none: a tenth of a level."""


class Describe(Protocol):
    """What tells faces apart: cosine similarity of the faces in two frames, None where one has none."""

    def __call__(self, before: Picture, now: Picture) -> float | None:
        """Both (H, W, 3)."""
        ...


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame after another."""

    index: int
    """Of the later one."""
    restored: float | None
    """Warping error of the restored pair along the footage's motion; None at a cut."""
    footage: float | None
    """The same of the footage, enlarged."""
    identity: float | None
    """Similarity of the restored face to the one in the first frame of its shot."""


def examine(
    footage: FrameSource, restored: FrameSource, *, where: str = "face", describe: Describe | None = None
) -> Iterator[Moment]:
    """Walk through a clip and its restoration, frame by frame; holds two frames of each.

    where: the region that counts, see `flair eval`. Raises ShapeError when the lengths differ.
    """
    if len(footage) != len(restored):
        raise ShapeError(
            f"{footage.path.name} has {len(footage)} frames, but {restored.path.name} {len(restored)}. "
            "Name a clip and its restoration."
        )
    mask = region(where, footage)
    before: tuple[Picture, Picture] | None = None
    first: Picture | None = None
    for (old, starts), new in zip(marked(footage.frames()), restored.frames(), strict=True):
        result = as_uint8(new.rgb)
        height, width = result.shape[:2]
        seen = np.asarray(
            cv2.resize(as_uint8(old.rgb), (width, height), interpolation=cv2.INTER_CUBIC), np.uint8
        )
        if starts or before is None:
            before, first = (seen, result), result
            yield Moment(old.index, None, None, None)
            continue
        forward = dense_flow(before[0], seen)
        counted = visible(forward, dense_flow(seen, before[0]))
        inside = mask(old.index - 1)
        if inside is not None:
            large = cv2.resize(inside.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
            counted &= large > 0
        assert first is not None
        yield Moment(
            old.index,
            warping_error(before[1], result, forward, counted),
            warping_error(before[0], seen, forward, counted),
            None if describe is None else describe(first, result),
        )
        before = seen, result


def autopsy(moments: Sequence[Moment], joins: Collection[int]) -> Record:
    """What the moments tell.  joins: indices of the frames with which windows begin."""
    known = [
        (m.index, m.restored, m.footage) for m in moments if m.restored is not None and m.footage is not None
    ]
    index = tuple(float(at) for at, _, _ in known)
    restored, footage = (np.array([entry[k] for entry in known], np.float64) for k in (1, 2))
    at_join = np.array([at in joins for at, _, _ in known], bool)
    plots = [
        Plot(
            "Warping error over time",
            "frame",
            "E_warp × 10⁻³ ↓",
            [
                Line("restored", index, tuple(1e3 * restored)),
                Line("footage", index, tuple(1e3 * footage)),
            ],
            marks=tuple(float(at) for at in sorted(joins)),
        )
    ]
    findings = []
    if known:
        seen = f"{1e3 * restored.mean():.3f} against {1e3 * footage.mean():.3f} · 10⁻³"
        steady = restored.mean() <= max(FLICKERS * footage.mean(), LEAST)
        findings.append(Finding("The restoration does not flicker more than the footage", bool(steady), seen))
    if at_join.any() and not at_join.all():
        excess = (restored[at_join].mean() + LEAST) / (restored[~at_join].mean() + LEAST)
        usual = (footage[at_join].mean() + LEAST) / (footage[~at_join].mean() + LEAST)
        seen = f"{excess:.2f} times as much there; of the footage {usual:.2f} times"
        findings.append(
            Finding("Windows do not show where they join", bool(excess <= SHOWS * max(usual, 1)), seen)
        )
    likeness = [(float(m.index), m.identity) for m in moments if m.identity is not None]
    if likeness:
        x, y = zip(*likeness, strict=True)
        marks = tuple(float(at) for at in sorted(joins))
        axis = "similarity to the shot's first frame ↑"
        plots.append(Plot("Identity over time", "frame", axis, [Line("restored", x, y)], marks=marks))
        step = max((abs(b - a) for a, b in pairwise(y)), default=0)
        seen = f"least similarity {min(y):.3f}, largest step {step:.3f}"
        findings.append(Finding("The face stays the same person", min(y) > SAME, seen))
    return Record(
        title="Temporal autopsy",
        text="How far each restored frame is from the one before it, brought along the motion of the footage; dotted "
        "lines are joins of windows. Hidden pixels and motion boundaries don't count.",
        plots=plots,
        findings=findings,
    )
