"""Search for the blur that explains a spectrum best."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from flair_core.estimation.spectrum import Kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Likelihood = Callable[[Kernel], float]
    """Log-likelihood of a kernel."""

COST = {"bicubic": 0.0, "round": 1.5, "motion": 5.0, "stretched": 6.0}
"""Nats that a kernel must earn: a flexible one fits the chance of a spectrum, and plain resizing is common."""
TOLERANCE = 0.2
"""Relative error of a length up to which an estimate counts as right."""
ANGLES = np.arange(0, 180, 15.0)
EVALUATIONS = 60


@dataclass(frozen=True, slots=True)
class Blur:
    """The best kernel of each kind, and how sure it is."""

    kernel: Kernel
    sure: float
    """Chance that the kind is right, in [0, 1]."""
    exact: float
    """Chance that the length is right within TOLERANCE, if the kind is."""
    evidence: float = 0.0
    """Log-likelihood less the cost of the parameters, where kernels were searched for."""

    def longer(self, times: float) -> Blur:
        """The same in other units of length."""
        return replace(self, kernel=replace(self.kernel, length=self.kernel.length * times))


def find_blur(likelihood: Likelihood, scale: int) -> Blur:
    """The most likely blur for a scale: bicubic, a round or stretched Gaussian, or a motion."""
    round_one = _round(likelihood, scale)
    found = {
        Kernel("bicubic"): likelihood(Kernel("bicubic")),
        round_one: likelihood(round_one) - COST["round"],
    }
    stretched, motion = _stretched(likelihood, round_one, scale), _motion(likelihood, scale)
    found[stretched] = likelihood(stretched) - COST["stretched"]
    found[motion] = likelihood(motion) - COST["motion"]
    best = max(found, key=lambda kernel: found[kernel])
    weight = {kernel: math.exp(value - found[best]) for kernel, value in found.items()}
    same = sum(value for kernel, value in weight.items() if kernel.kind == best.kind)
    sure = same / sum(weight.values())
    return Blur(best, sure, _exactness(likelihood, best), found[best])


def lengths(scale: int) -> tuple[float, float]:
    """Std of the narrowest and widest Gaussian that is looked for: narrower ones leave no trace at this scale."""
    return max(0.4, 0.15 * scale), 2 + 3 * scale


def _round(likelihood: Likelihood, scale: int) -> Kernel:
    low, high = lengths(scale)
    coarse = np.geomspace(low, high, 14)
    start = max(coarse, key=lambda length: likelihood(Kernel("gaussian", length)))

    def kernel(x: Sequence[float]) -> Kernel:
        return Kernel("gaussian", float(np.clip(math.exp(x[0]), low, high)))

    return _climb(likelihood, kernel, [math.log(start)], [0.1])


def _stretched(likelihood: Likelihood, round_one: Kernel, scale: int) -> Kernel:
    tries = [
        Kernel("gaussian", round_one.length / math.sqrt(ratio), ratio, angle)
        for angle in ANGLES
        for ratio in (0.4, 0.65)
    ]
    start = max(tries, key=likelihood)

    low, high = lengths(scale)

    def kernel(x: Sequence[float]) -> Kernel:
        length, ratio = np.clip(math.exp(x[0]), low, high), np.clip(math.exp(x[1]), 0.25, 1)
        return Kernel("gaussian", float(length), float(ratio), float(x[2]))

    at = [math.log(start.length), math.log(start.ratio), start.angle]
    return _climb(likelihood, kernel, at, [0.1, 0.15, 9.0])


def _motion(likelihood: Likelihood, scale: int) -> Kernel:
    tries = [
        Kernel("motion", length, 1.0, angle)
        for length in np.geomspace(max(2.5, scale), 31, 10)
        for angle in ANGLES
    ]
    start = max(tries, key=likelihood)

    def kernel(x: Sequence[float]) -> Kernel:
        return Kernel("motion", math.exp(x[0]), 1.0, float(x[1]))

    return _climb(likelihood, kernel, [math.log(start.length), start.angle], [0.15, 9.0])


def _climb(
    likelihood: Likelihood, kernel: Callable[[Sequence[float]], Kernel], at: list[float], steps: list[float]
) -> Kernel:
    """From a start uphill (Nelder and Mead, 1965)."""
    simplex = np.array([at, *(at + np.eye(len(at))[i] * step for i, step in enumerate(steps))])
    options = {"initial_simplex": simplex, "maxfev": EVALUATIONS, "xatol": 0.01, "fatol": 0.05}
    return kernel(minimize(lambda x: -likelihood(kernel(x)), at, method="Nelder-Mead", options=options).x)


def _exactness(likelihood: Likelihood, kernel: Kernel) -> float:
    """Chance that the true length is within TOLERANCE, from how fast the likelihood falls on both sides."""
    if kernel.kind == "bicubic":
        return 1.0
    shorter, longer = (
        Kernel(kernel.kind, kernel.length * factor, kernel.ratio, kernel.angle)
        for factor in (1 / (1 + TOLERANCE), 1 + TOLERANCE)
    )
    at = likelihood(kernel)
    fall = at - max(likelihood(shorter), likelihood(longer))
    # For a Gaussian posterior a fall by d at the tolerance means a std of tolerance / sqrt(2 d).
    return math.erf(math.sqrt(max(fall, 0)))
