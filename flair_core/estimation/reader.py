"""Small networks that read off a face how it was enlarged and, where JPEG has rounded it, how it was blurred.

What JPEG leaves of a blur depends on the face, the noise, the steps and what sampling folds together: a formula for
it (`spectrum.py`) holds without JPEG and fails with it. Networks that have seen many faces degraded in known ways
(`python -m benchmarks.blur_reader`) weigh all of it, and know how sure they can be: they predict the chance of each
kind, and a mean and std of the logarithm of each length.
"""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf, softmax

from flair_core.degradations.jpeg import quantisation
from flair_core.estimation.blur import TOLERANCE, Blur
from flair_core.estimation.compression import block_coefficients
from flair_core.estimation.spectrum import LUMA_GAIN, ROUNDING, SIDE, Kernel, log_power

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

WEIGHTS = "blur_reader.npz"
KINDS = ("bicubic", "round", "stretched", "motion")
SCALES = (1, 2, 4, 8, 16)
FACTORS = (1, 2, 4, 8)
"""How many times footage may have been enlarged."""
LOW = [(row, column) for row in range(4) for column in range(4) if row + column > 0]
"""Coefficients whose correlations tell a direction from its mirror image."""
LENGTH = 1.2
"""Logarithm of a usual length; networks predict differences from it."""
EXTREME = 6.0
"""Std from the mean at which inputs are cut off: faces unlike any that the network has seen."""


def usual_scale(observed: int) -> int:
    """The scale at which a face of so many pixels comes nearest to SIDE."""
    return min(SCALES, key=lambda scale: abs(math.log(scale * observed / SIDE)))


def spectrum_inputs(power: Array, observed: int, noise: float) -> Array:
    """What a network is told of a spectrum.

    power: (cells,) of `log_power`, NaN where there is none.  observed: side of the face in pixels.
    noise: std per channel, in 8-bit levels.
    """
    scale = usual_scale(observed)
    floor = math.log(LUMA_GAIN * noise**2 + ROUNDING)
    seen = np.isfinite(power)
    return np.concatenate(
        [
            np.where(seen, np.clip(power, -4, 14), 0) / 4,
            seen,
            [scale == one for one in SCALES],
            [floor / 3, 3 * math.log(scale * observed / SIDE)],
            np.where(seen, np.clip(power - floor, -3, 9), 0) / 3,
        ]
    )


def block_inputs(lumas: Sequence[Array], offsets: Sequence[tuple[int, int]], quality: int) -> Array:
    """What a network is told of compressed blocks: what rounding has left of each coefficient.

    lumas: the face in some frames, (m, m), 8-bit levels.  offsets: where whole blocks begin in each.
    """
    steps = quantisation(quality)[0].numpy()
    found = [block_coefficients(luma - 128, offset) for luma, offset in zip(lumas, offsets, strict=True)]
    levels = np.rint(np.concatenate(found) / steps)
    low = np.stack([(levels * steps)[:, row, column] for row, column in LOW], 1)
    together = low.T @ low / len(low)
    std = np.sqrt(np.diag(together)) + 1e-3
    correlation = (together / np.outer(std, std))[np.triu_indices(len(LOW), 1)]
    # A coefficient that was lost in every block counts as if half of one had survived.
    power = np.log((levels**2).mean(0).ravel()[1:] + 0.5 / len(levels))
    step = np.log(steps.ravel()[1:] ** 2)
    return np.concatenate(
        [
            (power + 2) / 4,
            (power + step - 4) / 4,
            2 * (levels != 0).mean(0).ravel()[1:] - 1,
            correlation,
            (step - 5) / 2,
            [quality / 50 - 1.3, math.log(len(levels) / 256)],
        ]
    )


def read_blur(lumas: Sequence[Array], offsets: Sequence[tuple[int, int]], noise: float, quality: int) -> Blur:
    """The blur of a compressed face; lengths are in pixels of a face `usual_scale` times the observed one.

    lumas: the face in some frames, (m, m), 8-bit levels.  offsets: where whole blocks begin in each.
    noise: std per channel, in levels.  quality: of JPEG.
    """
    inputs = spectrum_inputs(log_power(lumas)[0], lumas[0].shape[0], noise)
    return _blur_of(_answer("coded", np.concatenate([inputs, block_inputs(lumas, offsets, quality)])))


def read_enlargement(lumas: Sequence[Array]) -> dict[int, float]:
    """The chance of each of FACTORS; lumas: the face in some frames, (m, m), 8-bit levels."""
    inputs = spectrum_inputs(log_power(lumas)[0], lumas[0].shape[0], 0.0)
    return dict(zip(FACTORS, softmax(_answer("enlarged", inputs)).tolist(), strict=True))


def _blur_of(answer: Array) -> Blur:
    """From a network's 15 numbers: chances of KINDS, then mean and log std of each length, shapes and angles."""
    plain, round_one, stretched, motion = softmax(answer[:4])
    best = int(np.argmax([plain, round_one + stretched, motion]))
    if best == 0:
        return Blur(Kernel("bicubic"), float(plain), 1.0)
    if best == 2:
        mean, spread, cosine, sine = answer[11:15]
        kernel, sure = Kernel("motion", math.exp(mean + LENGTH), 1.0, _angle(cosine, sine)), motion
    elif stretched > round_one:
        mean, spread, ratio, cosine, sine = answer[6:11]
        ratio = float(np.clip(ratio, 0.25, 1))
        kernel = Kernel("gaussian", math.exp(mean + LENGTH), ratio, _angle(cosine, sine))
        sure = round_one + stretched
    else:
        mean, spread = answer[4:6]
        kernel, sure = Kernel("gaussian", math.exp(mean + LENGTH)), round_one + stretched
    exact = erf(TOLERANCE / math.sqrt(2) / math.exp(np.clip(spread, -4, 2)))
    return Blur(kernel, float(sure), float(exact))


def _angle(cosine: float, sine: float) -> float:
    """Degrees, from a direction of twice the angle."""
    return math.degrees(math.atan2(sine, cosine)) / 2


def _answer(name: str, inputs: Array) -> Array:
    """The mean of a few networks of the same kind."""
    mean, std, networks = _networks(name)
    at = np.clip((inputs - mean) / std, -EXTREME, EXTREME)
    outputs = []
    for layers in networks:
        x = at
        for number, (weight, bias) in enumerate(layers):
            x = weight @ x + bias
            if number < len(layers) - 1:
                x = x * (1 + erf(x / math.sqrt(2))) / 2
        outputs.append(x)
    return np.asarray(np.mean(outputs, 0))


@cache
def _networks(name: str) -> tuple[Array, Array, list[list[tuple[Array, Array]]]]:
    """Mean and std of the inputs, and for each network its layers' weights and biases."""
    with (files("resources") / WEIGHTS).open("rb") as file:
        stored = {
            key: value.astype(np.float64) for key, value in np.load(file).items() if key.startswith(name)
        }
    networks: list[list[tuple[Array, Array]]] = []
    while f"{name}.{len(networks)}.0.weight" in stored:
        head = f"{name}.{len(networks)}"
        layers: list[tuple[Array, Array]] = []
        while f"{head}.{len(layers)}.weight" in stored:
            at = f"{head}.{len(layers)}"
            layers.append((stored[f"{at}.weight"], stored[f"{at}.bias"]))
        networks.append(layers)
    return stored[f"{name}.mean"], stored[f"{name}.std"], networks
