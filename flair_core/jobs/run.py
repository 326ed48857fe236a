"""A whole job: faces found, restored, written, published at once, and recorded."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from flair_core import video
from flair_core.errors import MediaError, SettingsError
from flair_core.faces.track import Track
from flair_core.frames import Progress, faster
from flair_core.interpolation.clip import Between, White
from flair_core.interpolation.factory import load_interpolator
from flair_core.jobs import cluster, output, record
from flair_core.jobs.burn_in import BurnIn
from flair_core.kept import fingerprints
from flair_core.restoration import auto, find, models
from flair_core.restoration.clip import NewRestorer, restore
from flair_core.restoration.compose import output_size
from flair_core.restoration.restored import CPU
from flair_core.restoration.restorer import FaceRestorer
from flair_core.restoration.run import Run
from flair_core.runtime import devices
from flair_core.settings.output import OutputOptions

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    import torch

    from flair_core.jobs.queue import Job, Jobs
    from flair_core.jobs.request import Request
    from flair_core.kept.cache import Cache
    from flair_core.settings.look import Look
    from flair_core.video import FrameSink, FrameSource


NO_FACE = "No face was found, so nothing was restored. If the whole frame is one face, call it aligned."
LOSSLESS = (".mkv", "")
"""Suffixes of mattes that are exact; a name without one is a folder."""
REPORT_EVERY = 0.5
"""Seconds from one note in the job list to the next."""


def run(jobs: Jobs, job: Job, cache: Cache) -> Iterator[Progress]:
    """Do a job, and note in the list how far it is and what became of it.

    Ends early, without output, when the job is paused or cancelled meanwhile; closing the generator pauses
    it. Done again, it goes on where it was. Raises FlairError, which is noted too.
    """
    noted, notes, stage = 0.0, list[str](), ""
    footage = job.request.look.settings.footage
    with jobs.working_on(job.id), video.open_source(job.request.source, footage) as source:
        for progress in render(job.request, source, cache):
            yield progress
            notes += progress.notes
            if progress.stage != stage:
                stage = progress.stage
                jobs.log(job.id, f"{stage}, {progress.total} frames")
            if time.monotonic() > noted + REPORT_EVERY:
                done = progress.done if progress.stage in ("restore", "record") else 0
                if not jobs.report(job.id, done, progress.total):
                    return
                noted = time.monotonic()
        jobs.report(job.id, progress.total, progress.total)
        jobs.finish(job.id, tuple(notes))


def render(request: Request, source: FrameSource, cache: Cache) -> Iterator[Progress]:
    """Do what a request says; what was found and restored before is taken from the cache. Raises FlairError.

    The outputs appear when all is done, or not at all.
    """
    look, span = request.look, span_of(request.span, len(source))
    clip = fingerprints.fingerprint(source.path)
    notes = list(request.notes)
    residual: dict[int, float] = {}
    with _there(source.path), ExitStack() as opened:
        # On the nodes of a cluster another device may be at work than here.
        each = devices.several("auto" if request.cluster else request.device)
        networks: dict[str, str] = {}
        loads = [models.loader(CPU if request.cluster else device, networks) for device in each]
        load, computes = loads[0], devices.described(map(devices.describe, each))
        wanted = list(dict.fromkeys(look.key_settings(span)))
        for needed in wanted:
            for missed in loads:
                missed(needed)  # what is missing is missed now, not in the middle
        workers: list[NewRestorer] = [
            partial(FaceRestorer, loaded, name=f"The device {device}", device=computes)
            for device, loaded in zip(each, loads, strict=True)
        ]
        if request.cluster:
            yield Progress(0, len(span), span.start, stage="join the cluster")
            team = opened.enter_context(cluster.joined(request.cluster, request.device, wanted, networks))
            workers, computes = team.workers(load), team.computes
            notes += team.notes
            yield Progress(0, len(span), span.start, stage="join the cluster", notes=(*team.notes,))
        if request.credentials:  # which tell what was found
            look = yield from _filled(look, source, span, each[0], cache, notes)
        said = record.statement(source.path, span, look, networks) if request.credentials else ""
        sink = opened.enter_context(_open_output(request, source, span, each[0], said))
        matte = opened.enter_context(_open_matte(request, source)) if request.matte else None
        # Looking takes seconds: what can't be written was said before.
        look = yield from _filled(look, source, span, each[0], cache, notes)
        shown = BurnIn(sink, look) if request.burn_in else sink
        tracks = yield from _tracks(request, source, span, cache)
        what = Run(source, tracks, look, load)
        for progress in restore(what, shown, span, cache=cache, matte=matte, workers=workers):
            residual[progress.index] = progress.residual
            notes += progress.notes
            yield progress
        # A reader holds the last good frame where a file ends early: only here it shows that more was there.
        if fingerprints.fingerprint(source.path) != clip:
            raise MediaError(f"{source.path} was changed while it was read. Run again when it is complete.")
        sink.commit()
        if matte:
            matte.commit()
    added = f"After each restored frame {request.fps_factor - 1} new ones were made ({request.interpolator})."
    late = (
        *([added] if request.fps_factor > 1 else []),
        *([] if tracks or look.settings.faces.aligned else [NO_FACE]),
        *source.notes,
        *sink.notes,
    )
    if request.sidecar:
        record.write_sidecar(
            request.output,
            record.record(
                source=source.path,
                output=request.output,
                span=span,
                look=look,
                networks=networks,
                device=computes,
                tracks=tracks,
                residual=residual,
                notes=[*notes, *late],
            ),
        )
    yield Progress(len(span), len(span), span.stop - 1, stage="record", notes=(*late, *cache.notes))
    cache.notes.clear()  # they were of this job


@contextmanager
def _there(path: Path) -> Iterator[None]:
    """Say it plainly when reading fails because the source vanished meanwhile."""
    try:
        yield
    except MediaError:
        if path.exists():
            raise
        raise MediaError(
            f"{path} vanished while it was read. Bring it back and run again; what was restored is kept."
        ) from None


def span_of(asked: range | None, length: int) -> range:
    """The frames of a clip of some length that were asked for; None for all. Raises SettingsError without such."""
    if asked is None:
        return range(length)
    if not isinstance(asked, range):
        raise SettingsError(
            f"Frames must be a range such as range({length}), but got a value of type {type(asked).__name__}."
        )
    if asked.step != 1:
        raise SettingsError(
            f"Frames are taken one after the other, but {asked} leaves some out or turns back."
        )
    if not asked:
        raise SettingsError(f"{asked} holds no frame; the clip has frames 0 to {length - 1}.")
    if not 0 <= asked.start < asked.stop <= length:
        span = f"{asked.start} to {asked.stop - 1}"
        raise SettingsError(f"Frames {span} were asked for, but the clip has frames 0 to {length - 1}.")
    return asked


def _open_output(
    request: Request, source: FrameSource, span: range, device: torch.device, statement: str
) -> FrameSink:
    """The sink for restored frames; where more frames a second are wanted, it makes them."""
    factor = request.fps_factor
    interpolator = load_interpolator(request.interpolator, device) if factor > 1 else None
    sink = output.open_output(
        request.output,
        source,
        request.look.settings,
        span,
        fps_factor=factor,
        with_streams=request.with_streams,
        statement=statement,
        options=request.encoding,
    )
    return sink if interpolator is None else Between(sink, factor, interpolator)


def _open_matte(request: Request, source: FrameSource) -> FrameSink:
    assert request.matte is not None
    if request.matte == request.output:
        raise MediaError(f"{request.matte} is the output itself. Name another file for the matte.")
    width, height = output_size(source, request.look.settings)
    codec = "lossless" if request.matte.suffix.lower() in LOSSLESS else None
    like = faster(source.info, request.fps_factor)
    sink = video.open_sink(
        request.matte,
        like=like,
        width=width,
        height=height,
        options=OutputOptions(codec=codec),
        source=source.path,
    )
    return sink if request.fps_factor == 1 else Between(sink, request.fps_factor, White())


def _filled(
    look: Look, source: FrameSource, span: range, device: torch.device, cache: Cache, notes: list[str]
) -> Generator[Progress, None, Look]:
    """The look with what Auto finds; `notes` hear of it."""
    for step in auto.fill(source, look, span, device, cache):
        if isinstance(step, Progress):
            notes += step.notes
            yield step
        else:
            look = step
    return look


def _tracks(
    request: Request, source: FrameSource, span: range, cache: Cache
) -> Generator[Progress, None, list[Track]]:
    """The faces to restore; those drawn by hand have negative numbers."""
    tracks = [
        Track.fixed(face.box, face.first, face.last - face.first + 1, id=-1 - at)
        for at, face in enumerate(request.drawn)
    ]
    for found in find.find_tracks(source, request.look.settings, span=request.searched or span, cache=cache):
        if isinstance(found, Progress):
            yield found
        else:
            tracks += [track for track in found if track.id not in request.left_out]
    return [track.with_strokes(request.strokes) for track in tracks]
