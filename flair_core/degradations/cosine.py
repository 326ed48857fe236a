"""Blur and downsampling by a separable symmetric kernel, with reflecting borders: diagonal in the cosine basis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from flair_core.degradations.base import FLOOR, Degradation

if TYPE_CHECKING:
    from torch import Tensor


class SeparableDownsample(Degradation):
    """y = (h * x)↓s for h = outer(column, row): bicubic downsampling, round Gaussians, motion along an axis.

    Beyond its border the image goes on as its mirror image (…c b a a b c…), which resembles real footage better
    than a periodic image does. Along each axis A is a small matrix with A = U S Vᵀ, U the cosine basis; so
    A⁺ = V S⁻¹ Uᵀ needs four small matrix products. Singular values below FLOOR of the largest are dropped.
    """

    def __init__(
        self,
        column: Tensor,
        row: Tensor,
        scale: int,
        size: tuple[int, int],
        device: torch.device | str | None = None,
    ) -> None:
        """column, row: symmetric 1-D kernels for rows apart and columns apart; size: (H, W) of x."""
        self.scale = scale
        u_h, s_h, v_h = factorise(downsampling_matrix(column, scale, size[0]))
        u_w, s_w, v_w = factorise(downsampling_matrix(row, scale, size[1]))
        singular = torch.outer(s_h, s_w)
        singular = singular.where(singular >= FLOOR * singular.max(), 0)
        inverse = singular.reciprocal().where(singular > 0, 0)
        self.noise_gain = math.sqrt(float(inverse.square().sum()) / math.prod(size))
        tables = u_h, u_w, v_h, v_w, singular, inverse
        self._u_h, self._u_w, self._v_h, self._v_w, self._singular, self._inverse = on(device, tables)

    def forward(self, x: Tensor) -> Tensor:
        """A x = U S Vᵀ x along both axes."""
        v_h, v_w, u_h, u_w, singular = (
            table.to(x) for table in (self._v_h, self._v_w, self._u_h, self._u_w, self._singular)
        )
        return u_h @ (singular * (v_h.T @ x @ v_w)) @ u_w.T

    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y = V S⁻¹ Uᵀ y along both axes."""
        v_h, v_w, u_h, u_w, inverse = (
            table.to(y) for table in (self._v_h, self._v_w, self._u_h, self._u_w, self._inverse)
        )
        return v_h @ (inverse * (u_h.T @ y @ u_w)) @ v_w.T


def on(device: torch.device | str | None, tables: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The tables on a device, in double precision where it has that."""
    kind = torch.device(device or "cpu")
    return tuple(table.to(torch.float32 if kind.type == "mps" else torch.float64).to(kind) for table in tables)


def downsampling_matrix(kernel: Tensor, scale: int, size: int) -> Tensor:
    """(size/s, size) float64: each row holds the kernel about the middle of one cell, folded at the borders."""
    taps = len(kernel)
    cells = torch.arange(size // scale)[:, None] * scale
    at = (cells + (scale - 1) / 2 + torch.arange(taps) - (taps - 1) / 2).long() % (2 * size)
    folded = torch.minimum(at, 2 * size - 1 - at)
    matrix = torch.zeros(size // scale, size, dtype=torch.float64)
    return matrix.scatter_add_(1, folded, kernel.double().expand_as(folded).contiguous())


def factorise(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """U, s, V of a downsampling matrix with symmetric kernel, less what falls below FLOOR.

    A Aᵀ of such a matrix is diagonal in the cosine basis U; then s² is its diagonal and V = Aᵀ U / s.
    """
    v = matrix.T @ cosine_basis(len(matrix))
    singular = v.norm(dim=0)
    keep = singular >= FLOOR * singular.max()
    return cosine_basis(len(matrix))[:, keep], singular[keep], v[:, keep] / singular[keep]


def cosine_basis(size: int) -> Tensor:
    """(size, size) float64 with orthonormal columns: the inverse of the discrete cosine transform of type II."""
    at, frequency = torch.arange(size, dtype=torch.float64)[:, None] + 0.5, torch.arange(size)
    basis = torch.cos(math.pi / size * at * frequency) * math.sqrt(2 / size)
    basis[:, 0] /= math.sqrt(2)
    return basis
