"""The built-in enhancer: makes the detail that is there a little stronger. It has learned nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
REFERENCE = 256
SCALES = ((1, 1.0), (2, 0.7), (4, 0.4))
"""(radius in pixels of a 256 px face, gain): skin and lashes, then lids and lips, then folds."""
REACH = 2
"""No pixel becomes brighter or darker than all within this radius (of a 256 px face) were: no edge rings."""
EDGE = 0.1**2
"""Local variance of luma, range [-1, 1], from which a change counts as an edge and is left as it is."""
TEXTURE = (2 / 127.5) ** 2
"""Local variance above the noise at which texture gets half of its gain."""
NOISE_MARGIN = 3.0
"""How many times the noise's variance is set aside: chance seldom makes nine pixels vary more than that."""


class Detail:
    """Adds gain · detail at three scales to luma, and the same to every channel: colour differences stay.

    Detail is what an edge-aware (guided) filter takes away, so strong edges get no halos. Where the local
    variance is no more than that of the noise, measured on every face, nothing is added: grain stays.
    """

    size = None

    def __call__(self, faces: Tensor) -> Tensor:
        """(F, 3, H, W) in [-1, 1] → the same shape and range."""
        luma = (faces * faces.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
        noise = noise_variance(luma)
        base, boost = luma, torch.zeros_like(luma)
        for radius, gain in SCALES:
            pixels = _pixels(radius, faces)
            mean = _blur(base, pixels)
            variance = (_blur(base.square(), pixels) - mean.square()).clamp(min=0)
            keep = variance / (variance + EDGE)
            smooth = _blur(keep, pixels) * base + _blur((1 - keep) * mean, pixels)
            texture = (variance - NOISE_MARGIN * noise).clamp(min=0)
            boost += gain * texture / (texture + TEXTURE) * (base - smooth)
            base = smooth
        reach = _pixels(REACH, faces)
        boost = boost.clamp(-_rise(-luma, reach), _rise(luma, reach))
        # Up to where the first channel would leave the range, so that no hue bends there.
        darkest = (-1 - faces.amin(1, keepdim=True)).clamp(max=0)
        lightest = (1 - faces.amax(1, keepdim=True)).clamp(min=0)
        return faces + boost.clamp(darkest, lightest)


def noise_variance(luma: Tensor) -> Tensor:
    """Variance of white noise in images (F, 1, H, W) → (F, 1, 1, 1).

    From the median answer to the difference of two Laplacians (Immerkær, 1996), which is blind to smooth
    shading; the median is blind to edges and texture as long as they fill less than half of the face.
    """
    kernel = luma.new_tensor([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]).view(1, 1, 3, 3)
    padded = functional.pad(luma, (1, 1, 1, 1), mode="replicate")
    answer = functional.conv2d(padded, kernel).abs().flatten(1).median(1).values
    return (answer / (0.6745 * 6)).square().view(-1, 1, 1, 1)  # median |z| = 0.6745, kernel norm 6


def _pixels(radius: int, faces: Tensor) -> int:
    return max(1, round(radius * min(faces.shape[-2:]) / REFERENCE))


def _rise(image: Tensor, radius: int) -> Tensor:
    """How far the brightest pixel within `radius` is above each pixel."""
    side = 2 * radius + 1
    columns = functional.max_pool2d(image, (side, 1), 1, (radius, 0))
    return functional.max_pool2d(columns, (1, side), 1, (0, radius)) - image


def _blur(image: Tensor, radius: int) -> Tensor:
    """Mean over (2 radius + 1)² pixels, borders repeated."""
    side = 2 * radius + 1
    padded = functional.pad(image, (radius, radius, radius, radius), mode="replicate")
    return functional.avg_pool2d(functional.avg_pool2d(padded, (side, 1), 1), (1, side), 1)
