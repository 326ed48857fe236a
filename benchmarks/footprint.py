"""Bytes of features that a step of a released network has alive at most, on a graphics card that need not be there.

    python -m benchmarks.footprint --network flair-x8 --frames 1 2 3 10

One JSON line for each number of frames of 512 × 512 and each precision, in megabytes. Shapes alone run through the
network of full size; nothing is computed. What a card needs besides is its context, what its libraries work in, and
what its allocator loses between blocks.
"""

from __future__ import annotations

import argparse
import json
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from flair_core.denoisers.released import NETWORKS
from flair_core.settings.groups import DegradationSettings

CARD = "cuda"
SHAPES = FakeTensorMode()
"""One, since operators that are kept from call to call belong to it."""


class Alive(TorchDispatchMode):
    """Counts what tensors made inside it hold."""

    def __init__(self) -> None:
        super().__init__()
        self._sizes: dict[int, int] = {}
        self._now = self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """See TorchDispatchMode."""
        out = func(*args, **(kwargs or {}))
        for tensor in tree_iter(out):
            if isinstance(tensor, torch.Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._sizes:
                    self._sizes[storage._cdata] = storage.nbytes()
                    self._now += storage.nbytes()
                    weakref.finalize(storage, self._gone, storage._cdata)
        self.peak = max(self.peak, self._now)
        return out

    def _gone(self, key: int) -> None:
        self._now -= self._sizes.pop(key)


@contextmanager
def autocast(
    kind: str, dtype: torch.dtype = torch.float16, enabled: bool = True, *, half: bool
) -> Iterator[None]:
    """`torch.autocast`, which refuses a card that is not there."""
    before = torch.is_autocast_enabled(kind)
    torch.set_autocast_enabled(kind, enabled and half)
    torch.set_autocast_dtype(kind, dtype)
    try:
        yield
    finally:
        torch.set_autocast_enabled(kind, before)


def footprint(name: str, frames: int, side: int, *, half: bool) -> dict[str, object]:
    """Of one step, with the motion that the first step finds."""
    made, small = NETWORKS[name], side // 8
    cudnn = torch.backends.cudnn.flags(enabled=False)  # its operations know no shapes without a card
    with SHAPES, cudnn, patch("torch.autocast", partial(autocast, half=half)):
        with torch.device(CARD):
            network = made.network_class()
        weights = sum(one.numel() * one.element_size() for one in network.parameters())
        with patch.object(network, "to", return_value=network), patch.object(made, "_told", return_value=0.9):
            denoiser = made(network, torch.device(CARD))
            with Alive() as alive:
                y = torch.randn(frames, 3, small, small, device=CARD)
                condition = denoiser.condition(y, (side, side), DegradationSettings(scale=8), None)
                denoiser.predict_noise(torch.randn(frames, 3, side, side, device=CARD), 900, condition)
        counted = denoiser.bytes_for(frames, (side, side))
    return {
        "network": name,
        "frames": frames,
        "precision": "fp16" if half else "fp32",
        "weights": weights >> 20,
        "alive": alive.peak >> 20,
        "counted_with": counted >> 20,
    }


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=NETWORKS, nargs="+", default=["flair-x8", "flair-gaussian"])
    parser.add_argument("--frames", type=int, nargs="+", default=[1, 2, 3, 10])
    parser.add_argument("--side", type=int, default=512)
    options = parser.parse_args()
    for name in options.network:
        for half in (False, True):
            for frames in options.frames:
                print(json.dumps(footprint(name, frames, options.side, half=half)), flush=True)


if __name__ == "__main__":
    main()
