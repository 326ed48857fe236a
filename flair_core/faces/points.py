"""Where exactly the landmarks of a roughly known face are: supervised descent (Xiong and De la Torre 2013).

From a guess, the face is aligned into a small patch, described by oriented gradients, and a linear map tells
how far each landmark is off; four such steps settle. A small network says how face-like the end is.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from safetensors.numpy import load

from flair_core.faces.align import inverse, similarity_between, template, transform, zoom

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]

WEIGHTS = "face_points.safetensors"
"""Of resources."""
PATCH = 64
"""Side of the aligned patch, in pixels."""
COVERED = 200
"""What it covers of the aligned face, in pixels of the 256-pixel template: chin and most of the hair."""
CENTRE = (128, 138)
"""Its middle there."""
ROLLS = (-25.0, 0.0, 25.0)
"""Degrees at which the search starts: from each, tilts of about 20 degrees more are found."""

SHAPE: Points = (template(256) - CENTRE + COVERED / 2) * (PATCH / COVERED)
"""(5, 2) the average landmarks in the patch."""
GRADIENTS = cv2.HOGDescriptor((PATCH, PATCH), (16, 16), (8, 8), (8, 8), 9)


class Pyramid:
    """A grey picture (H, W) uint8 and its halves, quarters and so on: patches of large faces don't alias."""

    def __init__(self, grey: NDArray[np.uint8]) -> None:
        self._levels: list[Any] = [grey]

    def patch(self, matrix: Points) -> NDArray[np.uint8]:
        """(PATCH, PATCH) pixels through `matrix` from picture to patch."""
        level = max(0, int(-np.log2(max(zoom(matrix), 1e-6))))
        while len(self._levels) <= level and min(self._levels[-1].shape) > 1:
            self._levels.append(cv2.pyrDown(self._levels[-1]))
        level = min(level, len(self._levels) - 1)
        # pyrDown keeps pixel 0 where it is and drops every other one.
        matrix = matrix * (2**level, 2**level, 1)
        side, border = (PATCH, PATCH), cv2.BORDER_REPLICATE
        return np.asarray(cv2.warpAffine(self._levels[level], matrix, side, borderMode=border), np.uint8)


class PointModel:
    """The linear maps of the descent, `stages` (n, D + 1, 10), and a network that judges where it ends.

    hidden: (D + 1, h) and output: (h + 1,), its two layers; the last row of each is the bias.
    """

    def __init__(
        self, stages: NDArray[np.float32], hidden: NDArray[np.float32], output: NDArray[np.float32]
    ) -> None:
        self.stages, self.hidden, self.output = stages, hidden, output

    def refine(self, pyramid: Pyramid, guess: Points) -> tuple[Points, float]:
        """Landmarks (5, 2) settled from a guess, and their quality: 1 is perfect, 0 is no face."""
        points = guess
        for stage in self.stages:
            matrix, features = describe(pyramid, points)
            points = transform(inverse(matrix), SHAPE + (features @ stage).reshape(5, 2))
        _, features = describe(pyramid, points)
        return points, float(self.quality(features))

    def quality(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """How well landmarks lie, (...) in [0, 1], by the features (..., D + 1) there."""
        active = np.maximum(features @ self.hidden, 0)
        found: NDArray[np.float32] = np.clip(active @ self.output[:-1] + self.output[-1], 0, 1)
        return found

    def search(self, pyramid: Pyramid, guess: Points) -> tuple[Points, float]:
        """Like `refine`, for a guess whose tilt is not known."""
        return max((self.refine(pyramid, start) for start in tilted(guess)), key=lambda result: result[1])


def describe(pyramid: Pyramid, points: Points) -> tuple[Points, NDArray[np.float32]]:
    """The map from picture to patch for these landmarks, and the patch's features (D + 1,); the last is 1."""
    matrix = similarity_between(points, SHAPE)
    return matrix, np.append(GRADIENTS.compute(pyramid.patch(matrix)), np.float32(1))


@cache
def point_model() -> PointModel:
    """The maps that ship with the program."""
    tensors = load((files("resources") / WEIGHTS).read_bytes())
    return PointModel(*(tensors[name].astype(np.float32) for name in ("stages", "hidden", "output")))


def tilted(guess: Points) -> list[Points]:
    """A guess (5, 2) as it is, and turned either way."""
    centre = guess.mean(axis=0)
    turns = np.exp(1j * np.radians(ROLLS))
    points = (guess - centre) @ (1, 1j) * turns[:, None]
    return list(np.stack([points.real, points.imag], axis=-1) + centre)
