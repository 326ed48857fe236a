"""From settings to the operator of eq. (10), and the degradation itself."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from flair_core.degradations.base import Degradation, Identity, Linear
from flair_core.degradations.cosine import SeparableDownsample
from flair_core.degradations.fourier import BlurDownsample
from flair_core.degradations.jpeg import Jpeg, JpegDegradation
from flair_core.degradations.kernels import blur_kernel
from flair_core.degradations.resize import reduced, upscale
from flair_core.errors import SettingsError, ShapeError

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from flair_core.settings.groups import DegradationSettings


def build(
    settings: DegradationSettings, size: tuple[int, int], device: torch.device | str | None = None
) -> Degradation:
    """The operator of eq. (10), noise left out, for images x of (H, W) = size; its tables live on `device`.

    Raises ShapeError unless both sides are multiples of the scale.
    """
    A = linear(settings, size, device)
    return A if settings.jpeg is None else JpegDegradation(A, settings.jpeg)


def linear(
    settings: DegradationSettings, size: tuple[int, int], device: torch.device | str | None = None
) -> Linear:
    """A of eq. (7), what happened before noise and JPEG; see `build`."""
    return _linear(replace(settings, noise=0.0, jpeg=None), size, device)


def degrade(x: Tensor, settings: DegradationSettings, generator: Generator) -> Tensor:
    """y = E((h * x)↓s + e), decoded: eq. (10) whole.

    x: (N, 3, H, W) in [-1, 1] → y: (N, 3, H/s, W/s), not clamped. The noise e comes from the CPU generator.
    Raises ShapeError unless both sides are multiples of the scale, and SettingsError when the degradation is unknown.
    """
    if not settings.known:
        raise SettingsError("An unknown blur can't be applied. Choose bicubic, gaussian or motion.")
    y = linear(settings, (x.shape[-2], x.shape[-1]), x.device).forward(x)
    if settings.noise > 0:
        y = y + settings.sigma_e * torch.randn(y.shape, generator=generator).to(y)
    return y if settings.jpeg is None else Jpeg(settings.jpeg).recode(y)


def enlarged(y: Tensor, size: tuple[int, int], settings: DegradationSettings | None) -> Tensor:
    """The condition c of the compact network: (N, 3, h, w) in [-1, 1] → (N, 3, *size), clamped to [-1, 1].

    Footage that was only made smaller is enlarged by A⁺, which errs less than any kernel that fits all footage.
    With noise or compression A⁺ would amplify them, so there, or without `settings`, it is `upscale`. Footage of
    which nothing is known, but that it was enlarged, is brought to its own resolution first.
    """
    if settings is not None and not settings.known:
        y = reduced(y, settings.enlargement or 1.0)
    if settings is None or settings.kernel != "bicubic" or settings.noise > 0 or settings.jpeg is not None:
        return upscale(y, size)
    return linear(settings, size, y.device).pinv(y).clamp(-1, 1)


@lru_cache(maxsize=16)
def _linear(
    settings: DegradationSettings, size: tuple[int, int], device: torch.device | str | None
) -> Linear:
    """(h * x)↓s. Windows of a clip share it: its tables take as long as several corrections."""
    if size[0] % settings.scale or size[1] % settings.scale:
        raise ShapeError(
            f"Images of {size[1]} × {size[0]} pixels can't be made {settings.scale} times smaller. "
            f"Use sides that are multiples of {settings.scale}."
        )
    kernel = blur_kernel(settings)
    if len(kernel) == 1:
        return Identity()
    column, row = kernel.sum(1), kernel.sum(0)
    if torch.allclose(torch.outer(column, row), kernel, rtol=0, atol=1e-12):
        return SeparableDownsample(column, row, settings.scale, size, device)
    return BlurDownsample(kernel, settings.scale, size, device)
