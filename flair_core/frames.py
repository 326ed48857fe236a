"""Values that travel through the program: frames and what is known of a clip. Integer ↔ float pixels only here."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


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
    bit_depth: int = 8
    """Of the stored samples; frames are uint8 up to 8 bits and uint16 above."""
    color: ColorTags = ColorTags()
    """How the file was tagged, gaps filled; frames are full-range R'G'B' of these primaries and transfer."""
    pixel_aspect: Fraction = Fraction(1)
    """Width of a pixel over its height, as displayed."""
    rotation: int = 0
    """Clockwise quarter turns, in degrees, that were applied to show the clip upright."""
    interlaced: bool = False
    has_audio: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: `rgb` is (H, W, 3), uint8 or uint16 full range; shown from `pts` for `duration` (time_base units)."""

    rgb: NDArray[np.uint8] | NDArray[np.uint16]
    index: int
    pts: int
    duration: int = 0


def to_float(rgb: NDArray[np.uint8] | NDArray[np.uint16]) -> torch.Tensor:
    """(..., H, W, 3) integers → (..., 3, H, W) float32 in [-1, 1]."""
    import torch  # noqa: PLC0415 - importing the core must not load torch

    peak = np.iinfo(rgb.dtype).max
    planes = np.ascontiguousarray(np.moveaxis(rgb, -1, -3), dtype=np.float32)
    return torch.from_numpy(planes).mul_(2 / peak).sub_(1)


def to_uint8(images: torch.Tensor) -> NDArray[np.uint8]:
    """(..., 3, H, W) floats in [-1, 1] → (..., H, W, 3) uint8, clamped and rounded."""
    scaled = images.detach().float().add(1).mul(127.5).round().clamp(0, 255)
    pixels: NDArray[np.uint8] = scaled.movedim(-3, -1).contiguous().cpu().numpy().astype(np.uint8)
    return pixels


