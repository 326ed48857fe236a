"""What is done to the clean estimate at each step: the two stages of section 4, and window overlap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import torch

from flair_core.errors import ShapeError
from flair_core.runtime import threads

if TYPE_CHECKING:
    from torch import Tensor

    from flair_core.degradations import Degradation, Levels


class Refiner(Protocol):
    """One item of the list of refinements."""

    def __call__(self, x0: Tensor, index: int) -> Tensor:
        """A better clean estimate, (N, 3, H, W) → the same shape; `index` counts steps down to 0."""
        ...


class Clamp:
    """Keeps the estimate in [-1, 1]."""

    def __call__(self, x0: Tensor, index: int) -> Tensor:
        """Clamp x0."""
        return x0.clamp(-1, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Consistency:
    """Data consistency: x̃0 = x0 − γ_t A⁺(A x0 − y), eq. (8), (9) and (11)."""

    A: Degradation
    y: Tensor
    """(N, 3, H/s, W/s) in [-1, 1]: the observation."""
    gamma: Tensor
    """(K,): γ_t; (K, L) where that differs by level of noise."""
    levels: Levels | None = None

    def __call__(self, x0: Tensor, index: int) -> Tensor:
        """Move x0 towards the images that look like y once degraded."""
        gamma = self.gamma[index]
        if not gamma.any():
            return x0
        with threads.narrow():
            correction = self.A.correction(x0, self.y)
            if self.levels is None:
                return x0 - float(gamma) * correction
            return x0 - self.levels.filtered(correction, gamma)


@dataclass(frozen=True, slots=True, eq=False)
class Enhancement:
    """Spatial enhancement: x̃0 = (1 − w_t m_t) x0 + w_t m_t G(x0), eq. (12)."""

    enhancer: Callable[[Tensor], Tensor]
    """G: (N, 3, H, W) → the same shape."""
    w: Tensor
    """(K,): w_t; the enhancer is called only where it is above 0."""
    mask: Callable[[Tensor], Tensor] | None = None
    """m_t as a function of x0, (N, 3, H, W) → (N, 1, H, W) in [0, 1]; None means 1 everywhere."""
    lock: Degradation | None = None
    """A, when G may change nothing that A would show: its change is projected onto the null space of A.

    Under JPEG, which has none, as near to that as eq. (11) comes.
    """

    def __call__(self, x0: Tensor, index: int) -> Tensor:
        """Mix the enhanced face into x0."""
        w = float(self.w[index])
        if w <= 0:
            return x0
        weight = w if self.mask is None else w * self._masked(x0)
        enhanced = x0 + weight * (self.enhancer(x0).clamp(-1, 1) - x0)
        if self.lock is None:
            return enhanced
        # Against what x0 shows instead of y, so that the noise in y stays out: see γ_t.
        return enhanced - self.lock.correction(enhanced, self.lock.forward(x0))

    def _masked(self, x0: Tensor) -> Tensor:
        """m_t. Raises ShapeError when the mask is of another shape."""
        assert self.mask is not None
        m, wanted = self.mask(x0), (len(x0), 1, *x0.shape[-2:])
        try:
            return m.broadcast_to(wanted)
        except (AttributeError, RuntimeError):
            found = tuple(m.shape) if isinstance(m, torch.Tensor) else type(m).__name__
            raise ShapeError(
                f"mask must make {wanted} of {tuple(x0.shape)}, one weight for a pixel, but made {found}."
            ) from None


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """Ties the first frames of a window to the window before it, as the released program does: overwrites them."""

    previous: Tensor
    """(n, 3, H, W) in [-1, 1]: the window's first n frames as the window before has them."""

    def __call__(self, x0: Tensor, index: int) -> Tensor:
        """Put the frames of the window before into x0."""
        return torch.cat([self.previous.to(x0), x0[len(self.previous) :]])
