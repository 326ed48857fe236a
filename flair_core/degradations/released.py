"""The released program's own operator for its ×4 blur tasks, with its cuts, offsets and borders."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch
from torch.fft import fft2, ifft2
from torch.nn.functional import conv2d, conv_transpose2d, pad

from flair_core.degradations.base import Degradation, precision
from flair_core.degradations.kernels import gaussian

if TYPE_CHECKING:
    from torch import Tensor

SCALE = 4
OFFSET = 1
"""Which row and column of each 4 × 4 cell is kept."""
ENERGY = 0.99
"""The kernel is cut where its inner part holds less than this share of its norm."""
INVERSE_FLOOR = 0.01
"""The least magnitude of (h * h̃)↓4 that is inverted; smaller ones are raised to it."""
INVERSE_MARGIN = 18
"""Zeros around (h * h̃)↓4 before it is inverted: how far the inverse reaches."""


def released_kernel() -> Tensor:
    """The blur of the released gaussian and jpeg tasks, (25, 25) float64: a round Gaussian with std 2."""
    kernel = gaussian(2.0, 2.0, 0.0, 1)
    return pad(kernel, ((25 - len(kernel)) // 2,) * 4)


class ReleasedBlur(Degradation):
    """y = (h * x)↓4 and A⁺ y = h̃ * (k * y)↑4 by short convolutions with replicated borders.

    Kernels are cut, so A A⁺ = I holds only away from the borders; there to 1e-6.
    """

    scale = SCALE

    def __init__(self, kernel: Tensor, device: torch.device | str | None = None) -> None:
        """kernel: (n, n), symmetric; `released_kernel()` is that of the released tasks."""
        cut = cut_kernel(kernel.double())
        self._down = cut.flip(0, 1).to(device, precision(device))
        self._inverse = inverse_filter(cut).to(device, precision(device))

    def forward(self, x: Tensor) -> Tensor:
        """A x: (N, 3, H, W) → (N, 3, H/4, W/4)."""
        planes = _replicated(x, self._down)[..., OFFSET:, OFFSET:]
        y = conv2d(planes, self._down.to(x)[None, None], stride=SCALE)
        return y.view(*x.shape[:2], *y.shape[-2:])

    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y: (N, 3, h, w) → (N, 3, 4 h, 4 w)."""
        height, width = SCALE * y.shape[-2], SCALE * y.shape[-1]
        inverted = conv2d(_replicated(y, self._inverse), self._inverse.to(y)[None, None])
        # The outermost pixels of the zero-filled grid are zeros, and so is their replication: borders vanish.
        x = conv_transpose2d(inverted, SCALE**2 * self._down.to(y)[None, None], stride=SCALE)
        begin = len(self._down) - 1 - OFFSET - len(self._down) // 2
        x = pad(x, (0, SCALE, 0, SCALE))[..., begin : begin + height, begin : begin + width]
        return x.reshape(*y.shape[:2], height, width)


def cut_kernel(kernel: Tensor) -> Tensor:
    """Centre a kernel, cut it to its core and put one zero row and column in front; turned by 180 degrees."""
    rows, columns = (_recentring(kernel.sum(1 - axis)) for axis in (0, 1))
    kernel = pad(kernel, (*columns, *rows))
    before = after = _inset(kernel)
    for step in itertools.count():
        if (len(kernel) - before - after) % SCALE == 0:
            break
        before, after = (before - 1, after) if step % 2 == 0 else (before, after - 1)
    core = kernel[before : kernel.shape[0] - after, before : kernel.shape[1] - after]
    return pad(core / core.sum(), (1, 0, 1, 0)).flip(0, 1)


def inverse_filter(cut: Tensor) -> Tensor:
    """k of eq. (8), (m, m): inverts (h * h̃)↓4, with magnitudes below 0.01 raised to that."""
    full = conv2d(pad(cut[None, None], (len(cut) - 1,) * 4), cut[None, None])[0, 0]
    spectrum = fft2(pad(SCALE**2 * full[::SCALE, ::SCALE], (INVERSE_MARGIN,) * 4))
    magnitude = 1 / spectrum.abs().clamp(min=INVERSE_FLOOR)
    inverse: Tensor = ifft2(torch.polar(magnitude, -spectrum.angle())).real
    row, column = divmod(int(inverse.argmax()), inverse.shape[1])
    reach = min(row, column, inverse.shape[0] - 1 - row, inverse.shape[1] - 1 - column)
    return inverse[row - reach : row + reach + 1, column - reach : column + reach + 1]


def _recentring(profile: Tensor) -> tuple[int, int]:
    """Zeros to put before and after a profile, so that its centroid lies in its middle."""
    centroid = float((profile * torch.arange(len(profile))).sum() / profile.sum())
    excess = 2 * centroid - len(profile)
    return (round(-excess), 0) if excess < 0 else (0, round(excess))


def _inset(kernel: Tensor) -> int:
    """How many pixels can go all around before less than ENERGY of the kernel's norm is left."""
    total = float(kernel.norm())
    inside = (float(kernel[i : len(kernel) - i, i : kernel.shape[1] - i].norm()) for i in itertools.count())
    return next(i for i, norm in enumerate(inside) if norm < ENERGY * total)


def _replicated(x: Tensor, weights: Tensor) -> Tensor:
    """(N, C, H, W) → (N C, 1, H + n − 1, W + n − 1) for n × n weights, continued with the border pixels."""
    return pad(x.flatten(0, 1).unsqueeze(1), (len(weights) // 2,) * 4, mode="replicate")
