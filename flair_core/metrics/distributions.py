"""Distances between two sets of features: Fréchet and kernel distance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import linalg

from flair_core.metrics.meters import Meter, Pair

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Features = NDArray[np.float64]
    Extractor = Callable[[NDArray[np.uint8]], NDArray[np.floating]]


def frechet_distance(a: Features, b: Features) -> float:
    """|μ_a − μ_b|² + tr(Σ_a + Σ_b − 2 (Σ_a Σ_b)^½) of the Gaussians fitted to (n, d) and (m, d) features.

    Covariances have n − 1 in the denominator. Fewer samples than features bias the distance upwards: compare
    only figures that come from equally many. With Σ = RᵀR the trace of the root is the sum of the singular
    values of R_a R_bᵀ: no root of a matrix is needed. NaN for fewer than two samples.
    """
    if len(a) < 2 or len(b) < 2:
        return float("nan")
    x, y = (np.asarray(np.linalg.qr((f - f.mean(0)) / np.sqrt(len(f) - 1), mode="r")) for f in (a, b))
    root = linalg.svdvals(x @ y.T).sum()
    return float(((a.mean(0) - b.mean(0)) ** 2).sum() + (x**2).sum() + (y**2).sum() - 2 * root)


def kernel_distance(a: Features, b: Features) -> float:
    """Unbiased MMD² under k(u, v) = (u·v/d + 1)³ (Bińkowski et al., 2018), over all samples at once.

    It may come out below 0 for sets that are alike. NaN for fewer than two samples.
    """
    n, m = len(a), len(b)
    if n < 2 or m < 2:
        return float("nan")

    def kernel(u: Features, v: Features) -> Features:
        values: Features = (u @ v.T / u.shape[1] + 1) ** 3
        return values

    aa, bb = kernel(a, a), kernel(b, b)
    within = (aa.sum() - aa.trace()) / (n * (n - 1)) + (bb.sum() - bb.trace()) / (m * (m - 1))
    return float(within - 2 * kernel(a, b).mean())


def paired_kernel_distance(a: Features, b: Features) -> float:
    """The same of (n, d) and (n, d) features where row i of both is of one picture (Gretton et al., 2012, lemma 6).

    k(aᵢ, bᵢ) is left out like k(aᵢ, aᵢ): the mean over i ≠ j of k(aᵢ, aⱼ) + k(bᵢ, bⱼ) − k(aᵢ, bⱼ) − k(aⱼ, bᵢ). So it is
    0 for equal sets, and unbiased for few pictures. NaN for fewer than two.
    """
    n = len(a)
    if n < 2:
        return float("nan")
    aa, bb, ab = ((u @ v.T / u.shape[1] + 1) ** 3 for u, v in ((a, a), (b, b), (a, b)))
    each = aa + bb - ab - ab.T
    return float((each.sum() - each.trace()) / (n * (n - 1)))


class FrameFeatures(Meter):
    """A distance between the features of all clean and all restored frames."""

    def __init__(self, extract: Extractor, distance: Callable[[Features, Features], float]) -> None:
        """extract: frames (n, H, W, 3) uint8 → features (n, d)."""
        self._extract, self._distance = extract, distance
        self._clean: list[Features] = []
        self._restored: list[Features] = []

    def add(self, pair: Pair) -> None:
        """See Meter; a single pair has no value."""
        if pair.mask is not None and not pair.mask.any():
            return
        clean, restored = self._extract(np.stack(pair.hidden())).astype(np.float64)
        self._clean.append(clean)
        self._restored.append(restored)

    def cut(self) -> None:
        """Frames are independent."""

    def result(self) -> float:
        """See Meter."""
        return self._distance(np.array(self._clean), np.array(self._restored))


class ClipFeatures(Meter):
    """The same for pieces of `length` frames, one every `stride` frames of each clip."""

    def __init__(
        self, extract: Extractor, distance: Callable[[Features, Features], float], length: int, stride: int
    ) -> None:
        """extract: pieces (n, length, H, W, 3) uint8 → features (n, d)."""
        self._frames = FrameFeatures(extract, distance)
        self._length, self._stride = length, stride
        self._piece: list[tuple[NDArray[np.uint8], NDArray[np.uint8]]] = []

    def add(self, pair: Pair) -> None:
        """See Meter; a single pair has no value."""
        self._piece.append(pair.hidden())
        if len(self._piece) == self._length:
            clean, restored = zip(*self._piece, strict=True)
            self._frames.add(Pair(np.stack(clean), np.stack(restored)))
            self._piece = self._piece[self._stride :]

    def cut(self) -> None:
        """See Meter."""
        self._piece = []

    def result(self) -> float:
        """See Meter."""
        return self._frames.result()
