"""The same likelihood for JPEG footage, from the coefficients of its blocks.

A Fourier transform of such footage is of little use: block borders spread over all frequencies. The power of each
of the 64 coefficients is what quantisation has left of a power that the blur, the noise and the face explain; one
that is lost everywhere tells most of all.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

from flair_core.degradations.cosine import cosine_basis
from flair_core.degradations.jpeg import BLOCK, quantisation
from flair_core.estimation.compression import block_coefficients
from flair_core.estimation.spectrum import (
    BANDS,
    EDGES,
    FLOOR_ERROR,
    LUMA_GAIN,
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
LOST = 0.5
"""Power, in steps squared, of one block that a coefficient is taken to have had beyond what survived."""
UNEVEN = 0.8
"""Std over blocks of the log of a coefficient's variance; it and the errors below gave the best estimates for
training clips."""
NODES = 9
"""Variances among the blocks at which a face's power is taken."""
CODED_ERROR, TAIL_ERROR = 0.4, 0.6
"""Std of the log power that is predicted of a coefficient: of what is left, and of the face's."""
STEP = 1.1
"""Ratio of powers between which the change of what is left is taken."""


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
        levels = np.rint(np.concatenate(found) / steps).reshape(-1, BLOCK**2)[:, 1:]
        self._step = steps.ravel()[1:] ** 2
        # A coefficient that was lost in every block tells of blur, too: it counts as if half of one had survived.
        self._least = LOST / len(levels)
        self._power = np.log((levels**2).mean(0) + self._least)
        self._chance = 1 / len(found[0]), 1 / len(levels)
        self._noise = LUMA_GAIN * noise**2 / self._step
        self._grid = _block_grid(lumas[0].shape[0], scale)
        self._weights = _weights()[1:]
        self._members = np.zeros((len(self._grid.cell), BANDS * SECTORS))
        self._members[np.arange(len(self._grid.cell)), self._grid.cell] = 1
        self._clean = self._weights @ self._grid.clean.sum(1)

    def __call__(self, kernel: Kernel) -> float:
        """Log-likelihood of a kernel, up to a constant."""
        parts = self._weights * (self._grid.clean * response(kernel, self._grid)).sum(1)
        face = parts.sum(1)
        ratio = face / self._step
        left = coded_power(ratio, self._noise)
        predicted = np.log(left + self._least)
        # By how much the logarithm of what is left changes with those of the face's power and the noise's.
        by_face = (np.log(coded_power(ratio * STEP, self._noise) + self._least) - predicted) / math.log(STEP)
        by_noise = (np.log(coded_power(ratio, self._noise * STEP) + self._least) - predicted) / math.log(STEP)
        # How much of a coefficient's power each band and sector of the face has.
        shares = (parts @ self._members) * (by_face / np.maximum(face, 1e-12))[:, None]
        covariance = shares @ prior().covariance @ shares.T
        taken = np.log(self._clean / np.maximum(face, 1e-12))
        some, all_ = self._chance
        covariance[np.diag_indices_from(covariance)] += (
            CODED_ERROR**2
            + (STEEPNESS_ERROR * taken * by_face) ** 2
            + (TAIL_ERROR * by_face) ** 2
            + (FLOOR_ERROR * by_noise) ** 2
            + (some * left + 4 * all_ * left**2) / (left + self._least) ** 2
        )
        return log_density(self._power - predicted, covariance)


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
    """Log of v/q², and of the power left, in q², when Gaussian coefficients of variance v are rounded to steps q."""
    variance = np.geomspace(1e-3, 1e4, 300)
    level = np.arange(1, 600)
    left = (2 * (2 * level - 1) * ndtr(-(level - 0.5) / np.sqrt(variance)[:, None])).sum(1)
    return np.log(variance), np.log(np.maximum(left, 1e-30))


def coded_power(face: Array, noise: Array) -> Array:
    """What is left of a coefficient's power after rounding to whole steps; all in units of the step squared.

    face, noise: mean variances.  Blocks differ: a face's variance is log-normal over them, the noise's is one.
    """
    at, left = _coded_table()
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    variance = face[..., None] * np.exp(UNEVEN * nodes - UNEVEN**2 / 2) + noise[..., None]
    power = np.exp(np.interp(np.log(np.maximum(variance, 1e-12)), at, left))
    return np.asarray(power @ (weights / weights.sum()))
