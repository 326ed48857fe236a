"""A clip in, a restored clip out: faces are cropped, restored in windows and put back.

With a cache, what was restored or found before is taken from there: so an interrupted run is resumed, a
changed setting renders only what it changes, and an export uses what the preview has done already. Only faces
are kept. Pasting and encoding are cheap beside them, so a resumed clip is encoded from its first frame again:
then no encoder's state has to survive, and the file is the one that an uninterrupted run writes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from flair_core import provenance, video
from flair_core.denoisers.factory import load_denoiser
from flair_core.enhancers.factory import load_enhancer
from flair_core.faces import align, match, paste
from flair_core.faces.parse import Parser
from flair_core.frames import to_float, to_uint8
from flair_core.progress import Progress
from flair_core.recipe import Models, operator
from flair_core.restored import Face, FaceRestorer, Restored
from flair_core.search import find_tracks
from flair_core.windows import windows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from flair_core.cache import Cache
    from flair_core.faces.track import Track
    from flair_core.frames import Frame
    from flair_core.settings import RestorationSettings
    from flair_core.video import FrameSink, FrameSource

    Pixels = NDArray[Any]  # uint8 or uint16, as the source has them

__all__ = [
    "Preview",
    "Progress",
    "find_tracks",
    "load_models",
    "open_output",
    "output_size",
    "preview",
    "restore",
]


OVERLAP = 3


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


def load_models(settings: RestorationSettings, device: torch.device) -> Models:
    """The networks that the settings name, kept for the next call. Raises WeightsError if one is missing."""
    # An enhancer that is never called need not be there.
    enhancer = settings.sampler.enhancer if settings.sampler.w_tau > 0 else "none"
    return _models(settings.sampler.model, enhancer, settings.faces.mask, device)


@lru_cache(maxsize=2)
def _models(model: str, enhancer: str, mask: str, device: torch.device) -> Models:
    denoiser, restorer = load_denoiser(model, device), load_enhancer(enhancer, device)
    parser = None if mask == "landmarks" else Parser(mask, device=device)
    hashes = {name: provenance.weights_hash(name) for name in (model, enhancer)}
    known = {name: found for name, found in hashes.items() if found}
    return Models(denoiser, restorer, device, known, parser)


def output_size(source: FrameSource, settings: RestorationSettings) -> tuple[int, int]:
    """(width, height) of a restored frame."""
    factor = settings.degradation.scale if settings.faces.aligned else settings.faces.upscale
    return source.info.width * factor, source.info.height * factor


def restore(
    source: FrameSource,
    sink: FrameSink,
    *,
    tracks: Sequence[Track],
    settings: RestorationSettings,
    models: Models,
    span: range,
    cache: Cache | None = None,
    matte: FrameSink | None = None,
) -> Iterator[Progress]:
    """Restore frames of `span` into `sink` (the caller commits it); holds one window of frames in memory.

    matte: gets white where pixels were generated, grey where they were mixed in, and black elsewhere.
    """
    notes: list[str] = []
    restorer = FaceRestorer(settings, models, cache, notes)
    incoming = source.frames(span.start, span.stop)
    frames: list[Frame] = []
    results: list[tuple[Face, Restored]] = []
    for window in windows(span.start, span.stop, models.denoiser.window, _overlap(models)):
        before = frames[len(frames) - window.overlap :]
        frames = before + list(islice(incoming, window.last - window.fresh))
        if len(frames) == len(before):
            return
        faces = _faces(frames, tracks, settings, models)
        results = [(face, restorer.restored(face, _previous(face, results))) for face in faces]
        for frame in frames[len(before) :]:
            rgb = _composite(frame, results, settings)
            sink.write(replace(frame, rgb=rgb))
            if matte:
                shown = _shown(frame, results, settings, rgb.shape[:2])
                matte.write(replace(frame, rgb=_grey(shown)))
            done, residual = frame.index - span.start + 1, _residual(frame, results)
            yield Progress(done, len(span), frame.index, rgb, residual, notes=tuple(notes))
            notes.clear()


def preview(
    source: FrameSource,
    index: int,
    *,
    tracks: Sequence[Track],
    settings: RestorationSettings,
    models: Models,
    cache: Cache | None = None,
) -> Iterator[Preview]:
    """Restore one frame, step by step. Its window is the one in which `restore` over the whole clip has it.

    What is in the cache comes at once, as the last step and without stages. Windows of a video network also lean
    on the frames of the window before; here they do not, since that would mean to restore the clip up to there.
    """
    every = windows(0, len(source), models.denoiser.window, _overlap(models))
    window = next(window for window in every if index < window.last)
    frames = list(source.frames(window.first, window.last))
    frame = frames[index - window.first]
    width, height = output_size(source, settings)
    observed = cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_NEAREST)
    faces = [face for face in _faces(frames, tracks, settings, models) if index in face.span]

    def after(step: int, steps: int, made: Sequence[Restored], stages: Mapping[str, torch.Tensor]) -> Preview:
        results = list(zip(faces, made, strict=True))
        first_face = {name: to_uint8(x0[index - faces[0].first]) for name, x0 in stages.items()}
        rgb = _composite(frame, results, settings)
        shown = _shown(frame, results, settings, (height, width))
        wrong = _residual_map(frame, results, settings, models, (height, width))
        return Preview(step, steps, observed, rgb, shown, first_face, _residual(frame, results), wrong)

    restorer = FaceRestorer(settings, models, cache, [])
    known = [found for found in map(restorer.known, faces) if found is not None]
    if len(known) == len(faces):
        steps = settings.sampler.steps * settings.sampler.samples if faces else 1
        yield after(steps, steps, known, {})
        return
    for states in zip(*map(restorer.steps, faces), strict=True):
        last = states[0].step == states[0].steps
        make = restorer.keep if last else restorer.seen
        made = [make(face, state) for face, state in zip(faces, states, strict=True)]
        yield after(states[0].step, states[0].steps, made, states[0].stages)


def _overlap(models: Models) -> int:
    """Frames that a window of a video network shares with the one before it, as in the released program."""
    return OVERLAP if models.denoiser.window > OVERLAP else 0


def _previous(face: Face, results: Sequence[tuple[Face, Restored]]) -> torch.Tensor | None:
    """The first frames of a face as the window before has them; None where it has none."""
    for before, restored in results:
        if before.track == face.track and before.first <= face.first < before.span.stop:
            return restored.x0[face.first - before.first :]
    return None


def _faces(
    frames: Sequence[Frame], tracks: Sequence[Track], settings: RestorationSettings, models: Models
) -> list[Face]:
    """The faces of a window and what is observed of them."""
    scale = settings.degradation.scale
    if settings.faces.aligned:
        y = torch.stack([to_float(frame.rgb) for frame in frames])
        return [Face(frames[0].index, y, (y.shape[-2] * scale, y.shape[-1] * scale), None)]
    side = models.denoiser.size
    faces = []
    for track in tracks:
        seen = [frame for frame in frames if track.covers(frame.index)]
        if not seen:
            continue
        landmarks = [track.at(frame.index) for frame in seen]
        small = [align.similarity(points, side // scale) for points in landmarks]
        crops = [align.crop(frame.rgb, to_y, side // scale) for frame, to_y in zip(seen, small, strict=True)]
        matrices = [align.similarity(points, side) for points in landmarks]
        inside = np.stack([align.transform(*pair) for pair in zip(matrices, landmarks, strict=True)])
        faces.append(Face(seen[0].index, torch.stack(crops), (side, side), matrices, track.id, inside))
    return faces


def _composite(
    frame: Frame, results: Sequence[tuple[Face, Restored]], settings: RestorationSettings
) -> Pixels:
    """The frame with its restored faces."""
    if settings.faces.aligned:
        ((face, restored),) = results
        return to_uint8(restored.x0[frame.index - face.first])
    rgb: Pixels = frame.rgb
    canvas = paste.enlarged(rgb, settings.faces.upscale)
    for face, restored in results:
        if face.matrices is not None and frame.index in face.span:
            at = frame.index - face.first
            x0 = _matched(restored.x0[at], frame, face, settings)
            paste.paste_into(canvas, rgb, x0, face.matrices[at], restored.mask[at])
    return canvas


def _matched(x0: torch.Tensor, frame: Frame, face: Face, settings: RestorationSettings) -> torch.Tensor:
    """A restored face (3, S, S) with the colour and grain of the frame, as far as that is wanted."""
    faces = settings.faces
    if face.matrices is None or not (faces.match_colour or faces.grain > 0):
        return x0
    matrix = face.matrices[frame.index - face.first]
    observed = align.crop(frame.rgb, matrix, x0.shape[-1])
    if faces.match_colour:
        x0 = match.with_colour_of(x0, observed)
    if faces.grain > 0:
        # Of its own for every frame and face, whenever and in whatever part of the clip it is made.
        drawn = np.random.SeedSequence([settings.sampler.seed, frame.index, (face.track or 0) % 2**32])
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
    models: Models,
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Root mean square over the colours of A x̂ − y, (H, W) = size, in 8-bit levels."""
    wrong = np.zeros(size, np.float32)
    for face, made in results:
        at = slice(frame.index - face.first, frame.index - face.first + 1)
        A = operator(settings, face.size, models.device)
        error = A.forward(made.x0[at].to(models.device)) - face.y[at].to(models.device)
        levels = 127.5 * error[0].square().mean(0).sqrt().float().cpu().numpy()
        coarse = cv2.resize(levels, face.size[::-1], interpolation=cv2.INTER_NEAREST).astype(np.float32)
        if face.matrices is None:
            return coarse
        inside = coarse * (made.mask[at][0] > 0)
        wrong = np.maximum(wrong, _placed(inside, face.matrices[at.start], settings, size))
    return wrong


def open_output(
    path: Path, source: FrameSource, settings: RestorationSettings, span: range, codec: str | None = None
) -> FrameSink:
    """A sink for the restored clip, with the source's other tracks when the whole clip is written."""
    width, height = output_size(source, settings)
    copied = source.path if source.path.is_file() else None
    return video.open_sink(
        path, like=source.info, width=width, height=height, codec=codec, copy_from=copied, span=span
    )
