"""The released network for bicubic super-resolution (×8 and ×16): SR3's, with gated temporal layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from flair_core.denoisers.deformable import DeformableRefinement
from flair_core.denoisers.layers import ResidualBlock, sin_cos
from flair_core.denoisers.unet import FrameConv, Size, UNet, UNetConfig, UNetStep, gates

CONFIG = UNetConfig(
    channels=(64, 128, 256, 512, 1024),
    blocks=1,
    embedding=64,
    out_channels=3,
    attention=(3, 4),
    window=7,
    groups=16,
)


MAX_OFFSET = 5
"""Pixels that the alignment may depart from the optical flow."""


class BicubicNetwork(UNet):
    """Conditioned on √ᾱ; no spatial attention; every temporal layer is gated by the noise level."""

    def __init__(self, config: UNetConfig = CONFIG) -> None:
        super().__init__(config)
        e = config.embedding
        self.embed = nn.Sequential(nn.Linear(e, 4 * e), nn.SiLU(), nn.Linear(4 * e, e))

    def _stage(self, level: int, channels_in: int, channels: int) -> UNetStep:
        config = self.config
        return self._gated_stage(
            channels_in, channels, attends=level in config.attention, recurs=level in config.recurrent
        )

    def _middle(self, channels: int) -> tuple[UNetStep, ...]:
        return tuple(self._gated_stage(channels, channels, attends=True, recurs=False) for _ in range(2))

    def _gated_stage(self, channels_in: int, channels: int, *, attends: bool, recurs: bool) -> UNetStep:
        config, e = self.config, self.config.embedding
        names = ["temporal"] + ["temporal_attention"] * attends + ["recurrent"] * recurs
        return UNetStep(
            ResidualBlock(channels_in, channels, e, groups=config.groups, conditioning="shift"),
            temporal=ResidualBlock(channels, channels, e, kernel=(3, 1, 1), conditioning="shift"),
            temporal_attention=self._temporal_attention(channels) if attends else None,
            recurrent=DeformableRefinement(channels, MAX_OFFSET) if recurs else None,
            gates=gates(e, channels, *names),
        )

    def _shrink(self, channels: int) -> FrameConv:
        return FrameConv(channels, channels, stride=2)

    def _grow(self, channels: int) -> None:
        self.up.append(FrameConv(channels, channels, upscale=True))

    def _joined(self, x_t: Tensor, c: Tensor) -> Tensor:
        return torch.cat((c, x_t), 2)

    def _context(self, step: Tensor) -> tuple[Tensor, Tensor]:
        emb = self.embed(sin_cos(step, self.config.embedding))
        return emb, functional.silu(emb)

    def _resized(self, frames: Tensor, size: Size) -> Tensor:
        return functional.interpolate(frames, size, mode="bilinear", antialias=True)
