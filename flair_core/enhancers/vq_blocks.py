"""Building blocks of the restorers that look faces up in a codebook: RestoreFormer, RestoreFormer++ and VQFR.

All three are a convolutional encoder, a codebook of face parts, one for every 32×32 pixels, and a mirrored
decoder; they differ in where attention sits and in what it looks at. Attributes are named as in VQFR's files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn
from torch.nn import functional


def norm(channels: int) -> nn.GroupNorm:
    """The group norm that all of these networks use."""
    return nn.GroupNorm(32, channels, eps=1e-6)


class VQBlock(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))), with a 1×1 convolution on x where the channels change."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = norm(channels_in), nn.Conv2d(channels_in, channels, 3, padding=1)
        self.norm2, self.conv2 = norm(channels), nn.Conv2d(channels, channels, 3, padding=1)
        same = channels_in == channels
        self.residual_func = nn.Identity() if same else nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C_in, h, w) → (N, C, h, w)."""
        hidden = self.conv1(functional.silu(self.norm1(x)))
        hidden = self.conv2(functional.silu(self.norm2(hidden)))
        residual: Tensor = self.residual_func(x) + hidden
        return residual


class PlaceAttention(nn.Module):
    """Attention over all places of a feature map; with a memory, the memory asks and x answers."""

    def __init__(self, channels: int, heads: int = 1, *, cross: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.norm = norm(channels)
        if cross:
            self.norm_memory = norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """(N, C, h, w) → the same shape; a memory is shaped like x."""
        own = self.norm(x)
        query = own if memory is None else self.norm_memory(memory)
        q, k, v = (
            layer(source).unflatten(1, (self.heads, -1)).flatten(3).transpose(2, 3).contiguous()
            for layer, source in ((self.q, query), (self.k, own), (self.v, own))
        )
        found = functional.scaled_dot_product_attention(q, k, v)  # (N, heads, h·w, C / heads)
        out: Tensor = x + self.proj_out(found.transpose(2, 3).reshape(x.shape))
        return out


class Downsample(nn.Module):
    """Half the size; the extra row and column of zeros is at the far ends, as the weights were trained."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) → (N, C, h/2, w/2)."""
        half: Tensor = self.conv(functional.pad(x, (0, 1, 0, 1)))
        return half


class Upsample(nn.Module):
    """Twice the size by repeated pixels, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) → (N, C, 2h, 2w)."""
        double: Tensor = self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return double


class Level(nn.Sequential):
    """The layers at one size, in order; only attention sees the memory."""

    def forward(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """(N, C_in, h, w) → (N, C, h', w')."""
        for layer in self:
            x = layer(x, memory) if isinstance(layer, PlaceAttention) else layer(x)
        return x


MakeAttention = Callable[[int], PlaceAttention]


def _blocks(channels_in: int, channels: int, count: int, attention: MakeAttention | None) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for index in range(count):
        layers.append(VQBlock(channels if index else channels_in, channels))
        if attention:
            layers.append(attention(channels))
    return layers


def _middle(channels: int, attention: MakeAttention) -> nn.ModuleList:
    return nn.ModuleList([VQBlock(channels, channels), attention(channels), VQBlock(channels, channels)])


def _head(channels_in: int, channels: int) -> nn.Sequential:
    return nn.Sequential(norm(channels_in), nn.SiLU(), nn.Conv2d(channels_in, channels, 3, padding=1))


class Encoder(nn.Module):
    """Faces to one vector per code; attention at the coarsest level and in the middle."""

    def __init__(
        self, widths: Sequence[int], blocks: int, code_channels: int, attention: MakeAttention
    ) -> None:
        super().__init__()
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.blocks = nn.ModuleList()
        for level, width in enumerate(widths):
            down = [Downsample(widths[level - 1])] if level else []
            own = _blocks(widths[max(level - 1, 0)], width, blocks, attention if level == last else None)
            self.blocks.append(Level(*down, *own))
        self.mid_blocks = _middle(widths[-1], attention)
        self.conv_out = _head(widths[-1], code_channels)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(N, 3, H, W) in [-1, 1] → (N, code_channels, h, w), and what a decoder may look at again.

        The latter are the features of every level, finest first, and those of the middle. The coarsest
        level's are taken inside the middle, before its attention, as RestoreFormer was trained.
        """
        x = self.conv_in(x)
        features = []
        for level in self.blocks:
            x = level(x)
            features.append(x)
        before, attention, after = self.mid_blocks
        features[-1] = before(x)
        x = after(attention(features[-1]))
        return self.conv_out(x), [*features, x]


class FaceDecoder(nn.Module):
    """The mirror of the encoder; `attentive` names the levels with attention, 0 the finest."""

    def __init__(
        self,
        widths: Sequence[int],
        blocks: int,
        code_channels: int,
        attention: MakeAttention,
        attentive: Sequence[int],
    ) -> None:
        super().__init__()
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(code_channels, widths[-1], 3, padding=1)
        self.mid_blocks = _middle(widths[-1], attention)
        self.blocks = nn.ModuleList()
        for level in range(last, -1, -1):
            coarser = widths[min(level + 1, last)]
            up = [Upsample(coarser)] if level < last else []
            own = _blocks(coarser, widths[level], blocks, attention if level in attentive else None)
            self.blocks.append(Level(*up, *own))
        self.conv_out = _head(widths[0], 3)

    def features(self, z: Tensor, memory: Sequence[Tensor] | None = None) -> list[Tensor]:
        """(N, code_channels, h, w) → features of all levels, finest first; `memory`: see Encoder."""
        x = self.conv_in(z)
        before, attention, after = self.mid_blocks
        x = after(attention(before(x), memory and memory[-1]))
        found = []
        for level, layers in zip(range(len(self.blocks) - 1, -1, -1), self.blocks, strict=True):
            x = layers(x, memory and memory[level])
            found.append(x)
        return found[::-1]


class Codebook(nn.Module):
    """Learned face parts e_j, (codes, channels)."""

    def __init__(self, codes: int, channels: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(codes, channels)

    def nearest(self, z: Tensor) -> Tensor:
        """Index of the nearest e_j at every place: (N, C, h, w) → (N, h, w) int64."""
        e = self.embedding.weight
        distance = e.square().sum(1) - 2 * z.movedim(1, -1) @ e.T  # without |z|², which is the same for all j
        return distance.argmin(-1)

    def forward(self, index: Tensor) -> Tensor:
        """(N, h, w) int64 → (N, C, h, w)."""
        codes: Tensor = self.embedding(index).movedim(-1, 1)
        return codes
