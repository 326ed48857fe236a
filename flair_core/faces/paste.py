"""Putting a restored face back into its frame so that nobody sees where it was put."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.errors import ShapeError
from flair_core.faces.align import crop, inverse, outline, peak, to_unit, transform, warp_affine

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from flair_core.faces.align import Image, Points
    from flair_core.faces.mask import Mask


def paste(rgb: Image, face: torch.Tensor, matrix: Points, mask: Mask, upscale: int = 1) -> Image:
    """The frame, `upscale` times as large, with one face replaced.

    rgb: (H, W, 3).  face: (3, S, S) in [-1, 1].  matrix: (2, 3) from frame to face.  mask: (S, S) in [0, 1].
    Returns pixels of the frame's type.  Raises ShapeError if face and mask differ in size.
    """
    canvas = enlarged_frame(rgb, upscale)
    paste_into(canvas, rgb, face, matrix, mask)
    return canvas


def enlarged_frame(rgb: Image, upscale: int) -> Image:
    """The frame at `upscale` times its size by Lanczos interpolation; a copy at 1."""
    if upscale == 1:
        return rgb.copy()
    size = (rgb.shape[1] * upscale, rgb.shape[0] * upscale)
    larger = cv2.resize(rgb, size, interpolation=cv2.INTER_LANCZOS4)
    return np.asarray(larger).clip(0, peak(rgb)).astype(rgb.dtype, copy=False)


def paste_into(canvas: Image, rgb: Image, face: torch.Tensor, matrix: Points, mask: Mask) -> None:
    """Replace one face in `canvas`, which is `rgb` enlarged by a whole number; arguments as for `paste`.

    What is pasted is the difference between the face and the same crop of `rgb`. So an unchanged face leaves
    the frame unchanged, and a frame finer than the crop keeps what the crop could not hold. The difference
    fades out with the mask, in linear light. Pixels where the mask is 0 keep their exact value.
    """
    size = face.shape[-1]
    if mask.shape != (size, size):
        raise ShapeError(f"The face is {size} pixels wide, but its mask is {mask.shape[1]}×{mask.shape[0]}.")
    backward = enlarged_map(inverse(matrix), canvas.shape[0] // rgb.shape[0])
    corners = transform(backward, outline(size, size))
    limit = np.array([canvas.shape[1], canvas.shape[0]])
    low = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, limit)
    width, height = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 1, low, limit) - low
    if width == 0 or height == 0:
        return
    backward[:, 2] -= low
    difference = (face.detach().float().cpu() - crop(rgb, matrix, size)).numpy().transpose(1, 2, 0) / 2
    moved = warp_affine(np.ascontiguousarray(difference), backward, width, height)
    weight = np.asarray(cv2.warpAffine(mask, backward, (int(width), int(height))), np.float32)
    region = canvas[low[1] : low[1] + height, low[0] : low[0] + width]
    changed = (weight > 0) & moved.any(axis=2)
    old = to_unit(region[changed])
    new = (old + moved[changed]).clip(0, 1)
    share = weight[changed][:, None]
    region[changed] = _like(to_gamma((1 - share) * to_linear(old) + share * to_linear(new)), rgb)


def enlarged_map(backward: Points, upscale: int) -> Points:
    """A map (2, 3) into the frame as one into the enlarged frame: a pixel's centre is that of its block."""
    larger = backward * upscale
    larger[:, 2] += (upscale - 1) / 2
    return larger


def to_linear(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB in [0, 1] → linear light (IEC 61966-2-1)."""
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


def to_gamma(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light in [0, 1] → sRGB."""
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055).astype(np.float32)


def _like(value: NDArray[np.float32], example: Image) -> Image:
    """Floats in [0, 1] as pixels of the example's type."""
    if example.dtype.kind == "u":
        value = np.rint(value * peak(example))
    return value.astype(example.dtype)
