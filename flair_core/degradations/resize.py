"""From the size of y to that of x: the conditions c of the networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import interpolate

if TYPE_CHECKING:
    from torch import Tensor


def upscale(y: Tensor, size: tuple[int, int]) -> Tensor:
    """Bicubic upsampling (a = −0.75, no antialiasing) of (N, 3, h, w) to (N, 3, *size), clamped to [-1, 1].

    It is the condition c of the released bicubic networks, and what the released blur
    networks estimate motion from.
    """
    return interpolate(y, size, mode="bicubic", align_corners=False).clamp(-1, 1)


def reduced(y: Tensor, factor: float) -> Tensor:
    """(N, 3, h, w) → (N, 3, h/factor, w/factor), rounded and averaged: antialiased bicubic, clamped to [-1, 1].

    A factor of 1 leaves y as it is.
    """
    if factor == 1:
        return y
    size = tuple(max(1, round(extent / factor)) for extent in y.shape[-2:])
    return interpolate(y, size, mode="bicubic", align_corners=False, antialias=True).clamp(-1, 1)


def repeat(y: Tensor, size: tuple[int, int]) -> Tensor:
    """Each pixel of (N, 3, h, w) repeated to (N, 3, *size): the condition c of the released blur networks."""
    return interpolate(y, size, mode="nearest-exact")
