"""Where a film cuts from one shot to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy import ndimage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.frames import Frame
    from flair_core.video import FrameSource

SMALL = (64, 36)
LEAST_CORRELATION = 0.5
"""Neighbouring frames of one shot resemble each other at least so much, even in a fast pan."""
LEAST_CHANGE = 0.35
"""Share of the pixels that change their place in the colour histogram at a cut."""


class ShotDetector:
    """Told one frame after the other, says which ones start a shot."""

    def __init__(self) -> None:
        self._last: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def starts(self, rgb: NDArray[np.uint8]) -> bool:
        """Whether this frame, (H, W, 3), starts a shot; the first one does.

        A cut changes both the layout and the colours. Movement changes only the layout, and a flash or a fade
        only the colours.
        """
        small = np.asarray(cv2.resize(rgb, SMALL, interpolation=cv2.INTER_AREA))
        counts, _ = np.histogramdd(small.reshape(-1, 3), bins=(8, 8, 8), range=[(0, 256)] * 3)
        # Blurred, so that a slight change of light does not move every pixel to the next bin.
        colours = ndimage.gaussian_filter(counts, 0.7).astype(np.float32) / counts.sum()
        layout = ndimage.gaussian_filter(small.astype(np.float32), (1, 1, 0))
        layout = (layout - layout.mean()) / (layout.std() + 2)
        last, self._last = self._last, (layout, colours)
        if last is None:
            return True
        correlation = float((layout * last[0]).mean())
        change = 0.5 * float(np.abs(colours - last[1]).sum())
        return correlation < LEAST_CORRELATION and change > LEAST_CHANGE


def shot_around(source: FrameSource, index: int, reach: int) -> list[Frame]:
    """Frame `index` with its neighbours of the same shot, at most `reach` on either side."""
    detector = ShotDetector()
    shot: list[Frame] = []
    for frame in source.frames(max(index - reach, 0), min(index + reach + 1, len(source))):
        if detector.starts(as_uint8(frame.rgb)):
            if frame.index > index:
                break
            shot.clear()
        shot.append(frame)
    return shot


def as_uint8(rgb: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The upper eight bits."""
    return np.asarray(rgb >> 8 if rgb.dtype == np.uint16 else rgb, np.uint8)
