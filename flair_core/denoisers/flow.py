"""Optical flow by SPyNet (Ranjan and Black 2017), and warping along a flow.

A flow is (N, 2, h, w) in pixels, x then y: what lies at p in the reference lies at p + flow(p) in the other
image.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 6


class Flows(NamedTuple):
    """Motion within a window of T frames; each is (B, T − 1, 2, h, w)."""

    forward: Tensor
    """Entry i leads from frame i + 1 back to frame i: warps what was carried forward in time."""
    backward: Tensor
    """Entry i leads from frame i to frame i + 1: warps what was carried backward in time."""


def warp(x: Tensor, flow: Tensor, *, padding: str = "zeros") -> Tensor:
    """x at p + flow(p), bilinear: (N, C, h, w) and (N, 2, h, w) → (N, C, h, w) float32.

    Outside of x is 0, or with padding "border" the nearest pixel.
    """
    height, width = x.shape[-2:]
    across = torch.arange(width, device=x.device, dtype=torch.float32)
    down = torch.arange(height, device=x.device, dtype=torch.float32)[:, None]
    # In float32 always: half precision resolves a position at 512 pixels only to a quarter of a pixel.
    flow = flow.float()
    grid = torch.stack(
        (
            2 * (across + flow[:, 0]) / max(width - 1, 1) - 1,
            2 * (down + flow[:, 1]) / max(height - 1, 1) - 1,
        ),
        -1,
    )
    return functional.grid_sample(x.float(), grid, padding_mode=padding, align_corners=True)


class SPyNet(nn.Module):
    """Flow from coarse to fine: each level of an image pyramid corrects the flow of the level above.

    It is frozen in every phase of training and computes in float32 always.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 32, 64, 32, 16, 2)
        self.levels = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(a, b, 7, padding=3) for a, b in pairwise(widths)) for _ in range(LEVELS)
        )
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1))
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, ref: Tensor, supp: Tensor) -> Tensor:
        """Flow (N, 2, h, w) that leads from `ref` to `supp`, both (N, 3, h, w) in [0, 1]."""
        with torch.autocast(ref.device.type, enabled=False):
            height, width = ref.shape[-2:]
            multiple = 2 ** (LEVELS - 1)
            size = (-(-height // multiple) * multiple, -(-width // multiple) * multiple)
            ref, supp = (
                functional.interpolate(image.float(), size, mode="bilinear", align_corners=False)
                for image in (ref, supp)
            )
            flow = functional.interpolate(
                self._from_pyramids(ref, supp), (height, width), mode="bilinear", align_corners=False
            )
            return flow * flow.new_tensor((width / size[1], height / size[0]))[:, None, None]

    def _from_pyramids(self, ref: Tensor, supp: Tensor) -> Tensor:
        refs, supps = ([(image - self.mean) / self.std] for image in (ref, supp))
        for pyramid in (refs, supps):
            for _ in range(LEVELS - 1):
                pyramid.append(functional.avg_pool2d(pyramid[-1], 2))
        flow = ref.new_zeros(len(ref), 2, *refs[-1].shape[-2:])
        for level, (fine_ref, fine_supp) in enumerate(zip(reversed(refs), reversed(supps), strict=True)):
            if level > 0:
                flow = 2 * functional.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            flow = flow + self._correction(level, fine_ref, warp(fine_supp, flow, padding="border"), flow)
        return flow

    def _correction(self, level: int, ref: Tensor, warped: Tensor, flow: Tensor) -> Tensor:
        x = torch.cat((ref, warped, flow), 1)
        convolutions = list(self.levels[level].children())
        for conv in convolutions[:-1]:
            x = functional.relu(conv(x))
        residual: Tensor = convolutions[-1](x)
        return residual

    def window(self, frames: Tensor) -> Flows:
        """Flows between neighbours of (B, T, 3, h, w) in [0, 1]."""
        batch, count, _, height, width = frames.shape
        if count == 1:
            none = frames.new_zeros(batch, 0, 2, height, width)
            return Flows(none, none)
        # One pair of frames at a time: the layers are wide, and a whole window at full size needs gigabytes.
        pairs = [self(torch.cat((b, a)), torch.cat((a, b))).chunk(2) for a, b in pairwise(frames.unbind(1))]
        forward, backward = zip(*pairs, strict=True)
        return Flows(torch.stack(forward, 1), torch.stack(backward, 1))
