"""Building blocks of a U-Net over a window of frames.

Every layer takes and returns (B, T, C, h, w): T consecutive frames of each of B clips. Layers are given the
noise level by an embedding (B, T, E), to which they apply a plain linear map: the caller activates it where
that belongs.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Callable

Layer = TypeVar("Layer", bound=nn.Module)


def per_frame(layer: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Apply a layer for images (N, C, h, w) to each frame of (B, T, C, h, w)."""
    y = layer(x.flatten(0, 1))
    return y.reshape(*x.shape[:2], *y.shape[1:])


def zeroed(layer: Layer) -> Layer:
    """The layer with all parameters 0: what it adds to begins unchanged."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer


def angles(values: Tensor, dim: int) -> Tensor:
    """values · 10⁴^(−i/d) for i < d = dim/2: (…,) → (…, d), float32."""
    return values.float()[..., None] * _frequencies(dim // 2).to(values.device)


@cache
def _frequencies(count: int) -> Tensor:
    # The exponent is rounded as in training, its exponential correctly: at step 999 the last bit counts 3e-5.
    exponents = -math.log(1e4) * torch.arange(count, dtype=torch.float32, device="cpu") / count
    return exponents.double().exp().float()


def cos_sin(values: Tensor, dim: int) -> Tensor:
    """Embed steps or frame offsets: (…,) → (…, dim); an odd dim ends with a zero."""
    angle = angles(values, dim)
    return functional.pad(torch.cat((angle.cos(), angle.sin()), -1), (0, dim % 2))


def sin_cos(values: Tensor, dim: int) -> Tensor:
    """Embed noise levels √ᾱ: (…,) → (…, dim), dim even."""
    angle = angles(values, dim)
    return torch.cat((angle.sin(), angle.cos()), -1)


class WindowNorm(nn.GroupNorm):
    """Group norm whose statistics run over all frames of a window jointly."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C, h, w) → the same shape."""
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class ResidualBlock(nn.Module):
    """skip(x) + conv(silu(norm(conv(silu(norm(x)))))), conditioned on the noise level around its second norm.

    `kernel` has two sizes (per frame) or three (time first). `conditioning` says how the embedding enters: "shift"
    adds it before the second norm, "scale-shift" scales and shifts behind it. `resize` halves or doubles
    the sides.
    """

    def __init__(
        self,
        channels_in: int,
        channels: int,
        embedding: int,
        *,
        kernel: tuple[int, int] | tuple[int, int, int] = (3, 3),
        groups: int = 32,
        conditioning: Literal["shift", "scale-shift"] = "scale-shift",
        resize: Literal["down", "up"] | None = None,
    ) -> None:
        super().__init__()
        self.conditioning = conditioning
        self.resize = resize
        self.norm1 = WindowNorm(groups, channels_in)
        self.conv1 = _convolution(channels_in, channels, kernel)
        self.embed = nn.Linear(embedding, channels if conditioning == "shift" else 2 * channels)
        self.norm2 = WindowNorm(groups, channels)
        self.conv2 = zeroed(_convolution(channels, channels, kernel))
        self.skip = nn.Identity() if channels == channels_in else nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """x: (B, T, C_in, h, w); emb: (B, T, E)."""
        hidden = functional.silu(self.norm1(x), inplace=True)
        if self.resize is not None:
            hidden, x = self._resized(hidden), self._resized(x)
        hidden = self._convolved(self.conv1, hidden)
        modulation = self.embed(emb)[..., None, None]
        if self.conditioning == "shift":
            hidden = self.norm2(hidden + modulation)
        else:
            scale, shift = modulation.chunk(2, 2)
            hidden = self.norm2(hidden) * (1 + scale) + shift
        hidden = self._convolved(self.conv2, functional.silu(hidden, inplace=True))
        return per_frame(self.skip, x) + hidden

    def _resized(self, x: Tensor) -> Tensor:
        if self.resize == "down":
            return per_frame(lambda y: functional.avg_pool2d(y, 2), x)
        return per_frame(lambda y: functional.interpolate(y, scale_factor=2, mode="nearest"), x)

    def _convolved(self, conv: nn.Module, x: Tensor) -> Tensor:
        if isinstance(conv, nn.Conv2d):
            return per_frame(conv, x)
        volume: Tensor = conv(x.transpose(1, 2))
        return volume.transpose(1, 2)


def _convolution(
    channels_in: int, channels: int, kernel: tuple[int, int] | tuple[int, int, int]
) -> nn.Conv2d | nn.Conv3d:
    if len(kernel) == 3:
        return nn.Conv3d(
            channels_in, channels, kernel, padding=(kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        )
    return nn.Conv2d(channels_in, channels, kernel, padding=(kernel[0] // 2, kernel[1] // 2))


class SpatialAttention(nn.Module):
    """Self-attention over the positions of each frame, conditioned on the noise level where it has an `embedding`."""

    def __init__(self, channels: int, head_channels: int, embedding: int | None = None) -> None:
        super().__init__()
        self.heads = channels // head_channels
        self.norm = WindowNorm(32, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.embed = None if embedding is None else nn.Linear(embedding, channels)
        self.out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """x: (B, T, C, h, w); emb: (B, T, E), not read by a layer without embedding."""
        qkv: Tensor = self.qkv(self.norm(x).flatten(0, 1).flatten(2))
        per_head = qkv.view(len(qkv), self.heads, 3, -1, qkv.shape[-1]).transpose(3, 4)
        q, k, v = per_head.contiguous().unbind(2)  # (B·T, heads, h·w, C/heads)
        mixed = functional.scaled_dot_product_attention(q, k, v).transpose(2, 3).flatten(1, 2)
        if self.embed is not None:
            mixed = mixed + self.embed(emb).flatten(0, 1)[..., None]
        refined: Tensor = self.out(mixed)
        return x + refined.view(x.shape)
