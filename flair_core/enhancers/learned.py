"""An enhancer of our own, trained by `flair train enhancer`: draws finer detail where the sampler left grain."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional

from flair_core import threads
from flair_core.denoisers.compact import Convolution, fast_dtype
from flair_core.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

MULTIPLE = 8
"""Sides that the network takes."""
BROAD = 8
"""Side in pixels of the cells whose mean stays: broad colours and shades are the footage's, and data consistency's."""
DRAWN = 16
"""Channels in which the network draws at full resolution."""
GAUGED = 16
"""Hidden units that tell how strongly."""
WEAK = 1e-4
"""Energy of features that is as good as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnedConfig:
    """The shape of the network; stored beside the weights."""

    channels: tuple[int, int, int] = (24, 64, 128)
    """At a half, a quarter and an eighth of the resolution."""
    blocks: tuple[int, int] = (1, 3)
    """How many at each of the first two, on the way down and up again, and at the last."""


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
    """G(x) = x + gain(x) · (F(x) less its broad part): a U-Net. Before training it changes nothing.

    What it adds is drawn by convolutions at full resolution on features that grow smoothly, so it has no grid of
    patches in which a pattern could repeat. The gain, one number for a picture, comes from the energy of all features:
    coarse footage lacks more of its detail, and w_τ is to mean the same for any.
    """

    def __init__(self, config: LearnedConfig) -> None:
        super().__init__()
        self.config = config
        (half, quarter, eighth), (outer, inner) = config.channels, config.blocks
        self.first = Convolution(12, half, 3, padding=1)
        self.shrink = nn.ModuleList(
            (Convolution(half, quarter, 2, stride=2), Convolution(quarter, eighth, 2, stride=2))
        )
        self.down, self.up = (
            nn.ModuleList(
                nn.Sequential(*(Block(channels) for _ in range(outer))) for channels in (half, quarter)
            )
            for _ in range(2)
        )
        self.middle = nn.Sequential(*(Block(eighth) for _ in range(inner)))
        self.grow = nn.ModuleList((Convolution(quarter, half, 1), Convolution(eighth, quarter, 1)))
        self.narrow = Convolution(half, DRAWN, 1)
        self.draw = Convolution(DRAWN + 3, DRAWN, 3, padding=1)
        self.last = Convolution(DRAWN, 3, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)
        self.gauge = nn.Sequential(
            nn.Linear(half + quarter + eighth, GAUGED), nn.SiLU(), nn.Linear(GAUGED, 1)
        )
        for parameter in self.gauge[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, faces: Tensor) -> Tensor:
        """(N, 3, H, W) in about [-1, 1], H and W multiples of 8 → the same shape, in single precision."""
        image = faces.to(self.first.weight.dtype, memory_format=torch.channels_last)
        half = self.down[0](self.first(functional.pixel_unshuffle(image, 2)))
        quarter = self.down[1](self.shrink[0](half))
        eighth = self.middle(self.shrink[1](quarter))
        energy = torch.cat(
            [features.float().square().mean((2, 3)) for features in (half, quarter, eighth)], 1
        )
        gain = self.gauge((energy + WEAK).log().to(image.dtype)).float().exp()[..., None, None]
        quarter = self.up[1](_twice(self.grow[1](eighth)) + quarter)
        half = self.up[0](_twice(self.grow[0](quarter)) + half)
        drawn = self.draw(torch.cat((_twice(self.narrow(half)), image), 1))
        added: Tensor = self.last(functional.silu(drawn)).float()
        enhanced: Tensor = faces + gain * (added - _broad(added))
        return enhanced


def _twice(features: Tensor) -> Tensor:
    """Twice the resolution, without a grid."""
    larger: Tensor = functional.interpolate(features, scale_factor=2.0, mode="bilinear")
    return larger


def _broad(image: Tensor) -> Tensor:
    """Mean over about (3 · BROAD)² pixels, as far as they lie in the image, without a grid."""
    cells = functional.avg_pool2d(image, BROAD)
    cells = functional.avg_pool2d(cells, 3, 1, 1, count_include_pad=False)
    return functional.interpolate(cells, scale_factor=float(BROAD), mode="bilinear")


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


def read(path: Path) -> LearnedNetwork:
    """The network in such a file, in single precision. Raises WeightsError on others."""
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads((file.metadata() or {})["enhancer"])
            state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
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
