"""A damage done to frames: two rounds, marks, compression, and back to the size that they had."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from flair_core.degradations.damage.marks import marking
from flair_core.degradations.damage.rounds import blurred, noise_generator, noisy, resized

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from flair_core.degradations.damage.values import Coding, Damage, Picture, Recode, Round

LEAST_SIDE = 16
"""A picture is not made smaller than this, unless it came so."""


def damaged(
    frames: NDArray[np.uint8], damage: Damage, recode: Recode, *, first: int = 0
) -> NDArray[np.uint8]:
    """(T, H, W, 3) full-range R'G'B' → the same shape, damaged; a single picture is a clip of one.

    recode: what compresses, `flair_core.video.recoded.recode`; only kinds with MPEG-2 or H.264 call it.
    first: index of the first frame in its clip; without such a codec a part of a clip is as in the whole.
    """
    return np.stack(list(damage_frames(frames, damage, recode, first=first)))


def damage_frames(
    frames: Iterable[NDArray[np.uint8]], damage: Damage, recode: Recode, *, first: int = 0
) -> Iterator[NDArray[np.uint8]]:
    """Like `damaged`, for (H, W, 3) frames of a clip of any length, of which few are held at a time."""
    frames = iter(frames)
    head = next(frames, None)
    if head is None:
        return
    size = head.shape[0], head.shape[1]
    stream: Iterator[Picture] = map(_to_float, itertools.chain([head], frames))
    before = 1.0
    for number, stage in enumerate(damage.rounds):
        stream = _through(stage, stream, (damage.seed, number), size, before, first)
        stream = _coded(stream, stage.coding, recode)
        before = stage.factor
    if damage.marks is not None:
        mark = marking(damage.marks, damage.seed, smaller(size, before), before)
        stream = (mark(x, index) for index, x in enumerate(stream, first))
    for x in _coded(stream, damage.coding, recode):
        yield _to_uint8(resized(x, size, damage.enlarge))


def smaller(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """(H, W) times a factor, rounded."""
    height, width = (max(min(extent, LEAST_SIDE), round(factor * extent)) for extent in size)
    return height, width


def _through(
    stage: Round,
    stream: Iterator[Picture],
    key: tuple[int, int],
    size: tuple[int, int],
    before: float,
    first: int,
) -> Iterator[Picture]:
    """Frames through one round; `before` is the factor that they come with, `key` seeds their noise."""
    target = smaller(size, stage.factor)
    for index, x in enumerate(stream, first):
        small = resized(blurred(x, stage.blur, before), target, stage.filter)
        rng = noise_generator(*key, 0 if stage.noise.still else index)
        yield noisy(small, stage.noise, rng, stage.factor).clip(0, 1)


def _coded(stream: Iterator[Picture], coding: Coding | None, recode: Recode) -> Iterator[Picture]:
    if coding is None:
        return stream
    frames = map(_to_uint8, stream)
    if coding.codec == "jpeg":
        return (_to_float(_jpeg(frame, round(coding.quality))) for frame in frames)
    return map(_to_float, recode(frames, coding))


def _jpeg(rgb: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Through a real JPEG file, colours at half the size."""
    _, data = cv2.imencode(".jpg", rgb[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))
    decoded: Any = cv2.imdecode(data, cv2.IMREAD_COLOR)
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)


def _to_float(rgb: NDArray[np.uint8]) -> Picture:
    return np.asarray(rgb / np.float32(255), np.float32)


def _to_uint8(x: Picture) -> NDArray[np.uint8]:
    return np.asarray(np.rint(x.clip(0, 1) * 255), np.uint8)
