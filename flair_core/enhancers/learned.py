"""An enhancer of our own, trained by `flair train enhancer`: strengthens the detail that the sampler left faint."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from flair_core.denoisers.compact import Convolution
from flair_core.errors import WeightsError
from flair_core.runtime import threads
from flair_core.runtime.devices import fast_dtype

if TYPE_CHECKING:
    from pathlib import Path

CELL = 4
"""Pixels per side for which the network has an opinion; it is smoothed over three of them."""
MULTIPLE = 2 * CELL
"""Sides that the network takes."""
WEAK = 1e-4
"""Energy of features that is as good as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedConfig:
    """The shape of the network; stored beside the weights."""

    channels: tuple[int, int] = (48, 96)
    """For cells, and for four of them."""
    blocks: tuple[int, int] = (1, 3)
    """How many for cells, on the way down and up again, and for four of them."""
    kernels: tuple[int, int] = (12, 11)
    """How many, and their side in pixels, odd."""


class Block(nn.Module):
    """Two 3×3 convolutions, added to the input; without effect at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = Convolution(channels, channels, 3, padding=1)
        self.conv2 = Convolution(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, h, w)."""
        out: Tensor = x + self.conv2(functional.silu(self.conv1(x), inplace=True))
        return out


class LearnedNetwork(nn.Module):
    """G(x) = x + Σₖ gₖ · (hₖ ∗ x): a bank of learned kernels, mixed anew in every place.

    No hₖ sees flat areas, so broad colours and shades stay: they are the footage's, and data consistency's. A U-Net
    tells the gₖ, which differ from cell to cell, so edges can be sharpened across and smoothed along, and noise left
    alone. It can strengthen what is there, but not draw what is not: one that drew at will wove patterns into hair
    and skin, and was further from the truth for as much detail. Before training it changes nothing.
    """

    def __init__(self, config: LearnedConfig) -> None:
        super().__init__()
        self.config = config
        (fine, coarse), (outer, inner), (count, side) = config.channels, config.blocks, config.kernels
        self.first = Convolution(3 * CELL**2, fine, 3, padding=1)
        self.down, self.up = (nn.Sequential(*(Block(fine) for _ in range(outer))) for _ in range(2))
        self.shrink = Convolution(fine, coarse, 2, stride=2)
        self.middle = nn.Sequential(*(Block(coarse) for _ in range(inner)))
        self.grow = Convolution(coarse, fine, 1)
        self.whole = nn.Linear(fine + coarse, fine)
        self.last = Convolution(fine, count, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)
        self.kernels = nn.Parameter(torch.randn(count, 1, side, side) / side)

    def forward(self, faces: Tensor) -> Tensor:
        """(N, 3, H, W) in about [-1, 1], H and W multiples of 8 → the same shape, in single precision."""
        image = faces.to(self.first.weight.dtype, memory_format=torch.channels_last)
        fine = self.down(self.first(functional.pixel_unshuffle(image, CELL)))
        coarse = self.middle(self.shrink(fine))
        # How coarse the footage was shows in the picture as a whole.
        energy = torch.cat([features.float().square().mean((2, 3)) for features in (fine, coarse)], 1)
        whole = self.whole((energy + WEAK).log().to(fine.dtype))[..., None, None]
        fine = self.up(_larger(self.grow(coarse), 2) + fine + whole)
        gains = functional.pad(self.last(functional.silu(fine)).float(), 4 * (1,), mode="replicate")
        gains = _larger(functional.avg_pool2d(gains, 3, 1), CELL)  # those of single cells bead slanted edges
        enhanced: Tensor = faces + (gains[:, None] * self._bands(faces)).sum(2)
        return enhanced

    def _bands(self, faces: Tensor) -> Tensor:
        """hₖ ∗ x, (N, 3, K, H, W) in single precision: all colours alike."""
        kernels = self.kernels.float()
        kernels = kernels - kernels.mean((2, 3), keepdim=True)
        around = 4 * (kernels.shape[-1] // 2,)
        colours = functional.pad(faces.float(), around, mode="replicate").flatten(0, 1)[:, None]
        with torch.autocast(faces.device.type, enabled=False):
            bands = functional.conv2d(colours, kernels)
        return bands.view(*faces.shape[:2], *bands.shape[1:])


def _larger(features: Tensor, times: int) -> Tensor:
    """`times` the resolution, without a grid."""
    larger: Tensor = functional.interpolate(features, scale_factor=float(times), mode="bilinear")
    return larger


class Learned:
    """The network as an Enhancer: faces of any size, though it has learned from those of 256 pixels."""

    size = None

    def __init__(self, network: LearnedNetwork, device: torch.device) -> None:
        self._network = network.eval().requires_grad_(False).to(device, fast_dtype(device))
        self._network.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def __call__(self, faces: Tensor) -> Tensor:
        """(F, 3, H, W) in [-1, 1] → the same shape and range, to the same bits in any number of threads."""
        height, width = faces.shape[-2:]
        padded = functional.pad(faces, (0, -width % MULTIPLE, 0, -height % MULTIPLE), mode="replicate")
        with threads.narrow():
            enhanced = [self._network(face)[..., :height, :width] for face in torch.split(padded, 1)]
        return torch.cat(enhanced).clamp(-1, 1) if enhanced else faces


def load(path: Path, device: torch.device) -> Learned:
    """The enhancer in safetensors that `flair train enhancer` wrote. Raises WeightsError on others."""
    return Learned(read(path), device)


def holds(path: Path) -> bool:
    """Whether a file has such a network, by its metadata."""
    try:
        with safe_open(path, framework="pt") as file:
            return "enhancer" in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def read(path: Path) -> LearnedNetwork:
    """The network in such a file, in single precision. Raises WeightsError on others."""
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads((file.metadata() or {})["enhancer"])
            state = {key: file.get_tensor(key).float() for key in file.keys()}
        network = LearnedNetwork(LearnedConfig(**{name: tuple(value) for name, value in told.items()}))
        network.load_state_dict(state)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{path} does not hold an enhancer that “flair train enhancer” wrote: {error}. Choose another."
        ) from None
    return network


def metadata(config: LearnedConfig) -> dict[str, str]:
    """What `read` needs to know beside the weights."""
    return {"enhancer": json.dumps(asdict(config))}
