"""How a face moved from one frame to the next: sparse optical flow (Lucas and Kanade), checked backwards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from flair_core.faces.align import transform, zoom

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]

CORNERS = 60
"""At most so many points of a face are followed."""
LEAST_CORNERS = 6
RETURN_ERROR = 0.5
"""Pixels by which a point that is followed forth and back may miss its start."""


class Motion(NamedTuple):
    """How a face moved, and how far its points strayed from that, as an RMS in pixels: it turns or speaks."""

    matrix: Points
    """(2, 3) similarity."""
    stray: float


def face_motion(before: NDArray[np.uint8], now: NDArray[np.uint8], landmarks: Points) -> Motion | None:
    """How the face at `landmarks` (5, 2) moved from one grey picture (H, W) to the other.

    None when too few points agree: the face is hidden, out of the picture, blurred or just gone.
    """
    eyes = float(np.hypot(*(landmarks[1] - landmarks[0])))
    start = _corners(before, landmarks, eyes)
    if start is None or len(start) < LEAST_CORNERS:
        return None
    side = int(np.clip(eyes / 2, 9, 21)) | 1
    enough = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.01)
    follow: Any = partial(cv2.calcOpticalFlowPyrLK, winSize=(side, side), maxLevel=3, criteria=enough)
    end, found, _ = follow(before, now, start, None)
    back, returned, _ = follow(now, before, end, None)
    error = np.linalg.norm((back - start)[:, 0], axis=1)
    good = (found[:, 0] == 1) & (returned[:, 0] == 1) & (error < RETURN_ERROR)
    if good.sum() < LEAST_CORNERS or good.mean() < 0.3:
        return None
    start, end = start[good, 0], np.asarray(end)[good, 0]
    # A face is no board: when it turns or speaks its points part.
    matrix, inliers = cv2.estimateAffinePartial2D(start, end, ransacReprojThreshold=max(1.0, 0.03 * eyes))
    if matrix is None or inliers.mean() < 0.3 or not 0.8 < zoom(matrix) < 1.25:
        return None
    matrix = np.asarray(matrix, np.float64)
    strays = (transform(matrix, start) - end)[inliers[:, 0] == 1]
    return Motion(matrix, float(np.sqrt((strays**2).sum(axis=1).mean())))


def _corners(grey: NDArray[np.uint8], landmarks: Points, eyes: float) -> Any:
    """(n, 1, 2) float32 points on the face that are easy to follow; None when there are none."""
    limit = np.array([grey.shape[1], grey.shape[0]])
    centre = landmarks.mean(axis=0)
    low = np.clip(np.floor(centre - 1.7 * eyes), 0, limit).astype(int)
    high = np.clip(np.ceil(centre + 1.7 * eyes), 0, limit).astype(int)
    if (high - low).min() < 8:
        return None
    region = grey[low[1] : high[1], low[0] : high[0]]
    face = np.zeros_like(region)
    middle, axes = np.rint(centre - low).astype(int), np.rint(np.array([1.2, 1.6]) * eyes).astype(int)
    cv2.ellipse(face, middle.tolist(), axes.tolist(), 0, 0, 360, 255, cv2.FILLED)
    corners = cv2.goodFeaturesToTrack(region, CORNERS, 0.01, max(2.0, eyes / 10), mask=face, blockSize=3)
    return None if corners is None else corners + low.astype(np.float32)
