"""Where a restored face replaces the footage: the masks m_t of an aligned face, float32 (S, S) in [0, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.float32]

# Semi-axes and centre of the ellipse around an aligned face, as fractions of its side.
ELLIPSE_CENTRE = (0.5, 0.535)
ELLIPSE_AXES = (0.34, 0.42)
FACE_CLASSES = range(1, 14)
"""Labels of a face parser that count as face: skin, brows, eyes, glasses, ears, nose, lips and mouth."""


def elliptical(size: int, feather: float) -> Mask:
    """The average face's outline, whatever the face; `feather` in pixels of the crop."""
    inside = np.zeros((size, size), np.float32)
    centre, axes = np.multiply(ELLIPSE_CENTRE, size), np.multiply(ELLIPSE_AXES, size)
    _fill_ellipse(inside, centre - 0.5, axes, 0)
    return feathered(inside, feather)


def from_landmarks(landmarks: NDArray[np.float64], size: int, feather: float) -> Mask:
    """An ellipse fitted to five landmarks (5, 2) given in pixels of the crop: follows a turned face."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    down = mouth - eyes
    height = float(np.hypot(*down))
    width = float(np.hypot(*(landmarks[1] - landmarks[0])))
    # In the aligned average face the ellipse is 1.64 eye-mouth distances tall and 1.38 eye distances wide.
    axes = np.array([max(1.38 * width, 0.95 * height), 1.64 * height])
    inside = np.zeros((size, size), np.float32)
    _fill_ellipse(inside, eyes + 0.36 * down, axes, float(np.degrees(np.arctan2(-down[0], down[1]))))
    return feathered(inside, feather)


def from_labels(labels: NDArray[np.integer], feather: float) -> Mask:
    """From a parser's label map (S, S); hair, neck, clothes and whatever covers the face stay out."""
    return feathered(np.isin(labels, FACE_CLASSES).astype(np.float32), feather)


def feathered(inside: Mask, feather: float) -> Mask:
    """Soften a hard mask inwards over about `feather` pixels, to 0 at the crop's border.

    Softening never reaches outside of the given region, so nothing but face is replaced.
    """
    # The edge of the crop counts as outside: a face that fills it must not end in a hard line.
    padded = np.pad(inside > 0.5, 1)
    distance = cv2.distanceTransform(padded.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    ramp = np.clip((distance - 0.5) / max(feather, 1), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def steadied(masks: NDArray[np.float32], frames: float) -> NDArray[np.float32]:
    """Masks (n, S, S) of consecutive frames, averaged over about `frames` neighbours in time."""
    return ndimage.gaussian_filter1d(masks, frames, axis=0, mode="nearest")


def _fill_ellipse(
    canvas: Mask, centre: NDArray[np.float64], axes: NDArray[np.float64], degrees: float
) -> None:
    box = (tuple(map(float, centre)), tuple(map(float, 2 * axes)), degrees)
    cv2.ellipse(canvas, box, 1.0, cv2.FILLED)
