"""Smooth motion of stills: clips for the temporal stage out of photographs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Map = NDArray[np.float32]

SHIFT, TURN, ZOOM, WARP = 2.0, 0.008, 0.004, 0.7
"""Std of the motion from frame to frame at full pace: pixels, radians, log scale, pixels of the non-rigid part."""
BEND = 0.2
"""How much faster or slower the motion gets within one frame, relative to its pace."""
GRID = 5
"""Nodes a side of the non-rigid part; between them it is smooth."""


def moving(still: Pixels, corner: NDArray[np.int64], frames: int, side: int, rng: Generator) -> Pixels:
    """A crop (T, side, side, 3) at `corner` (x, y) of a still (S, S, 3), in motion.

    Shift, turn, zoom and a gentle warp, all of one pace, between still and some pixels a frame.
    """
    pace = 2.0 ** rng.uniform(-4, 1)
    courses = pace * _course(frames, 4 + 2 * GRID**2, rng)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1) + corner
    centre = corner + (side - 1) / 2
    return np.stack([_cut(still, _positions(grid, centre, course)) for course in courses])


def _course(frames: int, count: int, rng: Generator) -> NDArray[np.floating]:
    """(T, count): where each of `count` quantities is in every frame; velocity of std 1, slowly changing."""
    time = np.arange(frames)[:, None] - (frames - 1) / 2
    velocity, change = rng.normal(size=(2, 1, count))
    course: NDArray[np.floating] = velocity * time + BEND * change * time**2 / 2
    return course


def _positions(grid: NDArray[np.int64], centre: NDArray[np.floating], course: NDArray[np.floating]) -> Map:
    """(side, side, 2): where each pixel of the crop comes from in the face."""
    across, down, turn, zoom = course[:4] * (SHIFT, SHIFT, TURN, ZOOM)
    cos, sin = np.exp(zoom) * np.cos(turn), np.exp(zoom) * np.sin(turn)
    moved = (grid - centre) @ np.array([(cos, sin), (-sin, cos)]) + centre + (across, down)
    nodes = WARP * course[4:].reshape(GRID, GRID, 2).astype(np.float32)
    bent = cv2.resize(nodes, grid.shape[:2], interpolation=cv2.INTER_CUBIC)
    return np.asarray(moved + bent, np.float32)


def _cut(still: Pixels, positions: Map) -> Pixels:
    x, y = np.moveaxis(positions, -1, 0)
    cut = cv2.remap(still, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(cut, np.uint8)
