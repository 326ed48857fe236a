"""The alignment of the released networks; apart from the other layers, because torchvision takes seconds to load."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torchvision.ops import DeformConv2d

from flair_core.denoisers.flow import warp
from flair_core.denoisers.layers import zeroed
from flair_core.denoisers.temporal import RecurrentRefinement


class DeformableAlignment(DeformConv2d):  # type: ignore[misc]
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

    def forward(self, carried: Tensor, hints: Tensor, flow1: Tensor, flow2: Tensor) -> Tensor:
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
        # torchvision has no half-precision kernel for processors.
        with torch.autocast(carried.device.type, enabled=False):
            aligned: Tensor = super().forward(carried.float(), offset.float(), mask.sigmoid().float())
        return aligned

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
