"""Blur kernels h. They sum to 1, and their middle is the middle of a low-resolution pixel.

A kernel for an even scale has an even number of taps: the middle of s × s pixels lies between pixels.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from flair_core.settings.groups import DegradationSettings

CUBIC = -0.5
GAUSSIAN_REACH = 4
"""A Gaussian is cut off at this many standard deviations."""
POINTS_PER_PIXEL = 32


def blur_kernel(settings: DegradationSettings) -> Tensor:
    """h of eq. (10) as settings describe it, (n, n) float64; n is odd for scale 1 and even otherwise."""
    match settings.kernel:
        case "gaussian":
            sigmas = settings.blur_sigma, settings.blur_sigma * settings.blur_ratio
            return gaussian(*sigmas, settings.angle, settings.scale)
        case "motion":
            return motion(settings.motion_length, settings.angle, settings.scale)
        case _:
            return torch.outer(cubic(settings.scale), cubic(settings.scale))


def cubic(scale: int) -> Tensor:
    """Antialiased bicubic weights of s-fold downsampling, (4 s,) float64; (1,) for scale 1."""
    if scale == 1:
        return torch.ones(1, dtype=torch.float64)
    at = ((torch.arange(4 * scale, dtype=torch.float64) + 0.5) / scale - 2).abs()
    near = (CUBIC + 2) * at**3 - (CUBIC + 3) * at**2 + 1
    far = CUBIC * (at**3 - 5 * at**2 + 8 * at - 4)
    weights = torch.where(at <= 1, near, far)
    return weights / weights.sum()


def gaussian(sigma: float, sigma_across: float, angle: float, scale: int) -> Tensor:
    """A Gaussian with std `sigma` along `angle` (degrees, 90 is up), `sigma_across` across; pixels of x."""
    x, y = _grid(math.ceil(GAUSSIAN_REACH * max(sigma, sigma_across)), scale)
    cos, sin = _direction(angle)
    exponent = ((cos * x + sin * y) / sigma) ** 2 + ((cos * y - sin * x) / sigma_across) ** 2
    # The softmax is the normalised Gaussian, and survives when the Gaussian is much narrower than a pixel.
    return (-exponent / 2).flatten().softmax(0).view_as(exponent)


def motion(length: float, angle: float, scale: int) -> Tensor:
    """A steady movement by `length` pixels of x along `angle` (degrees, 90 is up), exact below a pixel.

    The path is a straight line through the middle; each point of it is shared out bilinearly to four pixels.
    """
    x, y = _grid(math.ceil(length / 2) + 1, scale)
    cos, sin = _direction(angle)
    count = math.ceil(length * POINTS_PER_PIXEL)
    at = ((torch.arange(count, dtype=torch.float64) + 0.5) / count - 0.5) * length
    across = (1 - (x[0] - cos * at[:, None]).abs()).clamp(min=0)
    down = (1 - (y[:, 0] - sin * at[:, None]).abs()).clamp(min=0)
    return down.T @ across / count


def _grid(reach: int, scale: int) -> tuple[Tensor, Tensor]:
    """Positions (x, y) of the taps, in pixels from the middle; y points down."""
    side = 2 * reach + scale % 2
    at = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    y, x = torch.meshgrid(at, at, indexing="ij")
    return x, y


def _direction(angle: float) -> tuple[float, float]:
    """Unit vector (x, y), y pointing down; exact along the axes, so that such kernels are separable."""
    radians = math.radians(angle)
    cos, sin = math.cos(radians), -math.sin(radians)
    return (cos, sin) if angle % 90 else (float(round(cos)), float(round(sin)))
