"""Putting a restored face back into its frame so that nobody sees where it was put."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from flair_core.errors import ShapeError
from flair_core.faces.align import crop, inverse, outline, to_unit, transform, warp

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from flair_core.faces.align import Image, Points
    from flair_core.faces.mask import Mask

    SomeImage = TypeVar("SomeImage", NDArray[np.uint8], NDArray[np.uint16], NDArray[np.float32])


def enlarged(rgb: SomeImage, upscale: int) -> SomeImage:
    """The frame at `upscale` times its size, by Lanczos interpolation."""
    if upscale == 1:
        return rgb.copy()
    size = (rgb.shape[1] * upscale, rgb.shape[0] * upscale)
    larger = cv2.resize(to_unit(rgb), size, interpolation=cv2.INTER_LANCZOS4)
    return _like(larger, rgb)


def paste(rgb: SomeImage, face: torch.Tensor, matrix: Points, mask: Mask, upscale: int = 1) -> SomeImage:
    """The frame, `upscale` times as large, with one face replaced.

    rgb: (H, W, 3), integers or floats in [0, 1].  face: (3, S, S) in [-1, 1].  matrix: (2, 3) from frame to face.
    mask: (S, S) in [0, 1].  Raises ShapeError if face and mask differ in size.

    See `paste_into`, which pastes several faces into one frame.
    """
    canvas = enlarged(rgb, upscale)
    paste_into(canvas, rgb, face, matrix, mask)
    return canvas


def paste_into(
    canvas: SomeImage, rgb: SomeImage, face: torch.Tensor, matrix: Points, mask: Mask
) -> None:
    """Replace one face in `canvas`, which is `rgb` enlarged by a whole number; arguments as for `paste`.

    What is pasted is the difference between the face and the same crop of `rgb`. So a face that is unchanged
    leaves the frame unchanged, and a frame finer than the crop keeps what the crop could not hold. The difference
    fades out with the mask in linear light. Pixels where the mask is 0 keep their exact value.
    """
    size = face.shape[-1]
    if mask.shape != (size, size):
        raise ShapeError(f"The face is {size} pixels wide, but its mask is {mask.shape[1]} × {mask.shape[0]}.")
    upscale = canvas.shape[0] // rgb.shape[0]
    backward = _enlarge(inverse(matrix), upscale)
    corners = transform(backward, outline(size, size))
    limit = np.array([canvas.shape[1], canvas.shape[0]])
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, limit)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, low, limit)
    width, height = high - low
    if width == 0 or height == 0:
        return
    backward[:, 2] -= low
    difference = (face.detach().float().cpu() - crop(rgb, matrix, size)).numpy().transpose(1, 2, 0) / 2
    moved = warp(np.ascontiguousarray(difference), backward, width, height)
    weight = cv2.warpAffine(mask, backward, (int(width), int(height)), flags=cv2.INTER_LINEAR)
    under = weight > 0
    region = canvas[low[1] : high[1], low[0] : high[0]]
    old = to_unit(region[under])
    new = np.clip(old + moved[under], 0, 1)
    share = weight[under][:, None]
    blended = np.where(share < 1, to_gamma((1 - share) * to_linear(old) + share * to_linear(new)), new)
    region[under] = np.where(moved[under] == 0, region[under], _like(blended, rgb))


def to_linear(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB in [0, 1] → linear light (IEC 61966-2-1)."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_gamma(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light in [0, 1] → sRGB."""
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055).astype(np.float32)


def _enlarge(backward: Points, upscale: int) -> Points:
    """Let a map end in the frame enlarged by `upscale`, whose pixel centres lie at (i + 1/2)/upscale − 1/2."""
    larger = backward * upscale
    larger[:, 2] += (upscale - 1) / 2
    return larger


def _like(value: NDArray[np.float32], example: Image) -> NDArray[np.generic]:
    """Floats in [0, 1] as pixels of the example's type."""
    if example.dtype.kind != "u":
        return value.astype(example.dtype)
    peak = np.iinfo(example.dtype).max
    return np.rint(np.clip(value, 0, 1) * peak).astype(example.dtype)
