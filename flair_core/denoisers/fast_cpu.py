"""Whether the compact network takes the quick convolutions of `winograd`, which need llvmlite, or PyTorch's own."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


LANES = 16
"""Channels that one vector holds."""


def installed() -> bool:
    """Whether what compiles them is here: `pip install 'flair-studio[fast-cpu]'`."""
    return importlib.util.find_spec("llvmlite") is not None


def pays(device: torch.device) -> bool:
    """Whether they are quicker than PyTorch's: on processors that multiply bf16, but not in tiles."""
    without_tiles = torch.cpu._is_avx512_bf16_supported() and not torch.cpu._is_amx_tile_supported()
    return device.type == "cpu" and without_tiles


def used(device: torch.device, dtype: torch.dtype, channels: Sequence[int]) -> bool:
    """Whether a network of so many channels takes them for features in `dtype`."""
    fits = dtype == torch.bfloat16 and all(count % LANES == 0 for count in channels)
    return fits and pays(device) and installed()
