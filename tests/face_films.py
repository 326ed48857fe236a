"""Films of faces whose paths are known: the astronaut's (public domain, in scikit-image) before a wall."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
import skimage.data

from flair_core.faces.align import similarity, template, transform
from flair_core.frames import Frame

ASTRONAUT = np.array([(203.1, 101.9), (246.4, 104.2), (222.5, 127.7), (199.9, 142.3), (239.4, 144.4)])
"""Eyes, nose and mouth in the picture, by YuNet."""
SIDE = 128
WIDTH, HEIGHT = 320, 240


@cache
def face(other: bool = False) -> np.ndarray:
    """An aligned face of SIDE pixels; the other one is mirrored and green."""
    matrix = similarity(ASTRONAUT, SIDE)
    rgb = cv2.warpAffine(skimage.data.astronaut(), matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
    return np.ascontiguousarray(rgb[:, ::-1, [1, 0, 2]] if other else rgb)


def place(x: float, y: float, zoom: float = 1, roll: float = 0) -> np.ndarray:
    """(2, 3) map from the aligned face into the frame: centre in pixels, roll in degrees."""
    matrix = cv2.getRotationMatrix2D((SIDE / 2, SIDE / 2), roll, zoom)
    matrix[:, 2] += np.array([x, y]) - SIDE / 2
    return matrix


def landmarks(matrix: np.ndarray) -> np.ndarray:
    return transform(matrix, template(SIDE))


def picture(*faces: tuple[bool, np.ndarray], size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """Faces (which one, where) in front of a wall; the later ones hide the earlier."""
    wall = cv2.resize(skimage.data.brick(), size, interpolation=cv2.INTER_AREA)
    frame = np.repeat(wall[..., None], 3, axis=2).astype(np.float32)
    oval = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(oval, (SIDE // 2, SIDE // 2), (54, 60), 0, 0, 360, 1.0, cv2.FILLED)
    for other, matrix in faces:
        alpha = cv2.warpAffine(oval, matrix, size)[..., None]
        moved = cv2.warpAffine(face(other).astype(np.float32), matrix, size, flags=cv2.INTER_AREA)
        frame = alpha * moved + (1 - alpha) * frame
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def film(pictures: list[np.ndarray], first: int = 0) -> list[Frame]:
    return [Frame(rgb, index, index) for index, rgb in enumerate(pictures, first)]
