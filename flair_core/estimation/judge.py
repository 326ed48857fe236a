"""Which resolution footage really has: judged by what θ makes of it at several.

Footage of which nobody says what happened to it is restored best by a network that is told nothing, as long as it sees
the picture at a resolution at which that holds more than damage (docs/training.md). So no parameter is read from the
footage alone: θ restores some frames at each of RESOLUTIONS, and a small network looks at the footage and at what came
out, and says how much nearer to the truth each is likely to be. Nothing is adopted that was not looked at.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load
from scipy.special import ndtr
from torch import nn
from torch.nn import functional

from flair_core.degradations.jpeg import BLOCK, TO_YCBCR
from flair_core.runtime import threads
from flair_core.settings.found import Found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

WEIGHTS = "judge.safetensors"
"""Of resources."""
RESOLUTIONS = (1.0, 1.5, 2.0, 3.0, 4.0)
"""How many times smaller θ is shown the footage: values of DegradationSettings.enlargement."""
BANDS = 5
"""Octaves of spatial frequency."""
LOOKED_AT = 384
"""Pixels of the middle of a larger face that are looked at."""
LEAST = 0.05
"""Levels that are added to each std: less is rounding."""
_RESULTS = len(RESOLUTIONS)
_TEXTURES = BANDS * (1 + 2 * _RESULTS) + BANDS * (1 + _RESULTS)
INPUTS = _TEXTURES + 4 * (1 + _RESULTS) + 2
QUIET = _TEXTURES + 4 * (1 + RESOLUTIONS.index(2.0)) + 3
"""Where among the inputs the flattest places are of what half of the resolution takes away, fine grain for the most."""
WHITE = 1.2
"""Std of white noise over what is left of it in the finest octave of the flattest places."""
NETWORKS = 5
EXTREME = 4.0
"""Inputs count for no more than so many standard deviations."""
SURE = 0.8
"""Chance from which on a lower resolution is taken."""
WORTH = 0.15
"""Gain below which a face is left as filmed."""


def observed(y: Tensor, restored: Sequence[Tensor]) -> Tensor:
    """What the network looks at, (INPUTS,): a face as filmed and as restored at each of RESOLUTIONS.

    All are (3, H, W) in [-1, 1]. Of each, and of what was taken away, the std of octaves of brightness and colour; of
    the finest octave also how alike neighbours are and how heavy its tails; and how much a grid of blocks shows.
    """
    y, *restored = (_middle(one.float().cpu()) for one in (y, *restored))
    taken = [y - one for one in restored]
    lumas = torch.stack([_luma(one) for one in (y, *restored, *taken)])
    colours = torch.cat([_colours(one) for one in (y, *taken)])
    with threads.narrow():  # the same to the bit with any number of threads
        bands = _bands(lumas)
        fine = [bands[0][at] for at in (0, *range(1 + len(restored), len(lumas)))]
        shades = torch.stack([_spread(band) for band in bands], 1)
        tints = torch.stack([_spread(band) for band in _bands(colours)], 1).view(-1, 2, BANDS).mean(1)
        parts = [shades.flatten(), tints.flatten(), *(_texture(one) for one in fine), _blocks(lumas[0])]
        return torch.cat(parts)


def _middle(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    top, left = (max(0, extent - LOOKED_AT) // 2 for extent in (height, width))
    return image[:, top : top + LOOKED_AT, left : left + LOOKED_AT]


def _luma(image: Tensor) -> Tensor:
    """(3, H, W) in [-1, 1] → (H, W) in levels."""
    return 127.5 * (TO_YCBCR[0].to(image)[:, None, None] * image).sum(0)


def _colours(image: Tensor) -> Tensor:
    """(3, H, W) in [-1, 1] → (2, H, W): blue and red less luma, in levels."""
    return 127.5 * image[[2, 0]] - _luma(image)


def _bands(images: Tensor) -> list[Tensor]:
    """(N, H, W) in octaves, the finest first: each is half as large as the one before."""
    x, bands = images[:, None], []
    for _ in range(BANDS):
        smooth = functional.avg_pool2d(functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
        bands.append((x - smooth)[:, 0])
        x = functional.avg_pool2d(x, 2, ceil_mode=True)
    return bands


def _spread(band: Tensor) -> Tensor:
    """(N, h, w) → (N,): logarithm of the std."""
    return (band.std((1, 2)) + LEAST).log()


def _texture(band: Tensor) -> Tensor:
    """(H, W) → (4,): how alike neighbours are, in rows and columns, heavy tails, how flat the flattest places."""
    square = band.square().mean() + LEAST**2
    alike = [(band[:, 1:] * band[:, :-1]).mean() / square, (band[1:] * band[:-1]).mean() / square]
    tails = band.abs().median() / square.sqrt()
    local = functional.avg_pool2d(band.square()[None, None], BLOCK)
    quiet = (local.flatten().quantile(0.1) + LEAST**2).log() / 2
    return torch.stack([*alike, tails, quiet])


def _blocks(luma: Tensor) -> Tensor:
    """(H, W) → (2,): by how much steps between columns, and rows, are larger on one of the grids of BLOCK pixels."""
    found = []
    for image in (luma, luma.T):
        steps = (image[:, 1:] - image[:, :-1]).abs().mean(0)
        steps = steps[: len(steps) // BLOCK * BLOCK].view(-1, BLOCK).mean(0) + LEAST
        found.append((steps.max() / steps.median()).log())
    return torch.stack(found)


class Judge(nn.Module):
    """(N, INPUTS) → (N, len(RESOLUTIONS)): how much nearer to the truth each result is than the footage.

    The mean of a few small networks. The unit is a dB of PSNR; 0.05 of feature distance counts as one, too.
    """

    mean: Tensor
    std: Tensor
    spread: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(INPUTS))
        self.register_buffer("std", torch.ones(INPUTS))
        self.register_buffer("spread", torch.ones(2))
        """Std of what it says of damage that it never met: of a gain, and of the difference of two."""
        self.networks = nn.ModuleList(_network() for _ in range(NETWORKS))

    def forward(self, inputs: Tensor) -> Tensor:
        """See the class."""
        return torch.stack(self.each(inputs)).mean(0)

    def each(self, inputs: Tensor) -> list[Tensor]:
        """What each of the networks says."""
        at = ((inputs - self.mean) / self.std).clamp(-EXTREME, EXTREME)
        return [network(at) for network in self.networks]


def _network(width: int = 48) -> nn.Sequential:
    layers = nn.Linear(INPUTS, width), nn.GELU(), nn.Linear(width, width), nn.GELU()
    return nn.Sequential(*layers, nn.Linear(width, len(RESOLUTIONS)))


@cache
def judge() -> Judge:
    """The network that ships with the program."""
    network = Judge()
    network.load_state_dict(load((files("resources") / WEIGHTS).read_bytes()))
    return network.eval().requires_grad_(False)


def found(inputs: Sequence[Tensor], frames: range) -> Found:
    """What to do about a shot, from what `observed` gave for some of its frames; nothing is assumed without any."""
    if not inputs:
        return Found(frames)
    network, seen = judge(), torch.stack(list(inputs))
    with threads.narrow():  # the same to the bit with any number of threads
        gains = network(seen).mean(0)
    of_gain, of_difference = network.spread.tolist()
    best = int(gains.argmax())
    # A lower resolution that is not clearly better would cost detail for nothing.
    if best and _chance(float(gains[best] - gains[0]), of_difference) < SURE:
        best = 0
    gain = float(gains[best])
    quiet = seen[:, QUIET].mean().exp() - LEAST
    return Found(
        frames,
        enlargement=RESOLUTIONS[best],
        sharp=gain < WORTH,
        gain=gain,
        certainty=_chance(gain, of_gain),
        grain=max(0.0, WHITE * float(quiet)),
    )


def _chance(gain: float, spread: float) -> float:
    """That what was told as `gain` is above 0."""
    return float(ndtr(gain / spread))
