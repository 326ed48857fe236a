"""What networks leave behind that no footage has: woven patterns, outlines, and grain where nothing is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.metrics.fidelity import LUMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.metrics.meters import Pair

    Frame = NDArray[np.uint8]
    Plane = NDArray[np.float64]
    Mask = NDArray[np.bool_]

TILE = 64
"""Side of the tiles whose spectra are looked at, in pixels; each overlaps its neighbours by half."""
LONGEST = 16
"""Pixels of the longest period that counts as a mesh: what repeats more slowly is the picture itself."""
APART = 1.5
"""How many times as coarse, and as fine, the frequencies are that a peak is compared with."""
UNSEEN = 0.25
"""Amplitude in 8-bit levels of a wave that nobody sees in a flat place."""
OPPONENT = np.array([(1, 1, 1), (1, 0, -1), (1, -2, 1)]) / np.sqrt([[3], [2], [6]])
"""Brightness and two colours, orthonormal: a coloured mesh need not be one of brightness."""
HANN = np.outer(*[np.hanning(TILE + 1)[:-1]] * 2)

REACH, SLACK = 6, 2
"""Pixels around an edge within which its outline lies, and by how many edges may have moved."""
STRONG = 10.0
"""Levels a pixel from which on an edge is strong."""
WORST = 0.1
"""Share of edges whose halos stand out."""

FLATTEST = 0.3
"""Share of pixels that count as flat."""
STRUCTURE = 2.5
"""Std in pixels of the blur that leaves structure and no grain."""
ROUNDING = 1 / 12
"""Variance of rounding to whole levels: less grain can't be stored, nor seen, in 8 bits."""


def mesh(restored: Frame, clean: Frame, mask: Mask | None = None) -> float | None:
    """The highest peak in the spectrum of a frame (H, W, 3) over the clean one's; 1 is no peak that it has not.

    The power P(f) of pictures falls off towards fine frequencies, that of grain is the same everywhere: only what
    repeats has more of a frequency than of both coarser and finer ones. So a peak is
    p(f) = max(1, P(f) / max(P(f / APART), P(f · APART))), and the mesh the maximum over f, and over brightness and two
    colours, of the restored p(f) over the clean one, for periods 1 / |f| of at most LONGEST pixels. P is the mean over
    Hann-windowed tiles, each weighed by 1 / its mean power in the clean frame: a mesh is seen on a cheek before it
    is seen in hair. The power of a wave that nobody sees is added to all.

    mask: (H, W), only tiles that lie in it for the most part count. None when there is no such tile of 64 pixels.
    """
    unseen = (UNSEEN / 2 * HANN.sum()) ** 2
    counted = _periods() <= LONGEST
    sums = np.zeros((2, TILE, TILE, 3))
    for place in _tiles(clean.shape[:2]):
        if mask is None or mask[place].mean() > 0.5:
            powers = np.stack([_power(frame[place]) for frame in (restored, clean)]) + unseen
            sums += powers / powers[1, counted].mean(0)
    if not sums.any():
        return None
    # A wave fills three bins under a Hann window, and single bins are noisy.
    around = [np.roll(sums, (y, x), (1, 2)) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    found, true = map(_peaks, np.sum(around, 0))
    return float((found / true)[counted].max())


def _peaks(power: Plane) -> Plane:
    """p(f) of (TILE, TILE, 3) powers."""
    neighbours = np.maximum(_moved(power, 1 / APART), _moved(power, APART))
    peaks: Plane = np.maximum(power / neighbours, 1)
    return peaks


def _tiles(size: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Places of all whole tiles of a picture (H, W)."""
    rows, columns = (range(0, extent - TILE + 1, TILE // 2) for extent in size)
    return [np.s_[y : y + TILE, x : x + TILE] for y in rows for x in columns]


def _power(tile: Frame) -> Plane:
    """(TILE, TILE, 3) pixels → the power of brightness and colours at every frequency."""
    values = tile @ OPPONENT.T
    power: Plane = np.abs(np.fft.fft2((values - values.mean((0, 1))) * HANN[..., None], axes=(0, 1))) ** 2
    return power


def _periods() -> Plane:
    """(TILE, TILE) pixels from wave to wave."""
    f = np.fft.fftfreq(TILE)
    with np.errstate(divide="ignore"):
        periods: Plane = 1 / np.hypot(f[:, None], f)
    return periods


def _moved(spectrum: Plane, factor: float) -> Plane:
    """What is at f · factor, brought to f; beyond the finest frequency a spectrum goes on from the other side."""
    bins = np.rint(np.fft.fftfreq(TILE, 1 / TILE) * factor).astype(int) % TILE
    moved: Plane = spectrum[bins[:, None], bins]
    return moved


def halo(restored: Frame, clean: Frame, mask: Mask | None = None) -> tuple[float, float] | None:
    """How far a frame (H, W, 3) leaves the clean one's range along strong edges: (levels, share where it is worst).

    With [l, h] the range of the clean frame within REACH + SLACK pixels and [l', h'] that of the restored one within
    REACH, it is max(h' − h, l − l', 0), the larger of over- and undershoot, averaged over colours: blurred and shifted
    edges have none. First its mean over all edges, then that of its ratio to h − l over the WORST of them, for an eye
    sees one black outline and not the edges that have none. mask: (H, W). None without a strong edge of brightness.
    """
    edges = _strength(clean) >= STRONG
    if mask is not None:
        edges &= mask
    if not edges.any():
        return None
    (low, high), (made_low, made_high) = _range(clean, REACH + SLACK), _range(restored, REACH)
    beyond = np.maximum(np.maximum(made_high - high, low - made_low), 0)[edges].mean(-1)
    shares = np.sort(beyond / (high - low)[edges].mean(-1))
    return float(beyond.mean()), float(shares[-max(1, round(WORST * len(shares))) :].mean())


def _strength(frame: Frame) -> Plane:
    """(H, W) levels a pixel by which brightness changes, crossways averaged over a few pixels."""
    luma = cv2.GaussianBlur(frame @ LUMA, (0, 0), 1.0)
    down, across = np.gradient(luma)
    return np.hypot(down, across)  # type: ignore[no-any-return]


def _range(frame: Frame, reach: int) -> tuple[Plane, Plane]:
    """Least and greatest value within `reach` pixels, each (H, W, 3)."""
    around = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    return cv2.erode(frame, around).astype(np.float64), cv2.dilate(frame, around).astype(np.float64)


def grain(restored: Frame, clean: Frame, mask: Mask | None = None) -> float | None:
    """Std above a 5×5 mean where the clean frame (H, W, 3) is flat, over the clean one's: 1 is as the truth has it.

    Flat are the pixels, FLATTEST of all, where the blurred clean frame changes least: chosen by structure, so that
    the choice says nothing of the grain. Places as dark or bright as can be have none. Neither std counts as less
    than that of rounding to 8 bits, √ROUNDING. mask: (H, W). None when no pixel is left.
    """
    mixed = cv2.erode(clean, np.ones((5, 5), np.uint8)).min(-1) > 0
    mixed &= cv2.dilate(clean, np.ones((5, 5), np.uint8)).max(-1) < 255
    if mask is not None:
        mixed &= mask
    if not mixed.any():
        return None
    down, across = np.gradient(cv2.GaussianBlur(clean @ LUMA, (0, 0), STRUCTURE))
    structure = np.hypot(down, across)
    flat = mixed & (structure <= np.quantile(structure[mixed], FLATTEST))
    found, true = (max(_variance(frame, flat), ROUNDING) for frame in (restored, clean))
    return float(np.sqrt(found / true))


def _variance(frame: Frame, where: Mask) -> float:
    """Of white noise, estimated from what is above a 5×5 mean, which keeps 24/25 of it."""
    values = frame.astype(np.float64)
    return float(((values - cv2.blur(values, (5, 5)))[where] ** 2).mean() * 25 / 24)


def masked_mesh(pair: Pair) -> float | None:
    """Mesh of a pair; None when no tile is left."""
    return mesh(pair.restored, pair.clean, pair.mask)


def masked_halo(pair: Pair) -> float | None:
    """Halo of a pair in levels; None without a strong edge."""
    found = halo(pair.restored, pair.clean, pair.mask)
    return None if found is None else found[0]


def masked_worst_halo(pair: Pair) -> float | None:
    """Halo of a pair where it is worst, as a share of edges' height; None without a strong edge."""
    found = halo(pair.restored, pair.clean, pair.mask)
    return None if found is None else found[1]


def masked_grain(pair: Pair) -> float | None:
    """Grain of a pair; None when no pixel is left."""
    return grain(pair.restored, pair.clean, pair.mask)
