"""Where a restored face replaces the footage: the masks m_t of an aligned face, float32 (S, S) in [0, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from flair_core.settings.drawn import Stroke

    Mask = NDArray[np.float32]

# Centre and semi-axes of the ellipse around an aligned face, as fractions of its side.
ELLIPSE_CENTRE = (0.5, 0.535)
ELLIPSE_AXES = (0.34, 0.42)
FLOW_SIZE = 128
"""Side of the pictures between which the motion of masks is looked for, in pixels."""
SUBPIXEL = 4
"""Bits after the point in coordinates of lines that are drawn."""
REACH = 2
"""Frames to either side over which masks are averaged."""


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


def from_weights(weights: Mask, feather: float) -> Mask:
    """Weights (S, S) in [0, 1] with soft edges: every level fades inwards, so none grows into a lesser one."""
    soft, below = np.zeros_like(weights), 0.0
    for level in np.unique(weights[weights > 0]).tolist():
        soft += (level - below) * feathered(weights >= level, feather)
        below = level
    return soft


def eyes_and_mouth(landmarks: NDArray[np.float64], size: int) -> tuple[Mask, Mask]:
    """Soft masks of both eyes with their brows, and of the mouth, for landmarks (5, 2) in pixels of the crop."""
    across = landmarks[1] - landmarks[0]
    down = landmarks[3:].mean(axis=0) - landmarks[:2].mean(axis=0)
    # Eyes of a profile lie close together, but are not smaller for that.
    unit = max(float(np.hypot(*across)), float(np.hypot(*down)))
    degrees = float(np.degrees(np.arctan2(-down[0], down[1])))
    eyes = np.zeros((size, size), bool)
    for eye in landmarks[:2]:
        eyes |= _ellipse(size, eye - 0.08 * down, np.array([0.36, 0.34]) * unit, degrees)
    mouth = _ellipse(size, landmarks[3:].mean(axis=0), np.array([0.58, 0.34]) * unit, degrees)
    return softened(eyes), softened(mouth)


def softened(inside: NDArray[np.bool_]) -> Mask:
    """A region (S, S) with an edge that is soft on both sides, over about a twentieth of the crop."""
    return np.asarray(cv2.GaussianBlur(inside.astype(np.float32), (0, 0), len(inside) / 50), np.float32)


def feathered(inside: NDArray[np.bool_], feather: float) -> Mask:
    """Soften a region (S, S) inwards over `feather` pixels, and towards the crop's border as well.

    It never grows, so nothing but face is replaced.
    """
    # The edge of the crop counts as outside: a face that fills it must not end in a hard line.
    padded = np.pad(inside, 1).astype(np.uint8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    ramp = np.clip((distance - 0.5) / max(feather, 1), 0, 1)
    return np.asarray(ramp * ramp * (3 - 2 * ramp), np.float32)


def painted(masks: NDArray[np.float32], strokes: Iterable[Stroke], feather: float) -> NDArray[np.float32]:
    """Masks (n, S, S) of a face with strokes of the brush over them, the first stroke first.

    A stroke's edge fades inwards over `feather` pixels, or half its radius where that is less.
    """
    result, size = masks, masks.shape[-1]
    for stroke in strokes:
        radius = max(stroke.radius * size, 0.5)
        # The last point twice: a line of one point is not drawn.
        path = np.asarray((*stroke.points, stroke.points[-1]), np.float64) * size - 0.5
        away = np.full((size, size), 255, np.uint8)
        fine = np.rint(path * 2**SUBPIXEL).astype(np.int32)
        cv2.polylines(away, [fine[:, None]], False, 0, 1, cv2.LINE_8, SUBPIXEL)
        distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        inside = feathered(distance <= radius, min(feather, radius / 2))
        result = result * (1 - inside) if stroke.erases else np.maximum(result, inside)
    return np.asarray(result, np.float32)


def steadied(
    masks: NDArray[np.float32], pictures: NDArray[np.uint8], only: range | None = None
) -> NDArray[np.float32]:
    """Masks (n, S, S) of consecutive frames, each averaged with its neighbours along the motion of the face.

    pictures: (n, S, S) grey, what the masks belong to; optical flow between them leads a neighbour's mask here.
    only: these of them alone are wanted.
    """
    wanted = range(len(masks)) if only is None else only
    flow: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    size = masks.shape[-1]
    here = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1).astype(np.float32)
    small = [np.asarray(cv2.resize(picture, (FLOW_SIZE, FLOW_SIZE)), np.uint8) for picture in pictures]
    steady = np.empty_like(masks[wanted.start : wanted.stop])
    for i in wanted:
        total, weight = masks[i].copy(), 1.0
        for j in range(max(0, i - REACH), min(len(masks), i + REACH + 1)):
            if j == i:
                continue
            share = float(np.exp(-(((j - i) / REACH) ** 2)))
            motion = flow.calc(small[i], small[j], None)
            there = here + cv2.resize(motion, (size, size)) * np.float32(size / FLOW_SIZE)
            nearest = cv2.BORDER_REPLICATE
            total += share * cv2.remap(
                masks[j], there[..., 0], there[..., 1], cv2.INTER_LINEAR, None, nearest
            )
            weight += share
        steady[i - wanted.start] = total / weight
    return steady


def _ellipse(
    size: int, centre: NDArray[np.float64], axes: NDArray[np.float64], degrees: float
) -> NDArray[np.bool_]:
    """The pixels (S, S) within an ellipse."""
    x, y = np.meshgrid(np.arange(size) - centre[0], np.arange(size) - centre[1])
    angle = np.radians(degrees)
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    inside: NDArray[np.bool_] = (along / axes[0]) ** 2 + (across / axes[1]) ** 2 <= 1
    return inside
