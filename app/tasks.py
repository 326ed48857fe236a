"""What the window asks of its worker in the background: each task is a value that says how it is done."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Protocol

from app.requests import (
    Core,
    PreviewRequest,
    PreviewResult,
)
from flair_core.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from flair_core.jobs.queue import Job, Jobs
    from flair_core.metrics.reference import Reference
    from flair_core.settings.groups import FootageSettings, RestorationSettings


PICTURE = 144
"""Side of the picture of a look, in pixels: enough for a screen of two to a point."""
MOST_DB = 99.0
"""Shown where a restoration equals the reference."""


class Task(Protocol):
    """Work that goes on while no preview is wanted; the lowest `order` goes first."""

    order: ClassVar[int]

    def run(self, core: Core) -> Generator[object, None, None]:
        """Do it, with an event after each bit; closing the generator cancels and cleans up."""


@dataclass(frozen=True, slots=True, eq=False)
class UseDevice:
    """Compute elsewhere; the event is the Offer."""

    order: ClassVar[int] = 0
    name: str

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        core.use_device(self.name)
        yield core.offer()


@dataclass(frozen=True, slots=True, eq=False)
class ImportModel:
    """Take in a checkpoint that the user fetched; the event is the Offer."""

    order: ClassVar[int] = 0
    file: Path
    name: str

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        core.import_model(self.file, self.name)
        yield core.offer()


@dataclass(frozen=True, slots=True, eq=False)
class MakeDemo:
    """Make the sample clip; the event is its path and settings."""

    order: ClassVar[int] = 0

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        yield core.make_demo()


@dataclass(frozen=True, slots=True, eq=False)
class ReadSidecar:
    """Look for the file with the degradation's parameters next to a clip; the event is them, if there are any."""

    order: ClassVar[int] = 0
    clip: Path

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        yield core.read_sidecar(self.clip)


@dataclass(frozen=True, slots=True, eq=False)
class EstimateDegradation:
    """Estimate the degradation of the shot on the screen; the event is the core's Estimate."""

    order: ClassVar[int] = 0
    request: PreviewRequest

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        request = self.request
        with core.open_source(request.clip, request.look.settings.footage) as source:
            faces = request.faces(core, source)
            yield from core.estimate(source, request.index, tracks=faces, settings=request.settings)


@dataclass(frozen=True, slots=True, eq=False)
class LookAt:
    """See what Auto does about a shot; the event is the Found."""

    order: ClassVar[int] = -2
    clip: Path
    shot: range
    settings: RestorationSettings

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        with core.open_source(self.clip, self.settings.footage) as source:
            yield from core.look_at(source, self.shot, self.settings)


@dataclass(frozen=True, slots=True, eq=False)
class FindFaces:
    """Follow the faces of a clip; events are the core's Progress, and at last the list of tracks."""

    order: ClassVar[int] = 0
    clip: Path
    settings: RestorationSettings
    span: range

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        with core.open_source(self.clip, self.settings.footage) as source:
            yield from core.find_tracks(source, self.settings, span=self.span)


@dataclass(frozen=True, slots=True, eq=False)
class FindShots:
    """Find where the shots of a clip begin; events are the first frames found so far, or None.

    It comes before the search for faces, which takes longer: Auto waits for shots.
    """

    order: ClassVar[int] = -1
    clip: Path
    footage: FootageSettings

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        with core.open_source(self.clip, self.footage) as source:
            yield from core.find_shots(source, self.footage)


@dataclass(frozen=True, slots=True, eq=False)
class MeasureWarp:
    """How much neighbouring results differ along the motion; events are (before, after, error)."""

    order: ClassVar[int] = 1
    pairs: tuple[tuple[PreviewResult, PreviewResult], ...]

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        for before, after in self.pairs:
            yield before, after, core.warping_error(before.preview, after.preview)


@dataclass(frozen=True, slots=True, eq=False)
class Prerender:
    """Preview a span of frames, so that it can be played; events are complete PreviewResults."""

    order: ClassVar[int] = 1
    requests: tuple[PreviewRequest, ...]

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        with core.open_source(self.requests[0].clip, self.requests[0].look.settings.footage) as source:
            for request in self.requests:
                for result in request.run(core, source):
                    yield replace(result, stages=()) if result.complete else None


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """Find what was restored in earlier runs; events are complete PreviewResults, or PreviewRequests of frames of
    which there is none under this look."""

    order: ClassVar[int] = 5
    request: PreviewRequest
    """Of any frame."""
    span: range
    """Frames that faces are known of."""

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        look = self.request.look
        with core.open_source(self.request.clip, look.settings.footage) as source:
            for index in core.restored_before(source, look.settings.footage):
                if index in self.span:
                    request = replace(self.request, index=index)
                    yield request.recalled(core, source) or request


@dataclass(frozen=True, slots=True, eq=False)
class CheckReference:
    """See whether a clip can be measured against another; the event is a FoundReference."""

    order: ClassVar[int] = 0
    request: PreviewRequest
    path: Path

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        with (
            core.open_source(self.request.clip, self.request.look.settings.footage) as source,
            core.open_reference(self.path, source) as reference,
        ):
            lacking = None if "lpips" in reference.measures else core.lacking_for_lpips()
        yield FoundReference(self.request.clip, self.path, lacking)


@dataclass(frozen=True, slots=True)
class FoundReference:
    """A clip that another can be measured against."""

    clip: Path
    path: Path
    lacking: Path | None
    """The file that would have to be there for LPIPS; None when it is."""


@dataclass(frozen=True, slots=True, eq=False)
class Explore:
    """Try K × w_τ × seed on one frame; events are ExploredPoints. What is clearly worse gets no further seeds."""

    order: ClassVar[int] = 2
    request: PreviewRequest
    reference: Path | None = None
    steps: tuple[int, ...] = (1, 2, 4, 8, 16)
    w_taus: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
    seeds: int = 2

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        from flair_core.experiments.frontier import Candidate, Frontier

        now = self.request.settings.sampler
        start = Candidate(now.steps, now.w_tau, now.seed)
        with (
            core.open_source(self.request.clip, self.request.look.settings.footage) as source,
            core.open_reference(self.reference, source) if self.reference else nullcontext() as reference,
        ):
            measures = ("agreement", "sharpness") if reference is None else reference.measures
            frontier = Frontier(self.steps, self.w_taus, seeds=self.seeds, start=start, measures=measures)
            for trial in frontier:
                request = replace(self.request, look=self.request.look.everywhere(**trial._asdict()))
                for result in request.run(core, source):
                    if result.complete:
                        point = ExploredPoint.of(result, reference)
                        frontier.tell(trial, *point.goodness)
                        yield point
                    else:
                        yield None


@dataclass(frozen=True, slots=True, eq=False)
class ExploredPoint:
    """One result on the plane of distortion and perception."""

    result: PreviewResult
    measures: tuple[str, str]
    """("agreement", "sharpness"), or those of the reference."""
    values: tuple[float, float]
    """agreement: PSNR in dB between the footage and the restored face, degraded again: is it what was filmed?
    psnr: in dB, between the restored face and the reference's.  lpips: likewise.
    sharpness: std above a 5×5 mean where the restoration shows, in 8-bit levels: fine detail, true or invented."""
    ssim: float | None = None
    """Against the reference, if there is one."""

    @property
    def goodness(self) -> tuple[float, float]:
        """Both values so that more is better."""
        right, up = self.values
        return right, -up if self.measures[1] == "lpips" else up

    @classmethod
    def of(cls, result: PreviewResult, reference: Reference | None = None) -> ExploredPoint:
        """Measure a complete result. Raises ShapeError when there is a reference, but no face."""
        from flair_core.experiments.frontier import agreement
        from flair_core.faces.shots import as_uint8
        from flair_core.metrics.fidelity import sharpness

        preview = result.preview
        sharp = sharpness(as_uint8(preview.frame), preview.mask > 0.5) or 0.0
        if reference is None:
            return cls(result, ("agreement", "sharpness"), (agreement(preview.residual), sharp))
        aligned = result.request.settings.faces.aligned
        scores = reference.scores(result.request.index, preview.frame, result.faces, aligned=aligned)
        if scores is None:
            raise ShapeError("There is no restored face in this frame to measure. Go to a frame with one.")
        up = sharp if scores.lpips is None else scores.lpips
        return cls(result, reference.measures, (min(scores.psnr, MOST_DB), up), scores.ssim)


@dataclass(frozen=True, slots=True, eq=False)
class CompareSeeds:
    """Restore a frame with several seeds, to see what is invented; events are SeedSpreads."""

    order: ClassVar[int] = 2
    request: PreviewRequest
    seeds: int = 8

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        from flair_core.experiments.frontier import Spread

        seed = self.request.settings.sampler.seed
        collected = Spread()
        with core.open_source(self.request.clip, self.request.look.settings.footage) as source:
            for count in range(1, self.seeds + 1):
                request = replace(self.request, look=self.request.look.everywhere(seed=seed + count - 1))
                for result in request.run(core, source):
                    if result.complete:
                        collected.add(result.preview.frame)
                    yield None
                if (levels := collected.levels()) is not None:
                    yield SeedSpread(self.request, levels, count)


@dataclass(frozen=True, slots=True, eq=False)
class SeedSpread:
    """How much results with different seeds differ."""

    request: PreviewRequest
    levels: NDArray[np.float32]
    """(H, W) standard deviation, root mean square over the colours, in levels of the frame."""
    seeds: int
    """How many were compared so far."""


@dataclass(frozen=True, slots=True, eq=False)
class PictureLook:
    """Restore a frame as a look would have it, for a small picture of its face; the event is a LookPicture."""

    order: ClassVar[int] = 2
    name: str
    """Of the look."""
    request: PreviewRequest

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        with core.open_source(self.request.clip, self.request.look.settings.footage) as source:
            for result in self.request.run(core, source):
                yield LookPicture.of(result) if result.complete else None


@dataclass(frozen=True, slots=True, eq=False)
class LookPicture:
    """The face of a finished result, small."""

    rgb: NDArray[np.uint8] | None
    """(S, S, 3); None where there is no face."""

    @classmethod
    def of(cls, result: PreviewResult) -> LookPicture:
        """Cut the first face out of a result."""
        import cv2
        import numpy as np

        from flair_core.faces.shots import as_uint8

        request, frame = result.request, result.preview.frame
        height, width = frame.shape[:2]
        box = np.array([0, 0, width, height], float)
        if not request.settings.faces.aligned:
            here = [track for track in result.faces if track.covers(request.index)]
            if not here:
                return cls(None)
            track = here[0]
            box = track.boxes[request.index - track.first] * request.settings.magnification
        (across, down), side = (box[:2] + box[2:]) / 2, min(max(box[2:] - box[:2]), height, width)
        left, top = (
            int(np.clip(middle - side / 2, 0, whole - side))
            for middle, whole in ((across, width), (down, height))
        )
        face = as_uint8(frame[top : top + int(side), left : left + int(side)])
        return cls(np.asarray(cv2.resize(face, (PICTURE, PICTURE), interpolation=cv2.INTER_AREA), np.uint8))


@dataclass(frozen=True, slots=True)
class Exported:
    """How far an export is."""

    stage: str
    """"find faces" or "restore"."""
    done: int
    total: int


@dataclass(frozen=True, slots=True, eq=False)
class RunJob:
    """Do a job of the export queue; events are Exported. Closing it pauses the job."""

    order: ClassVar[int] = 3
    jobs: Jobs
    job: Job

    def run(self, core: Core) -> Generator[object, None, None]:
        """See Task."""
        for now in core.run_job(self.jobs, self.job):
            yield Exported(now.stage, now.done, now.total)
