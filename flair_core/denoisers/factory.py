"""Networks by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flair_core.checkpoints import catalogue, store
from flair_core.errors import SettingsError
from flair_core.runtime import files

if TYPE_CHECKING:
    import torch

    from flair_core.denoisers.base import Denoiser

SUFFIX = ".safetensors"
"""Of networks of one's own."""


def load_denoiser(name: str, device: torch.device) -> Denoiser:
    """The network of that name, ready on its device; a path to safetensors names a compact one of your own.

    Raises SettingsError for an unknown name, WeightsError when its file is missing, which says what to fetch and
    where to put it.
    """
    own = name not in catalogue.CHECKPOINTS and name.endswith(SUFFIX)
    if not own and name not in (*catalogue.COMPACT, *catalogue.RELEASED):
        choices = ", ".join((*catalogue.COMPACT, *catalogue.RELEASED))
        raise SettingsError(
            f"There is no restoration model {name!r}; choose one of {choices}, or name a {SUFFIX} file of your own."
        )
    if own or name in catalogue.COMPACT:
        from flair_core.denoisers import compact

        return compact.load(files.as_path(name) if own else store.path(name), device)

    from flair_core.denoisers import released

    return released.NETWORKS[name].from_state(store.load(name), device)
