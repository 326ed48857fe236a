"""Values that travel through the program: frames, and what is known of a clip; integer ↔ float pixels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    import torch
    from numpy.typing import NDArray

    Pixels: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]
    """(H, W, 3) full-range R'G'B'."""


@dataclass(frozen=True, slots=True)
class ColorTags:
    """How the numbers of a clip mean colours: code points of ITU-T H.273; 2 is "not said"."""

    matrix: int = 2
    """R'G'B' from Y'CbCr: 0 RGB, 1 BT.709, 5 and 6 BT.601, 9 BT.2020."""
    primaries: int = 2
    transfer: int = 2
    """16 is PQ, 18 is HLG; both are carried through untouched."""
    full_range: bool = False


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is known of a clip before its frames are read."""

    width: int
    height: int
    rate: Fraction
    """Nominal frames per second."""
    time_base: Fraction
    """Seconds per unit of a frame's `pts`."""
    length: int
    """Number of frames; an estimate until the clip has been indexed."""
    pixels: str = ""
    """The stored pixel format, as libav calls it; empty where there is none."""
    bit_depth: int = 8
    """Of the stored samples; frames are uint8 up to 8 bits and uint16 above."""
    siting: str = "left"
    """Where the chroma of subsampled pictures lies, as libav calls it; empty where the file does not say."""
    color: ColorTags = ColorTags()
    """How the file was tagged, gaps filled; frames are full-range R'G'B' of these primaries and transfer."""
    pixel_aspect: Fraction = Fraction(1)
    """Width of a pixel over its height, as displayed."""
    rotation: int = 0
    """Clockwise quarter turns, in degrees, that were applied to show the clip upright."""
    mastering: tuple[float, ...] | None = None
    """The screen it was graded on: x and y of red, green, blue and white, least and greatest cd/m²."""
    content_light: tuple[int, int] | None = None
    """Of the brightest pixel and of the brightest frame on average, in cd/m²."""
    interlaced: bool = False
    """Whether frames hold two fields each, taken one after the other."""
    top_first: bool = True
    """Whether the field of the first row is the earlier one."""
    has_audio: bool = False


def faster(info: VideoInfo, factor: int) -> VideoInfo:
    """What is known of a clip with factor − 1 new frames after each one but the last, in the same time."""
    length = (info.length - 1) * factor + 1
    return replace(info, rate=info.rate * factor, time_base=info.time_base / factor, length=length)


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: `rgb` is (H, W, 3), full range; shown from `pts` for `duration`, in units of time_base."""

    rgb: Pixels
    index: int
    pts: int
    duration: int = 0
    stored: object = field(default=None, compare=False, repr=False)
    """The decoded picture that `rgb` was made from, for a sink that keeps its samples; None where it is not known."""


def to_float(rgb: Pixels) -> torch.Tensor:
    """(..., H, W, 3) integers → (..., 3, H, W) float32 in [-1, 1]."""
    import torch

    peak = np.iinfo(rgb.dtype).max
    planes = np.ascontiguousarray(np.moveaxis(rgb, -1, -3), dtype=np.float32)
    return torch.from_numpy(planes).mul_(2 / peak).sub_(1)


def to_uint8(images: torch.Tensor, *, dither: bool = False) -> NDArray[np.uint8]:
    """(..., 3, H, W) floats in [-1, 1] → (..., H, W, 3) uint8, clamped and rounded.

    `dither` rounds up or down by a fixed 8 × 8 Bayer pattern, so that slow gradients do not band; values that
    are 8-bit levels already stay as they are.
    """
    scaled = images.detach().float().add(1).mul(127.5)
    if dither:
        import torch

        height, width = scaled.shape[-2:]
        scaled = scaled.add(torch.from_numpy(_thresholds(height, width)).to(scaled.device)).floor()
    pixels: NDArray[np.uint8] = (
        scaled.round().clamp(0, 255).movedim(-3, -1).contiguous().cpu().numpy().astype(np.uint8)
    )
    return pixels


def to_uint16(images: torch.Tensor) -> NDArray[np.uint16]:
    """(..., 3, H, W) floats in [-1, 1] → (..., H, W, 3) uint16, clamped and rounded."""
    scaled = images.detach().float().add(1).mul(32767.5).round().clamp(0, 65535)
    pixels: NDArray[np.uint16] = scaled.movedim(-3, -1).contiguous().cpu().numpy().astype(np.uint16)
    return pixels


def dithered(rgb: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """(H, W, 3) of 16 bits → 8 bits by the pattern of `to_uint8`; 257 · n becomes n everywhere."""
    step = np.uint16(257)
    whole = rgb // step
    offsets = (257 * _thresholds(*rgb.shape[:2])).astype(np.uint16)[..., None]
    return (whole + (rgb - whole * step + offsets >= step)).astype(np.uint8)


def deepened(rgb: Pixels) -> NDArray[np.uint16]:
    """(H, W, 3) with 16 bits: n of 8 bits is 257 · n."""
    return (
        cast("NDArray[np.uint16]", rgb) if rgb.dtype == np.uint16 else rgb.astype(np.uint16) * np.uint16(257)
    )


def of_depth(rgb: Pixels, bits: int) -> Pixels:
    """(H, W, 3) with 8 bits, dithered where it has more, or with 16 where more than 8 are wanted."""
    if bits > 8:
        return deepened(rgb)
    return dithered(cast("NDArray[np.uint16]", rgb)) if rgb.dtype == np.uint16 else rgb


@lru_cache(maxsize=2)
def _thresholds(height: int, width: int) -> NDArray[np.float32]:
    """(H, W) of the 64 levels (k + 1/2) / 64, so that neighbours differ most: Bayer's matrix, repeated."""
    pattern = np.zeros((1, 1), np.float32)
    for _ in range(3):
        pattern = np.block([[4 * pattern, 4 * pattern + 2], [4 * pattern + 3, 4 * pattern + 1]])
    repeats = -(-height // 8), -(-width // 8)
    return ((np.tile(pattern, repeats)[:height, :width] + 0.5) / 64).astype(np.float32)


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
    stage: str = "restore"
    """Or "join the cluster", "find faces", "record"."""
    notes: tuple[str, ...] = ()
    """What a person should know that happened on the way here; one sentence each."""
