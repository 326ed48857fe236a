"""The U-Net that both released networks are; what differs between them is left to two subclasses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from flair_core.denoisers.flow import Flows, SPyNet
from flair_core.denoisers.layers import ResidualBlock, SpatialAttention, WindowNorm, per_frame
from flair_core.denoisers.temporal import Gate, RecurrentRefinement, TemporalAttention

if TYPE_CHECKING:
    from collections.abc import Mapping

Size = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UNetConfig:
    """The shape of a network; level i works at 1/2ⁱ of the image's size."""

    channels: tuple[int, ...]
    """Of each level."""
    blocks: int
    """Stages per level on the way down; one more on the way up."""
    embedding: int
    """Length of the embedded noise level."""
    out_channels: int
    attention: tuple[int, ...]
    """Levels with attention."""
    recurrent: tuple[int, ...] = (0, 1)
    """Levels with recurrent refinement."""
    window: int
    """Frames that the temporal attention looks at."""
    head_channels: int = 64
    half_attention: bool = True
    """Whether the temporal attention rounds to half precision, as in the released program; see TemporalAttention."""
    groups: int = 32
    """Of the norms between spatial layers."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the steps are given with their features."""

    emb: Tensor
    """(B, T, E): the noise level, as spatial residual blocks take it."""
    active: Tensor
    """The same behind an activation, as all other layers take it."""
    flows: Mapping[Size, Flows]
    """By height and width of the features."""
    weight: Tensor | float
    """w̃(1 − m) + m of eq. (5), see RecurrentRefinement."""
    cross_frame: bool
    """False leaves the temporal layers out: the image network θ alone."""


class FrameConv(nn.Module):
    """A convolution of each frame, behind nearest upscaling when `upscale`."""

    def __init__(self, channels_in: int, channels: int, *, stride: int = 1, upscale: bool = False) -> None:
        super().__init__()
        self.upscale = upscale
        self.conv = nn.Conv2d(channels_in, channels, 3, stride=stride, padding=1)

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """(B, T, C_in, h, w) → (B, T, C, h', w')."""
        if self.upscale:
            x = per_frame(lambda y: functional.interpolate(y, scale_factor=2, mode="nearest"), x)
        return per_frame(self.conv, x)


class UNetStep(nn.Module):
    """One step of the U-Net: a spatial residual block, then the layers that this depth has, in this order."""

    def __init__(
        self,
        spatial: ResidualBlock,
        *,
        temporal: ResidualBlock | None = None,
        attention: SpatialAttention | None = None,
        temporal_attention: TemporalAttention | None = None,
        recurrent: RecurrentRefinement | None = None,
        gates: nn.ModuleDict | None = None,
    ) -> None:
        super().__init__()
        self.spatial = spatial
        self.temporal = temporal
        self.attention = attention
        self.temporal_attention = temporal_attention
        self.recurrent = recurrent
        self.resize: ResidualBlock | None = None
        self.gates = gates

    def forward(self, x: Tensor, context: Context) -> Tensor:
        """(B, T, C_in, h, w) → (B, T, C, h', w')."""
        x = self.spatial(x, context.emb)
        if context.cross_frame and self.temporal is not None:
            x = self._gated("temporal", x, self.temporal(x, context.active), context)
        if self.attention is not None:
            x = self.attention(x, context.active)
        if context.cross_frame and self.temporal_attention is not None:
            x = self._gated("temporal_attention", x, self.temporal_attention(x), context)
        if context.cross_frame and self.recurrent is not None:
            refined = self.recurrent(x, context.flows[x.shape[-2], x.shape[-1]], context.weight)
            x = self._gated("recurrent", x, refined, context)
        if self.resize is not None:
            x = self.resize(x, context.emb)
        return x

    def _gated(self, name: str, x: Tensor, refined: Tensor, context: Context) -> Tensor:
        if self.gates is None:
            return refined
        mixed: Tensor = self.gates[name](x, refined, context.active)
        return mixed


class UNet(nn.Module, ABC):
    """A denoiser of T frames, given the condition, the noise level, the motion and the background."""

    embed: nn.Sequential

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        last = len(config.channels) - 1
        width = config.channels[0]
        skips = [width]
        self.flow = SPyNet()
        self.down = nn.ModuleList([FrameConv(6, width)])
        for level, channels in enumerate(config.channels):
            for _ in range(config.blocks):
                self.down.append(self._stage(level, width, channels))
                width = channels
                skips.append(width)
            if level < last:
                self.down.append(self._shrink(width))
                skips.append(width)
        self.middle = nn.ModuleList(self._middle(width))
        self.up = nn.ModuleList()
        for level in range(last, -1, -1):
            for _ in range(config.blocks + 1):
                self.up.append(self._stage(level, width + skips.pop(), config.channels[level]))
                width = config.channels[level]
            if level > 0:
                self._grow(width)
        self.out_norm = WindowNorm(config.groups, width)
        self.out_conv = nn.Conv2d(width, config.out_channels, 3, padding=1)

    @abstractmethod
    def _stage(self, level: int, channels_in: int, channels: int) -> UNetStep: ...

    @abstractmethod
    def _middle(self, channels: int) -> tuple[UNetStep, ...]: ...

    @abstractmethod
    def _shrink(self, channels: int) -> nn.Module:
        """Halves the sides; its output is a skip, too."""

    @abstractmethod
    def _grow(self, channels: int) -> None:
        """Append to `up` what doubles the sides."""

    @abstractmethod
    def _joined(self, x_t: Tensor, c: Tensor) -> Tensor:
        """x_t and c side by side, in the order of channels that the network was trained with."""

    @abstractmethod
    def _context(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """The embedded noise level (B, T, E) as `Context.emb` and `Context.active`."""

    @abstractmethod
    def _resized(self, frames: Tensor, size: Size) -> Tensor:
        """Images (N, 3, H, W) at the size where motion is wanted, as in training."""

    def flows(self, frames: Tensor, size: Size) -> dict[Size, Flows]:
        """Motion of `frames`, (B, T, 3, h, w) in [-1, 1], for images of `size`; independent of the step."""
        sizes = [(size[0] >> level, size[1] >> level) for level in self.config.recurrent]
        return {wanted: self._motion(frames, wanted) for wanted in sizes}

    def _temporal_attention(self, channels: int) -> TemporalAttention:
        config = self.config
        return TemporalAttention(channels, config.window, config.head_channels, half=config.half_attention)

    def _motion(self, frames: Tensor, size: Size) -> Flows:
        if frames.shape[-2:] != size:
            frames = per_frame(lambda images: self._resized(images, size), frames)
        return self.flow.window(((frames + 1) / 2).clamp(0, 1))

    def forward(
        self,
        x_t: Tensor,
        c: Tensor,
        step: Tensor,
        flows: Mapping[Size, Flows],
        weight: Tensor | float = 1.0,
        *,
        cross_frame: bool = True,
    ) -> Tensor:
        """The network's output, (B, T, out_channels, H, W); the first three channels are the noise.

        x_t, c: (B, T, 3, H, W), sides multiples of 2^(levels − 1).  step: (B, T), the noise level as the
        network is given it.  flows: from `flows`.  weight: see RecurrentRefinement.
        """
        emb, active = self._context(step)
        context = Context(emb, active, flows, weight, cross_frame)
        x = self._joined(x_t, c)
        skips = []
        for stage in self.down:
            x = stage(x, context)
            skips.append(x)
        for stage in self.middle:
            x = stage(x, context)
        for stage in self.up:
            if isinstance(stage, UNetStep):
                x = torch.cat((x, skips.pop()), 2)
            x = stage(x, context)
        # The last layer is never in half precision.
        with torch.autocast(x.device.type, enabled=False):
            return per_frame(self.out_conv, functional.silu(self.out_norm(x.float())))


def gates(embedding: int, channels: int, *names: str) -> nn.ModuleDict:
    """A gate for each of the named layers of a Stage."""
    return nn.ModuleDict({name: Gate(embedding, channels) for name in names})
