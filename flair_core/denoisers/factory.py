"""Networks by name."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.denoisers import compact

if TYPE_CHECKING:
    import torch

    from flair_core.denoisers.base import Denoiser

STARTER = "starter"


def load_denoiser(name: str, device: torch.device) -> Denoiser:
    """The network of that name, ready on its device; a path to safetensors names a compact one of your own."""
    if name == STARTER:
        with resources.as_file(resources.files("resources") / "starter.safetensors") as path:
            return compact.load(path, device)
    return compact.load(Path(name), device)
