"""The noise that A⁺ brings into an image is not white: how strong it is in which directions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from flair_core.degradations.base import Linear

STEP = 1.02
"""Strengths that differ less count as the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Levels:
    """The directions of A by the std of A⁺e in them: L levels, of which the first is what A does not see."""

    A: Linear
    level: Tensor
    """int64, shaped like A.singular: of which level each direction is."""
    sigma: Tensor
    """(L,) float64: the std; 0 for the first."""

    @classmethod
    def of(cls, A: Linear, sigma: float) -> Levels:
        """For white noise e of std `sigma` above 0."""
        singular = A.singular.double().cpu()
        seen, strongest = singular > 0, float(singular.max())
        level = 1 + ((strongest / singular).log() / math.log(STEP)).round().where(seen, -1).long()
        amplified = STEP ** torch.arange(int(level.max()), dtype=torch.float64)
        return cls(A, level, torch.cat([torch.zeros(1), sigma / strongest * amplified]))

    def filtered(self, x: Tensor, weights: Tensor) -> Tensor:
        """Each direction of x, (N, 3, H, W), times the weight of its level, (L,)."""
        rest = weights[0]
        return self.A.filtered(x, (weights - rest)[self.level]) + float(rest) * x

    def mean(self, weights: Tensor) -> Tensor:
        """(…, L) → (…): over all directions that A sees."""
        count = self.level.flatten().bincount(minlength=len(self.sigma))
        return weights[..., 1:] @ (count[1:] / count[1:].sum()).to(weights)
