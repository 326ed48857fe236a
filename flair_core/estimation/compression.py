"""JPEG quality and the place of its blocks, from the lattice on which quantised coefficients lie."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import dctn

from flair_core.degradations.jpeg import BLOCK, TO_YCBCR, quantisation
from flair_core.settings.fields import Range, fields
from flair_core.settings.groups import DegradationSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Frame = NDArray[np.uint8]

SPREAD = 0.45
"""Std of a decoded coefficient about its lattice point: pixels were rounded to 8 bits, and clipped at times."""
OUTLIERS = 0.05
"""Share of coefficients that may lie anywhere, for clipped pixels."""
LEAST = 1.5
"""Coefficients nearer to 0 than this tell nothing: smooth pictures have them without any compression."""
LEAST_COEFFICIENTS = 40
LEAST_EVIDENCE = 0.5
"""Mean log-likelihood ratio of a coefficient, in nats, from which footage counts as compressed."""
LEAST_BLOCKS = 8
"""Whole blocks from which those with pixels cut off at black or white are left out."""
WHITE = 255
FRAMES, BLOCKS = 4, 600
"""Most frames that are looked at, and most of their blocks."""


@dataclass(frozen=True, slots=True)
class Compression:
    """A JPEG quality, and how sure it is."""

    quality: int | None
    """Q, or None: no trace of JPEG at this grid."""
    offset: tuple[int, int]
    """Row and column of the first whole block."""
    confidence: float
    """In [0, 1]."""


def jpeg_quality(frames: Sequence[Frame]) -> Compression:
    """The quality at which frames (H, W, 3), stored without loss since, were compressed.

    For every quality the decoded luma coefficients are compared with that quality's lattice: the log-likelihood
    of lying on it, against lying anywhere. A coarser lattice that fits is the less likely accident, and wins.
    Blocks are looked for where `flair degrade` and cameras put them, at the top left, then at every other place.
    """
    chosen = [frames[i] for i in np.linspace(0, len(frames) - 1, min(FRAMES, len(frames))).astype(int)]
    lumas = [frame @ TO_YCBCR[0].numpy() - 128 for frame in chosen]
    cut_off = [((frame == 0) | (frame == WHITE)).any(-1).astype(np.float64) for frame in chosen]
    found = _best(lumas, cut_off, (0, 0))
    if found.quality is None and min(lumas[0].shape) >= 3 * BLOCK:
        offset = _grid(lumas)
        if offset != (0, 0):
            found = _best(lumas, cut_off, offset)
    return found


def _best(
    lumas: Sequence[NDArray[np.float64]], cut_off: Sequence[NDArray[np.float64]], offset: tuple[int, int]
) -> Compression:
    """cut_off: 1 at pixels that may have been beyond black or white."""
    coefficients = np.concatenate([block_coefficients(luma, offset) for luma in lumas])
    # Cutting off moves all coefficients of a block from the lattice. The sum of a block is its first one.
    harmed = np.concatenate([block_coefficients(pixels, offset)[:, 0, 0] * BLOCK for pixels in cut_off])
    if len(whole := coefficients[harmed < 0.5]) >= LEAST_BLOCKS:
        coefficients = whole
    coefficients = coefficients[:: -(-len(coefficients) // BLOCKS)]
    total, count = _evidence(coefficients)
    best = int(total.argmax())
    if count[best] < LEAST_COEFFICIENTS or total[best] < LEAST_EVIDENCE * count[best]:
        sure = 1.0 if count.max() >= LEAST_COEFFICIENTS else 0.5
        return Compression(None, offset, sure)
    weights = np.exp(total - total[best])
    near = np.abs(np.arange(len(total)) - best) <= 4
    return Compression(int(qualities()[best]), offset, float(weights[near].sum() / weights.sum()))


def _evidence(coefficients: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Log-likelihood ratio of every quality's lattice, and how many coefficients it rests on: (qualities,) each.

    coefficients: (blocks, 8, 8).
    """
    total, count = np.zeros(len(qualities())), np.zeros(len(qualities()), np.int64)
    for row in range(BLOCK):
        for column in range(BLOCK):
            values = np.abs(coefficients[:, row, column])
            values = values[values > LEAST]
            steps = _steps()[:, row, column]
            distinct, which = np.unique(steps, return_inverse=True)
            step = distinct[:, None]
            distance = values - np.rint(values / step) * step
            on = np.exp(-((distance / SPREAD) ** 2) / 2) / (SPREAD * np.sqrt(2 * np.pi))
            ratio = np.log((1 - OUTLIERS) * step * on + OUTLIERS).sum(1)
            ratio[distinct <= 1] = 0
            total += ratio[which]
            count += np.where(steps > 1, len(values), 0)
    return total, count


def qualities() -> NDArray[np.int64]:
    """The qualities that are told apart."""
    limit = fields(DegradationSettings)["jpeg"].limit
    assert isinstance(limit, Range)
    return np.arange(int(limit.low), int(limit.high) + 1)


@cache
def _steps() -> NDArray[np.float64]:
    """(qualities, 8, 8) quantisation of luma."""
    return np.stack([quantisation(int(quality))[0].numpy() for quality in qualities()])


def block_coefficients(luma: NDArray[np.float64], offset: tuple[int, int]) -> NDArray[np.float64]:
    """(blocks, 8, 8) cosine coefficients of the whole blocks of a picture (H, W)."""
    part = luma[offset[0] :, offset[1] :]
    rows, columns = part.shape[0] // BLOCK, part.shape[1] // BLOCK
    blocks = part[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2)
    found: NDArray[np.float64] = dctn(blocks.reshape(-1, BLOCK, BLOCK), axes=(1, 2), norm="ortho")
    return found


def _grid(lumas: Sequence[NDArray[np.float64]]) -> tuple[int, int]:
    """Where blocks begin: second differences across block borders are larger than elsewhere."""
    offsets = []
    for axis in (0, 1):
        jumps = np.zeros(BLOCK)
        for luma in lumas:
            lines = np.moveaxis(luma, axis, 0)
            jump = np.abs(lines[3:] - 3 * lines[2:-1] + 3 * lines[1:-2] - lines[:-3]).mean(1)
            # Entry i of `jump` is the jump between lines i + 1 and i + 2.
            for place in range(BLOCK):
                jumps[place] += np.median(jump[(place - 2) % BLOCK :: BLOCK])
        offsets.append(int(jumps.argmax()))
    return offsets[0], offsets[1]
