"""Separable, symmetric blur and downsampling with mirrored borders: diagonal in the cosine basis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from flair_core.degradations.base import FLOOR, Linear, precision

if TYPE_CHECKING:
    from torch import Tensor


class SeparableDownsample(Linear):
    """y = (h * x)↓s for h = outer(column, row): bicubic downsampling, round Gaussians, motion along an axis.

    Beyond its border the image goes on as its mirror image (…c b a | a b c…), as in the released bicubic
    operator; real footage resembles that more than a periodic image. Along each axis A is a matrix U S Vᵀ,
    U the cosine basis; so A and A⁺ = V S⁻¹ Uᵀ cost four small matrix products each. Singular values below
    FLOOR of the largest are dropped.
    """

    def __init__(
        self,
        column: Tensor,
        row: Tensor,
        scale: int,
        size: tuple[int, int],
        device: torch.device | str | None = None,
    ) -> None:
        """column, row: 1-D kernels along height and width; size: (H, W) of x, multiples of the scale."""
        self.scale = scale
        u_h, s_h, v_h = factorise(downsampling_matrix(column, scale, size[0]))
        u_w, s_w, v_w = factorise(downsampling_matrix(row, scale, size[1]))
        singular = torch.outer(s_h, s_w)
        singular = singular.where(singular >= FLOOR * singular.max(), 0)
        inverse = singular.reciprocal().where(singular > 0, 0)
        self._u = [u.to(device, precision(device)) for u in (u_h, u_w)]
        self._v = [v.to(device, precision(device)) for v in (v_h, v_w)]
        self.singular, self._inverse = (s.to(device, precision(device)) for s in (singular, inverse))

    def forward(self, x: Tensor) -> Tensor:
        """A x = U S Vᵀ x, along both axes."""
        return _between(self._v, self.singular, self._u, x)

    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y = V S⁻¹ Uᵀ y, along both axes."""
        return _between(self._u, self._inverse, self._v, y)

    def filtered(self, x: Tensor, weights: Tensor) -> Tensor:
        """V diag(weights) Vᵀ x, along both axes."""
        return _between(self._v, weights.to(self.singular).where(self.singular > 0, 0), self._v, x)


def _between(source: list[Tensor], weights: Tensor, target: list[Tensor], images: Tensor) -> Tensor:
    """Analyse images in one pair of bases (height, width), weigh the coefficients, synthesise in another."""
    source_h, source_w = (basis.to(images) for basis in source)
    target_h, target_w = (basis.to(images) for basis in target)
    return target_h @ (weights.to(images) * (source_h.T @ images @ source_w)) @ target_w.T


def downsampling_matrix(kernel: Tensor, scale: int, size: int) -> Tensor:
    """(size/s, size) float64: each row has the kernel about the middle of its cell, folded at the borders."""
    first = torch.arange(0, size, scale)[:, None] + (scale - len(kernel)) // 2
    at = (first + torch.arange(len(kernel))) % (2 * size)
    folded = torch.minimum(at, 2 * size - 1 - at)
    matrix = torch.zeros(size // scale, size, dtype=torch.float64)
    return matrix.scatter_add_(1, folded, kernel.double().repeat(len(matrix), 1))


def factorise(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """U, s and V of a downsampling matrix A with a symmetric kernel, without what FLOOR drops anyhow.

    A Aᵀ filters symmetrically, with mirrored borders, hence is diagonal in the cosine basis U; s² is its
    diagonal, and V = Aᵀ U / s.
    """
    u = cosine_basis(len(matrix))
    v = matrix.T @ u
    singular = v.norm(dim=0)
    keep = singular >= FLOOR * singular.max()
    return u[:, keep], singular[keep], v[:, keep] / singular[keep]


def cosine_basis(size: int) -> Tensor:
    """(size, size) float64 with orthonormal columns: the matrix of the inverse discrete cosine transform."""
    at, frequency = torch.arange(size, dtype=torch.float64)[:, None] + 0.5, torch.arange(size)
    basis = torch.cos(math.pi / size * at * frequency) * math.sqrt(2 / size)
    basis[:, 0] /= math.sqrt(2)
    return basis
