"""A small network that says where faces might be, in blurred, noisy and small pictures, too.

It looks at a grey picture at several sizes, half an octave apart; at each it knows faces whose eyes are EYES pixels
apart, and for every fourth pixel it tells whether a face is centred there and where its five landmarks are.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional

from flair_core.runtime import threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Points = NDArray[np.float64]

WEIGHTS = "locator.safetensors"
"""Of resources."""
STRIDE = 4
WIDTH, DEPTH = 32, 6
EYES = (7.0, 16.0)
"""Least and greatest distance of the eyes, in pixels, that the network is trained to see at one size."""
REACH = 16.0
"""Pixels that an offset of 1 stands for."""
LIKELY = 0.35
"""Least chance of a proposal."""
MOST = 150
"""Proposals of one picture."""
ALIKE = 0.25
"""Mean distance of the landmarks, in distances of the eyes, below which two proposals are one."""


class Locator(nn.Module):
    """(N, 1, H, W) grey in [-1, 1] → (N, 11, H/4, W/4): a logit of a face's centre, and its landmarks from there."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, WIDTH // 2, 5, stride=2, padding=2)
        self.second = nn.Conv2d(WIDTH // 2, WIDTH, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(DEPTH))
        self.norms = nn.ModuleList(nn.BatchNorm2d(WIDTH) for _ in range(DEPTH))
        self.last = nn.Conv2d(WIDTH, 11, 1)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias[:1], -4.0)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = functional.relu(self.second(functional.relu(self.first(x))))
        for conv, norm in zip(self.blocks, self.norms, strict=True):
            x = x + functional.relu(norm(conv(x)))
        out: Tensor = self.last(x)
        return out


def contrast(grey: Pixels) -> NDArray[np.float32]:
    """A picture (H, W) as the network takes it: mean 0, and local contrast of about 1 whatever the light."""
    values = grey.astype(np.float32)
    mean = cv2.blur(values, (41, 41))
    spread = np.sqrt(np.maximum(cv2.blur((values - mean) ** 2, (41, 41)), 16.0))
    return np.asarray((values - mean) / spread, np.float32)


@cache
def locator() -> Locator:
    """The network that ships with the program."""
    network = Locator()
    tensors = load((files("resources") / WEIGHTS).read_bytes())
    network.load_state_dict({name: value.float() for name, value in tensors.items()}, strict=False)
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def proposals(network: Locator, grey: Pixels, least: float = LIKELY) -> Iterator[Points]:
    """Landmarks (5, 2) of what might be faces in (H, W), the likeliest first, at most MOST."""
    found: list[tuple[float, Points]] = []
    factor = 1.0
    height, width = grey.shape
    while factor * min(height, width) >= 2 * EYES[0]:
        size = (round(factor * width), round(factor * height))
        small = (
            grey
            if factor == 1
            else np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
        )
        with threads.narrow():  # the same to the bit with any number of threads
            out = network(torch.from_numpy(contrast(small))[None, None])[0]
        chance = out[0].sigmoid()
        peaks = (functional.max_pool2d(chance[None], 5, 1, 2)[0] == chance) & (chance > least)
        for y, x in peaks.nonzero().tolist():
            points = out[1:, y, x].double().numpy().reshape(5, 2) * REACH + STRIDE * np.array([x, y])
            scale = np.array([width / size[0], height / size[1]])
            found.append((float(chance[y, x]), (points + 0.5) * scale - 0.5))
        factor /= 2**0.5
    kept: list[Points] = []
    for _, points in sorted(found, key=lambda one: -one[0]):
        eyes = np.hypot(*(points[1] - points[0]))
        if all(np.linalg.norm(points - other, axis=1).mean() > ALIKE * eyes for other in kept):
            kept.append(points)
            yield points
        if len(kept) == MOST:
            return
