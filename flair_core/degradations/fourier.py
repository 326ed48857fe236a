"""Blur by any kernel and downsampling, in the Fourier domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.fft import fft2, irfft2, rfft2

from flair_core.degradations.base import FLOOR, Linear, precision

if TYPE_CHECKING:
    from torch import Tensor


class BlurDownsample(Linear):
    """y = (h * x)↓s for a kernel at any angle, and A⁺ y = h̃ * (k * y)↑s as below eq. (8).

    The image goes on periodically: only then is k = ((h * h̃)↓s)⁻¹ a filter. Real footage is not periodic, so
    within a kernel's reach of the border A mixes opposite sides, and corrections there are off by as much as
    those sides differ; a face's mask hides that strip. SeparableDownsample has none, but suits few kernels.
    Frequencies of y at which A's response is below FLOOR of its largest are dropped.
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
        half = (otf * keep.tile(scale, scale))[:, : size[1] // 2 + 1]
        self._otf = half.to(device, precision(device).to_complex())
        self._inverse = inverse.to(device, precision(device))
        self.singular = gain.where(keep, 0).sqrt().to(device, precision(device))

    def forward(self, x: Tensor) -> Tensor:
        """A x = (h * x)↓s."""
        spectrum = rfft2(x)
        blurred: Tensor = irfft2(self._otf.to(spectrum) * spectrum, s=self.size)
        return blurred[..., :: self.scale, :: self.scale]

    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y = h̃ * (k * y)↑s; filling up with zeros repeats the spectrum."""
        return self._back(fft2(y) * self._inverse.to(y))

    def filtered(self, x: Tensor, weights: Tensor) -> Tensor:
        """A⁺ U diag(weights) Uᵀ A x, as U is the Fourier basis of y."""
        return self._back(fft2(self.forward(x)) * (weights.to(self._inverse) * self._inverse).to(x))

    def _back(self, spectrum: Tensor) -> Tensor:
        spectrum = spectrum.repeat(1, 1, self.scale, self.scale)[..., : self._otf.shape[1]]
        x: Tensor = irfft2(self._otf.conj().to(spectrum) * spectrum, s=self.size)
        return x


def _centred(kernel: Tensor, scale: int, size: tuple[int, int]) -> Tensor:
    """The kernel on a periodic (H, W) grid; pixels 0, s, 2s… of h * x then are the middles of their cells."""
    shift = (len(kernel) + scale) // 2 - 1
    rows, columns = ((torch.arange(len(kernel)) - shift) % extent for extent in size)
    grid = torch.zeros(size, dtype=kernel.dtype)
    return grid.index_put_((rows[:, None], columns), kernel, accumulate=True)
