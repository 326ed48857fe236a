"""LPIPS: the distance of two pictures as AlexNet's features see it (Zhang et al., CVPR 2018)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torchmetrics.functional.image.lpips import _LPIPS

from flair_core.checkpoints.metrics import WeightsFile, read_state
from flair_core.errors import WeightsError
from flair_core.frames import to_float

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

    from flair_core.metrics.meters import Pair

ALEXNET = WeightsFile(
    "alexnet-owt-7be5be79.pth", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", "7be5be79"
)
SMALLEST = 64
"""Sides of the smallest pictures that AlexNet's features suit."""


@lru_cache(maxsize=1)
def network(weights: Path, device: torch.device) -> torch.nn.Module:
    """LPIPS version 0.1 with AlexNet: torchmetrics brings the learned channel weights, the file the features.

    Not torchmetrics' public class, for that one would fetch and unpickle AlexNet by itself.
    """
    model = _LPIPS(net="alex", pnet_rand=True)
    load_features(model.get_submodule("net"), read_state(weights))
    return model.eval().to(device)


def load_features(features: torch.nn.Module, state: dict[str, Tensor]) -> None:
    """Put AlexNet's convolutions (keys features.N.weight) into slices (keys sliceM.N.weight)."""
    wanted = features.state_dict()
    try:
        features.load_state_dict({key: state[re.sub(r"^slice\d+", "features", key)] for key in wanted})
    except (KeyError, RuntimeError) as error:
        raise WeightsError(f"{ALEXNET.file} does not hold AlexNet ({error}): get it again") from None


def lpips(weights: Path, device: torch.device) -> Callable[[Pair], float | None]:
    """The metric: frames in [-1, 1] at their own size, grey outside of a mask; None below 64 pixels."""
    model = network(weights, device)

    def distance(pair: Pair) -> float | None:
        if min(pair.clean.shape[:2]) < SMALLEST or (pair.mask is not None and not pair.mask.any()):
            return None
        frames = to_float(np.stack(pair.hidden())).to(device)
        with torch.inference_mode():
            return float(model(frames[1:], frames[:1]))

    return distance
