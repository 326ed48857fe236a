"""A clip in, a restored clip out: faces are cropped, restored in windows and put back.

With a cache, what was restored or found before is taken from there: so an interrupted run is resumed, a
changed setting renders only what it changes, and an export uses what the preview has done already. Only faces
are kept. Pasting and encoding are cheap beside them, so a resumed clip is encoded from its first frame again:
then no encoder's state has to survive, and the file is the one that an uninterrupted run writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING, Protocol

import torch

from flair_core.frames import Progress
from flair_core.restoration.compose import (
    Picture,
    greyscale,
    picture_of,
)
from flair_core.restoration.crop import (
    Face,
    alone,
    faces_in,
    mask_reach,
)
from flair_core.restoration.handover import Chain, chain_of, chained, cross_faded
from flair_core.restoration.models import Models
from flair_core.restoration.restored import OutOfMemory, Restored
from flair_core.restoration.restorer import FaceRestorer
from flair_core.restoration.windows import Window
from flair_core.restoration.workers import Work, Workers
from flair_core.runtime import memory, threads
from flair_core.runtime.memory import give_back

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from flair_core.frames import Frame
    from flair_core.kept.cache import Cache
    from flair_core.restoration.run import Run
    from flair_core.video import FrameSink


NewRestorer = Callable[["Cache | None", list[str]], FaceRestorer]
"""Makes what restores faces, with what is kept and who hears notes."""


class Writes(Protocol):
    """What takes restored frames, in order of display: a FrameSink, or something before one."""

    def write(self, frame: Frame) -> None:
        """Take the next frame."""


PULSE = 1.0
"""Seconds without a finished frame after which progress is told again."""
PER_FRAME = 400 << 20
"""Bytes that one frame at work may take, with its features and the copies of a large picture."""


def restore(
    run: Run,
    sink: Writes,
    span: range,
    *,
    cache: Cache | None = None,
    matte: FrameSink | None = None,
    workers: Sequence[NewRestorer] = (),
) -> Iterator[Progress]:
    """Restore frames of `span` into `sink` (the caller commits it); holds the windows at work and two more.

    While the caller decodes and encodes, threads restore what comes next. Closing ends them after their current step;
    to give the chance for that, progress is told again when nothing was finished for a while.

    Windows of a video network stand where they stand in the whole clip, and their results are cross-faded where
    they overlap: so a part has the same frames as the whole. Under the released policy the first one begins
    with the span, and each begins with the results of the one before, as in the released program.

    matte: gets white where pixels were generated, grey where they were mixed in, and black elsewhere.
    workers: what restores, several for several devices; by default one with the networks of `run`.
    """
    notes: list[str] = []
    restorers = [new(cache, notes) for new in workers or [partial(FaceRestorer, run.load)]]

    def written(picture: Picture) -> Progress:
        frame = picture.frame
        sink.write(frame)
        if matte:
            matte.write(replace(frame, rgb=greyscale(picture.shown)))
        said, notes[:] = tuple(notes), []
        done = frame.index - span.start + 1
        return Progress(done, len(span), frame.index, frame.rgb, picture.residual, notes=said)

    last = Progress(0, len(span), span.start)
    with Workers(restorers, notes) as at_work:
        for one_by_one, piece in _pieces(run, span):
            made = (_singles if one_by_one else _windowed)(run, piece, at_work)
            try:
                for picture in made:
                    last = written(picture) if picture else replace(last, frame=None, notes=())
                    yield last
            except GeneratorExit:
                at_work.stop()
                raise
            finally:
                made.close()
                give_back()


def _pieces(run: Run, span: range) -> Iterator[tuple[bool, range]]:
    """A span in pieces, and whether the frames of each are restored one by one or in windows."""
    alike = groupby(
        run.look.parts(span), lambda part: run.load(run.look.resolve(part.start)).denoiser.window == 1
    )
    for one_by_one, parts in alike:
        first, *_, last = [*parts] * 2
        yield one_by_one, range(first.start, last.stop)


def _singles(run: Run, span: range, workers: Workers) -> Generator[Picture | None]:
    """Frames that are restored one by one: side by side in threads, or as many in a batch as the networks take.

    None when nothing was finished for a while.
    """
    source, wanted = run.source, list(run.look.key_settings(span))
    needed = [run.load(settings) for settings in wanted]
    if len(workers) == 1 and workers.first.here and (workers := _workers(needed, span)) > 1:

        def picture(frame: Frame) -> Picture:
            faces = faces_in(run, [frame], alone(frame.index))
            return picture_of(frame, [(face, workers.first.restored(face)) for face in faces], run.settings)

        yield from threads.ahead(
            (partial(picture, frame) for frame in source.frames(span.start, span.stop)), workers, OutOfMemory
        )
        return
    together, reach = max(map(workers.first.at_once, wanted)), max(map(mask_reach, needed))
    incoming = source.frames(max(span.start - reach, 0), min(span.stop + reach, len(source)))
    near: list[Frame] = []
    begun: deque[tuple[Sequence[Frame], Sequence[Sequence[Face]], Work]] = deque()

    def finished() -> Iterator[Picture | None]:
        frames, seen, work = begun.popleft()
        yield from _pulses([work])
        made = iter(work.result.result())
        for frame, faces in zip(frames, seen, strict=True):
            yield picture_of(frame, [(face, next(made)) for face in faces], run.settings)

    for first in range(span.start, span.stop, together):
        batch = range(first, min(first + together, span.stop))
        near = [frame for frame in near if frame.index >= first - reach]
        for frame in incoming:
            near.append(frame)
            if frame.index >= batch.stop - 1 + reach:
                break
        frames = [frame for frame in near if frame.index in batch]
        seen = [faces_in(run, [frame], alone(frame.index), near) for frame in frames]
        begun.append((frames, seen, workers.begin([face for faces in seen for face in faces])))
        while len(begun) > len(workers) + 1:
            yield from finished()
    while begun:
        yield from finished()


def _windowed(run: Run, span: range, workers: Workers) -> Generator[Picture | None]:
    """Frames that are restored in windows; None when nothing was finished for a while."""
    incoming: Iterator[Frame] | None = None
    frames: list[Frame] = []
    results: list[tuple[Face, Restored]] = []
    begun: deque[_Begun] = deque()

    def finished() -> Iterator[Picture | None]:
        """The first window that was begun; only those of its frames that no other window has."""
        nonlocal results
        first = begun.popleft()
        yield from _pulses(first.works)
        made = [(work.faces[0], work.result.result()[0]) for work in first.works]
        for face, restored in made:
            if chained(face):
                first.chain.hand_on(face, first.window, restored)
        results = cross_faded(workers.first, first.window, made, results)
        end = begun[0].window.first if begun else span.stop
        for frame in first.frames:
            if frame.index in span and frame.index < end:
                yield picture_of(frame, results, run.settings)

    for chain, window in _chains(run, span, workers.first):
        incoming = incoming or run.source.frames(window.first, len(run.source))
        frames = [frame for frame in frames if frame.index >= window.first]
        added = list(islice(incoming, window.last - window.first - len(frames)))
        if not added:
            break
        frames += added
        latest = begun[-1].works if begun else []
        works = [
            workers.begin([face], _work_before(face, latest) if chained(face) else None)
            for face in faces_in(run, frames, window)
        ]
        begun.append(_Begun(chain, window, frames, works))
        while len(begun) > len(workers) + 1:
            yield from finished()
    while begun:
        yield from finished()


def _pulses(works: Sequence[Work]) -> Iterator[None]:
    """Now and then a None, until all is done."""
    while futures.wait([work.result for work in works], PULSE).not_done:
        yield None


def _workers(needed: Sequence[Models], span: range) -> int:
    """How many frames are restored side by side: several where each is restored on its own, by the processor.

    Networks other than the compact one may give other last bits in one thread than in several; then a frame
    would not look as it did in its preview.
    """
    if all(models.side_by_side for models in needed):
        return min(torch.get_num_threads(), memory.free(needed[0].device) // PER_FRAME, len(span))
    return 1


def _chains(run: Run, span: range, restorer: FaceRestorer) -> Iterator[tuple[Chain, Window]]:
    """The windows that hold frames of a span; none reaches from one shot into the next."""
    for part in run.look.parts(span):
        shot = run.look.shot_at(part.start)
        released = run.look.resolve(part.start).sampler.policy == "released"
        grid = part if released else range(shot.start, min(shot.stop, len(run.source)))
        chain = chain_of(run, grid, restorer)
        for window in chain.windows(part):
            yield chain, window


@dataclass(frozen=True, slots=True)
class _Begun:
    """A window whose faces are being restored."""

    chain: Chain
    window: Window
    frames: Sequence[Frame]
    works: Sequence[Work]


def _work_before(face: Face, works: Sequence[Work]) -> Work | None:
    """The work on the same face in the window before; None where that has none."""
    for work in works:
        (earlier,) = work.faces
        if earlier.track == face.track and earlier.first <= face.first < earlier.span.stop:
            return work
    return None
