"""The background thread in which all sampling happens; sole importer of flair_core.restore and of torch."""

from __future__ import annotations

import contextlib
import threading
import traceback
from concurrent.futures import Future, wait
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

import platformdirs
from PySide6.QtCore import QObject, QThread, Signal

from app import loading
from app.mailbox import Mailbox
from app.tasks import Offer, PreviewResult, Schedules
from flair_core.errors import ClusterError, FlairError, MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from app.tasks import Core, PreviewRequest, Task
    from flair_core.estimation import Estimated
    from flair_core.faces.track import Track
    from flair_core.jobs import DrawnFace, Job, Jobs
    from flair_core.look import Look
    from flair_core.metrics.reference import Reference
    from flair_core.recipe import Models
    from flair_core.restore import Preview, Progress
    from flair_core.settings import DegradationSettings, FootageSettings, RestorationSettings
    from flair_core.video import FrameSource

SHOT_REACH = 7
"""Frames on either side that tell something of the degradation."""


class Outcome(Enum):
    """How a task ended."""

    DONE = auto()
    CANCELLED = auto()
    FAILED = auto()


class Worker(QThread):
    """Runs previews and tasks in turns of one step, previews first.

    A newer preview request replaces the one at work after its current step; so does cancelling. Tasks share
    what time is left. Signals arrive in the thread of the receiver.
    """

    ready = Signal(object)
    """The core is loaded: its Offer."""
    previewed = Signal()
    """`previews` holds a result."""
    preview_failed = Signal(object, str)
    """Request, and one sentence."""
    progressed = Signal(object, object)
    """Task and event."""
    ended = Signal(object, object, str)
    """Task, Outcome, and one sentence when it failed."""
    unusable = Signal(str)
    """The core can't be loaded: one sentence."""
    crashed = Signal(str)
    """A mistake in the program: the traceback."""

    def __init__(self, load_core: Callable[[], Core], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.previews: Mailbox[PreviewResult] = Mailbox()
        self._load_core = load_core
        self._changed = threading.Condition()
        self._stop = False
        self._request: PreviewRequest | None = None
        self._previewing = False
        """Whether the request has steps left."""
        self._tasks: list[Task] = []
        self._cancelled: list[Task] = []

    def preview(self, request: PreviewRequest | None) -> None:
        """Show this next, whatever is being previewed; None stops."""
        with self._changed:
            self._request, self._previewing = request, request is not None
            self._changed.notify()

    def submit(self, task: Task) -> None:
        """Do this when no preview is wanted."""
        with self._changed:
            self._tasks.append(task)
            self._changed.notify()

    def hold(self, task: Task) -> None:
        """Pause a task after its current step, until it is submitted again."""
        with self._changed:
            if task in self._tasks:
                self._tasks.remove(task)

    def cancel(self, task: Task) -> None:
        """End a task after its current step, held or not; `ended` tells when."""
        self.hold(task)
        with self._changed:
            self._cancelled.append(task)
            self._changed.notify()

    def close(self) -> None:
        """Cancel everything and wait for the thread; what was half written is gone then."""
        with self._changed:
            self._stop = True
            self._changed.notify()
        self.wait()

    def run(self) -> None:
        """Work until closed."""
        try:
            core = self._load_core()
        except FlairError as error:
            self._refuse(str(error))
        except Exception as error:
            words = self.tr("The restoration core can't be loaded ({0}). Run `flair doctor` for details.")
            self._refuse(words.format(error))
        else:
            self.ready.emit(core.offer())
            loading.behind_the_window()  # an import that stands back would hold the interpreter's lock longer
            self._work(core)

    def _refuse(self, message: str) -> None:
        """Without a core: answer everything with the reason."""
        self.unusable.emit(message)
        while self._await_work():
            for task in self._take_cancelled():
                self._end(task, {}, Outcome.CANCELLED)
            request, task = self._next()
            if request is not None:
                self._done_with(request)
                self.preview_failed.emit(request, message)
            elif task is not None:
                self._end(task, {}, Outcome.FAILED, message)

    def _work(self, core: Core) -> None:
        runs: dict[Task, Iterator[object]] = {}
        with contextlib.closing(_Previewer(core)) as previewer:
            while self._await_work():
                for task in self._take_cancelled():
                    self._end(task, runs, Outcome.CANCELLED)
                request, task = self._next()
                if request is not None:
                    self._advance_preview(previewer, request)
                elif task is not None:
                    self._advance(task, runs, core)
            for task in list(runs):
                self._end(task, runs, Outcome.CANCELLED)

    def _await_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._stop or self._previewing or self._tasks or self._cancelled)
            return not self._stop

    def _take_cancelled(self) -> list[Task]:
        with self._changed:
            cancelled, self._cancelled = self._cancelled, []
        return cancelled

    def _next(self) -> tuple[PreviewRequest | None, Task | None]:
        with self._changed:
            request = self._request if self._previewing else None
            return request, min(self._tasks, key=lambda task: task.order, default=None)

    def _advance_preview(self, previewer: _Previewer, request: PreviewRequest) -> None:
        try:
            result = previewer.advance(request)
        except FlairError as error:
            result = None
            self.preview_failed.emit(request, str(error))
        except Exception:
            result = None
            self.crashed.emit(traceback.format_exc())
        if result is not None and self.previews.put(result):
            self.previewed.emit()
        if result is None or result.complete:
            self._done_with(request)

    def _done_with(self, request: PreviewRequest) -> None:
        with self._changed:
            if self._request is request:
                self._previewing = False

    def _advance(self, task: Task, runs: dict[Task, Iterator[object]], core: Core) -> None:
        try:
            event = next(runs.setdefault(task, task.run(core)))
        except StopIteration:
            self._end(task, runs, Outcome.DONE)
        except FlairError as error:
            self._end(task, runs, Outcome.FAILED, str(error))
        except Exception:
            self._end(task, runs, Outcome.FAILED, self.tr("Something unexpected went wrong."))
            self.crashed.emit(traceback.format_exc())
        else:
            if event is not None:
                self.progressed.emit(task, event)

    def _end(
        self, task: Task, runs: dict[Task, Iterator[object]], outcome: Outcome, message: str = ""
    ) -> None:
        if (run := runs.pop(task, None)) is not None:
            run.close()
        with self._changed:
            if task in self._tasks:
                self._tasks.remove(task)
        self.ended.emit(task, outcome, message)


class _Previewer:
    """Holds the chain of the request at work and a reader of its clip."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._request: PreviewRequest | None = None
        self._steps: Iterator[PreviewResult] = iter(())
        self._opened: tuple[Path, FootageSettings] | None = None
        self._open = contextlib.ExitStack()
        self._source: FrameSource | None = None

    def advance(self, request: PreviewRequest) -> PreviewResult | None:
        """One more step of the request; None after the last."""
        if request is not self._request:
            self._request, self._steps = None, iter(())
            self._steps = request.run(
                self._core, self._reader(request.clip, request.look.settings.footage), again=True
            )
            self._request = request
        return next(self._steps, None)

    def _reader(self, path: Path, footage: FootageSettings) -> FrameSource:
        if self._source is None or (path, footage) != self._opened:
            self.close()
            self._source = self._open.enter_context(self._core.open_source(path, footage))
            self._opened = path, footage
        return self._source

    def close(self) -> None:
        """Let the clip go."""
        self._steps, self._source, self._opened = iter(()), None, None
        self._open.close()


def _settle(future: Future[Any], work: Callable[[], object]) -> None:
    """Let a future hear what became of some work."""
    try:
        future.set_result(work())
    except Exception as error:  # whoever asks for the result gets it
        future.set_exception(error)


class RestorationCore:
    """flair_core on one device; making one imports torch, which takes seconds."""

    def __init__(self, device: str, jobs: Jobs) -> None:
        with loading.beside_a_window():
            from flair_core import cache, devices, restore, video, visited  # noqa: PLC0415 - after the window

            self._restore, self._devices, self._visited = restore, devices, visited
            self.use_device(device)
        self.open_source = video.open_source
        self._cache = cache.Cache(keep_since=jobs.kept_since())

    def use_device(self, name: str) -> None:
        """See Core."""
        self._device = self._devices.pick(name)

    def offer(self) -> Offer:
        """See Core."""
        from flair_core import weights  # noqa: PLC0415
        from flair_core.enhancers import factory  # noqa: PLC0415
        from flair_core.faces import detect, parse  # noqa: PLC0415

        choices = {
            "model": (*weights.COMPACT, *weights.RELEASED),
            "enhancer": factory.NAMES,
            "detector": ("embedded", *detect.NETWORKS),
            "mask": ("landmarks", *parse.NETWORKS),
        }
        lacking = frozenset(name for name in weights.CHECKPOINTS if not weights.here(name))
        return Offer(self._devices.describe(self._device), choices, lacking)

    def import_model(self, file: Path, name: str) -> None:
        """See Core."""
        from flair_core import weights  # noqa: PLC0415

        weights.import_checkpoint(file, name)

    def _models(self, settings: RestorationSettings) -> Models:
        return self._restore.load_models(settings, self._device)

    def find_tracks(
        self, source: FrameSource, settings: RestorationSettings, *, span: range
    ) -> Iterator[Progress | list[Track]]:
        """See Core."""
        return self._restore.find_tracks(source, settings, span=span, cache=self._cache)

    def find_shots(self, source: FrameSource, footage: FootageSettings) -> Iterator[tuple[int, ...] | None]:
        """See Core."""
        from flair_core.search import find_shots  # noqa: PLC0415

        return find_shots(source, footage, self._cache)

    def warping_error(self, before: Preview, after: Preview) -> float | None:
        """See Core."""
        from flair_core.metrics.temporal import restored_warping_error  # noqa: PLC0415

        return restored_warping_error(
            (before.observed, after.observed), (before.frame, after.frame), before.mask
        )

    def drawn_track(self, face: DrawnFace, number: int) -> Track:
        """See Core."""
        from flair_core.faces.track import Track  # noqa: PLC0415

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
        for preview in self._restore.preview(source, index, tracks=tracks, look=look, load=load, cache=kept):
            if preview.step == preview.steps:
                self._visited.note(self._cache, source, look.settings.footage, [index])
            yield preview

    def restored_before(self, source: FrameSource, footage: FootageSettings) -> tuple[int, ...]:
        """See Core."""
        return self._visited.frames(self._cache, source, footage)

    def recall(
        self, source: FrameSource, index: int, *, tracks: Sequence[Track], look: Look
    ) -> Preview | None:
        """See Core."""
        made = self._restore.preview(
            source,
            index,
            tracks=tracks,
            look=look,
            load=self._models,
            cache=self._cache,
            only_known=True,
        )
        return next(iter(made), None)

    def schedules(self, settings: RestorationSettings) -> Schedules:
        """See Core."""
        from flair_core import recipe  # noqa: PLC0415

        denoiser = self._models(settings).denoiser
        schedule, size = recipe.schedule_for(settings, denoiser), (denoiser.size, denoiser.size)
        plan = recipe.plan_for(settings, schedule, denoiser, size, self._device)
        plain = replace(settings, sampler=replace(settings.sampler, gamma_curve=""))
        whole = plan if plain == settings else recipe.plan_for(plain, schedule, denoiser, size, self._device)
        gamma, w, most = (tuple(one.flip(0).tolist()) for one in (plan.mean_gamma, plan.w, whole.mean_gamma))
        return Schedules(gamma, w, most)

    def estimate(
        self, source: FrameSource, index: int, *, tracks: Sequence[Track], settings: RestorationSettings
    ) -> Iterator[Estimated | None]:
        """See Core."""
        from flair_core.estimation import estimate_degradation  # noqa: PLC0415
        from flair_core.faces.shots import shot_around  # noqa: PLC0415

        here = [track for track in tracks if track.covers(index)]
        if not here and not settings.faces.aligned:
            raise MediaError(
                "There is no face in this frame to judge by. Go to one with a face, or draw one."
            )
        shot, side = shot_around(source, index, SHOT_REACH), self._models(settings).denoiser.size
        # It takes seconds in one piece: on a thread of its own previews go on meanwhile. Nobody waits for it
        # when it is not wanted any more.
        found: Future[Estimated] = Future()
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
        from flair_core.metrics import perceptual  # noqa: PLC0415
        from flair_core.metrics.reference import Reference  # noqa: PLC0415
        from flair_core.settings import FootageSettings  # noqa: PLC0415

        with self.open_source(path, FootageSettings()) as truth:
            if self.lacking_for_lpips():
                yield Reference(truth, clip)
            else:
                weights = perceptual.ALEXNET.path(fetch=False)
                yield Reference(truth, clip, perceptual.lpips(weights, self._device))

    def lacking_for_lpips(self) -> Path | None:
        """See Core."""
        from flair_core import weights  # noqa: PLC0415
        from flair_core.metrics import perceptual  # noqa: PLC0415

        file = weights.folder() / perceptual.ALEXNET.file
        return None if file.is_file() else file

    def read_sidecar(self, path: Path) -> DegradationSettings | None:
        """See Core."""
        from flair_core.degrade import read_sidecar  # noqa: PLC0415

        return read_sidecar(path)

    def make_demo(self) -> tuple[Path, RestorationSettings]:
        """See Core."""
        from flair_core.demo import SETTINGS, make_demo  # noqa: PLC0415

        return make_demo(platformdirs.user_cache_path("flair-studio", appauthor=False)), SETTINGS

    def run_job(self, jobs: Jobs, job: Job) -> Iterator[Progress]:
        """See Core."""
        from flair_core import render  # noqa: PLC0415

        if cluster := job.request.cluster:
            # Ray ends the whole program when the cluster's head is lost: a window with unsaved work must not join.
            with jobs.working_on(job.id):
                raise ClusterError(
                    f"The cluster at {cluster} was to restore this, and only the command line joins one. "
                    "Give the flair restore command again that began it; it goes on where it was."
                )
        yield from render.run(jobs, job, self._cache)
        footage, span = job.request.look.settings.footage, job.request.span
        with self.open_source(job.request.source, footage) as source:
            self._visited.note(self._cache, source, footage, span or range(len(source)))
