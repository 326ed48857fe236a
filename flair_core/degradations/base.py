"""What a degradation is: an operator A with a pseudo-inverse A⁺, and the correction that they make."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch

from flair_core.errors import ShapeError

if TYPE_CHECKING:
    from torch import Tensor

FLOOR = 0.05
"""Details that A weakens below this part of its strongest response drown in the rounding of 8-bit footage.

Operators drop them from both A and A⁺: so A A⁺ A x = A x holds exactly, and no error grows more than 20-fold.
"""


@runtime_checkable
class Operator(Protocol):
    """A of eq. (7), or E ∘ A of eq. (10) with the coefficients decoded; images are in [-1, 1]."""

    scale: int
    """s: a side of x is s times that of y."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """A x: (N, 3, H, W) → (N, 3, H/s, W/s)."""

    @abstractmethod
    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y: (N, 3, H/s, W/s) → (N, 3, H, W)."""


@runtime_checkable
class Degradation(Operator, Protocol):
    """An operator with the correction that it makes."""

    def correction(self, x0: Tensor, y: Tensor) -> Tensor:
        """The update A⁺(A x0 − y) that eq. (8) and (11) subtract from a clean estimate.

        x0: (N, 3, H, W).  y: (N, 3, H/s, W/s).  Returns a tensor shaped like x0; zero when A x0 equals y.
        Raises ShapeError if A x0 and y differ in shape.
        """
        measured = self.forward(x0)
        if measured.shape != y.shape:
            raise ShapeError(
                f"A x0 is {tuple(measured.shape)}, but y is {tuple(y.shape)}. Check the scale and the frames."
            )
        return self.pinv(measured - y)


@runtime_checkable
class Linear(Degradation, Protocol):
    """A = U S Vᵀ, whose directions are known: the columns of V, apart from those in which A sees nothing."""

    singular: Tensor
    """S, float64: what is left of each direction; 0 for a dropped one. A⁺ makes noise 1/S times as strong there."""

    @abstractmethod
    def filtered(self, x: Tensor, weights: Tensor) -> Tensor:
        """V diag(weights) Vᵀ x, (N, 3, H, W) → the same shape; weights are shaped like `singular`."""


class Identity(Linear):
    """A x = x: nothing but noise or JPEG happened."""

    scale = 1
    singular = torch.ones(1, dtype=torch.float64)

    def forward(self, x: Tensor) -> Tensor:
        """A x = x."""
        return x

    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y = y."""
        return y

    def filtered(self, x: Tensor, weights: Tensor) -> Tensor:
        """One weight for all."""
        return weights.to(x) * x


def precision(device: torch.device | str | None) -> torch.dtype:
    """What an operator keeps its tables in, whatever its images have: double, where the device has that."""
    return torch.float32 if torch.device(device or "cpu").type == "mps" else torch.float64
