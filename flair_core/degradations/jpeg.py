"""JPEG of eq. (10) and (11): E to quantised coefficients, D back to an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn.functional import pad

from flair_core.degradations.base import Degradation
from flair_core.degradations.cosine import cosine_basis

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 8
UNIT = 2 * BLOCK
"""Pixels along a side that are coded together: chroma is halved, then cut into blocks."""

LUMA = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float64,
)
"""Quantisation of brightness at quality 50, ITU-T T.81 table K.1."""

CHROMA = torch.full((BLOCK, BLOCK), 99, dtype=torch.float64)
"""Quantisation of colour at quality 50, ITU-T T.81 table K.2."""
CHROMA[:4, :4] = torch.tensor([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])

TO_YCBCR = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]], dtype=torch.float64
)
"""RGB → Y, Cb, Cr about 0, to the digits of the released program; D applies the exact inverse."""
HALF = 128.0
"""Middle of the 8-bit range."""


def quantisation(quality: int) -> tuple[Tensor, Tensor]:
    """The tables (8, 8) for luma and chroma at a quality from 1 to 100, scaled as libjpeg does."""
    percent = 5000 / quality if quality < 50 else 200 - 2 * quality
    luma, chroma = ((table * percent / 100 + 0.5).floor().clamp(1, 255) for table in (LUMA, CHROMA))
    return luma, chroma


def coding_noise(quality: int) -> float:
    """Std of the error of compression in images on the [0, 1] scale: that of rounding to the steps of luma.

    Only the 4 × 4 lowest frequencies count, of which enough survives in faces. It grows from 1 level at quality 90
    to 4 at quality 60.
    """
    luma, _ = quantisation(quality)
    return float((luma[:4, :4].square().mean() / 12).sqrt()) / 255


class Jpeg:
    """E and D at one quality, with chroma at half the size; a batch at a time.

    Chroma is decimated, not averaged, and D neither rounds nor clamps pixels: so E(D(E(x))) = E(x), eq. (11).
    Sides that are no multiples of 16 are continued with their last row or column before E, as encoders do;
    that identity then holds for the continued image.
    """

    def __init__(self, quality: int) -> None:
        """quality: Q from 1 (coarse) to 100."""
        self.quality = quality
        self.luma, self.chroma = quantisation(quality)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """E: (N, 3, H, W) in [-1, 1] → luma (N, 1, H', W') and chroma (N, 2, H'/2, W'/2).

        H' and W' are H and W rounded up to multiples of 16. Coefficients are whole numbers in floating point;
        each block of 8 × 8 stands where its pixels stood.
        """
        height, width = x.shape[-2:]
        x = pad(x, (0, -width % UNIT, 0, -height % UNIT), mode="replicate")
        levels = (x + 1) * (255 / 2)
        ycbcr = torch.einsum("ij,njhw->nihw", TO_YCBCR.to(x), levels)
        luma = _dct(ycbcr[:, :1] - HALF, self.luma)
        return luma, _dct(ycbcr[:, 1:, ::2, ::2], self.chroma)

    def decode(self, luma: Tensor, chroma: Tensor) -> Tensor:
        """D: coefficients as `encode` gives them → (N, 3, H', W'), about [-1, 1]."""
        y = _inverse_dct(luma, self.luma) + HALF
        cbcr = _inverse_dct(chroma, self.chroma).repeat_interleave(2, -1).repeat_interleave(2, -2)
        levels = torch.einsum("ij,njhw->nihw", torch.linalg.inv(TO_YCBCR).to(luma), torch.cat([y, cbcr], 1))
        return levels * (2 / 255) - 1

    def recode(self, x: Tensor) -> Tensor:
        """D(E(x)), shaped like x: the image as it is seen after the footage was compressed."""
        return self.decode(*self.encode(x))[..., : x.shape[-2], : x.shape[-1]]


class JpegDegradation(Degradation):
    """E ∘ A of eq. (10), observed after decoding; its A⁺ is the approximation above eq. (11)."""

    def __init__(self, linear: Degradation, quality: int) -> None:
        """linear: what happened before the compression at `quality`."""
        self.linear, self.jpeg = linear, Jpeg(quality)
        self.scale = linear.scale

    def forward(self, x: Tensor) -> Tensor:
        """D(E(A x))."""
        return self.jpeg.recode(self.linear.forward(x))

    def pinv(self, y: Tensor) -> Tensor:
        """A⁺ y of a decoded image."""
        return self.linear.pinv(y)


def _dct(planes: Tensor, table: Tensor) -> Tensor:
    """Blockwise cosine transform, quantised: (N, C, h, w) → the same shape."""
    basis = cosine_basis(BLOCK).to(planes)
    return _joined((basis.T @ _blocks(planes) @ basis / table.to(planes)).round())


def _inverse_dct(coefficients: Tensor, table: Tensor) -> Tensor:
    basis = cosine_basis(BLOCK).to(coefficients)
    return _joined(basis @ (_blocks(coefficients) * table.to(coefficients)) @ basis.T)


def _blocks(planes: Tensor) -> Tensor:
    """(N, C, h, w) → (N, C, h/8, w/8, 8, 8)."""
    height, width = planes.shape[-2:]
    return planes.reshape(*planes.shape[:2], height // BLOCK, BLOCK, width // BLOCK, BLOCK).transpose(-2, -3)


def _joined(blocks: Tensor) -> Tensor:
    return blocks.transpose(-2, -3).flatten(-2).flatten(-3, -2)
