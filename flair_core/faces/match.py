"""Colour and grain of a restored face, matched to the footage around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

COLOUR_CELLS = 8
"""Colour is what so few pixels along a side of the face can hold; the rest is detail."""
# Second differences in both directions: 0 on flat areas and ramps, std 6 on white noise of std 1.
NOISE_FILTER = torch.tensor([(1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0)])
MEDIAN_TO_STD = 1.4826


def with_colour_of(face: Tensor, observed: Tensor) -> Tensor:
    """The face with the broad colours and shades of the observed crop; both (3, S, S) in [-1, 1]."""
    broad = _resized(observed - face, COLOUR_CELLS, antialias=True)
    return (face + _resized(broad, face.shape[-1], antialias=True)).clamp(-1, 1)


def with_grain_of(face: Tensor, observed: Tensor, zoom: float, amount: float, rng: torch.Generator) -> Tensor:
    """The face with `amount` of the noise that the observed crop has; both (3, S, S) in [-1, 1].

    zoom: face pixels per pixel of the frame (`align.zoom`). Grain is as fine as the frame's pixels: in a crop
    that was enlarged it is made at the frame's scale and enlarged as well.
    """
    side = face.shape[-1]
    fine = max(2, round(side / max(1.0, zoom)))
    # Sampling keeps the noise of an enlarged frame; the face will be averaged when it is pasted.
    wanted = amount * grain_level(_resized(observed, fine, antialias=False))
    there = grain_level(_resized(face, fine, antialias=True))
    grain = torch.randn(1, fine, fine, generator=rng) * (wanted**2 - there**2).clamp(min=0).sqrt()
    return (face + _resized(grain, side, antialias=True)).clamp(-1, 1)


def grain_level(images: Tensor) -> Tensor:
    """Std of the white noise in (3, H, W), median over its pixels and so blind to edges (Immerkær 1996)."""
    filtered = functional.conv2d(images[:, None], NOISE_FILTER[None, None].to(images))
    return filtered.abs().median() * (MEDIAN_TO_STD / 6)


def _resized(image: Tensor, side: int, *, antialias: bool) -> Tensor:
    if image.shape[-1] == side:
        return image
    return functional.interpolate(image[None], size=(side, side), mode="bicubic", antialias=antialias)[0]
