"""Parts of AMT: feature pyramids, correlation of all pairs of places, and the decoders that refine two flows.

Images are (N, 3, H, W); a flow is (N, 2, h, w), x then y, in pixels of its own size. Attributes carry the key
names of the released files.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN, FLOW, CORRELATION, CORRELATION_2, MOTION = 192, 64, 256, 192, 188
"""Widths of an update block's layers."""


def resize(x: Tensor, factor: float) -> Tensor:
    """Bilinear resizing of a feature; flows have to be multiplied by `factor` as well."""
    return functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def look_up(image: Tensor, places: Tensor, padding: str) -> Tensor:
    """`image` (N, C, h, w) at `places` (N, 2, h', w'), x then y in its pixels, bilinear."""
    span = places.new_tensor([max(image.shape[-1] - 1, 1), max(image.shape[-2] - 1, 1)]).view(2, 1, 1)
    grid = (2 * places / span - 1).movedim(1, -1)
    return functional.grid_sample(image, grid, padding_mode=padding, align_corners=True)


def grid(size: Sequence[int], like: Tensor) -> Tensor:
    """(1, 2, h, w) for a size (h, w): every place's own x and y."""
    height, width = size
    y, x = torch.meshgrid(
        torch.arange(height, device=like.device, dtype=like.dtype),
        torch.arange(width, device=like.device, dtype=like.dtype),
        indexing="ij",
    )
    return torch.stack((x, y)).unsqueeze(0)


def warp_clamped(image: Tensor, flow: Tensor) -> Tensor:
    """`image` looked up where `flow` points, edges repeated."""
    return look_up(image, grid(flow.shape[-2:], flow) + flow, "border")


def conv_prelu(channels_in: int, channels: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution and a leaky unit with a learned slope for each channel."""
    return nn.Sequential(nn.Conv2d(channels_in, channels, kernel, stride, kernel // 2), nn.PReLU(channels))


class RaftBlock(nn.Module):
    """RAFT's residual block with instance norm."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1)
        self.downsample = nn.Sequential(nn.Conv2d(channels_in, channels, 1, stride)) if stride > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, h, w) → (N, C, h/stride, w/stride)."""
        hidden = functional.relu(functional.instance_norm(self.conv1(x)))
        hidden = functional.relu(functional.instance_norm(self.conv2(hidden)))
        if self.downsample is not None:
            x = functional.instance_norm(self.downsample(x))
        return functional.relu(x + hidden)


class FeatureEncoder(nn.Module):
    """What is compared between the two images: 128 channels at an eighth of the size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        self.layer1 = self._pair(64, 64, 1)
        self.layer2 = self._pair(64, 112, 2)
        self.layer3 = self._pair(112, 160, 2)
        self.layer3_2 = self._pair(160, 160, 1)
        self.conv2 = nn.Conv2d(160, 128, 1)

    @staticmethod
    def _pair(channels_in: int, channels: int, stride: int) -> nn.Sequential:
        return nn.Sequential(RaftBlock(channels_in, channels, stride), RaftBlock(channels, channels, 1))

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) → (N, 128, H/8, W/8)."""
        x = functional.relu(functional.instance_norm(self.conv1(image)))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer3_2, self.conv2):
            x = layer(x)
        return x


class FeaturePyramid(nn.Module):
    """What is warped and merged: one feature for each of the sizes 1/2, 1/4, …"""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        for level, (before, own) in enumerate(zip((3, *channels), channels, strict=False), 1):
            down = conv_prelu(before, own, 7 if level == 1 else 3, 2)
            self.add_module(f"pyramid{level}", nn.Sequential(down, conv_prelu(own, own)))

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) → features, finest first."""
        features = []
        for layer in self.children():
            image = layer(image)
            features.append(image)
        return features


class Correlation:
    """How alike every place of one image is to every place of the other, both ways, at several sizes."""

    def __init__(self, feature0: Tensor, feature1: Tensor, levels: int, radius: int) -> None:
        n, channels, h, w = feature0.shape
        alike = feature0.flatten(2).transpose(1, 2) @ feature1.flatten(2) / channels**0.5  # (N, h·w, h·w)
        self.forth = self._pyramid(alike.reshape(n * h * w, 1, h, w), levels)
        self.back = self._pyramid(alike.transpose(1, 2).reshape(n * h * w, 1, h, w), levels)
        # Rows of the window step along x and columns along y, the order that the weights were trained with.
        steps = torch.arange(-radius, radius + 1, device=alike.device, dtype=alike.dtype)
        self.window = torch.stack(torch.meshgrid(steps, steps, indexing="ij"))

    @staticmethod
    def _pyramid(alike: Tensor, levels: int) -> list[Tensor]:
        pyramid = [alike]
        while len(pyramid) < levels:
            pyramid.append(functional.avg_pool2d(pyramid[-1], 2))
        return pyramid

    def look_up(self, forth: Tensor, back: Tensor) -> Tensor:
        """Around places (N, 2, h, w) in image 1 and in image 0 → (N, 2 · levels · (2 radius + 1)², h, w)."""
        return torch.cat((self._look_up(self.forth, forth), self._look_up(self.back, back)), 1)

    def _look_up(self, pyramid: Sequence[Tensor], places: Tensor) -> Tensor:
        n, _, h, w = places.shape
        centres = places.movedim(1, -1).reshape(n * h * w, 2, 1, 1)
        found = [
            look_up(alike, centres / 2**level + self.window, "zeros").view(n, h, w, -1)
            for level, alike in enumerate(pyramid)
        ]
        return torch.cat(found, -1).movedim(-1, 1)


class SideBlock(nn.Module):
    """Residual block that treats the last `side` channels to two convolutions of their own."""

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.split = (channels - side, side)
        self.conv1, self.conv3 = conv_prelu(channels, channels), conv_prelu(channels, channels)
        self.conv2, self.conv4 = conv_prelu(side, side), conv_prelu(side, side)
        self.conv5, self.prelu = nn.Conv2d(channels, channels, 3, 1, 1), nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) → the same shape."""
        hidden = x
        for whole, side in ((self.conv1, self.conv2), (self.conv3, self.conv4)):
            main, rest = whole(hidden).split(self.split, 1)
            hidden = torch.cat((main, side(rest)), 1)
        out: Tensor = self.prelu(x + self.conv5(hidden))
        return out


class FlowDecoder(nn.Module):
    """One level: from features and the coarser flows to `out` channels at twice the size."""

    def __init__(self, channels_in: int, channels: int, out: int, side: int) -> None:
        super().__init__()
        up = nn.ConvTranspose2d(channels, out, 4, 2, 1)
        self.convblock = nn.Sequential(conv_prelu(channels_in, channels), SideBlock(channels, side), up)

    def forward(self, *features: Tensor) -> Tensor:
        """(N, C_i, h, w) each → (N, out, 2h, 2w)."""
        out: Tensor = self.convblock(torch.cat(features, 1))
        return out


class UpdateBlock(nn.Module):
    """Corrects a level's feature and flows by what the correlation shows, at 1 / `factor` of their size."""

    def __init__(self, channels: int, looked_up: int, factor: int = 1) -> None:
        super().__init__()
        self.factor = factor
        self.convc1 = nn.Conv2d(looked_up, CORRELATION, 1)
        self.convc2 = nn.Conv2d(CORRELATION, CORRELATION_2, 3, padding=1)
        self.convf1 = nn.Conv2d(4, 2 * FLOW, 7, padding=3)
        self.convf2 = nn.Conv2d(2 * FLOW, FLOW, 3, padding=1)
        self.conv = nn.Conv2d(FLOW + CORRELATION_2, MOTION, 3, padding=1)
        self.gru = self._two(MOTION + 4 + channels, HIDDEN)
        self.feat_head = self._two(HIDDEN, channels)
        self.flow_head = self._two(HIDDEN, 4)

    @staticmethod
    def _two(channels_in: int, channels: int) -> nn.Sequential:
        first, second = (
            nn.Conv2d(channels_in, HIDDEN, 3, padding=1),
            nn.Conv2d(HIDDEN, channels, 3, padding=1),
        )
        return nn.Sequential(first, nn.LeakyReLU(0.1), second)

    def forward(self, feature: Tensor, flows: Tensor, correlation: Tensor) -> tuple[Tensor, Tensor]:
        """Feature (N, C, h, w), flows (N, 4, h/f, w/f) → what to add to feature and flows at h×w."""
        if self.factor > 1:
            feature = resize(feature, 1 / self.factor)
        motion = torch.cat((self._activate(correlation, "convc"), self._activate(flows, "convf")), 1)
        motion = functional.leaky_relu(self.conv(motion), 0.1)
        hidden = self.gru(torch.cat((motion, flows, feature), 1))
        feature, flows = self.feat_head(hidden), self.flow_head(hidden)
        if self.factor > 1:
            feature, flows = resize(feature, self.factor), self.factor * resize(flows, self.factor)
        return feature, flows

    def _activate(self, x: Tensor, name: str) -> Tensor:
        for layer in (f"{name}1", f"{name}2"):
            x = functional.leaky_relu(self.get_submodule(layer)(x), 0.1)
        return x
