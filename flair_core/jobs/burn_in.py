"""Settings written into the picture, for comparing versions on a screen where nothing else tells them apart."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.frames import Frame
    from flair_core.settings.groups import RestorationSettings
    from flair_core.settings.look import Look
    from flair_core.video import FrameSink


LINE = 1 / 28
"""Height of the line of text, as a fraction of the frame's."""
LEAST_LINE = 14
"""Pixels; less can't be read."""
FONT = cv2.FONT_HERSHEY_SIMPLEX


class BurnIn:
    """A sink that writes what a frame was made with into its lower edge, and passes it on."""

    def __init__(self, sink: FrameSink, look: Look) -> None:
        self._sink, self._look = sink, look

    def write(self, frame: Frame) -> None:
        """See FrameSink."""
        words = in_words(self._look.resolve(frame.index, None))
        self._sink.write(replace(frame, rgb=stamped(frame.rgb, words)))


def in_words(settings: RestorationSettings) -> str:
    """The settings that are compared by eye, in ASCII: OpenCV draws no other letters."""
    sampler, degradation = settings.sampler, settings.degradation
    words = (
        f"{sampler.model}  K {sampler.steps}  gamma {sampler.gamma:.2f}  rho {sampler.rho:.2f}  "
        f"w_tau {sampler.w_tau:.2f}  seed {sampler.seed}  x{degradation.scale}  "
        f"sigma_e {255 * degradation.noise:.1f}"
    )
    return words + ("" if degradation.jpeg is None else f"  Q {degradation.jpeg}")


def stamped(rgb: NDArray[Any], words: str) -> NDArray[Any]:
    """A copy of (H, W, 3) with a line of light text on a darkened strip along its lower edge."""
    height, width = rgb.shape[:2]
    line = min(max(round(height * LINE), LEAST_LINE), height)
    (long, tall), below = cv2.getTextSize(words, FONT, 1.0, 2)
    scale = min(0.62 * line / (tall + below / 2), (width - line) / long)
    ink: NDArray[np.uint8] = np.zeros((line, width), np.uint8)
    thick = max(1, round(1.6 * scale))
    base = round((line + scale * tall) / 2)
    cv2.putText(ink, words, (line // 2, base), FONT, scale, 255, thick, cv2.LINE_AA)
    full = np.iinfo(rgb.dtype).max
    share = ink[..., None] / 255.0
    result = rgb.copy()
    strip = result[height - line :] * (0.35 * (1 - share)) + full * 0.95 * share
    result[height - line :] = np.rint(strip).astype(rgb.dtype)
    return result
