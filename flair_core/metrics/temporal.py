"""Flow warping error: how far a frame is from its neighbour brought along the motion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from flair_core.faces.shots import as_uint8
from flair_core.metrics.meters import Meter, Pair
from flair_core.motion import dense_flow, pull, visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.motion import Flow


QUICK_SIDE = 192
"""Pixels of a face from which on the quick measure skips some."""


def warping_error(
    frame: NDArray[Any], following: NDArray[Any], flow: Flow, counted: NDArray[np.bool_]
) -> float | None:
    """E_warp(xⁿ, xⁿ⁺¹): the mean over counted pixels p of |xⁿ(p) − xⁿ⁺¹(p + flow(p))|², on the [0, 1] scale.

    frame, following: (H, W, 3); the squares of the colours are summed. counted: (H, W). None when empty.
    """
    if not counted.any():
        return None
    difference = (frame.astype(np.float32) - pull(following.astype(np.float32), flow)) / 255
    return float((difference[counted] ** 2).sum(-1).mean())


def restored_warping_error(
    observed: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    restored: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    mask: NDArray[np.float32],
) -> float | None:
    """E_warp of two neighbouring frames where the first one's `mask`, (H, W), is above one half, else None.

    The motion is that of the footage, which does not flicker. Only the surroundings of the mask are looked at,
    and large ones at half their size or less: enough to see which frames stand out, quickly.
    """
    rows, columns = np.nonzero(mask > 0.5)
    if not len(rows):
        return None
    height, width = mask.shape
    margin = (rows.max() - rows.min()) // 4 + 1
    top, bottom = max(rows.min() - margin, 0), min(rows.max() + margin, height)
    left, right = max(columns.min() - margin, 0), min(columns.max() + margin, width)
    every = max(1, max(bottom - top, right - left) // QUICK_SIDE)
    size = (-(-(right - left) // every), -(-(bottom - top) // every))

    def small(picture: NDArray[Any]) -> NDArray[Any]:
        return cv2.resize(picture[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)

    here, there, frame, following = (small(as_uint8(picture)) for picture in (*observed, *restored))
    forward = dense_flow(here, there)
    counted = visible(forward, dense_flow(there, here)) & (small(mask) > 0.5)
    return warping_error(frame, following, forward, counted)


class WarpingError(Meter):
    """E_warp of a clip (section 5.3): the mean of `warping_error` over neighbouring restored frames.

    Motion is estimated between the *clean* frames (dense inverse search): every method is measured along the
    same motion, whatever its result looks like. Pixels that are hidden in the next frame, or at a motion
    boundary, don't count. The clean clip itself has an error above 0, and that is the sensible aim.
    """

    def __init__(self) -> None:
        self._before: Pair | None = None
        self._errors: list[float] = []

    def add(self, pair: Pair) -> float | None:
        """See Meter; the value belongs to the step from the pair before to this one."""
        before, self._before = self._before, pair
        if before is None:
            return None
        forward = dense_flow(before.clean, pair.clean)
        counted = visible(forward, dense_flow(pair.clean, before.clean))
        if before.mask is not None:
            counted &= before.mask
        error = warping_error(self._measured(before), self._measured(pair), forward, counted)
        if error is not None:
            self._errors.append(error)
        return error

    def _measured(self, pair: Pair) -> NDArray[Any]:
        """What is compared along the motion, (H, W, 3) in 8-bit levels."""
        return pair.restored

    def cut(self) -> None:
        """See Meter."""
        self._before = None

    def result(self) -> float:
        """See Meter."""
        return float(np.mean(self._errors)) if self._errors else float("nan")


class Shimmer(WarpingError):
    """The same of x̂ − x, of what differs from the clean clip: 0 for the truth, and for errors that move with it.

    The warping error of a sharp clip is that of its flow, mostly; here only what the restoration adds or lacks counts.
    """

    def _measured(self, pair: Pair) -> NDArray[Any]:
        return pair.restored.astype(np.float32) - pair.clean
