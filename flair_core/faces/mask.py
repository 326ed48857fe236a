"""Where a restored face replaces the footage: the masks m_t of an aligned face, float32 (S, S) in [0, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    Mask = NDArray[np.float32]

# Centre and semi-axes of the ellipse around an aligned face, as fractions of its side.
ELLIPSE_CENTRE = (0.5, 0.535)
ELLIPSE_AXES = (0.34, 0.42)


def elliptical(size: int, feather: float) -> Mask:
    """Forehead to chin of the average face; `feather` in pixels of the crop."""
    centre, axes = np.multiply(ELLIPSE_CENTRE, size) - 0.5, np.multiply(ELLIPSE_AXES, size)
    return feathered(_ellipse(size, centre, axes, 0), feather)


def from_landmarks(landmarks: NDArray[np.float64], size: int, feather: float) -> Mask:
    """An ellipse around five landmarks (5, 2) in pixels of the crop: it follows a face that is turned."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    down = mouth - eyes
    height = float(np.hypot(*down))
    width = float(np.hypot(*(landmarks[1] - landmarks[0])))
    # Of the average face this gives the ellipse above. The eyes of a profile lie close together, but a head
    # is never much narrower than it is tall.
    axes = np.array([max(1.38 * width, 1.15 * height), 1.64 * height])
    degrees = float(np.degrees(np.arctan2(-down[0], down[1])))
    return feathered(_ellipse(size, eyes + 0.26 * down, axes, degrees), feather)


def from_labels(labels: NDArray[np.integer], classes: Collection[int], feather: float) -> Mask:
    """The given classes of a parser's label map (S, S); whatever covers the face stays out."""
    return feathered(np.isin(labels, list(classes)), feather)


def feathered(inside: NDArray[np.bool_], feather: float) -> Mask:
    """Soften a region (S, S) inwards over `feather` pixels, and towards the crop's border as well.

    It never grows, so nothing but face is replaced.
    """
    # The edge of the crop counts as outside: a face that fills it must not end in a hard line.
    padded = np.pad(inside, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    ramp = np.clip((distance - 0.5) / max(feather, 1), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def steadied(masks: NDArray[np.float32], frames: float) -> NDArray[np.float32]:
    """Masks (n, S, S) of consecutive frames, averaged over about `frames` neighbours on either side."""
    return np.asarray(ndimage.gaussian_filter1d(masks, frames, axis=0, mode="nearest"), np.float32)


def _ellipse(
    size: int, centre: NDArray[np.float64], axes: NDArray[np.float64], degrees: float
) -> NDArray[np.bool_]:
    """The pixels (S, S) within an ellipse."""
    x, y = np.meshgrid(np.arange(size) - centre[0], np.arange(size) - centre[1])
    angle = np.radians(degrees)
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    inside: NDArray[np.bool_] = (along / axes[0]) ** 2 + (across / axes[1]) ** 2 <= 1
    return inside
