"""Distortion against the truth and against the observation, and fine detail that is not noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from skimage.metrics import structural_similarity

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from flair_core.metrics.meters import Pair
    from flair_core.settings.groups import DegradationSettings

LUMA = np.array([0.299, 0.587, 0.114])
SSIM_REACH = 5
"""Half of the 11-pixel window: pixels nearer to the border have no SSIM."""


def psnr(
    restored: NDArray[np.uint8], clean: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None
) -> float:
    """Peak signal-to-noise ratio in dB of 8-bit pixels over all axes; infinite for equal arrays.

    mask: (H, W) for frames (H, W, 3): only these pixels count.
    """
    squares = (restored.astype(np.float64) - clean) ** 2
    error = float(np.mean(squares if mask is None else squares[mask]))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def ssim(
    restored: NDArray[np.uint8], clean: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None
) -> float | None:
    """Structural similarity (Wang et al., 2004) of (H, W, 3) frames, the mean over R, G and B.

    Gaussian window of 11 × 11 pixels with std 1.5, C1 = (0.01 · 255)², C2 = (0.03 · 255)². Windows that reach
    over the border don't count. None when no pixel is left.
    """
    if min(clean.shape[:2]) < 2 * SSIM_REACH + 1:
        return None
    _, each = structural_similarity(  # type: ignore[no-untyped-call]
        clean,
        restored,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    inner = each[SSIM_REACH:-SSIM_REACH, SSIM_REACH:-SSIM_REACH]
    if mask is not None:
        inner = inner[mask[SSIM_REACH:-SSIM_REACH, SSIM_REACH:-SSIM_REACH]]
    return float(inner.mean()) if inner.size else None


def masked_psnr(pair: Pair) -> float | None:
    """PSNR of a pair; None when its mask is empty."""
    if pair.mask is not None and not pair.mask.any():
        return None
    return psnr(pair.restored, pair.clean, pair.mask)


def masked_ssim(pair: Pair) -> float | None:
    """SSIM of a pair; None when its mask is empty."""
    return ssim(pair.restored, pair.clean, pair.mask)


def residual_to(degradation: DegradationSettings) -> Callable[[Pair], float | None]:
    """The metric rms |A x̂ − y| in 8-bit levels over the observed frame; None for pairs without one.

    With noise in y a restoration should not be below it: σ_e itself is what the truth has.
    """
    from flair_core.degradations import build
    from flair_core.frames import to_float

    operators = {}

    def residual(pair: Pair) -> float | None:
        if pair.observed is None:
            return None
        height, width = (degradation.scale * extent for extent in pair.observed.shape[:2])
        if (height, width) not in operators:
            operators[height, width] = build(degradation, (height, width))
        degraded = operators[height, width].forward(to_float(pair.restored[:height, :width])[None])
        error = degraded - to_float(pair.observed)
        return 127.5 * float(error.square().mean().sqrt())

    return residual


GMSD_CONSTANT = 170.0
"""Keeps the similarity of flat places at 1, for 8-bit levels; as published."""
PREWITT = np.array([[1, 0, -1]] * 3, np.float64) / 3


def gradient_deviation(
    restored: NDArray[np.uint8], clean: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None
) -> float | None:
    """Gradient magnitude similarity deviation (Xue et al., 2014) of the luma of (H, W, 3) frames; 0 for equal ones.

    Both are averaged over 2 × 2 pixels, |∇| is by Prewitt's filter, the similarity is (2ab + c) / (a² + b² + c), and
    the score its standard deviation over pixels. None when no pixel is left.
    """
    small = [_halved(frame @ LUMA) for frame in (restored, clean)]
    if min(small[0].shape) < 3:
        return None
    a, b = (
        np.hypot(cv2.filter2D(luma, -1, PREWITT), cv2.filter2D(luma, -1, PREWITT.T))[1:-1, 1:-1]
        for luma in small
    )
    similarity = (2 * a * b + GMSD_CONSTANT) / (a**2 + b**2 + GMSD_CONSTANT)
    if mask is not None:
        similarity = similarity[_halved(mask.astype(np.float64))[1:-1, 1:-1] > 0.5]
    return float(similarity.std()) if similarity.size else None


def _halved(plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W) → (H // 2, W // 2), means of 2 × 2."""
    height, width = (extent // 2 for extent in plane.shape)
    halved: NDArray[np.float64] = plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean((1, 3))
    return halved


def sharpness(frame: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None) -> float | None:
    """Std of a frame above its 5×5 mean, in 8-bit levels: fine detail, be it true or invented, and noise.

    It needs no truth. mask: (H, W), only these pixels count. None when it is empty.
    """
    energy = detail_energy(frame)
    if mask is not None:
        energy = energy[mask]
    return float(np.sqrt(energy.mean() / 3)) if energy.size else None


def masked_gradient_deviation(pair: Pair) -> float | None:
    """GMSD of a pair; None when its mask is empty."""
    return gradient_deviation(pair.restored, pair.clean, pair.mask)


def masked_sharpness(pair: Pair) -> float | None:
    """Sharpness of the restored frame over the clean one's; None when the mask is empty or the clean frame flat."""
    restored, clean = sharpness(pair.restored, pair.mask), sharpness(pair.clean, pair.mask)
    return restored / clean if restored is not None and clean else None


def detail_energy(frame: NDArray[np.uint8]) -> NDArray[np.float64]:
    """(H, W) energy above a 5×5 mean, summed over the colours of (H, W, 3)."""
    values = frame.astype(np.float64)
    energy: NDArray[np.float64] = ((values - cv2.blur(values, (5, 5))) ** 2).sum(axis=-1)
    return energy


def fine_detail(
    restored: NDArray[np.uint8], clean: NDArray[np.uint8], share: float = 0.3
) -> tuple[float, float]:
    """Energy above a 5×5 mean of (H, W, 3) frames over the clean one's: (where it has most, where least).

    The first is detail (1 is as much as the truth has), the second noise: over the `share` of pixels where
    the clean frame has most and least of that energy.
    """
    truth = detail_energy(clean)
    low, high = np.quantile(truth, (share, 1 - share))
    energy = detail_energy(restored)
    busy, flat = truth >= high, truth <= low
    detail, noise = energy[busy].sum() / truth[busy].sum(), energy[flat].sum() / max(truth[flat].sum(), 1e-9)
    return float(detail), float(noise)
