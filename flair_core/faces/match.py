"""Colour of a restored face, matched to the footage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

COLOUR_CELLS = 8
"""Colour is what so few pixels along a side of the face can hold; the rest is detail."""


def with_colour_of(face: Tensor, observed: Tensor) -> Tensor:
    """The face with the broad colours and shades of the observed crop; both (3, S, S) in [-1, 1]."""
    broad = _resized(observed - face, COLOUR_CELLS, antialias=True)
    return (face + _resized(broad, face.shape[-1], antialias=True)).clamp(-1, 1)


def _resized(image: Tensor, side: int, *, antialias: bool) -> Tensor:
    if image.shape[-1] == side:
        return image
    return functional.interpolate(image[None], size=(side, side), mode="bicubic", antialias=antialias)[0]
