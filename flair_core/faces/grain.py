"""Grain of the footage around a restored face, given to the face again.

Grain is noise that lies over the whole picture. So it is looked for where the picture is flat, and no place of the
picture can be flatter than it. What is found (how strong at which brightness, how coarse, in which colours) is drawn
anew for every frame. All levels here are those of 8 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from flair_core.faces.align import inverse, outline, peak, transform
from flair_core.faces.paste import enlarged_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.faces.align import Image, Points
    from flair_core.faces.mask import Mask

    Floats = NDArray[np.floating[Any]]

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
PATCH = 24
"""Side of a patch that is looked at: several grains wide, and small enough to lie in a flat place."""
CELL = 8
"""Side of the smaller patches that fit between the features of a face."""
MOST = 16
"""Patches along a side: so many do, however large the frame."""
READ = 64
"""Flat patches of which spectrum and colours are taken."""
SHADES = 8
"""Parts of the range of luma in which grain is measured."""
FAR = 0.05
"""What a patch within the face counts, and one of the next shade: enough where there is none other, else nothing."""
RADIUS = 8
"""Pixels over which one grain may reach."""
FAINT = (1.5, 2.5)
"""Std of luma up to which noise counts as none, and from which on it is given in full. So do the next four."""
BLOCKY = (4.0, 2.5)
"""Mean square of steps at the lines of a grid of 8 pixels, over that between them: a codec's noise stands on it."""
SMOOTH = (0.5, 0.8)
"""Variance of the smoothest cells of the picture, over that in nothing but such grain: hair leaves skin smooth."""
UNLIKE = (0.5, 0.7)
"""The same of the flat patches alone: grain is alike all over, and texture is not."""
FEW = (12, 32)
"""Flat patches."""
UNEVEN = 8
"""How many times the variance of the smoothest places grain may have, and a cell that of the patch's others."""
SOMEWHERE, EVERYWHERE = 0.5, 0.8
"""Variance that the smoothest places need at least to be grainy; up to the first, what was found is hair or leaves."""
BROAD = 0.3
"""Share of a patch's variance in its nine cells that grain, being finer, can't have; shades and edges do."""


@dataclass(frozen=True, slots=True)
class Grain:
    """Noise of a picture."""

    level: float
    """Std of its luma."""
    shades: Floats
    """(8,) rising: levels of luma at which it was measured."""
    covariance: Floats
    """(8, 3, 3): of R'G'B' at each of them."""
    kernel: Floats
    """(17, 17): makes grain of std 1 of white noise of std 1."""
    fine: Floats
    """(8,): variance of luma in cells, at each of them."""
    usual: float
    """What `_least` makes of cells of this variance."""
    share: float
    """How much of it is given: 0 for faint noise, a codec's, and texture; 1 for what surely is grain."""


def add_into(
    canvas: Image, rgb: Image, mask: Mask, matrix: Points, amount: float, seeds: np.random.SeedSequence
) -> None:
    """Give a face that was pasted into `canvas`, `rgb` enlarged by a whole number, the grain that it lacks.

    mask and matrix as for `paste_into`. amount: share of the std of the footage's grain. Where the mask fades out,
    the frame's own grain fades in, and just so much is added that both together stay as strong.
    """
    upscale = canvas.shape[0] // rgb.shape[0]
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not len(rows):
        return
    box = np.array([(x, y) for x in (columns[0] - 1, columns[-1] + 1) for y in (rows[0] - 1, rows[-1] + 1)])
    low, high = _extent(matrix, box, rgb)
    if (high - low).min() < CELL:
        return
    (left, top), (right, bottom) = low, high
    width, height = (int(length) for length in high - low)
    backward = enlarged_map(inverse(matrix), upscale)
    backward[:, 2] -= low * upscale
    weight = np.asarray(cv2.warpAffine(mask, backward, (width * upscale, height * upscale)), np.float32)
    coarse = _shrunk(weight, width, height)
    found = measured(rgb, matrix, mask.shape[0], coarse, low)
    if found is None or found.share == 0:
        return
    region = canvas[top * upscale : bottom * upscale, left * upscale : right * upscale]
    face = _levels(_shrunk(region, width, height))
    filmed = _levels(rgb[top:bottom, left:right])
    # No grain is wanted that the face as it was filmed did not have: it was texture beside it.
    lacking = amount**2 * min(1.0, relative(filmed, coarse, found, 1.0)) - relative(face, coarse, found, 0.0)
    if lacking <= 0:
        return
    rng = np.random.default_rng(seeds)
    drawn = drawn_like(found, np.asarray(cv2.blur(face, (5, 5)), np.float32), rng)
    drawn *= (found.share * np.sqrt(lacking * coarse * (2 - coarse)))[..., None]
    if upscale > 1:
        drawn = np.asarray(
            cv2.resize(drawn, weight.shape[::-1], interpolation=cv2.INTER_LANCZOS4), np.float32
        )
        drawn *= (weight > 0)[..., None]
    grainy = (region + drawn * (peak(rgb) / np.float32(255))).clip(0, peak(rgb))
    region[...] = np.rint(grainy) if rgb.dtype.kind == "u" else grainy


def measured(rgb: Image, matrix: Points, size: int, mask: Mask, corner: NDArray[np.int64]) -> Grain | None:
    """The noise of a frame around a face; None where it is faint, or no place is flat enough to tell.

    matrix: (2, 3) from frame to a face of `size` pixels.  mask: (h, w), where the face is; its first pixel lies at
    `corner` of the frame.
    """
    low, high = _extent(matrix, outline(size, size), rgb, grown=0.5)
    if (high - low).min() < PATCH:
        return None
    x, y = _places(low, high, PATCH)
    patches = _levels(_cut(rgb, x, y, PATCH))
    luma = _luma(patches)
    grey = ((luma < 2) | (luma > 253)).mean((1, 2)) <= 0.02
    means = luma.mean((1, 2))
    shade = np.clip(means // (256 // SHADES), 0, SHADES - 1).astype(int)
    variance = _uneven(luma)
    cells = _cells(luma)
    fine = _uneven(cells)
    thirds = cells.mean((-2, -1))
    flat = _flat(variance, fine, thirds, grey, shade)
    if not flat.any():
        return None
    every = np.flatnonzero(flat)
    read = every[np.linspace(0, len(every) - 1, min(READ, len(every))).astype(np.int64)]
    weight = np.where(_touches(mask, x[read] - corner[0], y[read] - corner[1]), FAR, 1.0)
    weight /= weight.sum()
    weights = weight * FAR ** np.abs(np.arange(SHADES)[:, None] - shade[read]).astype(np.float64)
    weights /= weights.sum(1, keepdims=True)
    rest = _flattened(luma[read])
    kernel = _kernel(rest, weight)
    kept = _kept(kernel)
    level = float(np.sqrt((weight * variance[read]).sum() / kept))
    if level <= FAINT[0]:
        return None
    colours = _flattened(np.ascontiguousarray(patches[read].transpose(0, 3, 1, 2))).reshape(len(read), 3, -1)
    covariance = np.einsum("pcn,pdn->pcd", colours, colours) / (kept * PATCH**2)
    shades = np.einsum("sp,p->s", weights, means[read])
    fine_by_shade = np.einsum("sp,p->s", weights, fine[read].mean(1))
    ratio = fine / np.maximum(np.interp(thirds, shades, fine_by_shade), 1e-6)
    pure = _pure(kernel)
    usual = max(_least(pure), 1e-6)
    share = min(
        _between(level, *FAINT),
        _between(max(_grid(rest, x[read]), _grid(rest.transpose(0, 2, 1), y[read])), *BLOCKY),
        _between(_low(ratio[grey], 0.1) / max(_low(pure, 0.1), 1e-6), *SMOOTH),
        _between(_least(ratio[read]) / usual, *UNLIKE),
        _between(len(every), *FEW),
    )
    return Grain(
        level, shades, np.einsum("sp,pcd->scd", weights, covariance), kernel, fine_by_shade, usual, share
    )


def _low(values: Floats, share: float) -> float:
    """The value under which that share of all lies."""
    last = int(share * (values.size - 1))
    return float(np.partition(values, last, axis=None)[last])


def _between(value: float, none: float, full: float) -> float:
    """0 at `none`, 1 at `full`."""
    return float(np.clip((value - none) / (full - none), 0, 1))


def _flat(
    variance: Floats, fine: Floats, thirds: Floats, grey: NDArray[np.bool_], shade: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which patches hold nothing but noise, if any does; those that are black or white are not grey."""
    flat = np.zeros_like(grey)
    if not grey.any():
        return flat
    middle = np.median(fine, axis=1)
    # Grain may differ in strength by shade, but not without limit; and it is fine, which shading and edges are not.
    some = grey & (middle <= UNEVEN * _low(middle[grey], 0.1))
    some &= fine.max(1) <= UNEVEN * middle
    some &= _uneven(thirds.reshape(-1, PATCH // CELL, PATCH // CELL)) <= BROAD * variance
    for one in range(SHADES):
        here = some & (shade == one)
        if here.sum() >= 4:
            flat |= here & (variance <= 2 * _low(variance[here], 0.2))
    return flat


def _cells(patches: Floats) -> Floats:
    """(P, PATCH, PATCH) → (P, 9, CELL, CELL)."""
    along = PATCH // CELL
    cells = patches.reshape(-1, along, CELL, along, CELL).transpose(0, 1, 3, 2, 4)
    return cells.reshape(-1, along**2, CELL, CELL)


def relative(face: Floats, mask: Mask, grain: Grain, unknown: float) -> float:
    """Variance of a face's noise, (h, w, 3), over that of the grain at the same brightness; `unknown` if nowhere flat.

    The flattest cells tell: whatever a face has of features comes on top.
    """
    x, y = _places(np.array([0, 0]), np.array(mask.shape[::-1]), CELL)
    inside = mask[y + CELL // 2, x + CELL // 2] > 0.9
    if not inside.any():
        return unknown
    luma = _luma(_cut(face, x[inside], y[inside], CELL))
    expected = np.interp(luma.mean((1, 2)), grain.shades, grain.fine)
    ratio = _uneven(luma) / np.maximum(expected, 1e-6)
    return _least(ratio) / grain.usual


def _least(variances: Floats) -> float:
    """The mean of variances that may be those of noise alone: the lowest fifth, and up to twice as much."""
    return float(variances[variances <= 2 * _low(variances, 0.2)].mean())


def drawn_like(grain: Grain, picture: Floats, rng: np.random.Generator) -> Floats:
    """Another realisation of the grain, for the brightness of a picture; both (h, w, 3)."""
    white = rng.standard_normal(picture.shape, np.float32)
    coarse = cv2.filter2D(white, -1, grain.kernel, borderType=cv2.BORDER_REFLECT)
    values, vectors = np.linalg.eigh(grain.covariance)
    roots = (vectors * np.sqrt(values.clip(min=0))[:, None]) @ vectors.transpose(0, 2, 1)
    levels = np.arange(256)
    table = np.stack([np.interp(levels, grain.shades, root) for root in roots.reshape(SHADES, 9).T], axis=-1)
    # Black and white can't be grainy: there film and sensor are at their end.
    table *= (np.minimum(levels, 255 - levels) / 12).clip(0, 1)[:, None]
    shade = np.clip(np.rint(_luma(picture)), 0, 255).astype(np.int64)
    return np.asarray(np.einsum("hwcd,hwd->hwc", table.astype(np.float32).reshape(-1, 3, 3)[shade], coarse))


def _kernel(rest: Floats, weight: Floats) -> Floats:
    """The filter whose noise has the mean spectrum of patches (P, PATCH, PATCH), by radius; its squares sum to 1."""
    power = np.einsum("p,pij->ij", weight, np.square(np.abs(np.fft.rfft2(rest))))
    # Round about: folds of a curtain have a direction, and grain has none. What went with the planes goes on as beside.
    radius = np.hypot(np.fft.fftfreq(PATCH, 1 / PATCH)[:, None], np.arange(PATCH // 2 + 1))
    ring = np.rint(radius).astype(int)
    mean = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    mean[:2] = mean[2] * np.clip(mean[2] / max(mean[3], 1e-9), 1, 1.4)
    power = np.interp(radius, np.arange(len(mean)), mean)
    middle = PATCH // 2
    kernel = np.fft.fftshift(np.fft.irfft2(np.sqrt(power), s=(PATCH, PATCH)))
    near = slice(middle - RADIUS, middle + RADIUS + 1)
    fade = 1 - np.square(np.arange(-RADIUS, RADIUS + 1) / (RADIUS + 1))
    kernel = kernel[near, near] * fade * fade[:, None]
    return np.asarray(kernel / max(float(np.sqrt(np.square(kernel).sum())), 1e-9), np.float32)


def _kept(kernel: Floats) -> float:
    """The share of the variance of noise made by a kernel that is left in patches without their planes."""
    x = (np.arange(PATCH) - (PATCH - 1) / 2)[None].repeat(PATCH, 0)
    lost = 0.0
    for plane in (np.ones_like(x), x, x.T):
        around = np.pad(plane / np.linalg.norm(plane), RADIUS)
        lost += np.square(cv2.filter2D(around, -1, kernel, borderType=cv2.BORDER_CONSTANT)).sum()
    return max(0.5, 1 - lost / PATCH**2)


def _pure(kernel: Floats) -> Floats:
    """Variances of cells in noise made by a kernel, with mean 1."""
    side = 12 * CELL
    white = np.random.default_rng(0).standard_normal((side, side), np.float32)
    noise = cv2.filter2D(white, -1, kernel, borderType=cv2.BORDER_REFLECT)
    cells = np.asarray(noise, np.float32).reshape(12, CELL, 12, CELL).transpose(0, 2, 1, 3)
    variances = _uneven(cells).ravel()
    return np.asarray(variances / max(float(variances.mean()), 1e-9))


def _grid(rest: Floats, start: NDArray[np.int64]) -> float:
    """The largest mean square of steps from column to column at one of 8 places of a grid, over that at the others."""
    steps = np.square(np.diff(rest, axis=2)).mean(1)
    phase = (start[:, None] + np.arange(PATCH - 1)) % 8
    total = np.bincount(phase.ravel(), steps.ravel(), 8) / np.bincount(phase.ravel(), minlength=8)
    highest = total.argmax()
    return float(total[highest] / max(np.delete(total, highest).mean(), 1e-9))


def _luma(pixels: Floats) -> Floats:
    """(..., 3) → (...). No product of matrices, whose last bits may hang on the number of threads."""
    return np.asarray(pixels[..., 0] * LUMA[0] + pixels[..., 1] * LUMA[1] + pixels[..., 2] * LUMA[2])


def _flattened(patches: Floats) -> Floats:
    """Patches (..., n, n) without the plane that is nearest to each."""
    rest, across, down, x = _sloped(patches)
    rest -= across[..., None, None] * x
    rest -= down[..., None, None] * x[:, None]
    return rest


def _uneven(patches: Floats) -> Floats:
    """The variance of each patch about the plane that is nearest to it."""
    rest, across, down, x = _sloped(patches)
    total = np.einsum("...ij,...ij->...", rest, rest) / rest.shape[-1] ** 2
    return np.asarray(np.maximum(total - (across * across + down * down) * np.square(x).mean(), 0))


def _sloped(patches: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Patches (..., n, n) without their means; how they rise along x and y; and x, which is 0 in the middle."""
    n = patches.shape[-1]
    x = np.arange(n, dtype=np.float32) - np.float32((n - 1) / 2)
    rest = patches - patches.mean((-2, -1), keepdims=True)
    spread = np.float32(n * np.square(x).sum())
    across = np.einsum("...j,j->...", rest.sum(-2), x) / spread
    down = np.einsum("...i,i->...", rest.sum(-1), x) / spread
    return rest, across, down, x


def _places(
    low: NDArray[np.int64], high: NDArray[np.int64], side: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """x and y of the patches that lie evenly in a region, half of one in the next at the closest."""
    along = [
        np.linspace(a, b - side, min(MOST, 1 + 2 * int(b - a - side) // side)).astype(np.int64)
        for a, b in zip(low, high, strict=True)
    ]
    x, y = np.meshgrid(*along)
    return x.ravel(), y.ravel()


def _cut(rgb: Image, x: NDArray[np.int64], y: NDArray[np.int64], side: int) -> Image:
    """(P, side, side, 3) patches."""
    view = np.lib.stride_tricks.sliding_window_view(rgb, (side, side), axis=(0, 1))
    return view[y, x].transpose(0, 2, 3, 1)


def _touches(mask: Mask, x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether patches at x, y have a pixel under the mask; every sixth of a patch is looked at."""
    steps = np.append(np.arange(0, PATCH, 6), PATCH - 1)
    rows, columns = y[:, None, None] + steps[:, None], x[:, None, None] + steps
    height, width = mask.shape
    within = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    under = mask[rows.clip(0, height - 1), columns.clip(0, width - 1)] > 0
    return np.asarray((within & under).any((1, 2)))


def _extent(
    matrix: Points, corners: Points, rgb: Image, grown: float = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """[low, high) in x and y of the frame, around corners in a face; `grown` by that share of it on each side."""
    corners = transform(inverse(matrix), corners)
    low, high = corners.min(axis=0), corners.max(axis=0)
    more, limit = grown * (high - low), np.array([rgb.shape[1], rgb.shape[0]])
    low = np.clip(np.floor(low - more).astype(np.int64), 0, limit)
    return low, np.clip(np.ceil(high + more).astype(np.int64) + 1, low, limit)


def _shrunk(image: Any, width: int, height: int) -> Any:
    """The image at the size of the frame."""
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _levels(pixels: Image) -> Floats:
    """Pixels of any type in levels of 8 bits."""
    return np.asarray(pixels, np.float32) * (np.float32(255) / peak(pixels))
