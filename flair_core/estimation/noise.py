"""Strength of the noise, also where JPEG has rounded most of it away."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.special import ndtr

from flair_core.degradations.jpeg import BLOCK, TO_YCBCR, quantisation
from flair_core.estimation.compression import block_coefficients

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flair_core.estimation.compression import Compression

    Frame = NDArray[np.uint8]
    Array = NDArray[np.float64]

LAPLACIANS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64) / 6
"""Difference of two Laplacians, blind to smooth shading; noise keeps its variance (Immerkær, 1996)."""
TILE = 6
CALM = 0.25
"""Share of the tiles that is looked at: those where least happens, in space and in time."""
NEAR_BLACK, NEAR_WHITE = 3, 252
"""Outside of these levels noise is cut off."""
LUMA_GAIN = float(np.sqrt((TO_YCBCR[0].numpy() ** 2).sum()))
"""Std of luma for noise of std 1 in R, G and B."""
LEAST_EVIDENCE = 4.0
"""Nats by which noise must explain quantised coefficients better than no noise."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Std per channel, in 8-bit levels, and how sure it is."""

    std: float
    confidence: float
    """In [0, 1]: chance that it is within 15 %, or within a level."""


def noise_level(frames: Sequence[Frame], compression: Compression) -> Noise:
    """Std of white noise that differs from frame to frame; frames (H, W, 3) follow each other."""
    if compression.quality is not None:
        return _quantised(frames, compression)
    return _plain(frames)


def _plain(frames: Sequence[Frame]) -> Noise:
    """From differences of neighbouring frames, high-passed: what stands still or is smooth cancels.

    Robust: the median over the calmest tiles, chosen by what the frames show when blurred. A single frame is
    only high-passed, and texture then counts as noise.
    """
    values, busy = [], []
    if len(frames) == 1:
        parts = [(frames[0].astype(np.float64), frames[0].astype(np.float64))]
    else:
        parts = [(a.astype(np.float64) - b, (a.astype(np.float64) + b) / 2) for a, b in pairwise(frames)]
    for difference, picture in parts:
        if len(frames) > 1 and not difference.any():
            continue  # a frame shown twice
        high = cv2.filter2D(difference, -1, LAPLACIANS) / (1 if len(frames) == 1 else np.sqrt(2))
        blurred = cv2.GaussianBlur(picture, (0, 0), 2)
        slopes = np.abs(np.gradient(blurred, axis=0)) + np.abs(np.gradient(blurred, axis=1))
        changes = np.abs(cv2.GaussianBlur(difference, (0, 0), 2)) if len(frames) > 1 else 0 * slopes
        cut_off = (picture < NEAR_BLACK) | (picture > NEAR_WHITE)
        values.append(_tiles(high).reshape(-1, TILE * TILE * 3))
        busy.append(_tiles(slopes + changes + 1e6 * cut_off).mean((1, 2, 3)))
    if not values:
        return Noise(0.0, 0.5)
    order = np.argsort(np.concatenate(busy), kind="stable")
    calm = np.concatenate(values)[order[: max(20, int(CALM * len(order)))]]
    measured = float(np.median(np.abs(calm))) / 0.6745
    std = float(np.sqrt(max(measured**2 - 1 / 12, 0)))  # pixels were rounded
    chance = 0.8 / np.sqrt(calm.size)  # relative std of a median of absolute values
    return Noise(std, float(np.clip(1.05 - 3 * chance, 0, 1)) * (0.6 if len(frames) == 1 else 1.0))


def _tiles(values: Array) -> Array:
    """(H, W, C) → (tiles, TILE, TILE, C), borders of the filters left out."""
    inner = values[1:-1, 1:-1]
    rows, columns = inner.shape[0] // TILE, inner.shape[1] // TILE
    tiles = inner[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE, -1)
    return tiles.swapaxes(1, 2).reshape(rows * columns, TILE, TILE, -1)


TOP = 3
"""Quantised coefficients of this size and larger are one case."""
FIRST = 3
"""Row plus column of a block's coefficients from which they tell of noise; those below tell of calm."""
CALM_BLOCKS = 0.4
HIDDEN, HIDDEN_SURE = 0.35, 0.6
"""Std of luma's noise, in steps, below which rounding hides much of it; and how often it is within 15 % there."""
STDS = np.geomspace(0.3, 40, 200)
RATIOS = np.geomspace(0.03, 6, 150)
"""Noise std over quantisation step."""
WIDTHS = np.geomspace(0.02, 8, 14)
"""Width of the distribution of what the picture itself contributes, over quantisation step."""


def _quantised(frames: Sequence[Frame], compression: Compression) -> Noise:
    """From how often a quantised coefficient differs from itself one frame later.

    In still blocks both are rounded values of μ + noise with the same unknown μ, Laplacian with an unknown width;
    the noise is what makes the joint counts of all coefficients most likely.
    """
    assert compression.quality is not None
    steps = quantisation(compression.quality)[0].numpy()
    lumas = [frame @ TO_YCBCR[0].numpy() - 128 for frame in frames]
    levels = np.stack([np.rint(block_coefficients(luma, compression.offset) / steps) for luma in lumas])
    if len(levels) < 2 or levels.shape[1] == 0:
        return Noise(0.0, 0.2)
    now, then = (part.reshape(-1, BLOCK, BLOCK) for part in (levels[:-1], levels[1:]))
    order = np.add.outer(np.arange(BLOCK), np.arange(BLOCK))
    moved = np.abs((now - then) * steps)[:, (order > 0) & (order < FIRST)].sum(1)
    calm = np.argsort(moved, kind="stable")[: max(40, int(CALM_BLOCKS * len(moved)))]
    cases = (np.clip(part[calm], -TOP, TOP).astype(np.int64) + TOP for part in (now, then))
    first, second = cases
    likelihood = np.zeros(len(STDS))
    for row, column in np.argwhere(order >= FIRST):
        joint = first[:, row, column] * (2 * TOP + 1) + second[:, row, column]
        count = np.bincount(joint, minlength=(2 * TOP + 1) ** 2)
        best = (_joint_table() @ count).max(1)
        likelihood += np.interp(np.log(STDS / steps[row, column]), np.log(RATIOS), best)
    at = int(likelihood.argmax())
    if likelihood[at] - likelihood[0] < LEAST_EVIDENCE:
        return Noise(0.0, 0.5)
    std = float(STDS[at]) / LUMA_GAIN
    near = np.abs(STDS / STDS[at] - 1) < 0.15
    weight = np.exp(
        (likelihood - likelihood[at]) / 4
    )  # neighbouring coefficients and frames are not independent
    sure = float(weight[near].sum() / weight.sum())
    hidden = STDS[at] < HIDDEN * steps[order >= FIRST].min()
    return Noise(std, sure * HIDDEN_SURE if hidden else sure)


@cache
def _joint_table() -> Array:
    """Log-probability of two quantised values, (RATIOS, WIDTHS, pairs)."""
    mean = np.linspace(-5, 5, 201)
    level = np.arange(-TOP, TOP + 1)
    above = np.where(level == TOP, np.inf, level + 0.5)
    below = np.where(level == -TOP, -np.inf, level - 0.5)
    ratio = RATIOS[:, None, None]
    one = ndtr((above - mean[:, None]) / ratio) - ndtr((below - mean[:, None]) / ratio)
    width = np.exp(-np.abs(mean) / WIDTHS[:, None])
    width /= width.sum(1, keepdims=True)
    both = np.einsum("bm,rmi,rmj->rbij", width, one, one, optimize=True)
    pairs = both.reshape(len(RATIOS), len(WIDTHS), -1)
    return np.asarray(np.log(0.99 * pairs + 0.01 / pairs.shape[-1]))
