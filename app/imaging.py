"""Pixels cross to Qt here, copied once, and no more of them than the screen shows: a 4K frame has eight million."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QPointF, QSize
from PySide6.QtGui import QImage, QPainterPath, QPolygonF

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8] | NDArray[np.uint16]
    """(H, W, 3) sRGB, as clips have it."""

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
FINE = 1024
"""Pixels across and down that are enough to draw the contour of a mask."""
SIZES_KEPT = 3
"""Smaller versions of a picture: fitted, side by side, and the one before."""


def to_uint8(rgb: Pixels) -> NDArray[np.uint8]:
    """Eight bits per channel: what the screen shows."""
    import numpy as np

    return np.asarray(rgb if rgb.itemsize == 1 else rgb >> 8, np.uint8)


def to_qimage(rgb: Pixels) -> QImage:
    """Copy (H, W, 3) sRGB into Qt's fastest format; QImage alone only borrows the buffer."""
    import numpy as np

    height, width, _ = rgb.shape
    pixels = np.ascontiguousarray(to_uint8(rgb))
    borrowed = QImage(pixels.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return borrowed.convertToFormat(QImage.Format.Format_RGB32)


class Picture:
    """Pixels for the screen: what is drawn of them is made when it is drawn first."""

    def __init__(self, pixels: Pixels | NDArray[np.float32]) -> None:
        self._pixels = pixels
        self._whole: QImage | None = None
        self._small: dict[tuple[int, int], QImage] = {}

    @property
    def size(self) -> QSize:
        """Width and height."""
        height, width = self._pixels.shape[:2]
        return QSize(width, height)

    def whole(self) -> QImage:
        """Every pixel."""
        if self._whole is None:
            self._whole = self._drawn(self._pixels)
        return self._whole

    def shrunk(self, width: int, height: int) -> QImage:
        """Averaged over areas, which QPainter's own smoothing leaves out."""
        import cv2

        if (width, height) not in self._small:
            if len(self._small) >= SIZES_KEPT:
                self._small.pop(next(iter(self._small)))
            fewer = cv2.resize(self._pixels, (max(width, 1), max(height, 1)), interpolation=cv2.INTER_AREA)
            self._small[width, height] = self._drawn(fewer)
        return self._small[width, height]

    def _drawn(self, pixels: NDArray[Any]) -> QImage:
        return to_qimage(pixels)


class Heat(Picture):
    """(H, W) levels as colours; `peak` and more is brightest."""

    def __init__(self, levels: NDArray[np.float32], peak: float) -> None:
        super().__init__(levels)
        self.levels, self.peak = levels, peak

    def _drawn(self, pixels: NDArray[Any]) -> QImage:
        return to_qimage(heatmap(pixels, self.peak))


def contour(mask: NDArray[np.float32], level: float) -> QPainterPath:
    """The line where the mask passes `level`, in pixels of the mask, without the stairs of its pixels."""
    import cv2
    import numpy as np

    every = max(1, max(mask.shape) // FINE)
    inside = (mask[::every, ::every] > level).astype(np.uint8)
    found, _ = cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    path = QPainterPath()
    for line in found:
        points = every * line[:, 0] + 0.5
        smooth = np.mean([np.roll(points, shift, axis=0) for shift in range(-SMOOTHED, SMOOTHED + 1)], axis=0)
        path.addPolygon(QPolygonF([QPointF(x, y) for x, y in smooth[::2].tolist()]))
        path.closeSubpath()
    return path


def heatmap(levels: NDArray[np.float32], peak: float) -> NDArray[np.uint8]:
    """(H, W) in 8-bit levels → (H, W, 3) colours; `peak` and more is brightest."""
    import numpy as np

    positions = [position for position, _ in HEAT_STOPS]
    channels = np.array([colour for _, colour in HEAT_STOPS]).T
    ramp = np.array([np.interp(np.linspace(0, 1, 256), positions, channel) for channel in channels])
    table = ramp.T.round().astype(np.uint8)
    picture: NDArray[np.uint8] = table[np.minimum(levels * (255 / peak), 255).astype(np.uint8)]
    return picture
