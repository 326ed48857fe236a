"""Where a film cuts from one shot to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from flair_core.frames import Frame

SMALL = (64, 36)
LEAST_CORRELATION = 0.5
"""Neighbouring frames of one shot resemble each other at least so much, even in a fast pan or a flash."""
LEAST_CHANGE = 0.35
"""Share of the pixels that changes its place in the colour histogram at a cut."""


class ShotDetector:
    """Told one frame after the other, says which ones start a shot."""

    def __init__(self) -> None:
        self._last: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None

    def starts(self, rgb: NDArray[np.uint8]) -> bool:
        """Whether this frame, (H, W, 3), starts a shot; the first one does.

        A cut changes both the layout and the colours. Movement changes only the layout, and a flash or a fade
        only the colours.
        """
        small = cv2.resize(rgb, SMALL, interpolation=cv2.INTER_AREA)
        histogram = cv2.calcHist([small], [0, 1, 2], None, [8, 8, 8], [0, 256] * 3).ravel()
        histogram = cv2.GaussianBlur(histogram.reshape(8, 64), (3, 3), 0).ravel() / small[..., 0].size
        layout = cv2.GaussianBlur(small.astype(np.float32), (5, 5), 0)
        layout = (layout - layout.mean()) / (layout.std() + 2)
        last, self._last = self._last, (layout, histogram)
        if last is None:
            return True
        correlation = float((layout * last[0]).mean())
        change = 0.5 * float(np.abs(histogram - last[1]).sum())
        return correlation < LEAST_CORRELATION and change > LEAST_CHANGE


def shot_starts(frames: Iterable[Frame]) -> Iterator[int]:
    """Positions in `frames` at which a shot starts; 0 is the first of them."""
    detector = ShotDetector()
    for position, frame in enumerate(frames):
        if detector.starts(as_uint8(frame.rgb)):
            yield position


def as_uint8(rgb: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The upper eight bits."""
    return rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)
