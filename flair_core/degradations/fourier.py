"""Blur by any kernel and downsampling, in the Fourier domain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.fft import fft2, irfft2, rfft2

from flair_core.degradations.base import FLOOR, Degradation

if TYPE_CHECKING:
    from torch import Tensor


class BlurDownsample(Degradation):
    """y = (h * x)↓s for a kernel at any angle, and A⁺ = h̃ * (k * y)↑s as below eq. (8).

    The image is continued periodically: only then is k = ((h * h̃)↓s)⁻¹ a filter. Real footage is not periodic,
    so within a kernel's reach of the border A mixes opposite sides, and the correction there is off by as much as
    they differ. Face masks hide that strip; where the kernel allows it, SeparableDownsample has no such strip.
    Frequencies of y where A's response is below FLOOR of its largest are dropped from A and A⁺.
    """

    def __init__(
        self, kernel: Tensor, scale: int, size: tuple[int, int], device: torch.device | str | None = None
    ) -> None:
        """kernel: (n, n), n odd or even like the scale; size: (H, W) of x, multiples of the scale."""
        self.scale, self.size = scale, size
        otf = fft2(_centred(kernel.double(), scale, size))
        gain = otf.abs().square().unflatten(0, (scale, -1)).unflatten(2, (scale, -1)).mean((0, 2))
        keep = gain >= FLOOR**2 * gain.max()
        inverse = gain.reciprocal().where(keep, 0)
        self.noise_gain = math.sqrt(float(inverse.sum()) / math.prod(size))
        otf = (otf * keep.tile(scale, scale))[:, : size[1] // 2 + 1]
        precise = torch.device(device or "cpu").type != "mps"
        self._otf = otf.to(torch.complex128 if precise else torch.complex64).to(device)
        self._inverse = inverse.to(torch.float64 if precise else torch.float32).to(device)

    def forward(self, x: Tensor) -> Tensor:
        """A x = (h * x)↓s."""
        spectrum = rfft2(x)
        blurred = irfft2(self._otf.to(spectrum) * spectrum, s=self.size)
        return blurred[..., :: self.scale, :: self.scale]

    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y = h̃ * (k * y)↑s; filling up with zeros repeats the spectrum."""
        spectrum = (fft2(y) * self._inverse.to(y)).repeat(1, 1, self.scale, self.scale)
        spectrum = spectrum[..., : self._otf.shape[1]]
        return irfft2(self._otf.conj().to(spectrum) * spectrum, s=self.size)


def _centred(kernel: Tensor, scale: int, size: tuple[int, int]) -> Tensor:
    """The kernel on a periodic (H, W) grid, so that samples 0, s, 2s… of h * x see the middles of their cells."""
    shift = (len(kernel) + scale) // 2 - 1
    rows, columns = ((torch.arange(len(kernel)) - shift) % extent for extent in size)
    grid = torch.zeros(size, dtype=kernel.dtype)
    return grid.index_put_((rows[:, None], columns), kernel, accumulate=True)
