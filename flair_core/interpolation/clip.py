"""A clip with more frames a second: whole clips, and a sink that makes frames between those it gets."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from flair_core import video
from flair_core.errors import MediaError
from flair_core.faces.shots import ShotDetector, as_uint8
from flair_core.frames import Progress, faster
from flair_core.interpolation.base import times
from flair_core.settings.output import OutputOptions
from flair_core.video import FrameSink

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from flair_core.frames import Frame, Pixels
    from flair_core.interpolation.base import Interpolator


class Between(FrameSink):
    """Passes frames on to a sink, opened for `faster` info, with factor − 1 new ones after each but the last.

    Frames keep their times; new ones divide the time between them evenly. Where a scene is cut nothing is made up:
    the last frame before the cut is shown in between, so that frames still come at an even rate.
    """

    def __init__(self, sink: FrameSink, factor: int, interpolator: Interpolator) -> None:
        """factor: 2 or more. Raises SettingsError."""
        super().__init__(sink.path)
        self.partial, self.notes = sink.partial, sink.notes
        self._sink, self._factor, self._interpolator = sink, factor, interpolator
        self._moments = times(factor)
        self._shots: ShotDetector[Frame] = ShotDetector()
        self._last: Frame | None = None

    def write(self, frame: Frame) -> None:
        """See FrameSink; where it is cut is known a few frames later."""
        for known, cut in self._shots.push(frame, as_uint8(frame.rgb)):
            self._take(known, cut=cut)

    def _take(self, frame: Frame, *, cut: bool) -> None:
        last, self._last = self._last, frame
        if last is None:
            return
        made = (
            [last.rgb] * len(self._moments)
            if cut
            else self._interpolator.between(last.rgb, frame.rgb, self._moments)
        )
        step = frame.pts - last.pts
        for k, rgb in enumerate([last.rgb, *made]):
            # pts count in units `factor` times finer: the times between are whole.
            self._sink.write(self._timed(last, rgb, k, last.pts * self._factor + step * k, step))

    def commit(self) -> None:
        """See FrameSink."""
        for known, cut in self._shots.rest():
            self._take(known, cut=cut)
        if self._last is None:
            raise MediaError(f"No frame was written to {self.path}. Choose a range with at least one frame.")
        last, self._last = self._last, None
        self._sink.write(
            self._timed(last, last.rgb, 0, last.pts * self._factor, last.duration * self._factor)
        )
        self._sink.commit()

    def abort(self) -> None:
        """See FrameSink."""
        self._sink.abort()

    def _timed(self, frame: Frame, rgb: Pixels, k: int, pts: int, duration: int) -> Frame:
        index, stored = frame.index * self._factor + k, None if k else frame.stored
        return replace(frame, rgb=rgb, index=index, pts=pts, duration=duration, stored=stored)


class White:
    """An Interpolator for mattes: what is made between frames is generated, all of it."""

    def between(self, before: Pixels, after: Pixels, moments: Sequence[float]) -> list[Pixels]:
        """See Interpolator."""
        return [np.full_like(before, np.iinfo(before.dtype).max) for _ in moments]


def interpolate_clip(
    source: Path, target: Path, factor: int, interpolator: Interpolator, *, codec: str | None = None
) -> Iterator[Progress]:
    """Write a clip with `factor` times the frames, sound and subtitles kept; yields after each frame that is read.

    Raises SettingsError unless factor is 1 or more, MediaError.
    """
    times(factor)  # refuses it before a file is opened
    with video.open_source(source) as clip:
        length = len(clip)
        copied = source if source.is_file() else None
        out = video.open_sink(
            target,
            like=faster(clip.info, factor),
            width=clip.info.width,
            height=clip.info.height,
            source=source,
            copy_from=copied,
            options=OutputOptions(codec=codec),
        )
        with Between(out, factor, interpolator) as sink:
            for frame in clip.frames(0, length):
                sink.write(frame)
                yield Progress(frame.index + 1, length, frame.index, stage="interpolate")
            sink.commit()
        yield Progress(length, length, length - 1, stage="interpolate", notes=(*clip.notes, *sink.notes))
