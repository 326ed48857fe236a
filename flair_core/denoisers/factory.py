"""Networks by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flair_core import weights

if TYPE_CHECKING:
    import torch

    from flair_core.denoisers.base import Denoiser


def load_denoiser(name: str, device: torch.device) -> Denoiser:
    """The network of that name, ready on its device; a path to safetensors names a compact one of your own.

    Raises WeightsError when its file is missing, which says what to fetch and where to put it.
    """
    from flair_core.denoisers import compact, released  # noqa: PLC0415 - they load torchvision

    if name in released.NETWORKS:
        return released.NETWORKS[name].from_state(weights.load(name), device)
    path = weights.path(name) if name in weights.CHECKPOINTS else Path(name)
    return compact.load(path, device)
