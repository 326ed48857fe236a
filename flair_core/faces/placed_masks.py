"""The masks of a restoration, as its settings want them: where G works (m_t of eq. 12), and what is replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from flair_core.faces import mask
from flair_core.frames import to_uint8

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from flair_core.faces.mask import Mask
    from flair_core.faces.parse import Parser
    from flair_core.settings.groups import RestorationSettings


Made = Callable[["NDArray[np.uint8] | None", "NDArray[np.float64]", int], "NDArray[np.float32]"]
"""From labels (n, S, S), or None, landmarks (n, 5, 2) and S to masks (n, S, S)."""


def grey(images: Tensor) -> NDArray[np.uint8]:
    """(n, 3, S, S) in [-1, 1] → (n, S, S): what motion is looked for in."""
    return np.asarray(to_uint8(images).mean(axis=-1), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The same face in the frames before and after one that is restored alone, as the footage shows it."""

    labels: NDArray[np.uint8]
    """(n, S, S): what a parser says to the frames around."""
    landmarks: NDArray[np.float64]
    """(n, 5, 2)"""
    pictures: NDArray[np.uint8]
    """(n + 1, S, S) grey: the frames around, and the one itself in its place."""
    at: int
    """How many of them come before it."""


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """The masks of one face in a window of frames, estimated from x0: at step t from x_{0|t}."""

    landmarks: NDArray[np.float64]
    """(N, 5, 2) in pixels of the aligned face."""
    settings: RestorationSettings
    parser: Parser | None
    """None when the landmarks have to do."""
    neighbours: Neighbours | None = None
    """For a single frame: what its mask is steadied by; None leaves that to the other frames of the window."""

    def replaced(self, x0: Tensor) -> NDArray[np.float32]:
        """(N, S, S) in [0, 1]: how much of the footage the restored face (N, 3, S, S) replaces."""
        return self._steadied(x0, self._replaced)

    def weight(self, x0: Tensor) -> Tensor:
        """(N, 1, S, S) in [0, 1]: m_t, weaker where the settings give a region less of the enhancement."""
        return torch.from_numpy(self._steadied(x0, self._weighted)[:, None]).to(x0)

    def _steadied(self, x0: Tensor, made: Made) -> NDArray[np.float32]:
        """What is made of the labels of x0, averaged along the motion; landmarks are steady by themselves."""
        labels = None if self.parser is None else self.parser.labels(x0)
        masks = made(labels, self.landmarks, x0.shape[-1])
        if labels is None:
            return masks
        if self.neighbours is None:
            return mask.steadied(masks, grey(x0))
        at = self.neighbours.at
        others = made(self.neighbours.labels, self.neighbours.landmarks, x0.shape[-1])
        every = np.concatenate([others[:at], masks, others[at:]])
        return mask.steadied(every, self.neighbours.pictures, range(at, at + 1))

    def _weighted(
        self, labels: NDArray[np.uint8] | None, landmarks: NDArray[np.float64], size: int
    ) -> NDArray[np.float32]:
        weights = self._replaced(labels, landmarks, size)
        sampler = self.settings.sampler
        if not sampler.w_eyes == sampler.w_mouth == sampler.w_skin == 1:
            for i, points in enumerate(landmarks):
                eyes, mouth = self._eyes_and_mouth(points, size, None if labels is None else labels[i])
                # Where both reach, as in a tiny face, the mouth gives way.
                mouth = np.minimum(mouth, 1 - eyes)
                skin = 1 - eyes - mouth
                weights[i] *= sampler.w_skin * skin + sampler.w_eyes * eyes + sampler.w_mouth * mouth
        return weights

    def _replaced(
        self, labels: NDArray[np.uint8] | None, landmarks: NDArray[np.float64], size: int
    ) -> NDArray[np.float32]:
        feather = self.settings.faces.feather
        if labels is None and self.settings.faces.aligned:
            return np.ones((len(landmarks), size, size), np.float32)
        if labels is None:
            return np.stack([mask.from_landmarks(points, size, feather) for points in landmarks])
        return np.stack(
            [
                mask.from_weights(self._weights(one, points), feather)
                for one, points in zip(labels, landmarks, strict=True)
            ]
        )

    def _weights(self, labels: NDArray[np.uint8], points: NDArray[np.float64]) -> Mask:
        """(S, S) what each pixel's label is worth."""
        assert self.parser is not None
        faces, classes = self.settings.faces, self.parser.classes
        kept = {"face": 1.0, "glasses": faces.glasses, "hair": float(faces.hair), "neck": float(faces.neck)}
        known, weights = np.zeros(labels.shape, bool), np.zeros(labels.shape, np.float32)
        for name, weight in kept.items():
            is_it = np.isin(labels, list(classes[name]))
            weights[is_it], known = weight, known | is_it
        # What lies within the oval of a face, and is none, covers it.
        oval = mask.from_landmarks(points, len(labels), 0) > 0
        weights[oval & ~known] = faces.occluders
        # Single wrong pixels would grow to holes as wide as the feather.
        return np.asarray(cv2.medianBlur(weights, 5), np.float32)

    def _eyes_and_mouth(
        self, points: NDArray[np.float64], size: int, labels: NDArray[np.uint8] | None
    ) -> tuple[Mask, Mask]:
        if labels is None or self.parser is None:
            return mask.eyes_and_mouth(points, size)
        eyes, mouth = (np.isin(labels, list(self.parser.classes[name])) for name in ("eyes", "mouth"))
        return mask.softened(eyes), mask.softened(mouth)
