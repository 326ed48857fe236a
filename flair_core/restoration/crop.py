"""Faces cut out of frames: what is observed of each, in one window of frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from flair_core.faces import align, mask
from flair_core.frames import to_float
from flair_core.restoration.models import (
    Models,
)
from flair_core.restoration.windows import Window
from flair_core.settings.groups import RestorationSettings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.faces.track import Track
    from flair_core.frames import Frame
    from flair_core.restoration.run import Run
    from flair_core.settings.drawn import Stroke
    from flair_core.settings.groups import RestorationSettings


def alone(index: int) -> Window:
    """The window of a frame that is restored by itself."""
    return Window(index, index, index + 1)


def mask_reach(models: Models) -> int:
    """Over how many frames to either side masks are steadied that a parser finds in single frames."""
    return mask.REACH if models.parser is not None and models.denoiser.window == 1 else 0


def faces_in(run: Run, frames: Sequence[Frame], window: Window, near: Sequence[Frame] = ()) -> list[Face]:
    """The faces of a window, what is observed of them, and their settings: those of the middle new frame.

    near: frames before and after; of those of the shot, what steadies the mask of a frame that is restored alone.
    """

    def seen(frames: Sequence[Frame], track: Track | None, settings: RestorationSettings) -> Face:
        if track is None:
            y, scale = torch.stack([to_float(frame.rgb) for frame in frames]), settings.degradation.scale
            return Face(frames[0].index, y, (y.shape[-2] * scale, y.shape[-1] * scale), None, settings)
        return cropped(frames, track, settings, run.load(settings).denoiser.size)

    faces, shot = [], run.look.shot_at(window.middle)
    for track in (None,) if run.settings.faces.aligned else run.tracks:
        number = None if track is None else track.id
        settings = run.look.resolve(window.middle, number)
        covered = [frame for frame in frames if track is None or track.covers(frame.index)]
        strengths = tuple(run.look.resolve(frame.index, number).faces.strength for frame in covered)
        # Where nothing will show, nothing is restored, unless the next window begins with it.
        if not covered or (not any(strengths) and settings.sampler.policy == "paper"):
            continue
        reach, index = mask_reach(run.load(settings)), covered[0].index
        beside = [
            seen([frame], track, settings)
            for frame in near
            if 0 < abs(frame.index - index) <= reach and frame.index in shot
            if track is None or track.covers(frame.index)
        ]
        faces.append(replace(seen(covered, track, settings), strengths=strengths, around=tuple(beside)))
    return faces


def cropped(frames: Sequence[Frame], track: Track, settings: RestorationSettings, side: int) -> Face:
    """A face in frames that it covers, aligned to `side` pixels."""
    small = side // settings.degradation.scale
    landmarks = [track.at(frame.index) for frame in frames]
    crops = [
        align.crop(frame.rgb, align.similarity(points, small), small)
        for frame, points in zip(frames, landmarks, strict=True)
    ]
    matrices = [align.similarity(points, side) for points in landmarks]
    inside = np.stack([align.transform(*pair) for pair in zip(matrices, landmarks, strict=True)])
    first, y = frames[0].index, torch.stack(crops)
    return Face(first, y, (side, side), matrices, settings, track.id, inside, track.strokes)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face in a window of frames: frames [first, first + len(y))."""

    first: int
    y: torch.Tensor
    """(N, 3, h, w) in [-1, 1]: what is observed."""
    size: tuple[int, int]
    """(H, W) of x."""
    matrices: Sequence[align.Points] | None
    """From frame to face; None when the frame is the face."""
    settings: RestorationSettings
    track: int | None = None
    """Of which track it is; None when the frame is the face."""
    landmarks: NDArray[np.float64] | None = None
    """(N, 5, 2) in pixels of x; None when the frame is the face."""
    strokes: tuple[Stroke, ...] = ()
    """Painted over its mask by hand."""
    strengths: tuple[float, ...] = ()
    """How much of each frame's restoration shows; none: what the settings say."""
    around: tuple[Face, ...] = ()
    """The same face in the frames beside the only one, which steady its mask; none where that needs no steadying."""

    @property
    def span(self) -> range:
        """Indices of its frames."""
        return range(self.first, self.first + len(self.y))

    def strength(self, index: int) -> float:
        """How much of the restoration shows in a frame."""
        return self.strengths[index - self.first] if self.strengths else self.settings.faces.strength

    def part(self, frames: slice) -> Face:
        """The face in some consecutive frames of the window."""
        matrices = None if self.matrices is None else self.matrices[frames]
        landmarks = None if self.landmarks is None else self.landmarks[frames]
        return replace(
            self,
            first=self.first + frames.start,
            y=self.y[frames],
            matrices=matrices,
            landmarks=landmarks,
            strengths=self.strengths[frames],
        )
