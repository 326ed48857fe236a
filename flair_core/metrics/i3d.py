"""Features of pieces of video for FVD: the inflated Inception network (Carreira and Zisserman, CVPR 2017).

Its layers carry the names of the usual PyTorch conversion, so that such a file loads as it is.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional

from flair_core.checkpoints.metrics import WeightsFile, read_state
from flair_core.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

I3D = WeightsFile(
    "i3d_pretrained_400.pt",
    "https://github.com/wilson1yan/VideoGPT (its FVD script names the file)",
    "",
    direct=False,
)
CLASSES = 400
SIDE = 224

Triple = tuple[int, int, int]
MIXED = {
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}
"""Channels: in, 1 × 1, then reduced and out of two 3 × 3 × 3 branches, then after pooling."""


def pad_same(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """Zeros around (N, C, T, H, W) so that an output has ⌈size / stride⌉ positions; an odd one last."""
    pads: list[int] = []
    for size, k, s in reversed(list(zip(x.shape[2:], kernel, stride, strict=True))):
        missing = max((-(-size // s) - 1) * s + k - size, 0)
        pads += [missing // 2, missing - missing // 2]
    return functional.pad(x, pads)


class Unit(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel,) * 3, (stride,) * 3
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W)."""
        return functional.relu(self.bn(self.conv3d(pad_same(x, self.kernel, self.stride))))


class Pool(nn.Module):
    """Maximum over a box; padding with zeros does no harm after a ReLU."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W)."""
        return functional.max_pool3d(pad_same(x, self.kernel, self.stride), self.kernel, self.stride)


class Mixed(nn.Module):
    """Four branches side by side."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        inputs, b0, b1a, b1b, b2a, b2b, b3b = channels
        self.b0 = Unit(inputs, b0)
        self.b1a, self.b1b = Unit(inputs, b1a), Unit(b1a, b1b, 3)
        self.b2a, self.b2b = Unit(inputs, b2a), Unit(b2a, b2b, 3)
        self.b3a, self.b3b = Pool((3, 3, 3), (1, 1, 1)), Unit(inputs, b3b)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W)."""
        return torch.cat((self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))), 1)


class I3DNetwork(nn.Module):
    """Logits of the 400 Kinetics classes, averaged over time."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit(3, 64, 7, 2)
        self.Conv3d_2b_1x1 = Unit(64, 64)
        self.Conv3d_2c_3x3 = Unit(64, 192, 3)
        for name, channels in MIXED.items():
            self.add_module(name, Mixed(channels))
        self.logits = nn.ModuleDict({"conv3d": nn.Conv3d(1024, CLASSES, 1)})
        flat, cube = Pool((1, 3, 3), (1, 2, 2)), Pool((3, 3, 3), (2, 2, 2))
        # Not registered, so that the file's keys are all there is.
        self._pools = {"Mixed_3b": flat, "Mixed_4b": cube, "Mixed_5b": Pool((2, 2, 2), (2, 2, 2))}
        self._first = flat

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, T, 224, 224) in [-1, 1], T ≥ 10 → (N, 400)."""
        x = self.Conv3d_2c_3x3(self.Conv3d_2b_1x1(self._first(self.Conv3d_1a_7x7(x))))
        for name in MIXED:
            if name in self._pools:
                x = self._pools[name](x)
            x = self.get_submodule(name)(x)
        logits: Tensor = self.logits["conv3d"](functional.avg_pool3d(x, (2, 7, 7), 1))
        return logits.mean((2, 3, 4))


class ClipNetwork:
    """Pieces of video → logits, each frame resized to 224 × 224 (bilinear)."""

    def __init__(self, weights: Path, device: torch.device) -> None:
        self._network, self._device = _network(weights, device), device

    def __call__(self, pieces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, T, H, W, 3) uint8 → (n, 400)."""
        rows = []
        for piece in pieces:
            frames = torch.from_numpy(piece).to(self._device).movedim(-1, 1).float() / 127.5 - 1
            small = functional.interpolate(frames, (SIDE, SIDE), mode="bilinear", align_corners=False)
            with torch.inference_mode():
                rows.append(self._network(small.movedim(1, 0)[None]))
        found: NDArray[np.float32] = torch.cat(rows).cpu().numpy()
        return found


@lru_cache(maxsize=1)
def _network(weights: Path, device: torch.device) -> nn.Module:
    network = I3DNetwork()
    try:
        network.load_state_dict(read_state(weights))
    except RuntimeError as error:
        raise WeightsError(f"{weights} does not hold the I3D network ({error}): get {I3D.file}") from None
    return network.eval().to(device)
