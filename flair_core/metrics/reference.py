"""Restored frames against the truth, where a clip of that is at hand: on the faces that were restored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.errors import ShapeError
from flair_core.faces.mask import elliptical
from flair_core.faces.shots import as_uint8
from flair_core.metrics.fidelity import masked_ssim, psnr
from flair_core.metrics.meters import Pair

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from flair_core.faces.track import Track
    from flair_core.video import FrameSource

    Pixels = NDArray[np.uint8] | NDArray[np.uint16]

SIDES = (64, 512)
"""Of an aligned face, in pixels: LPIPS needs as many, no network restores more."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How near a restored frame comes to the truth."""

    psnr: float
    """In dB, over all its faces."""
    ssim: float | None
    """Mean over the faces; None when they are too small."""
    lpips: float | None
    """Mean over the faces; None without a network."""


class Reference:
    """The truth behind a clip: the same frames, at the clip's size or a whole multiple of it.

    Frames belong together by their number, faces are cut out by the clip's own tracks, so that nothing that
    was found in the truth decides anything.
    """

    def __init__(
        self, truth: FrameSource, clip: FrameSource, lpips: Callable[[Pair], float | None] | None = None
    ) -> None:
        """lpips: the metric, as `perceptual.lpips` builds it.

        Raises ShapeError when the truth has another length than the clip, or a size that does not fit.
        """
        name, other = truth.path.name, clip.path.name
        if len(truth) != len(clip):
            raise ShapeError(
                f"{name} has {len(truth)} frames, but {other} {len(clip)}. Frames of a reference are matched "
                "by their number: choose a file with the same frames."
            )
        size, shown = [(info.width, info.height) for info in (truth.info, clip.info)]
        self.scale = size[0] // shown[0]
        # What `flair degrade` cuts off to come to a multiple of its scale may be missing on the right and below.
        if self.scale < 1 or any(
            not 0 <= large - self.scale * small < self.scale for large, small in zip(size, shown, strict=True)
        ):
            raise ShapeError(
                f"{name} has {size[0]} × {size[1]} pixels, but {other} {shown[0]} × {shown[1]}. A reference "
                "shows the same picture in the clip's size, or two, three, … times as large."
            )
        self._truth, self._lpips = truth, lpips
        self._size = (self.scale * shown[0], self.scale * shown[1])

    @property
    def measures(self) -> tuple[str, str]:
        """What to plot: ("psnr", "lpips"), or ("psnr", "sharpness") where LPIPS can't be told."""
        told = self._lpips is not None and min(self._size) >= SIDES[0]
        return "psnr", "lpips" if told else "sharpness"

    def scores(self, index: int, restored: Pixels, faces: Sequence[Track], *, aligned: bool) -> Scores | None:
        """A restored frame (H, W, 3), at any multiple of the clip's size; None when it holds no face.

        aligned: the whole frame is the face.
        """
        width, height = self._size
        clean, result = as_uint8(self._truth[index].rgb)[:height, :width], as_uint8(restored)
        if aligned:
            if result.shape != clean.shape:
                result = cv2.resize(result, self._size, interpolation=cv2.INTER_CUBIC).astype(np.uint8)
            pairs = [Pair(clean, result)]
        else:
            pairs = [self._cut(clean, result, track.to_face(index)) for track in faces if track.covers(index)]
        if not pairs:
            return None
        inside = [np.ones(pair.clean.shape[:2], bool) if pair.mask is None else pair.mask for pair in pairs]
        values = [
            np.concatenate([picture[mask] for picture, mask in zip(pictures, inside, strict=True)])
            for pictures in ([pair.restored for pair in pairs], [pair.clean for pair in pairs])
        ]
        return Scores(psnr(*values), _mean(masked_ssim, pairs), _mean(self._lpips, pairs))

    def _cut(self, clean: NDArray[np.uint8], result: NDArray[np.uint8], to_face: NDArray[np.float64]) -> Pair:
        """The face in both, at the size that it has in the truth."""
        natural = self.scale / float(np.hypot(*to_face[:, 0]))
        side = int(np.clip(round(natural), *SIDES))
        clean, result = (
            cv2.warpAffine(
                picture,
                _between_pixels(to_face, self._size[0] / self.scale / picture.shape[1], side),
                (side, side),
                borderMode=cv2.BORDER_REFLECT_101,
            ).astype(np.uint8)
            for picture in (clean, result)
        )
        return Pair(clean, result, elliptical(side, 0) > 0.5)


def _between_pixels(to_face: NDArray[np.float64], step: float, side: int) -> NDArray[np.float64]:
    """The map from pixels of a picture that lie `step` pixels of the clip apart to those of a face of this side."""
    matrix = to_face * side
    matrix[:, 2] += matrix[:, :2].sum(axis=1) * (step / 2 - 0.5) - 0.5
    matrix[:, :2] *= step
    return matrix


def _mean(metric: Callable[[Pair], float | None] | None, pairs: Sequence[Pair]) -> float | None:
    values = [value for pair in pairs if metric is not None and (value := metric(pair)) is not None]
    return float(np.mean(values)) if values else None
