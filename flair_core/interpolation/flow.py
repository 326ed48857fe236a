"""Frames between frames along the motion between them; needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.motion import dense_flow, pull

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from flair_core.frames import Pixels
    from flair_core.motion import Flow

DOUBT = 0.05
"""Colours of a point that differ by so much of the whole range between the frames tell that the motion is wrong there,
or that the point is hidden in one of them."""
FEW = 1e-3


class FlowInterpolator:
    """Both frames are moved to the moment and mixed, each point by how far its motion can be trusted.

    The motion from the moment to either frame is not known, only that between the frames. It is carried along itself
    to the moment, each point to the place where it is then (softmax splatting, Niklaus and Liu, CVPR 2020, with the
    points' consistency as importance); what is left open is filled from its neighbours.
    """

    def between(self, before: Pixels, after: Pixels, moments: Sequence[float]) -> list[Pixels]:
        """See Interpolator."""
        peak = np.iinfo(before.dtype).max
        a, b = (_eight_bits(frame) for frame in (before, after))
        forward, backward = dense_flow(a, b), dense_flow(b, a)
        trust = _trust(a, b, forward, backward), _trust(b, a, backward, forward)
        images = [frame.astype(np.float32) for frame in (before, after)]
        found: list[Pixels] = []
        for t in moments:
            # Where each point of the moment comes from in either frame.
            to_before, known_before = _carried(-t * forward, forward * t, trust[0])
            to_after, known_after = _carried((t - 1) * backward, backward * (1 - t), trust[1])
            from_before = pull(
                images[0], np.where(known_before[..., None], to_before, -to_after * t / (1 - t))
            )
            from_after = pull(images[1], np.where(known_after[..., None], -to_before * (1 - t) / t, to_after))
            weight_before = (1 - t) * pull(trust[0], to_before)
            weight_after = t * pull(trust[1], to_after)
            share = (weight_before / np.maximum(weight_before + weight_after, FEW))[..., None]
            mixed = share * from_before + (1 - share) * from_after
            found.append(np.clip(np.rint(mixed), 0, peak).astype(before.dtype))
        return found


def _trust(here: NDArray[np.uint8], there: NDArray[np.uint8], flow: Flow, back: Flow) -> NDArray[np.float32]:
    """(H, W) in (0, 1]: how well colours, and ways there and back, agree along a flow."""
    colours = np.abs(here.astype(np.float32) - pull(there.astype(np.float32), flow)).mean(-1) / 255
    returned = np.linalg.norm(flow + pull(back, flow), axis=-1)
    certain = np.exp(-((colours / DOUBT) ** 2) / 2 - returned / 2)
    return np.asarray(np.maximum(certain, FEW), np.float32)


def _carried(values: Flow, flow: Flow, trust: NDArray[np.float32]) -> tuple[Flow, NDArray[np.bool_]]:
    """Values (H, W, 2) moved along a flow and added up bilinearly, weighed by trust; and where any arrived.

    Places where none did get the mean of those around them.
    """
    height, width = trust.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    to_x, to_y = x + flow[..., 0], y + flow[..., 1]
    left, top = np.floor(to_x), np.floor(to_y)
    layers = np.dstack([values * trust[..., None], trust]).reshape(-1, 3)
    total = np.zeros((height * width, 3), np.float32)
    for down in (0, 1):
        for right in (0, 1):
            column, row = left + right, top + down
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            weight = (1 - np.abs(to_x - column)) * (1 - np.abs(to_y - row))
            place = (row * width + column)[inside].astype(np.int64)
            part = layers[inside.ravel()] * weight[inside][:, None]
            for channel in range(3):
                total[:, channel] += np.bincount(place, part[:, channel], height * width)
    planes = total.reshape(height, width, 3)
    arrived = planes[..., 2] > FEW / 2
    carried = planes[..., :2] / np.maximum(planes[..., 2:], FEW / 2)
    if not arrived.all():
        near, wide = (cv2.GaussianBlur(planes, (0, 0), reach) for reach in (4, 24))
        around = np.where(near[..., 2:] > FEW / 10, near, wide + 1e-9)
        carried = np.where(arrived[..., None], carried, around[..., :2] / around[..., 2:])
    return carried.astype(np.float32), arrived


def _eight_bits(frame: Pixels) -> NDArray[np.uint8]:
    return np.asarray(frame >> 8 if frame.dtype == np.uint16 else frame, np.uint8)
