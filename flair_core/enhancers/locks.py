"""Keeps black-and-white footage so, whatever the networks invent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flair_core.enhancers.detail import LUMA

if TYPE_CHECKING:
    from torch import Tensor

TINT = 2 / 127.5
"""Root mean square of colour off the axis, range [-1, 1], up to which footage counts as monochrome."""


@dataclass(frozen=True, slots=True, eq=False)
class MonochromeLock:
    """Keeps one-coloured frames so: grey, or toned like sepia, where colour is a linear function of luma."""

    offset: Tensor
    """(N, 3, 1, 1): R, G, B less luma where luma is 0."""
    slope: Tensor
    """(N, 3, 1, 1): how they grow with luma; both are 0 for grey."""
    share: Tensor
    """(N, 1, 1, 1) in [0, 1]: how much of each frame's own colour is taken away."""

    @classmethod
    def to(cls, y: Tensor) -> MonochromeLock:
        """Lock every frame of the footage y, (N, 3, h, w) in [-1, 1], to the axis that fits it best."""
        luma, chroma = _split(y)
        middle, lean = luma.mean((2, 3), keepdim=True), chroma.mean((2, 3), keepdim=True)
        spread = (luma - middle).square().mean((2, 3), keepdim=True).clamp(min=1e-8)
        slope = ((luma - middle) * (chroma - lean)).mean((2, 3), keepdim=True) / spread
        return cls(lean - slope * middle, slope, spread.new_ones(len(y), 1, 1, 1))

    @classmethod
    def where_monochrome(cls, y: Tensor) -> MonochromeLock | None:
        """Lock those frames that have one colour, up to compression and noise; None when there are none.

        A frame is judged by itself, so that it comes out the same in whatever part of the clip it is restored;
        and the lock lets go gradually between TINT and twice that, so that it can't flicker.
        """
        lock = cls.to(y)
        tint = (lock(y, 0) - y).square().mean((1, 2, 3)).sqrt()
        share = (2 - tint / TINT).clamp(0, 1).view(-1, 1, 1, 1)
        return cls(lock.offset, lock.slope, share) if share.any() else None

    def __call__(self, x0: Tensor, index: int) -> Tensor:
        """(N, 3, H, W) → the same luma with the footage's colour."""
        luma, _ = _split(x0)
        return x0 + self.share * (luma + self.offset + self.slope * luma - x0)


def _split(images: Tensor) -> tuple[Tensor, Tensor]:
    luma = (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    return luma, images - luma
