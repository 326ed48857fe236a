"""φ of the compact network: what lets the frames of a window look at each other, eq. (5)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from flair_core.denoisers.flow import Flows
from flair_core.denoisers.layers import ResidualBlock
from flair_core.denoisers.temporal import PatchAlignment, RecurrentRefinement, TemporalAttention
from flair_core.faces.mask import elliptical
from flair_core.frames import to_uint8
from flair_core.motion import dense_flow
from flair_core.runtime import threads

if TYPE_CHECKING:
    from collections.abc import Sequence

KINDS = ("residual", "attention", "recurrent")
ATTENDING = 2
"""Levels, from the coarsest on, with temporal attention."""
HEAD_CHANNELS = 32
CARRIED = 2
"""Channels of a pixel that are carried from frame to frame."""
FACE, FEATHER = 256, 18.0
"""Side of an aligned face and softness of its mask's edge, in pixels."""
FLOW_BLUR = 5
"""Side of the filter behind which motion is estimated: noise and blocks in the footage would pass for it."""


class WindowMotion(NamedTuple):
    """What φ is given of B windows of T frames."""

    flows: Flows
    """(B, T − 1, 2, H, W), in pixels of x."""
    mask: Tensor
    """(B, T, 1, H, W) or broadcast to it, in [0, 1]: the face m of eq. (5)."""
    off: frozenset[str] = frozenset()
    """Kinds of layers (KINDS) that are passed over."""


class TemporalLayers(nn.Module):
    """Temporal residual blocks on all levels, attention on the coarsest, recurrent refinement on the finest.

    They act on the way up, behind the spatial blocks, and their last layers start at zero.
    """

    def __init__(
        self, channels: Sequence[int], embedding: int, observed: int, *, window: int, patch: int
    ) -> None:
        super().__init__()
        self.residual = nn.ModuleList(
            ResidualBlock(count, count, embedding, kernel=(3, 1, 1), groups=8) for count in channels
        )
        self.attention = nn.ModuleList(
            TemporalAttention(count, window, HEAD_CHANNELS) for count in channels[-ATTENDING:]
        )
        carried = CARRIED * patch**2
        self.gather = nn.Conv2d(channels[0] + observed, carried, 1)
        self.recurrent = RecurrentRefinement(carried, lambda: PatchAlignment(patch), channels[0])
        self.background = nn.Parameter(torch.tensor(2.0))
        """w̃ before the sigmoid."""

    def mix(self, level: int, x: Tensor, emb: Tensor, frames: int, off: frozenset[str]) -> Tensor:
        """Features (B·T, C, h, w) of a level behind its spatial blocks → the same shape.

        emb: (B·T, E), or (1, E) for all.  off: as in WindowMotion.
        """
        embedded = _windows(emb.expand(len(x), -1), frames)
        with _precision(x):
            windows = _windows(x, frames)
            if "residual" not in off:
                windows = self.residual[level](windows, embedded)
            place = level - (len(self.residual) - len(self.attention))
            if place >= 0 and "attention" not in off:
                windows = self.attention[place](windows)
        return windows.flatten(0, 1).to(x.dtype)

    def refine(self, x: Tensor, observed: Tensor, motion: WindowMotion) -> Tensor:
        """Finest features (B·T, C, h, w) → the same shape.  observed: (B·T, O, h, w), the patches of c and x_t."""
        if "recurrent" in motion.off:
            return x
        frames = motion.flows.forward.shape[1] + 1
        weight = self.background.sigmoid() * (1 - motion.mask) + motion.mask
        weight = weight.expand(-1, frames, -1, -1, -1)
        # No sum in here is shared by threads: the results are the same to the bit with any number of them.
        with threads.wide(), _precision(x):
            gathered = _windows(self.gather(torch.cat((x, observed.to(x.dtype)), 1)), frames)
            refined = self.recurrent.refinement(gathered, motion.flows, weight).flatten(0, 1)
        return x + refined.to(x.dtype)


def _precision(x: Tensor) -> AbstractContextManager[object]:
    """Layers with weights in single precision compute as x is."""
    return nullcontext() if x.dtype == torch.float32 else torch.autocast(x.device.type, x.dtype)


def _windows(x: Tensor, frames: int) -> Tensor:
    """(B·T, …) → (B, T, …)."""
    return x.reshape(-1, frames, *x.shape[1:])


def face(frames: Tensor) -> Tensor:
    """Where the face is in frames that show one aligned: (1, 1, 1, H, W) for frames (…, H, W)."""
    height, width = frames.shape[-2:]
    mask = torch.from_numpy(elliptical(FACE, FEATHER)).to(frames.device)
    return functional.interpolate(mask[None, None], (height, width), mode="bilinear")[None]


def estimated_flows(frames: Tensor) -> Flows:
    """Motion within one window of frames (T, 3, H, W) in [-1, 1] by dense inverse search: (1, T − 1, 2, H, W)."""
    smooth = functional.avg_pool2d(
        functional.pad(frames.float().cpu(), [FLOW_BLUR // 2] * 4, mode="replicate"), FLOW_BLUR, 1
    )
    pairs = list(pairwise(to_uint8(frame) for frame in smooth))
    ways = [dense_flow(after, before) for before, after in pairs], [dense_flow(*pair) for pair in pairs]
    forward, backward = (
        torch.stack([torch.from_numpy(flow).permute(2, 0, 1) for flow in way])[None].to(frames.device)
        for way in ways
    )
    return Flows(forward, backward)
