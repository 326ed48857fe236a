"""Modulated deformable convolution (Zhu et al., 2019), and the alignment of the released networks made of it."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor, nn

from flair_core.denoisers.flow import warp
from flair_core.denoisers.layers import zeroed
from flair_core.denoisers.temporal import RecurrentRefinement


def deformable_convolution(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """3×3 convolution whose taps are moved and weighted at every place: (N, C, h, w) → (N, C', h, w) float32.

    offset: (N, 2·9·G, h, w) in pixels, y before x, tap after tap for each of G groups of channels.
    mask: (N, 9·G, h, w).  weight: (C', C, 3, 3).  bias: (C',).  Outside of x is 0.
    """
    n, channels, height, width = x.shape
    groups = mask.shape[1] // 9
    places = offset.float().view(n * groups, 9, 2, height, width)
    strengths = mask.float().view(n * groups, 9, 1, height, width)
    grouped = x.float().reshape(n * groups, channels // groups, height, width)
    # A tap at a time: sampled by all threads, and never nine copies of x in memory.
    out = x.new_zeros((n, len(weight), height * width), dtype=torch.float32)
    for tap, (down, across) in enumerate(product(range(3), repeat=2)):
        step = torch.tensor((across - 1, down - 1), device=x.device)[:, None, None]
        moved = warp(grouped, places[:, tap].flip(1) + step)
        sampled = moved.mul_(strengths[:, tap]).view(n, channels, height * width)
        out = out.baddbmm_(weight[:, :, down, across].float().expand(n, -1, -1), sampled)
    if bias is not None:
        out += bias[:, None]
    return out.view(n, -1, height, width)


class DeformableAlignment(nn.Conv2d):
    """Flow-guided second-order deformable convolution of BasicVSR++: moves carried features to now.

    It samples the two features carried last at the places that the flows lead to, at most `max_offset`
    pixels off.
    """

    def __init__(self, channels: int, max_offset: float, groups: int = 16) -> None:
        super().__init__(2 * channels, channels, 3, padding=1)
        self.max_offset = max_offset
        self.offsets = nn.Sequential(
            nn.Conv2d(3 * channels + 4, channels, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(0.1),
            zeroed(nn.Conv2d(channels, 27 * groups, 3, padding=1)),
        )

    def forward(  # type: ignore[override]
        self, carried: Tensor, hints: Tensor, flow1: Tensor, flow2: Tensor
    ) -> Tensor:
        """Align (N, 2C, h, w), the features carried from one and from two frames ago, to now: → (N, C, h, w).

        hints: (N, 3C, h, w), both warped along their flows, the current feature between them.
        flow1, flow2: (N, 2, h, w), which lead from now to one and to two frames ago.
        """
        out: Tensor = self.offsets(torch.cat((hints, flow1, flow2), 1))
        residual1, residual2, mask = out.chunk(3, 1)
        repeats = residual1.shape[1] // 2
        offset = torch.cat(
            [
                self.max_offset * residual.tanh() + flow.flip(1).repeat(1, repeats, 1, 1)  # y before x
                for residual, flow in ((residual1, flow1), (residual2, flow2))
            ],
            1,
        )
        with torch.autocast(carried.device.type, enabled=False):  # a place needs single precision
            return deformable_convolution(carried, offset, mask.sigmoid(), self.weight, self.bias)

    def bring(
        self, carried: Tensor, before: Tensor, now: Tensor, flow: Tensor, earlier: Tensor | None
    ) -> Tensor:
        """See Alignment."""
        # The frame before the first was never seen: no flow leads there.
        flow2 = torch.zeros_like(flow) if earlier is None else flow + warp(earlier, flow)
        hints = torch.cat((warp(carried, flow), now, warp(before, flow2)), 1)
        aligned: Tensor = self(torch.cat((carried, before), 1), hints, flow, flow2)
        return aligned


class DeformableRefinement(RecurrentRefinement):
    """Recurrent refinement whose alignment may depart from the optical flow by up to `max_offset` pixels."""

    def __init__(self, channels: int, max_offset: float = 10) -> None:
        super().__init__(channels, lambda: DeformableAlignment(channels, max_offset))
