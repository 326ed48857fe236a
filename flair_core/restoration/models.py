"""The networks that settings name, loaded and ready on their device."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from flair_core.checkpoints import catalogue, store
from flair_core.checkpoints.catalogue import RELEASED, RELEASED_PARSER
from flair_core.denoisers.base import Denoiser, anneals
from flair_core.denoisers.factory import load_denoiser
from flair_core.enhancers.base import BATCH
from flair_core.enhancers.factory import load_enhancer
from flair_core.errors import WeightsError
from flair_core.faces.detect import detector_hash, load_detector
from flair_core.faces.parse import Parser
from flair_core.kept import fingerprints
from flair_core.settings.groups import WITH_FIDELITY, RestorationSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from flair_core.enhancers.base import Enhancer
    from flair_core.faces.detect import Detector
    from flair_core.faces.parse import Parser
    from flair_core.settings.groups import RestorationSettings


@dataclass(frozen=True, slots=True)
class Models:
    """The networks of a restoration, ready on their device."""

    denoiser: Denoiser
    enhancer: Enhancer
    device: torch.device
    weights: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of the files that they came from, by name."""
    parser: Parser | None = None
    """What finds the parts of a face; None when the landmarks have to do."""
    released_parser: Parser | None = None
    """What tells a released network face and background apart, for w̃ of eq. (5), and `inlays` where an enhanced face
    goes; None without need, or for w̃ without file."""
    detector: Detector | None = None
    """What finds the face that `inlays` where no track leads; None without need."""

    @property
    def side_by_side(self) -> bool:
        """Whether frames may be restored in one thread each, to the very bits that one alone has in all threads."""
        parsers = self.parser, self.released_parser
        alone = self.denoiser.window == 1 and self.enhancer.size is None and parsers == (None, None)
        return alone and self.device.type == "cpu"

    @property
    def together(self) -> int:
        """How many faces of single frames are restored in one batch: one where a batch gains nothing."""
        alone = self.denoiser.window == 1 and not self.denoiser.own_noise
        return BATCH if alone and self.device.type != "cpu" else 1


def inlays(settings: RestorationSettings) -> bool:
    """Whether G gets a face cut out of x, which is pasted back at every step: the released program's unaligned mode.

    Its networks have that under its policy; where frames are aligned faces, only when ParseNet's mask is asked for.
    """
    sampler, faces = settings.sampler, settings.faces
    released = sampler.policy == "released" and sampler.model in RELEASED and sampler.enhances
    return released and (not faces.aligned or faces.mask == RELEASED_PARSER)


def load_models(settings: RestorationSettings, device: torch.device) -> Models:
    """The networks that the settings name, kept for the next call. Raises WeightsError if one is missing."""
    # An enhancer that is never called need not be there.
    enhancer = settings.sampler.enhancer if settings.sampler.enhances else "none"
    fidelity = settings.sampler.fidelity if enhancer in WITH_FIDELITY else 1.0
    model, faces, inlaid = settings.sampler.model, settings.faces, inlays(settings)
    # Asked anew each time: the file may have come in the meantime.
    parsed = anneals(_denoiser(model, device)) and store.here(catalogue.RELEASED_PARSER)
    if inlaid:
        _demand_parser()
    masked = not faces.aligned or (settings.sampler.enhances and not inlaid)
    return _models(
        model,
        enhancer,
        fidelity,
        faces.mask if masked else "landmarks",
        catalogue.RELEASED_PARSER if parsed or inlaid else None,
        faces.detector if inlaid and faces.aligned else None,
        device,
    )


def loader(device: torch.device, networks: dict[str, str]) -> Load:
    """Networks on a device, held for the run; `networks` gets the SHA-256 of their files."""

    @lru_cache(maxsize=256)
    def load(settings: RestorationSettings) -> Models:
        models = load_models(settings, device)
        networks.update(models.weights)
        return models

    return load


def _demand_parser() -> None:
    try:
        store.path(catalogue.RELEASED_PARSER)
    except WeightsError as error:
        raise WeightsError(
            f"{error} The released policy places each enhanced face by it: or set the enhancement w_τ to 0, or "
            "choose the paper's policy."
        ) from None


@lru_cache(maxsize=8)
def _models(
    model: str,
    enhancer: str,
    fidelity: float,
    mask: str,
    released_parser: str | None,
    detector: str | None,
    device: torch.device,
) -> Models:
    # First of all, so that unknown names are told as such.
    loaded = _denoiser(model, device), load_enhancer(enhancer, device, fidelity=fidelity)
    hashes = {
        name: fingerprints.weights_hash(name) for name in (model, enhancer, mask, released_parser) if name
    }
    if detector:
        hashes[detector] = detector_hash(detector)
    return Models(
        *loaded,
        device,
        {name: found for name, found in hashes.items() if found},
        None if mask == "landmarks" else _parser(mask, device=device),
        None if released_parser is None else _parser(released_parser, device=device),
        None if detector is None else load_detector(detector),
    )


_denoiser = lru_cache(maxsize=2)(load_denoiser)


_parser = lru_cache(maxsize=2)(Parser)


Load = Callable[[RestorationSettings], Models]
"""The networks for some settings."""
