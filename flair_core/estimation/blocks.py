"""The same likelihood for JPEG footage, from the coefficients of its blocks.

A Fourier transform of such footage is of little use: block borders spread over all frequencies. The power of each
of the 64 coefficients is what quantisation has left of a power that the blur, the noise and the face explain.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from flair_core.degradations.cosine import cosine_basis
from flair_core.degradations.jpeg import BLOCK, quantisation
from flair_core.estimation.compression import block_coefficients
from flair_core.estimation.spectrum import (
    BANDS,
    EDGES,
    FLOOR_ERROR,
    LUMA_GAIN,
    ROUNDING,
    SECTORS,
    STEEPNESS_ERROR,
    Grid,
    Kernel,
    folded,
    log_density,
    prior,
    response,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FREQUENCIES = 32
"""Along each axis, at which power is predicted: four for the width of a coefficient."""
LEAST_COUNT = 8
"""Blocks in which a coefficient must have survived to be looked at."""
CODED_ERROR, RARE_ERROR, RARE = 0.2, 0.8, 0.1
"""Std of the log power that is predicted of a coefficient, more where its variance is below RARE steps squared."""


class BlockLikelihood:
    """How well kernels explain the coefficients of a compressed face."""

    def __init__(
        self,
        lumas: Sequence[Array],
        offsets: Sequence[tuple[int, int]],
        scale: int,
        *,
        noise: float,
        quality: int,
    ) -> None:
        """lumas: the face in some frames, (m, m), 8-bit levels less 128.  offsets: where whole blocks begin in each.

        scale: s.  noise: std per channel, in levels.  quality: of JPEG.
        """
        steps = quantisation(quality)[0].numpy()
        found = [block_coefficients(luma, offset) for luma, offset in zip(lumas, offsets, strict=True)]
        coded = (np.rint(np.concatenate(found) / steps) * steps).reshape(-1, BLOCK**2)
        count = (coded != 0).sum(0)
        self._use = (count >= LEAST_COUNT) & (np.arange(BLOCK**2) > 0)
        self._steps, self._count = steps.ravel()[self._use], count[self._use]
        self._power = np.log((coded**2).mean(0)[self._use])
        self._noise = LUMA_GAIN * noise**2
        self._grid = _block_grid(lumas[0].shape[0], scale)
        self._weights = _weights()[self._use]
        self._members = np.zeros((len(self._grid.cell), BANDS * SECTORS))
        self._members[np.arange(len(self._grid.cell)), self._grid.cell] = 1
        self._clean = self._weights @ self._grid.clean.sum(1)

    def __call__(self, kernel: Kernel) -> float:
        """Log-likelihood of a kernel, up to a constant."""
        parts = self._weights * (self._grid.clean * response(kernel, self._grid)).sum(1)
        face = parts.sum(1)
        variance = face + self._noise
        predicted = self._steps**2 * coded_power(variance / self._steps**2) + ROUNDING
        # How much of a coefficient's power each band and sector of the face has.
        shares = parts @ self._members / variance[:, None]
        covariance = shares @ prior().covariance @ shares.T
        rare = np.clip(1 - variance / (RARE * self._steps**2), 0, 1)
        taken = np.log(self._clean / np.maximum(face, 1e-12))
        covariance[np.diag_indices_from(covariance)] += (
            (CODED_ERROR + RARE_ERROR * rare) ** 2
            + 4 / self._count
            + (STEEPNESS_ERROR * taken * face / variance) ** 2
            + (FLOOR_ERROR * self._noise / variance) ** 2
        )
        return log_density(self._power - np.log(predicted), covariance)


def _frequencies() -> tuple[Array, Array]:
    """(points,) across and down, in cycles per pixel: a half-plane without the frequency 0."""
    at = (np.arange(FREQUENCIES) + 0.5) / FREQUENCIES - 0.5
    down, across = np.meshgrid(at, at[at > 0], indexing="ij")
    return across.ravel(), down.ravel()


@cache
def _weights() -> Array:
    """(64, points): the variance of each coefficient is this times the power at the frequencies."""
    at = (np.arange(FREQUENCIES) + 0.5) / FREQUENCIES - 0.5
    waves = np.exp(-2j * np.pi * at[:, None] * np.arange(BLOCK))
    power = np.abs(waves @ cosine_basis(BLOCK).numpy()) ** 2
    both = np.einsum("yu,xv->uvyx", power, power[at > 0]).reshape(BLOCK**2, -1)
    return np.asarray(both * 2 / FREQUENCIES**2)


@cache
def _block_grid(side: int, scale: int) -> Grid:
    across, down = _frequencies()
    band = np.clip(np.digitize(np.hypot(across, down) * side, EDGES) - 1, 0, BANDS - 1)
    turn = np.degrees(np.arctan2(-down, across)) / (180 / SECTORS)
    cell = band * SECTORS + np.floor(turn + 0.5).astype(np.int64) % SECTORS
    return folded(across * side, down * side, side, side, scale, np.ones(len(across)), cell)


@cache
def _coded_table() -> tuple[Array, Array]:
    """Log of v/q², and of the power left, in q², when Laplacian coefficients of variance v are rounded to steps q."""
    variance = np.geomspace(1e-3, 1e3, 200)
    width = np.sqrt(variance / 2)[:, None]
    level = np.arange(1, 400)
    share = np.exp(-(level - 0.5) / width) - np.exp(-(level + 0.5) / width)
    return np.log(variance), np.log(np.maximum((level**2 * share).sum(1), 1e-12))


def coded_power(variance: Array) -> Array:
    """What is left of a coefficient's power after rounding to whole steps; both in units of the step squared."""
    at, left = _coded_table()
    return np.asarray(np.exp(np.interp(np.log(np.maximum(variance, 1e-12)), at, left)))
