"""Distortion against the truth, and fine detail that is not noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def psnr(restored: NDArray[np.uint8], clean: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit pixels over all axes; infinite for equal arrays."""
    error = float(np.mean((restored.astype(np.float64) - clean) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def detail_energy(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(H, W) energy above a 5×5 mean, summed over the colours of (H, W, 3)."""
    values = frame.astype(np.float64)
    energy: NDArray[np.float64] = ((values - cv2.blur(values, (5, 5))) ** 2).sum(axis=-1)
    return energy


def fine_detail(restored: NDArray[np.uint8], clean: NDArray[np.uint8], share: float = 0.3) -> tuple[float, float]:
    """Energy above a 5×5 mean of (H, W, 3) frames, relative to the clean one's: (where it has most, where least).

    The first is detail (1 is as much as the truth has), the second noise: over the `share` of pixels where the
    clean frame has most and least of that energy.
    """
    truth = detail_energy(clean)
    low, high = np.quantile(truth, (share, 1 - share))
    energy = detail_energy(restored)
    busy, flat = truth >= high, truth <= low
    return float(energy[busy].sum() / truth[busy].sum()), float(energy[flat].sum() / max(truth[flat].sum(), 1e-9))
