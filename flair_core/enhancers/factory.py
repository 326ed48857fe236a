"""Enhancers by name."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.checkpoints import catalogue, store
from flair_core.enhancers.base import Enhancer, Resized, Unchanged
from flair_core.enhancers.detail import Detail
from flair_core.errors import SettingsError, WeightsError
from flair_core.settings.groups import WITH_FIDELITY

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from torch import Tensor

NAMES = (
    "none",
    "detail",
    catalogue.SHIPPED_ENHANCER,
    "gfpgan",
    "restoreformer",
    "restoreformer-pp",
    "codeformer",
    "vqfr",
)
SIZE = 512
"""Side of the faces that all of the networks were trained on."""


def load_enhancer(
    name: str, device: torch.device, *, path: Path | None = None, fidelity: float = 1.0
) -> Enhancer:
    """The enhancer of that name, ready on its device; `path` is its file where it is not in the data folder.

    A path to safetensors as name means one of your own, from `flair train enhancer`.

    `fidelity` in [0, 1] is for codeformer and vqfr: 1 stays close to the input, 0 trusts the codebook alone.
    Raises SettingsError for an unknown name, WeightsError when its file is missing or holds something else.
    """
    match name:
        case "none":
            return Unchanged()
        case "detail":
            return Detail()
        case _ if name == catalogue.SHIPPED_ENHANCER or name.endswith(".safetensors"):
            from flair_core.enhancers import drawn

            return drawn.load(_file(name) if name in NAMES else Path(name), device)
        case _ if name in NAMES:
            network = _network(name, path or _file(name), device)
            if name in WITH_FIDELITY:
                return Resized(lambda faces: network(faces, fidelity), SIZE)
            return Resized(network, SIZE)
    raise SettingsError(f"There is no enhancer {name!r}; choose one of {', '.join(NAMES)}.")


def _file(name: str) -> Path:
    try:
        return store.path(name)
    except WeightsError as error:
        raise WeightsError(f"{error} Or choose another enhancer, or set the enhancement w_τ to 0.") from None


@lru_cache(maxsize=2)
def _network(name: str, path: Path, device: torch.device) -> Callable[..., Tensor]:
    """What turns faces, and for some their fidelity, into better ones."""
    from flair_core.enhancers import adapters
    from flair_core.enhancers.checkpoint import build, unwrap

    state, source = unwrap(store.read(path)), path.name
    match name:
        case "gfpgan":
            return adapters.gfpgan(state, source, device)
        case "restoreformer":
            return adapters.restoreformer(state, source, device)
        case "codeformer":
            return adapters.codeformer(state, source, device)
        case "vqfr":
            from flair_core.enhancers.vqfr import VQFR

            return build(VQFR, state, source).to(device)
        case _:
            from flair_core.enhancers.restoreformer import RestoreFormer, released_keys

            return build(RestoreFormer, state, source, released_keys).to(device)
