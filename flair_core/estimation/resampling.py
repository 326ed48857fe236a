"""How often footage was enlarged, from the traces of interpolation.

Each row and column of an enlarged picture is a combination of few native pixels by known weights. What it holds
beyond all such combinations is only what was added afterwards: rounding, grain, the error of a codec. That rest jumps
when a factor is too large, for then the picture holds more than so few pixels can say.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

FACTORS = (1, 2, 4, 8, 16)
"""How many times footage may have been enlarged; none in between is looked for."""
ALIGNMENT = FACTORS[-1]
MOST = 384
"""Pixels of a side that are looked at."""
CORNER = 0.42
"""Cycles per pixel along both axes from which nothing but the last noise is expected."""
LANCZOS = (3, 4)
CUBICS = (-0.5, -0.6, -0.75)
"""Of common software: imaging libraries, scalers of video, OpenCV."""
ROUNDED = 0.1
"""Power of the last noise up to which it is no more than rounding."""
DECISIVE, DECISIVE_ROUNDED = 1.4, 4.2
"""Nats of the rest's logarithm by which its jump exceeds its rise up to there, from which it settles the matter. A
plain blur, too, leaves nothing but rounding; its power falls steeply, but does not jump as much."""


def enlargement_traces(lumas: Sequence[Array]) -> int | None:
    """The factor, 2 or more, or None where the traces don't settle it.

    lumas: windows (m, m) of whole frames' luma; their corners are at multiples of 16 pixels of the frame.
    """
    side = min(lumas[0].shape[0], MOST) // ALIGNMENT * ALIGNMENT
    if side < 4 * ALIGNMENT:
        return None
    pictures = [luma[:side, :side] - luma[:side, :side].mean() for luma in lumas]
    rests = [math.log(_corner(pictures))]
    rests += [math.log(_rest(pictures, factor)) for factor in (*FACTORS[1:], 2 * FACTORS[-1])]
    rises = [max(rest - rests[0], 0.0) for rest in rests]
    evidence = [after - 2 * rise for rise, after in pairwise(rises)]
    best = int(np.argmax(evidence))
    least = DECISIVE if rests[0] > math.log(ROUNDED) else DECISIVE_ROUNDED
    return FACTORS[best] if best > 0 and evidence[best] >= least else None


def _corner(pictures: Sequence[Array]) -> float:
    """Mean power of the highest frequencies, per pixel."""
    side = pictures[0].shape[0]
    hann: Array = np.hanning(side)
    window = np.outer(hann, hann) / (hann**2).mean()
    high = np.abs(np.fft.fftfreq(side)) > CORNER
    powers = [np.abs(np.fft.fft2(picture * window)[np.ix_(high, high)]) ** 2 for picture in pictures]
    mean: float = np.mean(powers).item()
    floor: float = mean / side**2
    return max(floor, 1e-3)


def _rest(pictures: Sequence[Array], factor: int) -> float:
    """Mean square of what no enlargement by the factor explains, by the interpolation that leaves least."""
    rests = [
        float(np.mean([((rest @ p) ** 2).mean() / 2 + ((rest @ p.T) ** 2).mean() / 2 for p in pictures]))
        for rest in _complements(pictures[0].shape[0], factor)
    ]
    return max(min(rests), 1e-3)


@cache
def _complements(side: int, factor: int) -> tuple[Array, ...]:
    """For each interpolation a basis (rows) of the signals of `side` pixels that it can't make."""
    reach = max(LANCZOS)
    at = (np.arange(side) + 0.5) / factor - 0.5
    native = np.arange(math.floor(at[0]) - reach + 1, math.ceil(at[-1]) + reach)
    t = np.abs(at[:, None] - native)
    made = [np.maximum(1 - t, 0)]
    made += [np.where(t <= 1, (a + 2) * t**3 - (a + 3) * t**2 + 1, _tail(a, t)) for a in CUBICS]
    made += [np.where(t < n, np.sinc(t) * np.sinc(t / n), 0) for n in LANCZOS]
    bases = []
    for weights in made:
        used = weights[:, np.abs(weights).sum(0) > 1e-9]
        left, singular, _ = np.linalg.svd(used / used.sum(1, keepdims=True))
        bases.append(left[:, int((singular > 1e-6 * singular[0]).sum()) :].T)
    return tuple(bases)


def _tail(a: float, t: Array) -> Array:
    return np.asarray(np.where(t < 2, a * (t**3 - 5 * t**2 + 8 * t - 4), 0))
