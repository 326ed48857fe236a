"""The released program's own operator for its ×4 blur tasks, with its cuts, offsets and borders."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import torch
from torch.fft import fft2, ifft2
from torch.nn.functional import conv2d, conv_transpose2d, pad

from flair_core.degradations.base import Degradation
from flair_core.degradations.kernels import gaussian

if TYPE_CHECKING:
    from torch import Tensor

SCALE = 4
OFFSET = 1
"""Which pixel of each 4 × 4 cell is kept."""
ENERGY = 0.99
"""The kernel is cut where its inner part holds less than this share of its norm."""
INVERSE_FLOOR = 0.01
INVERSE_MARGIN = 18


def released_kernel() -> Tensor:
    """The blur of the released gaussian and jpeg tasks, (25, 25): a round Gaussian with std 2."""
    side, reach = 25, 12
    wide = gaussian(2.0, 2.0, 0.0, 1)
    margin = (side - len(wide)) // 2
    wide = pad(wide, (margin,) * 4)
    return wide


class ReleasedBlur(Degradation):
    """y = (h * x)↓4 and A⁺ = h̃ * (k * y)↑4 by short convolutions with replicated borders.

    Because kernels are cut, A A⁺ = I holds only in the interior; there to 1e-6.
    """

    scale = SCALE

    def __init__(self, kernel: Tensor, device: torch.device | str | None = None) -> None:
        """kernel: (n, n), about symmetric; `released_kernel()` is the one of the released tasks."""
        cut = cut_kernel(kernel.double())
        self._down = cut.flip(0, 1).float().to(device)
        self._inverse = inverse_filter(cut).float().to(device)
        side = 2 * len(self._inverse)
        impulse = torch.zeros(1, 1, side, side, device=device)
        impulse[..., side // 2, side // 2] = 1
        self.noise_gain = float(self.pinv(impulse).norm()) / SCALE

    def forward(self, x: Tensor) -> Tensor:
        """A x: (N, 3, H, W) → (N, 3, H/4, W/4)."""
        planes = _replicated(_planes(x), self._down)[..., OFFSET:, OFFSET:]
        return conv2d(planes, _filter(self._down, x), stride=SCALE).unflatten(0, x.shape[:2]).squeeze(2)

    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y: (N, 3, h, w) → (N, 3, 4 h, 4 w)."""
        height, width = SCALE * y.shape[-2], SCALE * y.shape[-1]
        inverted = conv2d(_replicated(_planes(y), self._inverse), _filter(self._inverse, y))
        # Zeros beside the kept pixels make replicated borders equal to none: a transposed convolution does it all.
        spread = conv_transpose2d(inverted, SCALE**2 * _filter(self._down, y), stride=SCALE)
        start = len(self._down) - 1 - OFFSET - len(self._down) // 2
        spread = pad(spread, (0, SCALE, 0, SCALE))[..., start : start + height, start : start + width]
        return spread.unflatten(0, y.shape[:2]).squeeze(2)


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
    inverse = ifft2(torch.polar(1 / spectrum.abs().clamp(min=INVERSE_FLOOR), -spectrum.angle())).real
    peak = int(inverse.argmax())
    row, column = divmod(peak, inverse.shape[1])
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


def _planes(x: Tensor) -> Tensor:
    """(N, C, H, W) → (N C, 1, H, W)."""
    return x.flatten(0, 1).unsqueeze(1)


def _filter(weights: Tensor, x: Tensor) -> Tensor:
    return weights.to(x)[None, None]


def _replicated(planes: Tensor, weights: Tensor) -> Tensor:
    return pad(planes, (len(weights) // 2,) * 4, mode="replicate")
