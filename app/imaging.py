"""Pixels cross to Qt here, copied once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage, QPainterPath, QPolygonF

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAT_STOPS = (
    (0.0, (0, 0, 0)),
    (0.3, (80, 45, 150)),
    (0.6, (205, 70, 95)),
    (0.85, (250, 165, 70)),
    (1.0, (255, 245, 200)),
)
"""Dark to bright, even in lightness, so that it reads without colour vision too."""
SMOOTHED = 6
"""Neighbours on each side that a point of a contour is averaged with."""


def to_uint8(rgb: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """Eight bits per channel: what the screen shows."""
    return rgb if rgb.dtype == np.uint8 else (rgb >> 8).astype(np.uint8)


def to_qimage(rgb: NDArray[np.uint8] | NDArray[np.uint16]) -> QImage:
    """Copy (H, W, 3) sRGB into Qt's fastest format; QImage alone only borrows the buffer."""
    height, width, _ = rgb.shape
    pixels = np.ascontiguousarray(to_uint8(rgb))
    borrowed = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return borrowed.convertToFormat(QImage.Format.Format_RGB32)


def contour(mask: NDArray[np.float32], level: float) -> QPainterPath:
    """The line where the mask passes `level`, in pixels of the mask, without the stairs of its pixels."""
    import cv2  # noqa: PLC0415 - by the time there is a mask, the worker has loaded it

    found, _ = cv2.findContours((mask > level).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    path = QPainterPath()
    for line in found:
        points = line[:, 0] + 0.5
        smooth = np.mean([np.roll(points, shift, axis=0) for shift in range(-SMOOTHED, SMOOTHED + 1)], axis=0)
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in smooth[::2].tolist()]))
        path.closeSubpath()
    return path


def heatmap(levels: NDArray[np.float32], peak: float) -> NDArray[np.uint8]:
    """(H, W) in 8-bit levels → (H, W, 3) colours; `peak` and more is brightest."""
    positions, colours = zip(*HEAT_STOPS, strict=True)
    ramp = np.array(
        [np.interp(np.linspace(0, 1, 256), positions, channel) for channel in zip(*colours, strict=True)]
    )
    table = ramp.T.round().astype(np.uint8)
    return table[np.clip(levels * (255 / peak), 0, 255).astype(np.uint8)]
