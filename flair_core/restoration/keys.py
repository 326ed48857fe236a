"""Keys of kept faces: all that a restored face depends on.

Which settings belong to which key is marked on their fields: see `Affects`. A network counts by its class and the hash
of its file, not by the name that a setting has for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from flair_core.checkpoints.catalogue import RELEASED_PARSER
from flair_core.kept import cache, fingerprints
from flair_core.runtime import devices
from flair_core.settings.fields import values_of

if TYPE_CHECKING:
    from flair_core.faces.parse import Parser
    from flair_core.faces.placed_masks import Masks
    from flair_core.restoration.crop import Face
    from flair_core.restoration.models import Models


def of_restored(
    face: Face, models: Models, masks: Masks | None, previous: torch.Tensor | None, computes: str = ""
) -> str:
    """The key of x0.

    masks: where G works; they do not count while it rests.
    previous: (n, 3, H, W), what the window begins with under the released policy.
    computes: what computes, in words, where that is more than the device of the networks.
    """
    if not face.settings.sampler.enhances:
        masks = None
    return cache.key(
        y=face.y.numpy(),
        # Noise of its own makes a frame's result depend on where it stands.
        first=face.first if models.denoiser.own_noise else None,
        previous=None if previous is None else previous.numpy(),
        landmarks=None if masks is None else masks.landmarks,
        **({} if masks is None else _surroundings(face)),
        **recipe(face, models, masks, computes),
    )


def recipe(face: Face, models: Models, masks: Masks | None, computes: str = "") -> dict[str, object]:
    """What x0 depends on besides frames, as parts of a key; arguments as for `of_restored`."""
    settings, sampler = face.settings, face.settings.sampler
    values = values_of(settings.degradation, "restored") | values_of(sampler, "restored")
    values |= values_of(settings.faces, "restored")
    values["model"] = _network(models, sampler.model, models.denoiser)
    if models.released_parser is not None:
        values["released parser"] = _network(models, RELEASED_PARSER, models.released_parser)
    if sampler.enhances:
        values |= values_of(sampler, "enhanced")
        values["enhancer"] = _network(models, sampler.enhancer, models.enhancer)
        if models.detector is not None:
            values["detector"] = _network(models, settings.faces.detector, models.detector)
    return {
        "size": face.size,
        "settings": values,
        "mask": None if masks is None or not sampler.enhances else _of_masks(face, models, masks),
        "device": computes or devices.describe(models.device),
        "code": fingerprints.code_version(),
    }


def of_mask(face: Face, models: Models, masks: Masks, restored: str) -> str:
    """The key of where a restored face shows, itself under the key `restored`; `masks` as they are for that."""
    parts = _of_masks(face, models, masks)
    return cache.key(of=restored, landmarks=masks.landmarks, mask=parts, **_surroundings(face))


def of_labels(face: Face, models: Models, parser: Parser) -> str:
    """The key of what a parser says to a face as the footage shows it."""
    return cache.key(
        footage=face.y.numpy(),
        size=face.size,
        parser=_network(models, face.settings.faces.mask, parser),
        device=devices.describe(models.device),
        code=fingerprints.code_version(),
    )


def _of_masks(face: Face, models: Models, masks: Masks) -> dict[str, object]:
    """All that masks depend on, beside x0 and landmarks."""
    values = values_of(face.settings.faces, "mask")
    parser = None if masks.parser is None else _network(models, values["mask"], masks.parser)
    return values | {"mask": parser}


def _network(models: Models, name: str, network: object) -> str:
    """A network in a key: its class, and the SHA-256 of its file, or its name where it has none."""
    return f"{type(network).__qualname__} {models.weights.get(name, name)}"


def _surroundings(face: Face) -> dict[str, object]:
    """What its mask is steadied by."""
    if not face.around:
        return {}
    places = [
        (one.first - face.first, None if one.landmarks is None else one.landmarks.tolist())
        for one in face.around
    ]
    return {"around": torch.cat([one.y for one in face.around]).numpy(), "places": places}
