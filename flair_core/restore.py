"""A clip in, a restored clip out: faces are cropped, restored in windows and put back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch

from flair_core import video
from flair_core.denoisers.factory import load_denoiser
from flair_core.enhancers.factory import load_enhancer
from flair_core.faces import align, mask, paste
from flair_core.faces.detect import load_detector
from flair_core.faces.shots import as_uint8
from flair_core.faces.track import Track, Tracker
from flair_core.frames import to_float, to_uint8
from flair_core.recipe import Estimate, Models, estimate
from flair_core.windows import Window, windows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from flair_core.frames import Frame
    from flair_core.settings import RestorationSettings
    from flair_core.video import FrameSink, FrameSource

    Pixels = NDArray[Any]  # uint8 or uint16, as the source has them


@dataclass(frozen=True, slots=True)
class Progress:
    """One frame is done."""

    done: int
    total: int
    index: int
    """Of the frame in its clip."""
    frame: Pixels | None = None
    residual: float = 0.0
    """Root mean square of A x̂ − y over the frame's faces, in 8-bit levels."""


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


@dataclass(frozen=True, slots=True)
class Face:
    """One face in a window of frames: frames [first, first + len(y))."""

    first: int
    y: torch.Tensor
    size: tuple[int, int]
    matrices: Sequence[align.Points] | None
    """From frame to face; None when the frame is the face."""


def load_models(settings: RestorationSettings, device: torch.device) -> Models:
    """The networks that the settings name, kept for the next call. Raises WeightsError when one is missing."""
    return _models(settings.sampler.model, settings.sampler.enhancer, device)


@lru_cache(maxsize=2)
def _models(model: str, enhancer: str, device: torch.device) -> Models:
    return Models(load_denoiser(model, device), load_enhancer(enhancer, device), device)


def find_tracks(source: FrameSource, settings: RestorationSettings, *, span: range) -> Iterator[Progress | list[Track]]:
    """Find and follow the faces of a span; yields Progress for every frame and at last the tracks."""
    if settings.faces.aligned:
        yield []
        return
    tracker = Tracker(load_detector(settings.faces.detector))
    for done, frame in enumerate(source.frames(span.start, span.stop), 1):
        tracker.see(as_uint8(frame.rgb), frame.index)
        yield Progress(done, len(span), frame.index)
    yield tracker.finish()


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
) -> Iterator[Progress]:
    """Restore frames of `span` into `sink` (the caller commits it); holds one window of frames in memory."""
    length = models.denoiser.window
    frames: list[Frame] = []
    incoming = source.frames(span.start, span.stop)
    for window in windows(span.start, span.stop, length):
        frames = [frame for _, frame in zip(range(window.last - window.first), incoming, strict=False)]
        if not frames:
            return
        results = [(face, _last(face, settings, models)) for face in _faces(frames, tracks, settings, models)]
        for frame in frames:
            rgb = _composite(frame, results, settings)
            sink.write(replace(frame, rgb=rgb))
            residual = _residual(frame, results)
            yield Progress(frame.index - span.start + 1, len(span), frame.index, rgb, residual)


def preview(
    source: FrameSource, index: int, *, tracks: Sequence[Track], settings: RestorationSettings, models: Models
) -> Iterator[Preview]:
    """Restore one frame, step by step. Its window is the one in which `restore` over the whole clip has it."""
    length = models.denoiser.window
    first = index - index % length
    window = Window(first, first, min(first + length, len(source)))
    frames = list(source.frames(window.first, window.last))
    frame = frames[index - first]
    width, height = output_size(source, settings)
    observed = cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_NEAREST)
    faces = [face for face in _faces(frames, tracks, settings, models) if index in _span(face)]
    shown = _shown(frame, faces, settings, (height, width))
    if not faces:
        yield Preview(1, 1, observed, _composite(frame, [], settings), shown, {}, 0.0)
        return
    runs = [_run(face, settings, models) for face in faces]
    for states in zip(*runs, strict=True):
        results = list(zip(faces, states, strict=True))
        at = index - faces[0].first
        stages = {name: to_uint8(x0[at]) for name, x0 in states[0].stages.items()}
        rgb = _composite(frame, results, settings)
        yield Preview(states[0].step, states[0].steps, observed, rgb, shown, stages, _residual(frame, results))


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
        crops = [align.crop(frame.rgb, matrix, side // scale) for frame, matrix in zip(seen, small, strict=True)]
        matrices = [align.similarity(points, side) for points in landmarks]
        faces.append(Face(seen[0].index, torch.stack(crops), (side, side), matrices))
    return faces


def _span(face: Face) -> range:
    return range(face.first, face.first + len(face.y))


def _run(face: Face, settings: RestorationSettings, models: Models) -> Iterator[Estimate]:
    shape = None if face.matrices is None else torch.from_numpy(_mask(face, settings))
    return estimate(face.y, face.size, settings, models, shape)


def _last(face: Face, settings: RestorationSettings, models: Models) -> Estimate:
    *_, last = _run(face, settings, models)
    return last


def _mask(face: Face, settings: RestorationSettings) -> NDArray[np.float32]:
    return mask.elliptical(face.size[0], settings.faces.feather)


def _composite(frame: Frame, results: Sequence[tuple[Face, Estimate]], settings: RestorationSettings) -> Pixels:
    """The frame with its restored faces."""
    if settings.faces.aligned:
        (face, state), = results
        return to_uint8(state.x0[frame.index - face.first])
    canvas = paste.enlarged(frame.rgb, settings.faces.upscale)
    for face, state in results:
        if face.matrices is not None and frame.index in _span(face):
            at = frame.index - face.first
            paste.paste_into(canvas, frame.rgb, state.x0[at], face.matrices[at], _mask(face, settings))
    return canvas


def _shown(
    frame: Frame, faces: Sequence[Face], settings: RestorationSettings, size: tuple[int, int]
) -> NDArray[np.float32]:
    """The masks of all faces in the output frame, (H, W)."""
    if settings.faces.aligned:
        return np.ones(size, np.float32)
    shown = np.zeros(size, np.float32)
    for face in faces:
        if face.matrices is not None:
            backward = align.inverse(face.matrices[frame.index - face.first]) * settings.faces.upscale
            placed = cv2.warpAffine(_mask(face, settings), backward, (size[1], size[0]))
            shown = np.maximum(shown, placed.astype(np.float32))
    return shown


def _residual(frame: Frame, results: Sequence[tuple[Face, Estimate]]) -> float:
    parts = [state.residual[frame.index - face.first] for face, state in results if frame.index in _span(face)]
    if not parts:
        return 0.0
    return 127.5 * float(torch.cat([part.flatten() for part in parts]).square().mean().sqrt())


def open_output(
    path: Path, source: FrameSource, settings: RestorationSettings, span: range, codec: str | None = None
) -> FrameSink:
    """A sink for the restored clip, with the source's other tracks when the whole clip is written."""
    width, height = output_size(source, settings)
    copied = source.path if source.path.is_file() else None
    return video.open_sink(
        path, like=source.info, width=width, height=height, codec=codec, copy_from=copied, span=span
    )
