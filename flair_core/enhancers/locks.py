"""Locks: what an enhancer may not change. They go into the list of refiners, after the enhancement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flair_core.enhancers.detail import LUMA

if TYPE_CHECKING:
    from torch import Tensor

    from flair_core.degradations import Degradation

TINT = 2 / 127.5
"""Root mean square of colour off the axis, range [-1, 1], up to which footage counts as monochrome."""


@dataclass(frozen=True, slots=True, eq=False)
class NullSpaceLock:
    """Puts x0 back among the images that look like y once degraded: x0 − A⁺(A x0 − y), eq. (8).

    So an enhancer changes only what the footage does not show, the null space of A.
    """

    A: Degradation
    y: Tensor
    """(N, 3, H/s, W/s) in [-1, 1]: the observation."""

    def __call__(self, x0: Tensor, index: int) -> Tensor:  # noqa: ARG002 - the same at every step
        """(N, 3, H, W) → the same shape."""
        return x0 - self.A.correction(x0, self.y)


@dataclass(frozen=True, slots=True, eq=False)
class MonochromeLock:
    """Keeps one-coloured footage so: grey, or toned like sepia, where colour is a linear function of luma."""

    offset: Tensor
    """(3, 1, 1): R, G, B less luma where luma is 0."""
    slope: Tensor
    """(3, 1, 1): how they grow with luma; both are 0 for grey."""

    @classmethod
    def to(cls, y: Tensor) -> MonochromeLock:
        """Lock to the axis that fits the footage y, (N, 3, h, w) in [-1, 1], best."""
        luma, chroma = _split(y)
        middle, lean = luma.mean(), chroma.mean((0, 2, 3)).view(3, 1, 1)
        spread = (luma - middle).square().mean().clamp(min=1e-8)
        slope = ((luma - middle) * (chroma - lean)).mean((0, 2, 3)).view(3, 1, 1) / spread
        return cls(lean - slope * middle, slope)

    def __call__(self, x0: Tensor, index: int) -> Tensor:  # noqa: ARG002 - the same at every step
        """(N, 3, H, W) → the same luma with the footage's colour."""
        luma, _ = _split(x0)
        return luma + self.offset + self.slope * luma


def is_monochrome(y: Tensor) -> bool:
    """Whether the footage (N, 3, h, w) has one colour, up to compression and noise."""
    return bool((MonochromeLock.to(y)(y, 0) - y).square().mean().sqrt() < TINT)


def _split(images: Tensor) -> tuple[Tensor, Tensor]:
    luma = (images * images.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    return luma, images - luma
