"""Crop and paste as the released program does them at every step, on frames that are not aligned faces.

`align` and `paste` do it better. These are for repeating published results: a least-median fit of the
landmarks, plain cubic interpolation both ways, and a mask from the parsed face (ParseNet's labels).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch.nn import functional

from flair_core.faces.align import inverse, template

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from flair_core.faces.detect import Detector

    Matrices = NDArray[np.floating]
    """(N, 2, 3) from frame to face."""

SIZE = 512
BORDER = (135, 133, 132)
"""Colour around the frame, in 8-bit levels."""
BLUR, BLUR_SIGMA = (101, 101), 26
"""Of the mask, applied twice."""
RIM = 10
"""Pixels along the crop's border where the mask is 0."""
LABELS = range(1, 14)
"""Classes that are replaced."""


@dataclass(frozen=True, slots=True, eq=False)
class Inlaid:
    """G of eq. (12) on the face within each frame, put back where the face that came out says: x (1 − m) + m G."""

    size = None
    enhancer: Callable[[Tensor], Tensor]
    """(n, 3, 512, 512) in [-1, 1] → the same shape."""
    labels: Callable[[Tensor], NDArray[np.uint8]]
    """Parses the faces that come out, (n, 3, 512, 512) → (n, 512, 512)."""
    matrices: Sequence[NDArray[np.float64] | None]
    """From frame to face, (2, 3) each; None where there is no face: that frame stays as it is."""

    def __call__(self, faces: Tensor) -> Tensor:
        """Frames with a face, (N, 3, H, W) in [-1, 1] → the same shape."""
        found = [at for at, matrix in enumerate(self.matrices) if matrix is not None]
        if not found:
            return faces
        matrices = np.stack([matrix for matrix in self.matrices if matrix is not None])
        enhanced = self.enhancer(cut_out(faces[found], matrices)).clamp(-1, 1)
        result = faces.clone()
        result[found] = put_back(faces[found], enhanced, matrices, mask(self.labels(enhanced)))
        return result


def affine(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """(2, 3) similarity from frame to face: the least median of squares over the five landmarks (5, 2)."""
    matrix, _ = cv2.estimateAffinePartial2D(landmarks, template(SIZE), method=cv2.LMEDS)
    return np.asarray(matrix, np.float64)


def largest(frames: NDArray[np.uint8], detector: Detector) -> list[NDArray[np.float64] | None]:
    """The landmarks (5, 2) of the largest face in each of the frames (N, H, W, 3); None where there is none."""
    seen = [detector.detect(frame) for frame in frames]
    return [
        max(faces, key=lambda face: float(np.prod(face.box[2:] - face.box[:2]))).landmarks if faces else None
        for faces in seen
    ]


def cut_out(frames: Tensor, matrices: Matrices) -> Tensor:
    """(N, 3, 512, 512) faces of frames (N, 3, H, W) in [-1, 1]."""
    border = frames.new_tensor(BORDER).view(3, 1, 1) / 127.5 - 1
    return _warp(frames - border, matrices, (SIZE, SIZE)) + border


def mask(labels: NDArray[np.integer]) -> Tensor:
    """(N, 1, 512, 512) masks m_t from the labels of parsed faces (N, 512, 512)."""
    soft = []
    for hard in np.isin(labels, LABELS).astype(np.float32):
        blurred = cv2.GaussianBlur(cv2.GaussianBlur(hard, BLUR, BLUR_SIGMA), BLUR, BLUR_SIGMA)
        soft.append(np.pad(blurred[RIM:-RIM, RIM:-RIM], RIM))
    return torch.from_numpy(np.stack(soft)[:, None])


def in_frames(
    faces: Tensor, masks: Tensor, matrices: Matrices, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Faces and masks as they lie in frames of `size` (H, W); around a face all is black."""
    backward = np.stack([inverse(matrix) for matrix in matrices])
    return (_warp(faces + 1, backward, size) - 1).clamp(-1, 1), _warp(masks.to(faces), backward, size)


def put_back(frames: Tensor, faces: Tensor, matrices: Matrices, masks: Tensor) -> Tensor:
    """x (1 − m) + m G for frames x (N, 3, H, W) and faces G (N, 3, 512, 512) in [-1, 1]; eq. (12)."""
    inside, m = in_frames(faces, masks, matrices, (frames.shape[-2], frames.shape[-1]))
    return frames * (1 - m) + m * inside


def _warp(images: Tensor, matrices: Matrices, size: tuple[int, int]) -> Tensor:
    """Resample (N, C, H, W) through `matrices` (source to target) by cubic convolution, 0 around it."""
    y, x = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in size), indexing="ij")
    target = torch.stack([x, y, torch.ones_like(x)], -1)
    backward = torch.from_numpy(np.stack([inverse(np.asarray(matrix, np.float64)) for matrix in matrices]))
    source = torch.einsum("hwk,njk->nhwj", target, backward)
    limit = torch.tensor([images.shape[-1] - 1, images.shape[-2] - 1])
    grid = (2 * source / limit - 1).to(images)
    return functional.grid_sample(images, grid, mode="bicubic", align_corners=True)
