"""What the window asks its core for, and what comes back: values that cross between threads."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from flair_core.estimation import Estimate
    from flair_core.faces.track import Track
    from flair_core.frames import Progress
    from flair_core.jobs.queue import Job, Jobs
    from flair_core.metrics.reference import Reference
    from flair_core.restoration.preview import Preview
    from flair_core.settings.drawn import DrawnFace, Stroke
    from flair_core.settings.found import Found
    from flair_core.settings.groups import DegradationSettings, FootageSettings, RestorationSettings
    from flair_core.settings.look import Look
    from flair_core.video import FrameSource


MOST_STRIPS = 60
"""Steps whose stages are kept for the step strip; of longer chains every n-th."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What the computer has to offer."""

    device: str
    """What computes, in words."""
    choices: dict[str, tuple[str, ...]]
    """The names that settings without a fixed list may take, by the setting's name."""
    lacking: frozenset[str] = frozenset()
    """Those of them whose file is not here."""


class Core(Protocol):
    """What the worker needs of the restoration core. The real one is RestorationCore, tests have their own."""

    def offer(self) -> Offer:
        """What there is now."""

    def import_model(self, file: Path, name: str) -> None:
        """Check a fetched checkpoint and keep it."""

    def use_device(self, name: str) -> None:
        """Compute elsewhere from now on."""

    def open_source(self, path: Path, footage: FootageSettings) -> AbstractContextManager[FrameSource]:
        """A reader of a clip of its own."""

    def find_tracks(
        self, source: FrameSource, settings: RestorationSettings, *, span: range
    ) -> Iterator[Progress | list[Track]]:
        """The search for faces: progress, and at last the tracks."""

    def find_shots(self, source: FrameSource, footage: FootageSettings) -> Iterator[tuple[int, ...] | None]:
        """The search for shots: first frames when there is another one and at the end, or None."""

    def warping_error(self, before: Preview, after: Preview) -> float | None:
        """E_warp of two neighbouring frames where the restoration shows; None where it does not."""

    def drawn_track(self, face: DrawnFace, number: int) -> Track:
        """A face drawn by hand as a track."""

    def preview(
        self,
        source: FrameSource,
        index: int,
        *,
        tracks: Sequence[Track],
        look: Look,
        again: bool,
    ) -> Iterator[Preview]:
        """One frame, restored step by step; not `again`, if it was restored before: then the last step only."""

    def restored_before(self, source: FrameSource, footage: FootageSettings) -> tuple[int, ...]:
        """Frames that were restored under any look, in this run of the program or an earlier one."""

    def recall(
        self, source: FrameSource, index: int, *, tracks: Sequence[Track], look: Look
    ) -> Preview | None:
        """One frame as it was restored before under this look; None when that was not done or not kept."""

    def schedules(self, settings: RestorationSettings) -> Schedules:
        """γ_t and w_t of every step."""

    def look_at(
        self, source: FrameSource, shot: range, settings: RestorationSettings
    ) -> Iterator[Found | None]:
        """What Auto does about a shot; None until that is known."""

    def estimate(
        self, source: FrameSource, index: int, *, tracks: Sequence[Track], settings: RestorationSettings
    ) -> Iterator[Estimate | None]:
        """What probably happened to the shot that a frame belongs to, judged by its largest face; None until then."""

    def open_reference(self, path: Path, clip: FrameSource) -> AbstractContextManager[Reference]:
        """The truth behind a clip, to measure against."""

    def lacking_for_lpips(self) -> Path | None:
        """The file that LPIPS needs, where it is not here."""

    def read_sidecar(self, path: Path) -> DegradationSettings | None:
        """How a clip was degraded, where that was written down in a file next to it."""

    def make_demo(self) -> tuple[Path, RestorationSettings]:
        """The sample clip and what it wants."""

    def run_job(self, jobs: Jobs, job: Job) -> Iterator[Progress]:
        """Restore and write a clip; what is not finished leaves nothing behind."""


@dataclass(frozen=True, slots=True)
class Schedules:
    """Weights of the executed steps, the first step first."""

    gamma: tuple[float, ...]
    w: tuple[float, ...]
    whole_gamma: tuple[float, ...] = ()
    """γ_t without a curve that takes away from it."""


@dataclass(frozen=True, slots=True)
class PreviewRequest:
    """One frame with everything that decides how it will look: also the key of its result."""

    clip: Path
    index: int
    tracks: tuple[Track, ...] | None
    """Faces to restore; None when the search has not come here yet."""
    drawn: tuple[DrawnFace, ...]
    look: Look
    strokes: tuple[Stroke, ...] = ()
    """Of the brush, over the masks of faces."""

    @property
    def settings(self) -> RestorationSettings:
        """Those of the first face, which the step strip and the plot of the schedules show."""
        return self.look.resolve(self.index, next(self._numbers(), None))

    def _numbers(self) -> Iterator[int]:
        """Of the faces in this frame."""
        yield from (track.id for track in self.tracks or () if track.covers(self.index))
        yield from (-1 - at for at, face in enumerate(self.drawn) if face.first <= self.index <= face.last)

    def seen_by(self, window: range) -> Hashable:
        """Equal for requests of the same picture, if that was made of these frames."""
        faces = [*(track.id for track in self.tracks or ()), *(-1 - at for at in range(len(self.drawn)))]
        look = self.look.seen_by(window, faces)
        return self.clip, self.index, self.tracks, self.drawn, look, self.strokes

    def faces(self, core: Core, source: FrameSource) -> tuple[Track, ...]:
        """The faces to restore; where the search has not come yet, the frame is searched now."""
        tracks = self.tracks
        if tracks is None:
            *_, found = core.find_tracks(source, self.look.settings, span=range(self.index, self.index + 1))
            assert isinstance(found, list)
            tracks = tuple(found)
        return tuple(track.with_strokes(self.strokes) for track in (*tracks, *drawn_tracks(core, self.drawn)))

    def run(self, core: Core, source: FrameSource, *, again: bool = False) -> Iterator[PreviewResult]:
        """One result after each reverse step; only the last if the frame is known, unless done `again`."""
        faces = self.faces(core, source)
        schedules = core.schedules(self.settings)
        stages: tuple[Stages, ...] = ()
        begun = time.perf_counter()
        for preview in core.preview(source, self.index, tracks=faces, look=self.look, again=again):
            every = -(-preview.steps // MOST_STRIPS)
            if preview.stages and (preview.step % every == 0 or preview.step == preview.steps):
                stages = (*stages, Stages(preview.step, preview.stages))
            seconds = (time.perf_counter() - begun) / preview.step
            yield PreviewResult(self, preview, stages, faces, schedules, seconds)

    def recalled(self, core: Core, source: FrameSource) -> PreviewResult | None:
        """The result from an earlier run, if it was kept."""
        faces = self.faces(core, source)
        preview = core.recall(source, self.index, tracks=faces, look=self.look)
        if preview is None:
            return None
        return PreviewResult(self, preview, (), faces, core.schedules(self.settings), 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """What one reverse step made of the first face."""

    step: int
    images: Mapping[str, NDArray[np.uint8]]
    """By the name of the stage, (S, S, 3)."""


@dataclass(frozen=True, slots=True, eq=False)
class PreviewResult:
    """A previewed frame after its latest step."""

    request: PreviewRequest
    preview: Preview
    stages: tuple[Stages, ...]
    faces: tuple[Track, ...]
    """The faces that were restored."""
    schedules: Schedules
    seconds_per_step: float

    def is_for(self, request: PreviewRequest) -> bool:
        """Whether this is the picture that a request asks for."""
        return self.request.seen_by(self.preview.window) == request.seen_by(self.preview.window)

    @property
    def complete(self) -> bool:
        """Whether this was the last step."""
        return self.preview.step == self.preview.steps

    @property
    def nbytes(self) -> int:
        """Memory held, roughly."""
        pictures = [image.nbytes for stage in self.stages for image in stage.images.values()]
        preview = self.preview
        return preview.frame.nbytes + preview.observed.nbytes + preview.mask.nbytes + sum(pictures)


def drawn_tracks(core: Core, drawn: Sequence[DrawnFace]) -> tuple[Track, ...]:
    """Faces drawn by hand; they count backwards from −1, so that their numbers never meet those found."""
    return tuple(core.drawn_track(face, -1 - at) for at, face in enumerate(drawn))
