"""Blur and resolution from the power spectrum of a face, against what clean faces have.

Faces that fill a picture have much the same spectrum: over clean ones the power in a direction and band varies by
about 2 dB, and mostly in all bands together. What a degradation does to it is known: the blur's response squared,
aliases folded onto each other by the sampling, noise added. So every kernel has a likelihood, and the best one is found
by search.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cholesky, solve_triangular

from flair_core.degradations.jpeg import TO_YCBCR
from flair_core.degradations.kernels import cubic

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

PRIOR = "face_spectrum.npz"
BANDS, SECTORS = 18, 8
EDGES = np.geomspace(5, 128, BANDS + 1)
"""Limits of the bands, in cycles over the face's side; the prior was measured at 256 pixels."""
SIDE = 256
POINTS = 24
"""Frequencies at which a cell's mean power is predicted."""
ALIASES = 2
"""Multiples of the sampling frequency from which power is folded back; a face has none beyond that matters."""
ROUNDING = float((TO_YCBCR[0].numpy() ** 2).sum()) / 12
"""Variance of the luma of pixels rounded to 8 bits."""
LUMA_GAIN = float((TO_YCBCR[0].numpy() ** 2).sum())
"""Variance of luma for noise of variance 1 in R, G and B."""
MODEL_ERROR, STEEPNESS_ERROR = 0.15, 0.04
"""Std of log power by which predictions fail though all is known: a constant, and a share of what the blur took."""
FLOOR_ERROR = 0.3
"""Std of the log of the noise's power: it is estimated, and rounding is not quite white."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A blur as the search moves it; lengths in pixels of the restored face, unlimited."""

    kind: str
    """bicubic, gaussian or motion."""
    length: float = 0.0
    """Std along the longer axis, or length of the motion."""
    ratio: float = 1.0
    angle: float = 0.0


@dataclass(frozen=True, slots=True)
class Prior:
    """Log power of clean faces of 256 pixels, in levels², by cell (band, sector)."""

    mean: Array
    """(BANDS, SECTORS)"""
    covariance: Array
    """(cells, cells)"""


@cache
def prior() -> Prior:
    """The prior that ships with the program."""
    with (files("resources") / PRIOR).open("rb") as file:
        stored = np.load(file)
        return Prior(stored["mean"].astype(np.float64), stored["covariance"].astype(np.float64))


def log_power(lumas: Sequence[Array]) -> tuple[Array, NDArray[np.int64]]:
    """Log of the mean power of pictures (m, m) in each cell, and the number of frequencies there: (cells,) each.

    Power is normalised so that white noise of variance 1 has power 1, whatever m; empty cells hold NaN.
    """
    side = lumas[0].shape[0]
    hann = np.hanning(side + 1)[:side]
    window = np.outer(hann, hann) / (hann**2).sum()
    power = np.zeros((side, side))
    for luma in lumas:
        centred = luma - (luma * window**2).sum()
        power += np.abs(np.fft.fft2(centred * window)) ** 2 / len(lumas)
    cell = _cells(side)
    count = np.bincount(cell.ravel(), minlength=BANDS * SECTORS + 1)[:-1]
    total = np.bincount(cell.ravel(), power.ravel(), minlength=BANDS * SECTORS + 1)[:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(total / count), count


@cache
def _cells(side: int) -> NDArray[np.int64]:
    """(m, m) the cell of every frequency of a Fourier transform; BANDS · SECTORS where there is none."""
    k = np.fft.fftfreq(side) * side
    down, across = np.meshgrid(k, k, indexing="ij")
    band = np.digitize(np.hypot(across, down), EDGES) - 1
    turn = np.degrees(np.arctan2(-down, across)) / (180 / SECTORS)
    sector = np.floor(turn + 0.5).astype(np.int64) % SECTORS
    # The outermost row and column are shared by both signs.
    inside = (np.maximum(np.abs(across), np.abs(down)) < (side - 1) / 2) & (band >= 0) & (band < BANDS)
    return np.where(inside, band * SECTORS + sector, BANDS * SECTORS)


@dataclass(frozen=True, slots=True)
class Grid:
    """Frequencies of a picture at which power is predicted, and those that sampling folds onto each of them."""

    clean: Array
    """(points, aliases): power of a clean face, as the picture would have it."""
    across: Array
    """(points, aliases) in cycles per restored pixel."""
    down: Array
    bicubic: Array
    """(points, aliases): response squared of bicubic downsampling."""
    images: tuple[tuple[Array, Array, Array], ...]
    """What a movement, shared out bilinearly to pixels, responds to: (across, down, weight), for each frequency
    itself and its nearest images beyond half a cycle per pixel."""
    cell: NDArray[np.int64]
    """(points,)"""

    def mean(self, values: Array) -> Array:
        """(points,) → (cells,); NaN where a cell has no point."""
        cells = BANDS * SECTORS
        with np.errstate(invalid="ignore"):
            found: Array = np.bincount(self.cell, values, cells) / np.bincount(self.cell, minlength=cells)
        return found


@cache
def grid(side: int, scale: int) -> Grid:
    """For pictures of `side` pixels, of a face to be restored at scale · side pixels."""
    cells = _cells(side)
    k = np.rint(np.fft.fftfreq(side) * side)
    down, across = (plane.ravel() for plane in np.meshgrid(k, k, indexing="ij"))
    half = (across > 0) | ((across == 0) & (down > 0))
    rows = []
    for cell in range(BANDS * SECTORS):
        found = np.flatnonzero((cells.ravel() == cell) & half)
        if len(found):
            rows.append(found[np.unique(np.linspace(0, len(found) - 1, POINTS).astype(int))])
    points = np.concatenate(rows)
    across, down = across[points], down[points]
    shifts = np.arange(scale) - scale // 2
    shifts = side * shifts[np.abs(shifts) <= ALIASES]
    alias_across = (across[:, None, None] + shifts[:, None] + 0 * shifts).reshape(len(across), -1)
    alias_down = (down[:, None, None] + shifts + 0 * shifts[:, None]).reshape(len(across), -1)
    clean = _clean_power(alias_across, alias_down) * (side / SIDE) ** 2
    alias_across, alias_down = alias_across / (scale * side), alias_down / (scale * side)
    taps = cubic(scale).numpy()
    bicubic = _transform(taps, alias_across) * _transform(taps, alias_down)
    # Taps of a kernel for an even scale lie half a pixel off its middle: there images change their sign.
    sign = 1 if scale % 2 else -1
    images = tuple(
        (x, y, sign ** (i + j) * np.sinc(x) ** 2 * np.sinc(y) ** 2)
        for i, x in enumerate((alias_across, alias_across - np.sign(alias_across)))
        for j, y in enumerate((alias_down, alias_down - np.sign(alias_down)))
    )
    return Grid(clean, alias_across, alias_down, bicubic, images, cells.ravel()[points])


def _transform(taps: Array, frequency: Array) -> Array:
    """Response squared of a symmetric filter at frequencies in cycles per tap."""
    at = np.arange(len(taps)) - (len(taps) - 1) / 2
    response: Array = np.cos(2 * np.pi * frequency[..., None] * at) @ taps
    return response**2


def _clean_power(across: Array, down: Array) -> Array:
    """Power of a clean face of 256 pixels at any frequency, in cycles over its side; beyond the bands straight on."""
    mean = prior().mean
    step = np.log(EDGES[1] / EDGES[0])
    band = (np.log(np.maximum(np.hypot(across, down), 1)) - np.log(EDGES[0])) / step - 0.5
    band = np.maximum(band, -3)
    below = np.clip(np.floor(band).astype(np.int64), 0, BANDS - 2)
    turn = np.degrees(np.arctan2(-down, across)) / (180 / SECTORS)
    sector = np.floor(turn).astype(np.int64)

    def along(sector: NDArray[np.int64]) -> Array:
        low, high = mean[below, sector % SECTORS], mean[below + 1, sector % SECTORS]
        found: Array = low + (band - below) * (high - low)
        return found

    power: Array = np.exp(along(sector) + (turn - sector) * (along(sector + 1) - along(sector)))
    return power


def response(kernel: Kernel, grid: Grid) -> Array:
    """|H|² of a kernel at the grid's frequencies."""
    if kernel.kind == "bicubic":
        return grid.bicubic
    radians = np.radians(kernel.angle)
    along = np.cos(radians) * grid.across - np.sin(radians) * grid.down
    if kernel.kind == "gaussian":
        beside = np.cos(radians) * grid.down + np.sin(radians) * grid.across
        exponent = (kernel.length * along) ** 2 + (kernel.length * kernel.ratio * beside) ** 2
        return np.asarray(np.exp(-4 * np.pi**2 * exponent))
    motion = np.zeros_like(along)
    for across, down, weight in grid.images:
        shifted = np.cos(radians) * across - np.sin(radians) * down
        motion += weight * np.sinc(kernel.length * shifted)
    return np.asarray(motion**2)


class Likelihood:
    """How well kernels explain the spectrum of an observed face."""

    def __init__(
        self, lumas: Sequence[Array], scale: int, *, noise: float = 0.0, standing: bool = False
    ) -> None:
        """lumas: the face in some frames, (m, m), 8-bit levels.  scale: s.  noise: std per channel, in levels.

        standing: beside it there is an error that doesn't change from frame to frame, as a codec leaves it: as
        strong as the weakest band.
        """
        side = lumas[0].shape[0]
        self._grid = grid(side, scale)
        power, count = log_power(lumas)
        predicted = np.isfinite(self._grid.mean(np.ones(len(self._grid.cell))))
        self._use = predicted & np.isfinite(power) & (count > 3)
        self._power = power[self._use]
        self._clean = self._grid.mean(self._grid.clean.sum(1))[self._use]
        self._covariance = prior().covariance[np.ix_(self._use, self._use)]
        self._chance = 4 / (count[self._use] * len(lumas))
        self._noise = LUMA_GAIN * noise**2 + ROUNDING
        if standing:
            bands = np.where(self._use, power, np.nan).reshape(BANDS, SECTORS)
            bands = bands[np.isfinite(bands).all(1)]
            self._noise = max(self._noise, float(np.exp(bands.mean(1).min())) if len(bands) else 0.0)

    def __call__(self, kernel: Kernel) -> float:
        """Log-likelihood of a kernel, up to a constant."""
        face = self._grid.mean((self._grid.clean * response(kernel, self._grid)).sum(1))[self._use]
        predicted = face + self._noise
        share = face / predicted
        # Faces differ from the mean face; where noise drowns them, their differences don't show.
        variance = share[:, None] * self._covariance * share
        taken = np.log(self._clean / np.maximum(face, 1e-12))
        variance[np.diag_indices_from(variance)] += (
            MODEL_ERROR**2
            + (STEEPNESS_ERROR * taken * share) ** 2
            + (FLOOR_ERROR**2 + self._chance) * (1 - share) ** 2
        )
        return log_density(self._power - np.log(predicted), variance)


def log_density(deviation: Array, covariance: Array) -> float:
    """Log of a normal density about 0, up to a constant."""
    root = cholesky(covariance, lower=True, check_finite=False)
    z = solve_triangular(root, deviation, lower=True, check_finite=False)
    return float(-z @ z / 2 - np.log(np.diag(root)).sum())
