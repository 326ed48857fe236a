"""Features of frames for FID and KID: the Inception network that both were defined with."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from flair_core.checkpoints.metrics import WeightsFile, read_state
from flair_core.errors import WeightsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

INCEPTION = WeightsFile(
    "weights-inception-2015-12-05-6726825d.pth",
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
    "6726825d",
)


class FrameNetwork:
    """Frames → the 2048 pooled features of Inception, resized to 299 × 299 as TensorFlow 1 did."""

    def __init__(self, weights: Path, device: torch.device) -> None:
        self._network = _network(weights, device)
        self._device = device

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, H, W, 3) uint8 → (n, 2048)."""
        images = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2))).to(self._device)
        with torch.inference_mode():
            (features,) = self._network(images)
        found: NDArray[np.float32] = features.float().cpu().numpy()
        return found


@lru_cache(maxsize=1)
def _network(weights: Path, device: torch.device) -> torch.nn.Module:
    try:
        from torch_fidelity import feature_extractor_inceptionv3 as published
    except ImportError:
        raise WeightsError("needs the package torch-fidelity: pip install torch-fidelity") from None
    state = read_state(weights)
    with tempfile.TemporaryDirectory() as folder:
        # The package unpickles without restriction, so it gets a file that holds nothing but these tensors.
        safe = Path(folder) / weights.name
        torch.save(state, safe)
        try:
            network = published.FeatureExtractorInceptionV3("inception", ["2048"], str(safe))
        except RuntimeError as error:
            raise WeightsError(
                f"{weights} does not hold the Inception network ({error}): get it again"
            ) from None
    found: torch.nn.Module = network.to(device)
    return found
