"""Dense motion between two frames, pictures moved along it, and where it can't be trusted.

A flow is (H, W, 2) float32 in pixels, x then y: what is at p in one frame is at p + flow(p) in the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Flow = NDArray[np.float32]


def dense_flow(here: NDArray[np.uint8], there: NDArray[np.uint8]) -> Flow:
    """Flow from one frame to another, both (H, W, 3), by dense inverse search (Kroeger et al., ECCV 2016).

    It needs no weights. Frames narrower than 32 pixels, the coarsest patch, are taken as not moving.
    """
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (here, there)]
    if min(grey[0].shape) < 32:
        return np.zeros((*grey[0].shape, 2), np.float32)
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow: Flow = estimator.calc(grey[0], grey[1], None).astype(np.float32, copy=False)  # type: ignore[call-overload]
    return flow


def pull(image: NDArray[Any], flow: Flow) -> NDArray[Any]:
    """image(p + flow(p)), bilinear, borders repeated: the other frame, (H, W, …), brought to this one."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved: NDArray[Any] = cv2.remap(
        image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return moved


def visible(forward: Flow, backward: Flow) -> NDArray[np.bool_]:
    """(H, W): where a point of the first frame is seen in the second, and its motion is smooth.

    The thresholds are those of Ruder et al., GCPR 2016 (after Sundaram et al., ECCV 2010): a point is hidden
    where |f + b|² > 0.01 (|f|² + |b|²) + 0.5 with b the way back, and on a motion boundary where
    |∇u|² + |∇v|² > 0.01 |f|² + 0.002. Points that leave the picture are hidden, too.
    """
    height, width = forward.shape[:2]
    back = pull(backward, forward)
    length = (forward**2).sum(-1)
    there_and_back = ((forward + back) ** 2).sum(-1)
    hidden = there_and_back > 0.01 * (length + (back**2).sum(-1)) + 0.5
    down, across, _ = np.gradient(forward)
    boundary = (down**2 + across**2).sum(-1) > 0.01 * length + 0.002
    y, x = np.mgrid[:height, :width]
    to_x, to_y = x + forward[..., 0], y + forward[..., 1]
    inside = (to_x >= 0) & (to_x <= width - 1) & (to_y >= 0) & (to_y <= height - 1)
    seen: NDArray[np.bool_] = ~hidden & ~boundary & inside
    return seen
