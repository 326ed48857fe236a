"""The part of the frames that counts: all of it, or the faces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.faces.align import inverse, similarity
from flair_core.faces.detect import load_detector
from flair_core.faces.mask import elliptical
from flair_core.faces.track import track_faces

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from flair_core.video import FrameSource

    Mask = NDArray[np.bool_]

SIDE = 256


def region(name: str, clean: FrameSource) -> Callable[[int], Mask | None]:
    """Which pixels of frame `index` count, (H, W); None is all of them.

    "face": the ellipses of the faces that the embedded detector follows through the clean clip, whatever the
    restoration made of them. "aligned": the ellipse of an aligned face that fills the frame.
    """
    height, width = clean.info.height, clean.info.width
    if name == "frame":
        return lambda _: None
    if name == "aligned":
        ellipse = cv2.resize(elliptical(SIDE, 0), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        return lambda _: ellipse
    tracks = track_faces(clean.frames(), load_detector("embedded"))

    def faces(index: int) -> Mask:
        shown = np.zeros((height, width), np.float32)
        for track in tracks:
            if track.covers(index):
                backward = inverse(similarity(track.at(index), SIDE))
                shown = np.maximum(shown, cv2.warpAffine(elliptical(SIDE, 0), backward, (width, height)))
        inside: Mask = shown > 0.5
        return inside

    return faces
