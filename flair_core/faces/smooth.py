"""A Kalman filter over the landmarks of one face, and its smoother, by which a path never lags."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flair_core.faces.align import transform, zoom

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]


@dataclass(slots=True)
class Belief:
    """Where the landmarks (5, 2) of a face are in a frame; all coordinates share one variance (pixels²)."""

    motion: Points
    """(2, 3) how the face got here from the frame before."""
    expected: Points
    """Landmarks before anything was measured in this frame."""
    expected_variance: float
    points: Points
    variance: float

    @classmethod
    def initial(cls, points: Points, noise: float) -> Belief:
        """Of a first frame, measured with std `noise` in pixels."""
        return cls(np.eye(2, 3), points, noise**2, points, noise**2)

    def moved(self, motion: Points, noise: float) -> Belief:
        """One frame on; the motion is known with std `noise` in pixels."""
        points = transform(motion, self.points)
        variance = zoom(motion) ** 2 * self.variance + noise**2
        return Belief(motion, points, variance, points, variance)

    def measure(self, points: Points, noise: float) -> None:
        """Take in landmarks measured with std `noise` pixels; the more they surprise, the less they count."""
        innovation = points - self.points
        surprise = float((innovation**2).mean()) / (self.variance + noise**2)
        gain = self.variance / (self.variance + noise**2 * max(1.0, surprise))
        self.points = self.points + gain * innovation
        self.variance *= 1 - gain


def smoothed(beliefs: list[Belief]) -> Points:
    """(n, 5, 2) landmarks of n consecutive frames given all measurements (Rauch, Tung and Striebel 1965)."""
    points = beliefs[-1].points
    path = [points]
    for now, then in zip(beliefs[-2::-1], beliefs[:0:-1], strict=True):
        # The gain is P Aᵀ / P⁻ with A the linear part of the motion: a rotation times a zoom.
        gain = now.variance / then.expected_variance
        points = now.points + gain * (points - then.expected) @ then.motion[:, :2]
        path.append(points)
    return np.stack(path[::-1])
