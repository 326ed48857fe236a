"""The noise schedule: eq. (1), (3), (4), and its shortening to K steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate, repeat
from typing import TYPE_CHECKING

import torch

from flair_core.errors import SettingsError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class NoiseSchedule:
    """ᾱ_t of a chain of T steps; index 0 is the least noisy step, T − 1 the noisiest."""

    alpha_bar: Tensor
    """(T,) float64, falling."""
    timesteps: Tensor
    """(T,) int64: the step of the base schedule that each index stands for; what a network is given."""

    @classmethod
    def linear(cls, steps: int, beta_start: float, beta_end: float) -> NoiseSchedule:
        """β_t rises evenly from `beta_start` to `beta_end`; ᾱ_t = Π (1 − β_s)."""
        beta = torch.linspace(beta_start, beta_end, steps, dtype=torch.float64)
        return cls((1 - beta).cumprod(0), torch.arange(steps))

    @classmethod
    def log_spaced(cls, steps: int, sigma_min: float, sigma_max: float) -> NoiseSchedule:
        """σ_t = √((1 − ᾱ_t)/ᾱ_t) rises by equal factors: even respacing then suits few steps, too."""
        sigma = torch.logspace(math.log10(sigma_min), math.log10(sigma_max), steps, dtype=torch.float64)
        return cls(1 / (1 + sigma**2), torch.arange(steps))

    def __len__(self) -> int:
        return len(self.alpha_bar)

    def respaced(self, steps: int, t_start: int | None = None, t_end: int = 0) -> NoiseSchedule:
        """K steps spread evenly from `t_end`, or below where they would not fit, to `t_start`, by default the last.

        A single step is `t_start` itself. Raises SettingsError unless 1 ≤ steps ≤ t_start + 1 ≤ len(self).
        """
        last = len(self) - 1 if t_start is None else t_start
        if not 1 <= steps <= last + 1 <= len(self):
            raise SettingsError(
                f"{steps} steps can't be taken from a chain of {last + 1}. Choose 1 to {last + 1} steps."
            )
        if steps == 1:
            kept = [last]
        else:  # summed up as the released program does it: ties round as there
            t_end = min(t_end, last + 1 - steps)
            stride = (last - t_end) / (steps - 1)
            kept = [round(at) for at in accumulate(repeat(stride, steps - 1), initial=float(t_end))]
        return NoiseSchedule(self.alpha_bar[kept], self.timesteps[kept])

    def predict_x0(self, x_t: Tensor, eps: Tensor, index: int) -> Tensor:
        """Clean estimate x_{0|t}, eq. (3)."""
        alpha_bar = float(self.alpha_bar[index])
        return (x_t - math.sqrt(1 - alpha_bar) * eps) / math.sqrt(alpha_bar)

    def predict_eps(self, x_t: Tensor, x0: Tensor, index: int) -> Tensor:
        """The noise ε̃ that x_t holds if x0 is the clean image; below eq. (9)."""
        alpha_bar = float(self.alpha_bar[index])
        return (x_t - math.sqrt(alpha_bar) * x0) / math.sqrt(1 - alpha_bar)

    def diffuse(self, x0: Tensor, eps: Tensor, index: int) -> Tensor:
        """A draw from q(x_t | x_0), eq. (1)."""
        alpha_bar = float(self.alpha_bar[index])
        return math.sqrt(alpha_bar) * x0 + math.sqrt(1 - alpha_bar) * eps

    def alpha_bar_before(self, index: int) -> float:
        """ᾱ_{t−1}: 1 before the first step."""
        return float(self.alpha_bar[index - 1]) if index > 0 else 1.0
