"""Enhancers by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flair_core.enhancers.base import Enhancer, Unchanged
from flair_core.enhancers.detail import Detail

if TYPE_CHECKING:
    import torch


def load_enhancer(name: str, device: torch.device) -> Enhancer:
    """The enhancer of that name, ready on its device."""
    return Unchanged() if name == "none" else Detail()
