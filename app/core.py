"""The restoration core behind the window: it runs on a thread of its own and answers the newest request first."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import platformdirs

from app import loading
from app.requests import Offer, Schedules
from flair_core.errors import ClusterError, MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from flair_core.estimation import Estimate
    from flair_core.faces.track import Track
    from flair_core.frames import Progress
    from flair_core.jobs.queue import Job, Jobs
    from flair_core.metrics.reference import Reference
    from flair_core.restoration.models import Models
    from flair_core.restoration.preview import Preview
    from flair_core.settings.drawn import DrawnFace
    from flair_core.settings.found import Found
    from flair_core.settings.groups import DegradationSettings, FootageSettings, RestorationSettings
    from flair_core.settings.look import Look
    from flair_core.video import FrameSource


SHOT_REACH = 7
"""Frames on either side that the degradation is estimated from."""


def _settle(future: Future[Any], work: Callable[[], object]) -> None:
    """Let a future have what became of some work."""
    try:
        future.set_result(work())
    except Exception as error:  # whoever asks for the result gets it
        future.set_exception(error)


class RestorationCore:
    """flair_core on one device; making one imports torch, which takes seconds."""

    def __init__(self, device: str, jobs: Jobs) -> None:
        with loading.while_window_in_use():
            from flair_core import video
            from flair_core.kept import cache, restored_frames
            from flair_core.restoration.find import find_tracks
            from flair_core.restoration.models import load_models
            from flair_core.restoration.preview import preview
            from flair_core.restoration.run import Run
            from flair_core.runtime import devices

            self._find_tracks, self._load_models, self._preview, self._run = (
                find_tracks,
                load_models,
                preview,
                Run,
            )
            self._devices, self._restored_frames = devices, restored_frames
            self.use_device(device)
        self.open_source = video.open_source
        self._cache = cache.Cache(keep_since=jobs.kept_since())

    def use_device(self, name: str) -> None:
        """See Core."""
        self._device = self._devices.pick(name)

    def offer(self) -> Offer:
        """See Core."""
        from flair_core.checkpoints import (
            catalogue,
            store,
        )
        from flair_core.enhancers import factory
        from flair_core.faces import detect, parse

        choices = {
            "model": (*catalogue.COMPACT, *catalogue.RELEASED),
            "enhancer": factory.NAMES,
            "detector": ("embedded", *detect.NETWORKS),
            "mask": ("landmarks", *parse.NETWORKS),
        }
        lacking = frozenset(name for name in catalogue.CHECKPOINTS if not store.here(name))
        return Offer(self._devices.describe(self._device), choices, lacking)

    def import_model(self, file: Path, name: str) -> None:
        """See Core."""
        from flair_core import importing

        importing.import_checkpoint(file, name)

    def _models(self, settings: RestorationSettings) -> Models:
        return self._load_models(settings, self._device)

    def find_tracks(
        self, source: FrameSource, settings: RestorationSettings, *, span: range
    ) -> Iterator[Progress | list[Track]]:
        """See Core."""
        return self._find_tracks(source, settings, span=span, cache=self._cache)

    def find_shots(self, source: FrameSource, footage: FootageSettings) -> Iterator[tuple[int, ...] | None]:
        """See Core."""
        from flair_core.restoration.find import find_shots

        return find_shots(source, footage, self._cache)

    def warping_error(self, before: Preview, after: Preview) -> float | None:
        """See Core."""
        from flair_core.faces.shots import as_uint8
        from flair_core.metrics.temporal import restored_warping_error

        observed = as_uint8(before.observed), as_uint8(after.observed)
        restored = as_uint8(before.frame), as_uint8(after.frame)
        return restored_warping_error(observed, restored, before.mask)

    def drawn_track(self, face: DrawnFace, number: int) -> Track:
        """See Core."""
        from flair_core.faces.track import Track

        return Track.fixed(face.box, face.first, face.last - face.first + 1, id=number)

    def preview(
        self,
        source: FrameSource,
        index: int,
        *,
        tracks: Sequence[Track],
        look: Look,
        again: bool,
    ) -> Iterator[Preview]:
        """See Core."""
        # A video network restores a whole window for one frame: that is not done twice.
        alone = self._models(look.resolve(index)).denoiser.window == 1
        kept = self._cache.unread() if again and alone else self._cache
        load = self._models
        for preview in self._preview(self._run(source, tracks, look, load), index, cache=kept):
            if preview.step == preview.steps:
                self._restored_frames.note(self._cache, source.path, look.settings.footage, [index])
            yield preview

    def restored_before(self, source: FrameSource, footage: FootageSettings) -> tuple[int, ...]:
        """See Core."""
        return self._restored_frames.frames(self._cache, source.path, footage)

    def recall(
        self, source: FrameSource, index: int, *, tracks: Sequence[Track], look: Look
    ) -> Preview | None:
        """See Core."""
        made = self._preview(
            self._run(source, tracks, look, self._models), index, cache=self._cache, only_known=True
        )
        return next(iter(made), None)

    def schedules(self, settings: RestorationSettings) -> Schedules:
        """See Core."""
        from flair_core.restoration import window

        denoiser = self._models(settings).denoiser
        schedule, size = window.schedule_for(settings, denoiser), (denoiser.size, denoiser.size)
        plan = window.plan_for(settings, schedule, denoiser, size, self._device)
        plain = replace(settings, sampler=replace(settings.sampler, gamma_curve=""))
        whole = plan if plain == settings else window.plan_for(plain, schedule, denoiser, size, self._device)
        gamma, w, most = (tuple(one.flip(0).tolist()) for one in (plan.mean_gamma, plan.w, whole.mean_gamma))
        return Schedules(gamma, w, most)

    def look_at(
        self, source: FrameSource, shot: range, settings: RestorationSettings
    ) -> Iterator[Found | None]:
        """See Core."""
        from flair_core.restoration import auto

        yield from auto.look_at(source, shot, settings, self._device, self._cache)

    def estimate(
        self, source: FrameSource, index: int, *, tracks: Sequence[Track], settings: RestorationSettings
    ) -> Iterator[Estimate | None]:
        """See Core."""
        from flair_core.estimation import estimate_degradation
        from flair_core.faces.shots import shot_around

        here = [track for track in tracks if track.covers(index)]
        if not here and not settings.faces.aligned:
            raise MediaError(
                "There is no face in this frame to judge by. Go to one with a face, or draw one."
            )
        shot, side = shot_around(source, index, SHOT_REACH), self._models(settings).denoiser.size
        # It takes seconds in one piece: on a thread of its own previews go on meanwhile. Nobody waits for it
        # when it is not wanted any more.
        found: Future[Estimate] = Future()
        work = threading.Thread(
            target=_settle,
            args=(found, lambda: estimate_degradation(shot, tracks=here, side=side)),
            daemon=True,
        )
        work.start()
        while not wait([found], timeout=0.03).done:
            yield None
        yield found.result()

    @contextlib.contextmanager
    def open_reference(self, path: Path, clip: FrameSource) -> Iterator[Reference]:
        """See Core."""
        from flair_core.metrics import perceptual
        from flair_core.metrics.reference import Reference
        from flair_core.settings.groups import FootageSettings

        with self.open_source(path, FootageSettings()) as truth:
            if self.lacking_for_lpips():
                yield Reference(truth, clip)
            else:
                weights = perceptual.ALEXNET.path(fetch=False)
                yield Reference(truth, clip, perceptual.lpips(weights, self._device))

    def lacking_for_lpips(self) -> Path | None:
        """See Core."""
        from flair_core.checkpoints import (
            store,
        )
        from flair_core.metrics import perceptual

        file = store.folder() / perceptual.ALEXNET.file
        return None if file.is_file() else file

    def read_sidecar(self, path: Path) -> DegradationSettings | None:
        """See Core."""
        from flair_core.jobs.degrade import read_sidecar

        return read_sidecar(path)

    def make_demo(self) -> tuple[Path, RestorationSettings]:
        """See Core."""
        from flair_core.jobs.demo import SETTINGS, make_demo

        return make_demo(platformdirs.user_cache_path("flair-studio", appauthor=False)), SETTINGS

    def run_job(self, jobs: Jobs, job: Job) -> Iterator[Progress]:
        """See Core."""
        from flair_core.jobs.run import run

        if cluster := job.request.cluster:
            # Ray ends the whole program when the cluster's head is lost: a window with unsaved work must not join.
            with jobs.working_on(job.id):
                raise ClusterError(
                    f"The cluster at {cluster} was to restore this, and only the command line joins one. "
                    "Give the flair restore command again that began it; it goes on where it was."
                )
        yield from run(jobs, job, self._cache)
        footage, span = job.request.look.settings.footage, job.request.span
        with self.open_source(job.request.source, footage) as source:
            self._restored_frames.note(self._cache, source.path, footage, span or range(len(source)))
