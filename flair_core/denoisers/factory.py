"""Networks by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.checkpoints import catalogue, store
from flair_core.errors import SettingsError

if TYPE_CHECKING:
    import torch

    from flair_core.denoisers.base import Denoiser


def load_denoiser(name: str, device: torch.device) -> Denoiser:
    """The network of that name, ready on its device; a path to safetensors names a compact one of your own.

    Raises WeightsError when its file is missing, which says what to fetch and where to put it.
    """
    if name in catalogue.COMPACT or name not in catalogue.CHECKPOINTS:
        from flair_core.denoisers import compact

        return compact.load(store.path(name) if name in catalogue.COMPACT else Path(name), device)

    if name not in catalogue.RELEASED:
        choices = ", ".join((*catalogue.COMPACT, *catalogue.RELEASED))
        raise SettingsError(f"{name} is no restoration model; choose {choices}.")

    from flair_core.denoisers import released

    return released.NETWORKS[name].from_state(store.load(name), device)
