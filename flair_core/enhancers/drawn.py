"""An enhancer of our own that draws, trained by `flair train enhancer`: with another seed, another face.

It is a compact network like θ. In place of the footage it is shown the estimate x0, and in place of x_t the estimate
in noise z of the level START, which says nothing of the face: what the network takes from z is which of the faces that
x0 leaves open it draws. The mean m of both is x0 to a thousandth of z.
"""

from __future__ import annotations

import json
from copy import copy
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from torch.nn import functional

from flair_core.denoisers.compact import MULTIPLE, START, Compact, CompactConfig, CompactNetwork, describe
from flair_core.errors import WeightsError
from flair_core.runtime import threads

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor, nn

    from flair_core.denoisers.compact import Conditioning

KEY = "drawn"
"""Of the metadata that tells such a file from θ's."""


def draw(network: nn.Module, faces: Tensor, z: Tensor, told: Conditioning | None = None) -> Tensor:
    """G(x0, z): faces (N, 3, H, W) in about [-1, 1], sides multiples of 32, and normal z of that shape → the same.

    told: what the network makes of noise level and description, if it is known.
    """
    level, description = _told(faces.device)
    enhanced: Tensor = network(faces, faces + START * z, level, description, None, told).x0
    return enhanced


def _told(device: torch.device) -> tuple[Tensor, Tensor]:
    """σ, (1,), and the description *unknown*, (1, FEATURES)."""
    return torch.full((1,), START, device=device), describe(None).to(device)[None]


class Drawn:
    """The network as an Enhancer: faces of any size, though it has learned from those of up to 256 pixels.

    All faces get the same z, which depends on the seed and the size alone: frames of an aligned face are drawn alike,
    so that what is drawn stays on the face.
    """

    size = None

    def __init__(self, network: CompactNetwork, device: torch.device, seed: int = 0) -> None:
        self._network = Compact(network, device).network
        self._device, self._seed = device, seed
        with threads.narrow(), torch.no_grad():
            self._told = self._network.tell(*_told(device))

    def seeded(self, seed: int) -> Drawn:
        """The same network, drawing what another seed makes of a face."""
        other = copy(self)
        other._seed = seed
        return other

    @torch.no_grad()
    def __call__(self, faces: Tensor) -> Tensor:
        """(F, 3, H, W) in [-1, 1] → the same shape and range, to the same bits in any number of threads."""
        if not len(faces):
            return faces
        height, width = faces.shape[-2:]
        padded = functional.pad(faces, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
        z = _noise(self._seed, padded.shape[-2:]).to(self._device)
        with threads.narrow():
            drawn = [draw(self._network, face, z, self._told) for face in torch.split(padded, 1)]
        return torch.cat(drawn)[..., :height, :width].clamp(-1, 1)


@lru_cache(maxsize=8)
def _noise(seed: int, size: torch.Size) -> Tensor:
    """z, (1, 3, H, W), drawn on the CPU so that all devices agree."""
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(seed))


def load(path: Path, device: torch.device) -> Drawn:
    """The enhancer in safetensors that `flair train enhancer` wrote. Raises WeightsError on others."""
    return Drawn(read(path), device)


def read(path: Path) -> CompactNetwork:
    """The network in such a file, in single precision. Raises WeightsError on others."""
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads((file.metadata() or {})[KEY])
            state = {key: file.get_tensor(key).float() for key in file.keys()}
        network = CompactNetwork(CompactConfig.from_plain(told))
        network.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path} does not hold an enhancer that “flair train enhancer” wrote: {error}. Choose another."
        ) from None
    return network


def metadata(config: CompactConfig) -> dict[str, str]:
    """What `read` needs to know beside the weights."""
    return {KEY: json.dumps(asdict(config))}
