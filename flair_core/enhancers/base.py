"""What an enhancer G is, and how a restorer of faces at one fixed size becomes one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

BATCH = 4
"""Faces in one call of a network: enough to keep a graphics card busy, few enough for its memory at 512 px."""


class Enhancer(Protocol):
    """G of eq. (12)."""

    @property
    def size(self) -> int | None:
        """Side S of the faces that it works on, in pixels; None when it takes any size as it is."""

    def __call__(self, faces: Tensor) -> Tensor:
        """Enhanced aligned faces: (F, 3, H, W) in [-1, 1] → the same shape and range."""
        ...


@runtime_checkable
class Seeded(Protocol):
    """An enhancer that draws: with another seed, something else that is as plausible."""

    def seeded(self, seed: int) -> Enhancer:
        """The same one with that seed; it costs nothing."""
        ...


def with_seed(enhancer: Enhancer, seed: int) -> Enhancer:
    """The enhancer as it draws with that seed; itself where there is no chance in it."""
    return enhancer.seeded(seed) if isinstance(enhancer, Seeded) else enhancer


class Unchanged:
    """No enhancer: G(x) = x."""

    size = None

    def __call__(self, faces: Tensor) -> Tensor:
        """The faces themselves."""
        return faces


@dataclass(frozen=True, slots=True)
class Resized:
    """An enhancer made of a network for faces of one size: resized in and out, clamped, a few at a time."""

    network: Callable[[Tensor], Tensor]
    """(n, 3, S, S) in [-1, 1] → the same shape, range about [-1, 1]."""
    size: int
    """S"""

    @torch.no_grad()
    def __call__(self, faces: Tensor) -> Tensor:
        """(F, 3, H, W) in [-1, 1] → the same shape and range; every face is treated on its own."""
        enhanced = torch.empty_like(faces)
        # One is enough for the CPU, where a batch gains nothing and may cost a face its last bits.
        most = 1 if faces.device.type == "cpu" else BATCH
        for start in range(0, len(faces), most):
            few = _resize(faces[start : start + most], (self.size, self.size))
            enhanced[start : start + most] = _resize(self.network(few), faces.shape[-2:])
        return enhanced


def _resize(faces: Tensor, size: Sequence[int]) -> Tensor:
    if faces.shape[-2:] != tuple(size):
        faces = functional.interpolate(faces, size=list(size), mode="bicubic", antialias=True)
    return faces.clamp(-1, 1)
