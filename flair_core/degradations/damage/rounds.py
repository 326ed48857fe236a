"""Blur, resizing and noise: the rounds through which every kind of damage goes."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.degradations.kernels import GAUSSIAN_REACH, gaussian, motion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.random import Generator
    from numpy.typing import NDArray

    from flair_core.degradations.damage.values import Blur, Noise, Picture

FILTERS: Mapping[str, int] = {
    "area": cv2.INTER_AREA,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
NARROW = 0.05
"""A blur narrower than this, in pixels, is none."""
MID_TONE_FLOOR = 0.3
"""Part of its strength in mid-tones that grain keeps in black and in white."""
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def noise_generator(*key: int) -> Generator:
    """Random numbers that follow from the key alone: any frame can be made without those before it."""
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(key)))


def blurred(x: Picture, blur: Blur, scale: float = 1.0) -> Picture:
    """h * x, the border mirrored; lengths are multiplied by `scale`, as x is smaller than the clip by that."""
    if blur.kind == "curved":
        kernel = np.array(blur.taps, np.float32)
    elif blur.width * scale < NARROW:
        return x
    elif blur.kind == "gaussian" and blur.ratio == 1:
        taps = _taps(blur.width * scale)
        return cv2.sepFilter2D(x, -1, taps, taps, borderType=cv2.BORDER_REFLECT).astype(
            np.float32, copy=False
        )
    else:
        kernel = _kernel(blur, round(scale, 3))
    return _filtered(x, kernel)


def resized(x: Picture, size: tuple[int, int], name: str) -> Picture:
    """x as (H, W) = size. Down to a half or less, areas are averaged first: the filter alone would skip pixels."""
    height, width = size
    if x.shape[:2] == size:
        return x
    if name != "area" and 2 * height < x.shape[0] and 2 * width < x.shape[1]:
        x = cv2.resize(x, (2 * width, 2 * height), interpolation=cv2.INTER_AREA).astype(
            np.float32, copy=False
        )
    enlarging = height > x.shape[0]
    # OpenCV's area filter repeats pixels when it enlarges, which no scaler does with footage.
    way = cv2.INTER_LINEAR if name == "area" and enlarging else FILTERS[name]
    return cv2.resize(x, (width, height), interpolation=way).astype(np.float32, copy=False)


def noisy(x: Picture, noise: Noise, rng: Generator, scale: float = 1.0) -> Picture:
    """x with noise; sizes of grain and blotches are multiplied by `scale`.

    Gaussian and Poisson noise come as one normal draw of variance σ² + a x: exact enough from ten photons on.
    """
    if noise.gaussian or noise.shot:
        white = rng.standard_normal(x.shape, np.float32)
        variance = np.float32(noise.gaussian**2) + np.float32(noise.shot**2) * x.clip(0, 1)
        x = np.asarray(x + np.sqrt(variance) * white, np.float32)
    if noise.grain:
        light = (x @ LUMA).clip(0, 1)[..., None]
        weight = MID_TONE_FLOOR + (1 - MID_TONE_FLOOR) * 4 * light * (1 - light)
        x = x + noise.grain * weight * _grain(x.shape, noise.grain_size * scale, noise.grain_colour, rng)
    if noise.chroma:
        blotches = field((*x.shape[:2], 3), noise.chroma_size * scale, rng)
        x = np.asarray(x + noise.chroma * (blotches - (blotches @ LUMA)[..., None]), np.float32)
    return x


def field(shape: tuple[int, ...], size: float, rng: Generator) -> NDArray[np.float32]:
    """(H, W) or (H, W, C) noise of std 1, smoothed by a Gaussian of std `size` (both ways alike)."""
    white = rng.standard_normal(shape, np.float32)
    return white if size < NARROW else smoothed(white, size, size)


def smoothed(white: NDArray[np.float32], across: float, down: float) -> NDArray[np.float32]:
    """White noise of std 1 smoothed by a Gaussian of these stds along the rows and down the columns; std 1 again."""
    taps = [_taps(std) for std in (across, down)]
    gain = 1 / math.sqrt(math.prod(float((line**2).sum()) for line in taps))
    smooth = cv2.sepFilter2D(white, -1, taps[0], taps[1], borderType=cv2.BORDER_REFLECT)
    return (smooth * np.float32(gain)).astype(np.float32, copy=False)


def _grain(shape: tuple[int, ...], size: float, colour: float, rng: Generator) -> NDArray[np.float32]:
    """(H, W, 1 or 3) of std 1: grain that the three layers share, and grain of their own."""
    shared = field(shape[:2], size, rng)[..., None]
    if not colour:
        return shared
    own = field(shape, size, rng)
    return np.asarray(math.sqrt(1 - colour) * shared + math.sqrt(colour) * own, np.float32)


@lru_cache(maxsize=64)
def _taps(std: float) -> NDArray[np.float32]:
    """A Gaussian, (n,), of sum 1."""
    if std < NARROW:
        return np.ones(1, np.float32)
    reach = math.ceil(GAUSSIAN_REACH * std)
    at = np.arange(-reach, reach + 1)
    taps = np.exp(-((at / std) ** 2) / 2)
    return np.asarray(taps / taps.sum(), np.float32)


@lru_cache(maxsize=64)
def _kernel(blur: Blur, scale: float) -> NDArray[np.float32]:
    width = blur.width * scale
    kernel: NDArray[np.float64]
    match blur.kind:
        case "gaussian":
            kernel = gaussian(width, width * blur.ratio, blur.angle, 1).numpy()
        case "motion":
            kernel = motion(width, blur.angle, 1).numpy()
        case _:
            kernel = _disc(width)
    return np.asarray(kernel, np.float32)


def _disc(radius: float) -> NDArray[np.float64]:
    """A disc with an edge as soft as a pixel: what a point becomes out of focus."""
    reach = int(np.ceil(radius))
    at = np.arange(-reach, reach + 1)
    disc = (radius + 0.5 - np.hypot(at[:, None], at)).clip(0, 1)
    return np.asarray(disc / disc.sum())


def _filtered(x: Picture, kernel: NDArray[np.float32]) -> Picture:
    # filter2D correlates: a convolution has the kernel turned round.
    turned = np.ascontiguousarray(kernel[::-1, ::-1])
    return cv2.filter2D(x, -1, turned, borderType=cv2.BORDER_REFLECT).astype(np.float32, copy=False)
