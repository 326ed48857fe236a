"""Layers that let frames of a window look at each other; φ of the paper, shared by all networks.

Beside these, a `ResidualBlock` with a kernel of three sizes mixes neighbouring frames. All of them add to
their input, and their last layer starts at zero: a network that gains them predicts at first what it did
before.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from flair_core.denoisers.flow import Flows, warp
from flair_core.denoisers.layers import WindowNorm, cos_sin, per_frame, zeroed

if TYPE_CHECKING:
    from collections.abc import Callable


class Gate(nn.Linear):
    """Mixes a refinement in, per frame and channel: (1 − g)·x + g·refined with g = sigmoid(linear(emb))."""

    def weigh(self, emb: Tensor) -> Tensor:
        """g: (B, T, E) → (B, T, C)."""
        return super().forward(emb).sigmoid()

    def forward(self, x: Tensor, refined: Tensor, emb: Tensor) -> Tensor:  # type: ignore[override]
        """x, refined: (B, T, C, h, w); emb: (B, T, E)."""
        g = self.weigh(emb)[..., None, None]
        return (1 - g) * x + g * refined


class TemporalAttention(nn.Module):
    """Each position attends to itself in the other window − 1 frames around its own.

    Before the first and after the last frame, these repeat. Offsets in time are embedded in queries and keys.

    half: queries, keys, values and what comes of them are rounded to half precision, whatever the others have: the
    released program's attention kernel knows nothing else.
    """

    def __init__(self, channels: int, window: int, head_channels: int, *, half: bool = False) -> None:
        super().__init__()
        self.half_precision = half
        self.window = window
        self.heads = channels // head_channels
        self.norm = WindowNorm(32, channels)
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.out = zeroed(nn.Conv2d(channels, channels, 1))

    def offsets(self) -> Tensor:
        """(window,): time relative to the frame that asks."""
        return torch.arange(self.window, device=self.query.weight.device) - self.window // 2

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C, h, w) → the same shape."""
        count, channels = x.shape[1:3]
        middle = self.window // 2
        times = cos_sin(self.offsets(), channels)
        normed = self.norm(x).movedim(2, -1)  # (B, T, h, w, C)
        q, v = self.query(normed + times[middle]), self.value(normed)
        around = [offset for offset in range(self.window) if offset != middle]
        mixed = []
        # Frame by frame: of all at once there would be window − 1 copies of keys and values. Keys are made of sums of
        # frame and time, as the released program does: of the parts' keys, halves would round to the other side.
        for t in range(count):
            shown = [min(max(t + offset - middle, 0), count - 1) for offset in around]
            keys = self.key(torch.stack([normed[:, frame] for frame in shown], -2) + times[around])
            values = torch.stack([v[:, frame] for frame in shown], -2)
            mixed.append(self._attended(q[:, t, ..., None, :], keys, values)[..., 0, :])
        return x + per_frame(self.out, torch.stack(mixed, 1).movedim(-1, 2))

    def _attended(self, *qkv: Tensor) -> Tensor:
        """Attention of (…, n, C) to (…, m, C), several heads side by side: (…, n, C)."""
        q, k, v = (self._rounded(x.view(*x.shape[:-1], self.heads, -1).transpose(-2, -3)) for x in qkv)
        # The fast kernels take four dimensions.
        mixed = functional.scaled_dot_product_attention(q.flatten(0, -4), k.flatten(0, -4), v.flatten(0, -4))
        return self._rounded(mixed).reshape(q.shape).transpose(-2, -3).flatten(-2)

    def _rounded(self, x: Tensor) -> Tensor:
        return x.half().to(x.dtype) if self.half_precision else x


class Alignment(Protocol):
    """A way to move carried features to now."""

    @abstractmethod
    def bring(
        self, carried: Tensor, before: Tensor, now: Tensor, flow: Tensor, earlier: Tensor | None
    ) -> Tensor:
        """The features carried last, seen from now: (N, C, h, w).

        carried, before: those carried from one and from two frames ago; now: the frame's own; all (N, C, h, w).
        flow: leads from now to one frame ago, earlier: from there to two frames ago, None when that was never seen.
        """


class PatchAlignment(nn.Module):
    """Moves features that stand for patches of pixels along a flow in pixels.

    The C channels of a patch are taken as C/p² channels of its p×p pixels, so that a motion of a fraction of a patch
    is followed, too. It has no parameters and needs no kernel that processors lack in half precision.
    """

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.patch = patch

    def bring(
        self,
        carried: Tensor,
        before: Tensor,
        now: Tensor,
        flow: Tensor,
        earlier: Tensor | None,
    ) -> Tensor:
        """See Alignment."""
        pixels = warp(functional.pixel_shuffle(carried, self.patch), flow)
        return functional.pixel_unshuffle(pixels, self.patch).to(carried.dtype)


class ConvolutionPair(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) → the same shape."""
        residual: Tensor = self.conv2(functional.relu(self.conv1(x)))
        return x + residual


def fusion(channels_in: int, channels: int) -> nn.Sequential:
    """Joins features of several sources: (N, C_in, h, w) → (N, C, h, w)."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels, 3, padding=1), nn.LeakyReLU(0.1), ConvolutionPair(channels)
    )


class Branch(nn.Module):
    """Carries features through a window in one direction of time, eq. (5)."""

    def __init__(self, sources: int, channels: int, align: Alignment) -> None:
        super().__init__()
        self.align = align
        self.fuse = fusion((sources + 1) * channels, channels)

    def forward(self, sources: list[Tensor], flows: Tensor, weight: Tensor) -> Tensor:
        """Features carried to each frame, (B, T, C, h, w), in the direction in which frames are given.

        sources: each (B, T, C, h, w), the first the features themselves.  flows: (B, T − 1, 2, …), entry
        i leads from frame i + 1 to frame i.  weight: (B, T, 1, h, w) or broadcast to it: w̃(1 − m) + m.
        """
        carried = before = torch.zeros_like(sources[0][:, 0])
        results = []
        for i in range(sources[0].shape[1]):
            aligned = carried
            if i > 0:
                earlier = flows[:, i - 2] if i > 1 else None
                aligned = self.align.bring(carried, before, sources[0][:, i], flows[:, i - 1], earlier)
            fused = self.fuse(torch.cat([*(source[:, i] for source in sources), aligned], 1))
            before, carried = carried, (aligned + fused) * weight[:, i]
            results.append(carried)
        return torch.stack(results, 1)


class RecurrentRefinement(nn.Module):
    """Recurrent refinement, eq. (5): features are carried backward, then forward in time, and joined.

    `align` makes an `Alignment` for each of the two directions.
    """

    def __init__(
        self,
        channels: int,
        align: Callable[[], Alignment],
        channels_out: int | None = None,
    ) -> None:
        super().__init__()
        self.backward_branch = Branch(1, channels, align())
        self.forward_branch = Branch(2, channels, align())
        self.reconstruct = fusion(3 * channels, channels)
        self.out = zeroed(nn.Conv2d(channels, channels_out or channels, 1))

    def propagate(self, x: Tensor, flows: Flows, weight: Tensor | float) -> tuple[Tensor, Tensor]:
        """The features carried backward and forward in time to each frame, both like x."""
        weight = self._annealing(x, weight)
        backward = self.backward_branch([x.flip(1)], flows.backward.flip(1), weight.flip(1)).flip(1)
        return backward, self.forward_branch([x, backward], flows.forward, weight)

    def forward(self, x: Tensor, flows: Flows, weight: Tensor | float = 1.0) -> Tensor:
        """(B, T, C, h, w) → the same shape.

        flows: of the same h and w, or of the pixels where there are patches.
        weight: w̃(1 − m) + m, a number or a map (B, T, 1, H, W) of any H and W.
        """
        return x + self.refinement(x, flows, weight)

    def refinement(self, x: Tensor, flows: Flows, weight: Tensor | float = 1.0) -> Tensor:
        """What `forward` adds to x: (B, T, channels_out, h, w)."""
        backward, forward = self.propagate(x, flows, weight)
        # Frame by frame: side by side for a whole window, they would be the largest tensor of the network.
        sources = zip(x.unbind(1), backward.unbind(1), forward.unbind(1), strict=True)
        refined = [self.out(self.reconstruct(torch.cat(source, 1))) for source in sources]
        return torch.stack(refined, 1)

    @staticmethod
    def _annealing(x: Tensor, weight: Tensor | float) -> Tensor:
        """The weight as (B, T, 1, h, w), or broadcast to it."""
        if not isinstance(weight, Tensor):
            return x.new_full((1, x.shape[1], 1, 1, 1), weight, dtype=torch.float32)
        if weight.shape[-2:] == x.shape[-2:]:
            return weight
        return per_frame(lambda m: functional.interpolate(m, x.shape[-2:], mode="nearest"), weight)
