"""Curved blur kernels, as a shaking hand makes them, read from files."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

LEAST, MOST = 3, 127
"""Sides that a kernel may have."""


def read_kernels(path: Path) -> tuple[NDArray[np.float64], ...]:
    """The kernels in a .npy or .npz file, (n, m) or (k, n, m) an array, or in a grey .png: each sums to 1.

    Their sides become odd, with the centre of mass in the middle: they blur and do not move. Raises SettingsError
    unless every one has sides from 3 to 127 and finite, non-negative numbers that are not all zero.
    """
    kernels = []
    for array in _arrays(path):
        if array.dtype.kind not in "biuf" or array.ndim not in (2, 3) or not array.size:
            raise SettingsError(
                f"{path.name} holds no kernels: they are arrays of numbers, n × m or k × n × m."
            )
        kernels += [
            _checked(kernel.astype(np.float64), path)
            for kernel in (array if array.ndim == 3 else array[None])
        ]
    if not kernels:
        raise SettingsError(f"{path.name} holds no kernels.")
    return tuple(kernels)


def shrunk(kernel: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    """The same path, `share` as long, from 0 to 1; the sides stay odd and the sum 1."""
    height, width = (max(1, 2 * round(share * (side - 1) / 2) + 1) for side in kernel.shape)
    path = kernel.astype(np.float64)
    small = cv2.resize(path, (width, height), interpolation=cv2.INTER_AREA).astype(np.float64, copy=False)
    return np.asarray(small / small.sum())


def _arrays(path: Path) -> list[NDArray[np.generic]]:
    try:
        if path.suffix.lower() == ".png":
            picture = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
            if picture is None:
                raise SettingsError(f"{path.name} can't be read as a picture of a kernel.")
            return [picture if picture.ndim == 2 else picture[..., :3].mean(-1)]
        if path.suffix.lower() not in (".npy", ".npz"):
            raise SettingsError(f"{path.name} can't hold kernels: name a .npy, .npz or .png file.")
        loaded = np.load(path, allow_pickle=False)
        return [loaded] if isinstance(loaded, np.ndarray) else [loaded[name] for name in loaded.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, cv2.error) as error:
        raise SettingsError(f"{path} can't be read as kernels ({error}).") from None


def _checked(kernel: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    if not all(LEAST <= side <= MOST for side in kernel.shape):
        sides = " × ".join(map(str, kernel.shape))
        raise SettingsError(f"{path.name} holds a kernel of {sides}; sides go from {LEAST} to {MOST}.")
    if not np.isfinite(kernel).all() or (kernel < 0).any() or kernel.sum() <= 0:
        raise SettingsError(
            f"{path.name} holds no kernel: its numbers must be finite, none negative, not all 0."
        )
    margins = [_margins(kernel.sum(1 - axis)) for axis in (0, 1)]
    return np.pad(kernel / kernel.sum(), margins)


def _margins(profile: NDArray[np.float64]) -> tuple[int, int]:
    """Zeros before and after a profile that bring its centre of mass to the middle of an odd length."""
    centre = round(float(profile @ np.arange(len(profile)) / profile.sum()))
    reach = max(centre, len(profile) - 1 - centre)
    return reach - centre, reach - (len(profile) - 1 - centre)
