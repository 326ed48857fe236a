"""The authors' networks as denoisers: what they are given, on which schedule, in which arithmetic."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar
from weakref import WeakKeyDictionary

import torch

from flair_core.degradations.resize import repeat, upscale
from flair_core.denoisers.base import Condition
from flair_core.denoisers.released_bicubic import BicubicNetwork
from flair_core.denoisers.released_blur import BlurNetwork
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from flair_core.denoisers.base import Labels
    from flair_core.denoisers.flow import Flows
    from flair_core.denoisers.unet import Size, UNet
    from flair_core.settings.groups import DegradationSettings


SINGLE, HALF = (6000, 5500), (6500, 2450)
"""Bytes of features alive at once for each pixel of a window's size, and for each of every frame, by precision.

On the processor, which has single precision: peaks that were measured. In half precision, as graphics cards have it:
what `benchmarks/footprint.py` counts, and a quarter more for what libraries and the allocator take.
"""


class Released(ABC):
    """A released network, ready on its device."""

    size = 512
    window = 10
    own_noise = True
    background: float = 1.0
    schedule: NoiseSchedule
    network_class: ClassVar[type[BicubicNetwork | BlurNetwork]]

    def __init__(self, network: UNet, device: torch.device) -> None:
        self.network = network.eval().requires_grad_(False).to(device)
        self._motion: WeakKeyDictionary[Condition, dict[Size, Flows]] = WeakKeyDictionary()

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], device: torch.device) -> Released:
        """The network of full size with the weights of `weights.load`."""
        with torch.device("meta"):  # no time and memory for values that are replaced at once
            network = cls.network_class()
        network.load_state_dict(state, assign=True)
        return cls(network, device)

    def condition(
        self, y: Tensor, size: Size, degradation: DegradationSettings, labels: Labels | None
    ) -> Condition:
        """See Conditioned."""
        c, flow_input = self._enlarged(y, size)
        weight = None
        if labels is not None and self.background < 1:
            behind = torch.from_numpy(labels(c) == 0).to(c.device)[:, None]
            weight = torch.where(behind, self.background, 1.0).to(c)
        return Condition(c, degradation, y, flow_input, weight)

    @torch.no_grad()
    def predict_noise(self, x_t: Tensor, t: int, condition: Condition) -> Tensor:
        """See Denoiser. Raises ShapeError unless the sides are multiples of the network's coarsest pixel."""
        multiple = 2 ** (len(self.network.config.channels) - 1)
        height, width = x_t.shape[-2:]
        if height % multiple or width % multiple:
            raise ShapeError(
                f"The network got frames of {width}×{height} pixels, but it needs multiples of {multiple}, "
                f"best {self.size}×{self.size}."
            )
        flows = self._flows(condition)
        step = torch.full((1, len(x_t)), self._time_input(t), device=x_t.device)
        weight = 1.0 if condition.weight is None else condition.weight[None]
        # Half precision as published, where it is fast; flows, norms and the last layer stay in float32.
        with torch.autocast(x_t.device.type, torch.float16, enabled=x_t.device.type == "cuda"):
            out: Tensor = self.network(x_t[None], condition.c[None], step, flows, weight)
        return out[0, :, :3].float()

    def bytes_for(self, frames: int, size: Size) -> int:
        """See Heavy."""
        window, frame = HALF if next(self.network.parameters()).device.type == "cuda" else SINGLE
        return (window + frames * frame) * size[0] * size[1]

    @abstractmethod
    def _time_input(self, t: int) -> float:
        """The noise level as the network is given it."""

    def _enlarged(self, y: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        """c and the frames to estimate motion from, (N, 3, *size), as the network was trained with them."""
        c = upscale(y, size)
        return c, c

    def _flows(self, condition: Condition) -> dict[Size, Flows]:
        """Motion in the window. It does not depend on t: found in the first step and kept for the others."""
        if condition not in self._motion:
            frames = condition.c if condition.flow_input is None else condition.flow_input
            height, width = condition.c.shape[-2:]
            self._motion[condition] = self.network.flows(frames[None], (height, width))
        return self._motion[condition]


class ReleasedBicubic(Released):
    """For ×8 and ×16 bicubic super-resolution; conditioned on √ᾱ_t."""

    schedule = NoiseSchedule.linear(2000, 1e-6, 1e-2)
    network_class = BicubicNetwork

    def _time_input(self, t: int) -> float:
        return math.sqrt(self.schedule.alpha_bar[t])


class ReleasedX8(ReleasedBicubic):
    """Trained for ×8."""

    background = 0.93


class ReleasedX16(ReleasedBicubic):
    """Trained for ×16."""

    background = 0.98


class ReleasedDeblurring(Released):
    """For ×4 with blur, or blur and JPEG; conditioned on the step. Its variance channels are dropped."""

    schedule = NoiseSchedule.linear(1000, 1e-4, 2e-2)
    network_class = BlurNetwork

    def _time_input(self, t: int) -> float:
        return float(t)

    def _enlarged(self, y: Tensor, size: Size) -> tuple[Tensor, Tensor]:
        return repeat(y, size), upscale(y, size)


NETWORKS: dict[str, type[Released]] = {
    "flair-x8": ReleasedX8,
    "flair-x16": ReleasedX16,
    "flair-gaussian": ReleasedDeblurring,
    "flair-jpeg": ReleasedDeblurring,
}
"""By the name of their weights."""
