"""Keys of kept faces: all that a restored face depends on."""

from __future__ import annotations

import torch

from flair_core.restoration.crop import Face
from flair_core.restoration.models import Models

OF_THE_ENHANCER = (
    "enhancer",
    "fidelity",
    "w_tau",
    "w_curve",
    "tau",
    "w_eyes",
    "w_mouth",
    "w_skin",
    "null_space_lock",
)
"""Settings without effect while it rests."""


def network_identity(models: Models, name: str, network: object) -> str:
    """A network in a key: its class, and the SHA-256 of its file, or its name where it has none."""
    return f"{type(network).__qualname__} {models.weights.get(name, name)}"


def surroundings(face: Face) -> dict[str, object]:
    """What its mask is steadied by; for a key."""
    if not face.around:
        return {}
    places = [
        (one.first - face.first, None if one.landmarks is None else one.landmarks.tolist())
        for one in face.around
    ]
    return {"around": torch.cat([one.y for one in face.around]).numpy(), "places": places}
