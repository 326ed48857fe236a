"""The released network for blur and JPEG (×4): guided diffusion's, with temporal layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from flair_core.denoisers.deformable import DeformableRefinement
from flair_core.denoisers.layers import ResidualBlock, SpatialAttention, cos_sin
from flair_core.denoisers.unet import Size, UNet, UNetConfig, UNetStep

CONFIG = UNetConfig(
    channels=(64, 128, 128, 256, 256, 512, 512),
    blocks=2,
    embedding=512,
    out_channels=6,
    attention=(4, 5, 6),
    window=5,
)


class BlurNetwork(UNet):
    """Conditioned on the base step; besides the noise it predicts three channels of variance, which nothing uses."""

    def __init__(self, config: UNetConfig = CONFIG) -> None:
        super().__init__(config)
        e = config.embedding
        self.embed = nn.Sequential(nn.Linear(e // 4, e), nn.SiLU(), nn.Linear(e, e))

    def _residual(self, channels: int) -> ResidualBlock:
        return ResidualBlock(channels, channels, self.config.embedding, kernel=(3, 3, 3))

    def _stage(self, level: int, channels_in: int, channels: int) -> UNetStep:
        config = self.config
        heads = config.head_channels
        attends = level in config.attention
        return UNetStep(
            ResidualBlock(channels_in, channels, config.embedding),
            temporal=self._residual(channels),
            attention=SpatialAttention(channels, heads) if attends else None,
            temporal_attention=self._temporal_attention(channels) if attends else None,
            recurrent=DeformableRefinement(channels) if level in config.recurrent else None,
        )

    def _middle(self, channels: int) -> tuple[UNetStep, ...]:
        config = self.config
        return (
            UNetStep(
                ResidualBlock(channels, channels, config.embedding),
                temporal=self._residual(channels),
                attention=SpatialAttention(channels, config.head_channels, config.embedding),
                temporal_attention=self._temporal_attention(channels),
            ),
            UNetStep(ResidualBlock(channels, channels, config.embedding), temporal=self._residual(channels)),
        )

    def _shrink(self, channels: int) -> UNetStep:
        return UNetStep(ResidualBlock(channels, channels, self.config.embedding, resize="down"))

    def _grow(self, channels: int) -> None:
        last = self.up[-1]
        last.resize = ResidualBlock(channels, channels, self.config.embedding, resize="up")

    def _joined(self, x_t: Tensor, c: Tensor) -> Tensor:
        return torch.cat((x_t, c), 2)

    def _context(self, step: Tensor) -> tuple[Tensor, Tensor]:
        active = functional.silu(self.embed(cos_sin(step, self.config.embedding // 4)))
        return active, active

    def _resized(self, frames: Tensor, size: Size) -> Tensor:
        return functional.interpolate(frames, size, mode="bicubic")
