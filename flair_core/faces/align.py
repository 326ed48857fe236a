"""From a face in a frame to the FFHQ template, with sub-pixel exact sampling.

Coordinates are in pixels, x first; the centre of the top left pixel is (0, 0).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from torch.nn import functional

from flair_core.errors import ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Image = NDArray[Any]
    """(H, W, 3): uint8 or uint16 over the full range, or float32 in [0, 1]."""
    Points = NDArray[np.float64]

# Left eye, right eye, nose, left and right corner of the mouth in the 512-pixel frame of FFHQ.
FFHQ_512 = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.19360),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ]
)
LOBES = 3
"""Of the windowed sinc that keeps a shrunk picture free of aliasing."""
MARGIN = 12
"""Pixels around a region after which a cubic spline no longer feels the cut."""


def template(size: int) -> Points:
    """(5, 2) landmarks of an aligned face of `size` × `size` pixels."""
    return (FFHQ_512 + 0.5) * (size / 512) - 0.5


def similarity(landmarks: Points, size: int) -> Points:
    """(2, 3) rotation, scale and shift from the frame to an aligned face of `size` × `size` pixels.

    landmarks: (5, 2) in the frame.  Raises ShapeError if they are not, or all lie on one spot.
    """
    if landmarks.shape != (5, 2) or np.ptp(landmarks, axis=0).max() == 0:
        raise ShapeError(f"A face needs five different landmarks, (5, 2), but got {landmarks.tolist()}.")
    return similarity_between(landmarks, template(size))


def similarity_between(source: Points, target: Points) -> Points:
    """(2, 3) similarity that brings source (n, 2) nearest to target: least squares (Umeyama 1991)."""
    # As complex numbers a similarity is z → a z + b, and least squares has this closed form.
    z, w = source @ (1, 1j), target @ (1, 1j)
    centred = z - z.mean()
    a = np.vdot(centred, w) / np.vdot(centred, centred)
    b = w.mean() - a * z.mean()
    return np.array([(a.real, -a.imag, b.real), (a.imag, a.real, b.imag)])


def inverse(matrix: Points) -> Points:
    """(2, 3) affine map that undoes `matrix`."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.hstack([linear, -linear @ matrix[:, 2:]])


def transform(matrix: Points, points: Points) -> Points:
    """Points (..., 2) through an affine map (2, 3)."""
    moved: Points = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def zoom(matrix: Points) -> float:
    """How many target pixels one source pixel covers along a side."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def outline(width: int, height: int) -> Points:
    """(4, 2) outer corners of a picture's pixels."""
    return np.array([(0, 0), (width, 0), (width, height), (0, height)]) - 0.5


def crop(rgb: Image, matrix: Points, size: int) -> torch.Tensor:
    """The aligned face, (3, S, S) float32 in [-1, 1].

    rgb: (H, W, 3).  matrix: (2, 3) from frame to face.  What lies outside of the frame is its mirror image.
    """
    face = warp_affine(rgb, matrix, size, size).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(face)).mul_(2 / float(peak(rgb))).sub_(1)


def to_unit(rgb: Image) -> NDArray[np.float32]:
    """Pixels as floats in [0, 1]."""
    return rgb.astype(np.float32) / peak(rgb)


def peak(rgb: Image) -> np.float32:
    """The value of white."""
    return np.float32(np.iinfo(rgb.dtype).max if rgb.dtype.kind == "u" else 1)


def warp_affine(image: Image, matrix: Points, width: int, height: int) -> NDArray[np.float32]:
    """Resample (H, W, C) through `matrix` (source to target) to (height, width, C); values keep their scale.

    Cubic splines interpolate; where the target is coarser, a windowed sinc first removes what it can't hold.
    Beyond its border the image is mirrored.
    """
    backward = inverse(matrix)
    reduction = max(1.0, 1 / zoom(matrix))
    low, high = _region(backward, width, height, image.shape, MARGIN + int(LOBES * reduction))
    part = np.ascontiguousarray(image[low[1] : high[1], low[0] : high[0]], np.float32)
    kernel = _to_spline() if reduction == 1 else np.convolve(_to_spline(), low_pass(reduction))
    filtered = cv2.sepFilter2D(part, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)
    coefficients = torch.from_numpy(np.asarray(filtered, np.float64).reshape(part.shape)).permute(2, 0, 1)
    places = np.einsum("ij,jhw->ihw", backward[:, :2], np.stack(np.meshgrid(range(width), range(height))))
    places += (backward[:, 2] - low)[:, None, None]
    return _spline_at(coefficients, places).movedim(0, 2).numpy().astype(np.float32)


@cache
def _to_spline() -> NDArray[np.float32]:
    """From samples to the coefficients of the cubic spline through them, cut off where single precision ends."""
    pole = np.sqrt(3) - 2
    reach = np.abs(np.arange(-MARGIN, MARGIN + 1))
    return np.asarray(np.sqrt(3) * pole**reach, np.float32)


def _spline_at(coefficients: torch.Tensor, places: NDArray[np.float64]) -> torch.Tensor:
    """The spline (C, h, w) at places (2, H, W) → (C, H, W); mirrored beyond its border.

    Of its four weights in each direction two and two go together into one linear interpolation (Sigg and Hadwiger,
    2005): so four reads of a pixel's surroundings do for sixteen. In double precision, for places to be exact.
    """
    whole = np.floor(places)
    u = places - whole
    v = 1 - u
    w0, w1, w3 = v * v * v / 6, 2 / 3 - u * u * (1 - u / 2), u * u * u / 6
    share = w0 + w1
    size = np.array(coefficients.shape[:0:-1])[:, None, None]
    # Corner to corner is -1 to 1 to grid_sample.
    near = (whole + (w1 / share - 0.5)) * (2 / size) - 1
    far = (whole + (w3 / (1 - share) + 1.5)) * (2 / size) - 1
    total = coefficients.new_zeros(len(coefficients), *places.shape[1:])
    for y, y_share in ((near[1], share[1]), (far[1], 1 - share[1])):
        for x, x_share in ((near[0], share[0]), (far[0], 1 - share[0])):
            grid = torch.from_numpy(np.stack([x, y], axis=-1))[None]
            seen = functional.grid_sample(
                coefficients[None], grid, padding_mode="reflection", align_corners=False
            )
            total.addcmul_(seen[0], torch.from_numpy(x_share * y_share))
    return total


def low_pass(reduction: float) -> NDArray[np.float32]:
    """Lanczos window of the sinc that cuts at 1/`reduction` of the Nyquist frequency; sums to 1."""
    reach = int(np.ceil(LOBES * reduction)) - 1
    x = np.arange(-reach, reach + 1) / reduction
    kernel = np.sinc(x) * np.sinc(x / LOBES)
    return np.asarray(kernel / kernel.sum(), np.float32)


def _region(
    backward: Points, width: int, height: int, shape: tuple[int, ...], margin: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The part of the source, [low, high) in x and y, that the target looks at; never empty."""
    limit = np.array([shape[1], shape[0]])
    corners = transform(backward, outline(width, height))
    low = np.clip(np.floor(corners.min(axis=0)).astype(np.int64) - margin, 0, limit - 1)
    high = np.clip(np.ceil(corners.max(axis=0)).astype(np.int64) + margin + 1, low + 1, limit)
    return low, high
