"""A clip in, a restored clip out: faces are cropped, restored in windows and put back.

With a cache, what was restored or found before is taken from there: so an interrupted run is resumed, a
changed setting renders only what it changes, and an export uses what the preview has done already. Only faces
are kept. Pasting and encoding are cheap beside them, so a resumed clip is encoded from its first frame again:
then no encoder's state has to survive, and the file is the one that an uninterrupted run writes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import groupby, islice, zip_longest
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from flair_core import allocator, memory, provenance, threads, video, weights
from flair_core.chain import Chain, chained, leans
from flair_core.crew import Crew, Work
from flair_core.denoisers.base import anneals
from flair_core.denoisers.factory import load_denoiser
from flair_core.enhancers.factory import load_enhancer
from flair_core.errors import WeightsError
from flair_core.faces import align, mask, match, paste
from flair_core.faces.detect import load_detector
from flair_core.faces.parse import Parser
from flair_core.frames import deepened, faster, of_depth, to_float, to_uint8, to_uint16
from flair_core.progress import Progress
from flair_core.recipe import Estimate, Models, inlays, operator
from flair_core.restored import Face, FaceRestorer, Load, OutOfMemory, Restored
from flair_core.search import find_tracks
from flair_core.settings import WITH_FIDELITY
from flair_core.windows import Window

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from flair_core.burn_in import BurnIn
    from flair_core.cache import Cache
    from flair_core.faces.track import Track
    from flair_core.frames import Frame
    from flair_core.look import Look
    from flair_core.restored import Kept
    from flair_core.settings import RestorationSettings
    from flair_core.video import FrameSink, FrameSource

    Pixels = NDArray[Any]  # uint8 or uint16, as the source has them

__all__ = [
    "Preview",
    "Progress",
    "find_tracks",
    "load_models",
    "loader",
    "open_output",
    "output_size",
    "preview",
    "restore",
]


NewRestorer = Callable[["Cache | None", list[str]], FaceRestorer]
"""Makes what restores faces, with what is kept and who hears notes."""
PULSE = 1.0
"""Seconds without a finished frame after which progress is told again."""
PER_FRAME = 400 << 20
"""Bytes that one frame at work may take, with its features and the copies of a large picture."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A frame after one reverse step; the last one holds what `restore` writes."""

    step: int
    steps: int
    observed: Pixels
    """What went in, at the size of `frame`."""
    frame: Pixels
    mask: NDArray[np.float32]
    """(H, W) in [0, 1]: where the restoration shows."""
    stages: Mapping[str, NDArray[np.uint8]]
    """The first face as the network gave it and after each refiner, (S, S, 3)."""
    residual: float
    """Root mean square of A x̂ − y over the frame's faces, in 8-bit levels."""
    residual_map: NDArray[np.float32]
    """(H, W) the same of each pixel, as coarse as y; 0 where the restoration does not show."""
    window: range
    """The frames that it was made of: what they look like and their settings decide the picture."""
    exact: bool
    """Whether `restore` over the whole clip writes this; not if that leans on a window not restored so far."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it was made, one sentence each."""


def load_models(settings: RestorationSettings, device: torch.device) -> Models:
    """The networks that the settings name, kept for the next call. Raises WeightsError if one is missing."""
    # An enhancer that is never called need not be there.
    enhancer = settings.sampler.enhancer if settings.sampler.enhances else "none"
    fidelity = settings.sampler.fidelity if enhancer in WITH_FIDELITY else 1.0
    model, faces, inlaid = settings.sampler.model, settings.faces, inlays(settings)
    # Asked anew each time: the file may have come in the meantime.
    parsed = anneals(_denoiser(model, device)) and weights.here(weights.RELEASED_PARSER)
    if inlaid:
        _demand_parser()
    masked = not faces.aligned or (settings.sampler.enhances and not inlaid)
    return _models(
        model,
        enhancer,
        fidelity,
        faces.mask if masked else "landmarks",
        weights.RELEASED_PARSER if parsed or inlaid else None,
        faces.detector if inlaid and faces.aligned else None,
        device,
    )


def loader(device: torch.device, networks: dict[str, str]) -> Load:
    """Networks on a device, held for the run; `networks` gets the SHA-256 of their files."""

    @lru_cache(maxsize=256)
    def load(settings: RestorationSettings) -> Models:
        models = load_models(settings, device)
        networks.update(models.weights)
        return models

    return load


def _demand_parser() -> None:
    try:
        weights.path(weights.RELEASED_PARSER)
    except WeightsError as error:
        raise WeightsError(
            f"{error} The released policy places each enhanced face by it: or set the enhancement w_τ to 0, or "
            "choose the paper's policy."
        ) from None


@lru_cache(maxsize=8)
def _models(
    model: str,
    enhancer: str,
    fidelity: float,
    mask: str,
    released_parser: str | None,
    detector: str | None,
    device: torch.device,
) -> Models:
    names = (model, enhancer, mask, released_parser, detector)
    hashes = {name: provenance.weights_hash(name) for name in names if name}
    return Models(
        _denoiser(model, device),
        load_enhancer(enhancer, device, fidelity=fidelity),
        device,
        {name: found for name, found in hashes.items() if found},
        None if mask == "landmarks" else _parser(mask, device=device),
        None if released_parser is None else _parser(released_parser, device=device),
        None if detector is None else load_detector(detector),
    )


_denoiser = lru_cache(maxsize=2)(load_denoiser)
_parser = lru_cache(maxsize=2)(Parser)


def output_size(source: FrameSource, settings: RestorationSettings) -> tuple[int, int]:
    """(width, height) of a restored frame."""
    factor = settings.degradation.scale if settings.faces.aligned else settings.faces.upscale
    return source.info.width * factor, source.info.height * factor


def restore(
    source: FrameSource,
    sink: FrameSink | BurnIn,
    *,
    tracks: Sequence[Track],
    look: Look,
    load: Load,
    span: range,
    cache: Cache | None = None,
    matte: FrameSink | None = None,
    workers: Sequence[NewRestorer] = (),
) -> Iterator[Progress]:
    """Restore frames of `span` into `sink` (the caller commits it); holds the windows at work and two more.

    While the caller decodes and encodes, threads restore what comes next. Closing ends them after their current step;
    to give the chance for that, progress is told again when nothing was finished for a while.

    Windows of a video network stand where they stand in the whole clip, and their results are cross-faded where
    they overlap: so a part has the same frames as the whole. Under the released policy the first one begins
    with the span, and each leans on the results of the one before, as in the released program.

    load: gives the networks for some settings.
    matte: gets white where pixels were generated, grey where they were mixed in, and black elsewhere.
    workers: what restores, several for several devices; by default one with the networks of `load`.
    """
    notes: list[str] = []
    crew = [new(cache, notes) for new in workers or [partial(FaceRestorer, load)]]

    def written(picture: _Picture) -> Progress:
        frame = picture.frame
        sink.write(frame)
        if matte:
            matte.write(replace(frame, rgb=_grey(picture.shown)))
        said, notes[:] = tuple(notes), []
        done = frame.index - span.start + 1
        return Progress(done, len(span), frame.index, frame.rgb, picture.residual, notes=said)

    told = Progress(0, len(span), span.start)
    with Crew(crew, notes) as at_work:
        for one_by_one, piece in _pieces(look, load, span):
            made = (_singles if one_by_one else _windowed)(source, piece, tracks, look, load, at_work)
            try:
                for picture in made:
                    told = written(picture) if picture else replace(told, frame=None, notes=())
                    yield told
            except GeneratorExit:
                at_work.stop()
                raise
            finally:
                made.close()
                allocator.give_back()


def _pieces(look: Look, load: Load, span: range) -> Iterator[tuple[bool, range]]:
    """A span in pieces, and whether the frames of each are restored one by one or in windows."""
    alike = groupby(look.parts(span), lambda part: load(look.resolve(part.start)).denoiser.window == 1)
    for one_by_one, parts in alike:
        first, *_, last = [*parts] * 2
        yield one_by_one, range(first.start, last.stop)


def _singles(
    source: FrameSource, span: range, tracks: Sequence[Track], look: Look, load: Load, crew: Crew
) -> Generator[_Picture | None]:
    """Frames that are restored one by one: side by side in threads, or as many in a batch as the networks take.

    None when nothing was finished for a while.
    """
    turns = list(look.turns(span))
    needed = [load(settings) for settings in turns]
    if len(crew) == 1 and crew.first.here and (workers := _workers(needed, span)) > 1:

        def picture(frame: Frame) -> _Picture:
            faces = _faces([frame], _alone(frame.index), tracks, look, load)
            return _picture(frame, [(face, crew.first.restored(face)) for face in faces], look.settings)

        yield from threads.ahead(
            (partial(picture, frame) for frame in source.frames(span.start, span.stop)), workers, OutOfMemory
        )
        return
    together, reach = max(map(crew.first.at_once, turns)), max(map(_reach, needed))
    incoming = source.frames(max(span.start - reach, 0), min(span.stop + reach, len(source)))
    near: list[Frame] = []
    begun: deque[tuple[Sequence[Frame], Sequence[Sequence[Face]], Work]] = deque()

    def finished() -> Iterator[_Picture | None]:
        frames, seen, work = begun.popleft()
        yield from _pulses([work])
        made = iter(work.result.result())
        for frame, faces in zip(frames, seen, strict=True):
            yield _picture(frame, [(face, next(made)) for face in faces], look.settings)

    for first in range(span.start, span.stop, together):
        batch = range(first, min(first + together, span.stop))
        near = [frame for frame in near if frame.index >= first - reach]
        for frame in incoming:
            near.append(frame)
            if frame.index >= batch.stop - 1 + reach:
                break
        frames = [frame for frame in near if frame.index in batch]
        seen = [_faces([frame], _alone(frame.index), tracks, look, load, near) for frame in frames]
        begun.append((frames, seen, crew.begin([face for faces in seen for face in faces])))
        while len(begun) > len(crew) + 1:
            yield from finished()
    while begun:
        yield from finished()


def _windowed(
    source: FrameSource, span: range, tracks: Sequence[Track], look: Look, load: Load, crew: Crew
) -> Generator[_Picture | None]:
    """Frames that are restored in windows; None when nothing was finished for a while."""
    incoming: Iterator[Frame] | None = None
    frames: list[Frame] = []
    results: list[tuple[Face, Restored]] = []
    begun: deque[_Begun] = deque()

    def finished() -> Iterator[_Picture | None]:
        """The first window that was begun; only those of its frames that no other window has."""
        nonlocal results
        first = begun.popleft()
        yield from _pulses(first.works)
        made = [(work.faces[0], work.result.result()[0]) for work in first.works]
        for face, restored in made:
            if chained(face):
                first.chain.hand_on(face, first.window, restored)
        results = _joined(crew.first, first.window, made, results)
        end = begun[0].window.first if begun else span.stop
        for frame in first.frames:
            if frame.index in span and frame.index < end:
                yield _picture(frame, results, look.settings)

    for chain, window in _chains(source, span, tracks, look, load, crew.first):
        incoming = incoming or source.frames(window.first, len(source))
        frames = [frame for frame in frames if frame.index >= window.first]
        fresh = list(islice(incoming, window.last - window.first - len(frames)))
        if not fresh:
            break
        frames += fresh
        latest = begun[-1].works if begun else []
        works = [
            crew.begin([face], _leant_on(face, latest) if chained(face) else None)
            for face in _faces(frames, window, tracks, look, load)
        ]
        begun.append(_Begun(chain, window, frames, works))
        while len(begun) > len(crew) + 1:
            yield from finished()
    while begun:
        yield from finished()


def _pulses(works: Sequence[Work]) -> Iterator[None]:
    """Now and then a None, until all is done."""
    while futures.wait([work.result for work in works], PULSE).not_done:
        yield None


def preview(
    source: FrameSource,
    index: int,
    *,
    tracks: Sequence[Track],
    look: Look,
    load: Load,
    cache: Kept | None = None,
    only_known: bool = False,
) -> Iterator[Preview]:
    """Restore one frame, step by step, in the windows that `restore` over the whole clip has it in.

    What is in the cache comes at once, as the last step and without stages; if `only_known`, nothing else does.
    Under the released policy a window leans on the one before; if that is not in the cache, the preview does
    without it and is not `exact`.
    """
    notes: list[str] = []
    restorer, shot = FaceRestorer(load, cache, notes), look.shot_at(index)
    chain = _chain(source, range(shot.start, min(shot.stop, len(source))), tracks, look, load, restorer)
    covering = list(chain.windows(range(index, index + 1)))
    reach = max(_reach(load(look.resolve(index, number))) for number in (None, *dict(look.tracks)))
    first, last = max(covering[0].first - reach, 0), min(covering[-1].last + reach, len(source))
    frames = list(source.frames(first, last))
    frame = frames[index - first]
    width, height = output_size(source, look.settings)
    observed = cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_NEAREST)
    places = []
    for window in covering:
        seen = [frame for frame in frames if window.first <= frame.index < window.last]
        for face in _faces(seen, window, tracks, look, load, frames):
            # Under the released policy, a later window has the frame from the first one.
            if index in face.span and not (chained(face) and window != covering[0]):
                before = chain.handed_on(face, window) if chained(face) else None
                places.append(_Place(face, window, before, restorer.known(face, before)))
    leaning = [place for place in places if chained(place.face) and leans(place.face, place.window)]
    exact = all(place.before is not None for place in leaning)
    used = range(chain.grid.start if leaning else first, last)

    def after(
        step: int, steps: int, made: Sequence[Restored], stages: Mapping[str, NDArray[np.uint8]]
    ) -> Preview:
        results: list[tuple[Face, Restored]] = []
        for window in covering:
            some = [pair for pair in zip(places, made, strict=True) if pair[0].window == window]
            joined = _joined(restorer, window, [(place.face, restored) for place, restored in some], results)
            replaced = {face.track for face, _ in joined}
            results = joined + [pair for pair in results if pair[0].track not in replaced]
        rgb = _composite(frame, results, look.settings)
        rgb = of_depth(rgb, 8 * frame.rgb.itemsize)
        shown = _shown(frame, results, look.settings, (height, width))
        wrong = _residual_map(frame, results, look.settings, load, (height, width))
        residual = _residual(frame, results)
        return Preview(step, steps, observed, rgb, shown, stages, residual, wrong, used, exact, tuple(notes))

    missing = [place for place in places if place.known is None]
    steps = max((place.steps for place in missing or places), default=1)
    if not missing:
        yield after(steps, steps, [place.known for place in places if place.known], {})
    if not missing or only_known:
        return
    states: list[Estimate] = []
    running = (restorer.steps(place.face, place.before) for place in missing)
    for step, latest in enumerate(zip_longest(*running), 1):
        # A face with fewer steps waits for the others.
        states = [new or old for new, old in zip_longest(latest, states)]
        fresh = {
            place: restorer.keep(place.face, state, place.before)
            if step == steps
            else restorer.seen(place.face, state)
            for place, state in zip(missing, states, strict=True)
        }
        for place, restored in fresh.items():
            if step == steps and exact and chained(place.face):
                chain.hand_on(place.face, place.window, restored)
        first = missing[0].face.first
        stages = {name: to_uint8(x0[index - first]) for name, x0 in states[0].stages.items()}
        yield after(step, steps, [place.known or fresh[place] for place in places], stages)


@dataclass(frozen=True, slots=True)
class _Picture:
    """A finished frame."""

    frame: Frame
    shown: NDArray[np.float32]
    """(H, W) in [0, 1]: where the restoration shows."""
    residual: float


def _picture(
    frame: Frame, results: Sequence[tuple[Face, Restored]], settings: RestorationSettings
) -> _Picture:
    rgb = _composite(frame, results, settings)
    shown = _shown(frame, results, settings, rgb.shape[:2])
    return _Picture(replace(frame, rgb=rgb), shown, _residual(frame, results))


def _alone(index: int) -> Window:
    """The window of a frame that is restored by itself."""
    return Window(index, index, index + 1)


def _reach(models: Models) -> int:
    """Over how many frames to either side masks are steadied that a parser finds in single frames."""
    return mask.REACH if models.parser is not None and models.denoiser.window == 1 else 0


def _workers(needed: Sequence[Models], span: range) -> int:
    """How many frames are restored side by side: several where each is restored on its own, by the processor.

    Networks other than the compact one may give other last bits in one thread than in several; then a frame
    would not look as it did in its preview.
    """
    if all(models.side_by_side for models in needed):
        return min(torch.get_num_threads(), memory.free(needed[0].device) // PER_FRAME, len(span))
    return 1


def _chains(
    source: FrameSource,
    span: range,
    tracks: Sequence[Track],
    look: Look,
    load: Load,
    restorer: FaceRestorer,
) -> Iterator[tuple[Chain, Window]]:
    """The windows that hold frames of a span; none reaches from one shot into the next."""
    for part in look.parts(span):
        shot = look.shot_at(part.start)
        released = look.resolve(part.start).sampler.policy == "released"
        grid = part if released else range(shot.start, min(shot.stop, len(source)))
        chain = _chain(source, grid, tracks, look, load, restorer)
        for window in chain.windows(part):
            yield chain, window


def _chain(
    source: FrameSource, grid: range, tracks: Sequence[Track], look: Look, load: Load, restorer: FaceRestorer
) -> Chain:
    length = load(look.resolve(grid.start)).denoiser.window
    return Chain(source, grid, length, tracks, look, restorer)


@dataclass(frozen=True, slots=True, eq=False)
class _Place:
    """A face in one of the windows that a preview looks at."""

    face: Face
    window: Window
    before: torch.Tensor | None
    """What it leans on, if it does and that is known."""
    known: Restored | None
    """The result, where the cache has it."""

    @property
    def steps(self) -> int:
        sampler = self.face.settings.sampler
        return sampler.steps * sampler.samples


@dataclass(frozen=True, slots=True)
class _Begun:
    """A window whose faces are being restored."""

    chain: Chain
    window: Window
    frames: Sequence[Frame]
    works: Sequence[Work]


def _leant_on(face: Face, works: Sequence[Work]) -> Work | None:
    """The work on the same face in the window before; None where that has none."""
    for work in works:
        (earlier,) = work.faces
        if earlier.track == face.track and earlier.first <= face.first < earlier.span.stop:
            return work
    return None


def _before(face: Face, results: Sequence[tuple[Face, Restored]]) -> Restored | None:
    """The first frames of a face as the window before has them; None where it has none."""
    for before, restored in results:
        if before.track == face.track and before.first <= face.first < before.span.stop:
            return restored.part(slice(face.first - before.first, None))
    return None


def _joined(
    restorer: FaceRestorer,
    window: Window,
    made: Sequence[tuple[Face, Restored]],
    earlier: Sequence[tuple[Face, Restored]],
) -> list[tuple[Face, Restored]]:
    """The results of a window, cross-faded from those of the one before, or after them where it leans on these."""
    results = []
    for face, restored in made:
        joined, before = restored, _before(face, earlier)
        if before is not None:
            shared = face.span[: len(before.x0)]
            shares = [0.0 if chained(face) else window.share(index) for index in shared]
            joined = restorer.joined(face, torch.tensor(shares), before, restored)
        results.append((face, joined))
    return results


def _faces(
    frames: Sequence[Frame],
    window: Window,
    tracks: Sequence[Track],
    look: Look,
    load: Load,
    near: Sequence[Frame] = (),
) -> list[Face]:
    """The faces of a window, what is observed of them, and their settings: those of the middle new frame.

    near: frames before and after; of those of the shot, what steadies the mask of a frame that is restored alone.
    """

    def seen(frames: Sequence[Frame], track: Track | None, settings: RestorationSettings) -> Face:
        if track is None:
            y, scale = torch.stack([to_float(frame.rgb) for frame in frames]), settings.degradation.scale
            return Face(frames[0].index, y, (y.shape[-2] * scale, y.shape[-1] * scale), None, settings)
        return _cropped(frames, track, settings, load(settings).denoiser.size)

    faces, shot = [], look.shot_at(window.middle)
    for track in (None,) if look.settings.faces.aligned else tracks:
        settings = look.resolve(window.middle, None if track is None else track.id)
        covered = [frame for frame in frames if track is None or track.covers(frame.index)]
        if not covered:
            continue
        reach, index = _reach(load(settings)), covered[0].index
        beside = [
            seen([frame], track, settings)
            for frame in near
            if 0 < abs(frame.index - index) <= reach and frame.index in shot
            if track is None or track.covers(frame.index)
        ]
        faces.append(replace(seen(covered, track, settings), around=tuple(beside)))
    return faces


def _cropped(frames: Sequence[Frame], track: Track, settings: RestorationSettings, side: int) -> Face:
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


def _composite(
    frame: Frame, results: Sequence[tuple[Face, Restored]], settings: RestorationSettings
) -> Pixels:
    """The frame with its restored faces."""
    if settings.faces.aligned:
        ((face, restored),) = results
        return to_uint16(restored.x0[frame.index - face.first])
    rgb = deepened(frame.rgb)
    canvas = paste.enlarged(rgb, settings.faces.upscale)
    for face, restored in results:
        if face.matrices is not None and frame.index in face.span:
            at = frame.index - face.first
            x0 = _matched(restored.x0[at], frame, face)
            paste.paste_into(canvas, rgb, x0, face.matrices[at], restored.mask[at])
    return canvas


def _matched(x0: torch.Tensor, frame: Frame, face: Face) -> torch.Tensor:
    """A restored face (3, S, S) with the colour and grain of the frame, as far as that is wanted."""
    faces = face.settings.faces
    if face.matrices is None or not (faces.match_colour or faces.grain > 0):
        return x0
    matrix = face.matrices[frame.index - face.first]
    observed = align.crop(frame.rgb, matrix, x0.shape[-1])
    if faces.match_colour:
        x0 = match.with_colour_of(x0, observed)
    if faces.grain > 0:
        # Of its own for every frame and face, whenever and in whatever part of the clip it is made.
        drawn = np.random.SeedSequence([face.settings.sampler.seed, frame.index, (face.track or 0) % 2**32])
        rng = torch.Generator().manual_seed(int(drawn.generate_state(1)[0]))
        x0 = match.with_grain_of(x0, observed, align.zoom(matrix), faces.grain, rng)
    return x0


def _shown(
    frame: Frame,
    results: Sequence[tuple[Face, Restored]],
    settings: RestorationSettings,
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """The masks of all faces in the output frame, (H, W)."""
    if settings.faces.aligned:
        return np.ones(size, np.float32)
    shown = np.zeros(size, np.float32)
    for face, restored in results:
        if face.matrices is not None and frame.index in face.span:
            at = frame.index - face.first
            placed = _placed(restored.mask[at], face.matrices[at], settings, size)
            shown = np.maximum(shown, placed)
    return shown


def _placed(
    plane: NDArray[np.float32], matrix: align.Points, settings: RestorationSettings, size: tuple[int, int]
) -> NDArray[np.float32]:
    """A plane over the aligned face, (S, S), where it belongs in the output frame, (H, W) = size."""
    upscale = settings.faces.upscale
    backward = align.inverse(matrix) * upscale
    backward[:, 2] += (upscale - 1) / 2  # the centre of a pixel stays the centre of its block
    placed: NDArray[np.float32] = cv2.warpAffine(plane, backward, (size[1], size[0])).astype(np.float32)
    return placed


def _grey(shown: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W) in [0, 1] → (H, W, 3); black only where nothing at all was generated."""
    return np.repeat(np.ceil(255 * shown).astype(np.uint8)[..., None], 3, axis=2)


def _residual(frame: Frame, results: Sequence[tuple[Face, Restored]]) -> float:
    parts = [made.error[frame.index - face.first] for face, made in results if frame.index in face.span]
    return 127.5 * float(np.sqrt(np.mean(parts))) if parts else 0.0


def _residual_map(
    frame: Frame,
    results: Sequence[tuple[Face, Restored]],
    settings: RestorationSettings,
    load: Load,
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Root mean square over the colours of A x̂ − y, (H, W) = size, in 8-bit levels."""
    wrong = np.zeros(size, np.float32)
    for face, made in results:
        at = slice(frame.index - face.first, frame.index - face.first + 1)
        device = load(face.settings).device
        A = operator(face.settings, face.size, device)
        error = A.forward(made.x0[at].to(device)) - face.y[at].to(device)
        levels = 127.5 * error[0].square().mean(0).sqrt().float().cpu().numpy()
        coarse = cv2.resize(levels, face.size[::-1], interpolation=cv2.INTER_NEAREST).astype(np.float32)
        if face.matrices is None:
            return coarse
        inside = coarse * (made.mask[at][0] > 0)
        wrong = np.maximum(wrong, _placed(inside, face.matrices[at.start], settings, size))
    return wrong


def open_output(
    path: Path,
    source: FrameSource,
    settings: RestorationSettings,
    span: range,
    codec: str | None = None,
    *,
    beside: bool = True,
    fps_factor: int = 1,
    **how: Any,
) -> FrameSink:
    """A sink for the restored clip, with the source's other tracks unless they are to stay away.

    fps_factor: how many times the frames a second it will get.  `how` as for `video.open_sink`.
    """
    width, height = output_size(source, settings)
    return video.open_sink(
        path,
        like=faster(source.info, fps_factor),
        width=width,
        height=height,
        codec=codec,
        copy_from=source.path if beside and source.path.is_file() else None,
        span=range(span.start * fps_factor, span.stop * fps_factor),
        **how,
    )
