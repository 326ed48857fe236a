"""All of a degradation, estimated from a shot: scale, blur, noise and compression."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.degradations.jpeg import BLOCK, TO_YCBCR
from flair_core.errors import MediaError
from flair_core.estimation.blur import find_blur
from flair_core.estimation.compression import jpeg_quality
from flair_core.estimation.noise import noise_level
from flair_core.estimation.reader import read_blur, read_enlargement, usual_scale
from flair_core.estimation.resampling import ALIGNMENT, FACTORS, enlargement_traces
from flair_core.estimation.spectrum import SIDE, Likelihood
from flair_core.faces.align import inverse, similarity, transform, zoom
from flair_core.faces.shots import as_uint8, marked
from flair_core.settings.fields import EIGHT_BIT, Choice, Range, fields
from flair_core.settings.groups import DegradationSettings, changed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from flair_core.estimation.blur import Blur
    from flair_core.estimation.compression import Compression
    from flair_core.estimation.spectrum import Kernel
    from flair_core.faces.track import Track
    from flair_core.frames import Frame

    Picture = NDArray[np.uint8]

FRAMES = 8
"""Frames of a shot that are looked at."""
SPECTRA = 4
"""Of these, frames whose spectrum is taken."""
LEAST_SIDE = 16
"""Pixels of a face from which its spectrum says something."""
LEAST_NATIVE = 24
"""The same for the native size of an enlarged one."""
TRACES_SURE = 0.95
"""How often traces of interpolation that settle the factor are right."""
LARGEST = 1.41
"""Sides of a compressed face, in SIDE, from which only its middle is looked at."""
STANDING_COST = 8.0
"""Nats by which an error of a codec must explain a spectrum better than none."""
DOUBT = 0.01
"""Least chance of a factor for which the network has no word."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What probably happened to a shot."""

    settings: DegradationSettings
    confidence: Mapping[str, float]
    """In [0, 1] for scale, kernel, blur, noise and jpeg: the chance that it is right, or right within
    20 % for the blur's length and 15 % for the noise."""
    enlarged: int
    """How many times the footage was enlarged before it was stored; 1 when it wasn't."""
    frames: range
    """The frames of the shot."""


def estimate_degradation(
    frames: Iterable[Frame], *, tracks: Sequence[Track] = (), side: int = SIDE, scale: int | None = None
) -> Estimate:
    """Estimate from the first frames of one shot; faces are to be restored at `side` pixels.

    tracks: faces in the frames; the largest one is looked at, without its surroundings. None means that a face
    fills the frame. scale: s when it is known; then only the rest is estimated, in pixels of a face s times the
    observed one. Raises MediaError when there are no frames or the face is smaller than 16 pixels.
    """
    shot = [frame for frame, _ in zip(frames, range(FRAMES), strict=False)]
    if not shot:
        raise MediaError("There are no frames to estimate a degradation from.")
    pictures = [as_uint8(frame.rgb) for frame in shot]
    windows, corners = _windows(shot, tracks)
    compression = jpeg_quality(pictures)
    # Blocks that stand on the pixel grid were made there: such footage was not enlarged since.
    enlarged, certain = (1, 1.0) if compression.quality else _enlargement(windows, corners)
    if enlarged > 1:
        pictures, windows = (
            [_reduced(picture, enlarged) for picture in some] for some in (pictures, windows)
        )
    observed = windows[0].shape[0]
    noise = noise_level(pictures, compression)
    s = scale or nearest_scale(side / observed)
    blur = _blur(windows, corners, compression, s, noise.std)
    # Tracked faces are cut out at exactly `side` pixels, whole frames become s times as large.
    unit = side / (s * observed) if tracks and scale is None else 1.0
    averaged = min(1.0, unit)  # cutting out at a smaller size averages noise away
    std = _within("noise", noise.std * averaged / EIGHT_BIT)
    settings = _with_blur(
        DegradationSettings(scale=s, noise=std, jpeg=compression.quality), blur.kernel, unit
    )
    confidence = {
        "scale": 1.0 if scale else certain,
        "kernel": blur.sure * certain,  # at another size it is another blur
        "blur": blur.sure * blur.exact * certain,
        "noise": noise.confidence,
        "jpeg": compression.confidence,
    }
    return Estimate(settings, confidence, enlarged, range(shot[0].index, shot[-1].index + 1))


def estimate_shots(
    frames: Iterable[Frame], *, tracks: Sequence[Track] = (), side: int = SIDE, scale: int | None = None
) -> Iterator[Estimate]:
    """The same for every shot, in one pass that holds a few frames; `frames` of a result are the whole shot."""
    shot: list[Frame] = []
    last = -1

    def finished() -> Estimate:
        found = estimate_degradation(shot, tracks=tracks, side=side, scale=scale)
        return Estimate(found.settings, found.confidence, found.enlarged, range(shot[0].index, last + 1))

    for frame, starts in marked(frames):
        if starts and shot:
            yield finished()
            shot = []
        if len(shot) < FRAMES:
            shot.append(frame)
        last = frame.index
    if shot:
        yield finished()


def nearest_scale(ratio: float) -> int:
    """The scale on offer that is nearest to a ratio of sides."""
    choice = fields(DegradationSettings)["scale"].limit
    assert isinstance(choice, Choice)
    return int(min(choice.values, key=lambda value: abs(math.log(value / ratio))))


def _windows(shot: Sequence[Frame], tracks: Sequence[Track]) -> tuple[list[Picture], list[tuple[int, int]]]:
    """The largest face of a shot, or the middle of the frames: squares of one size, and their corners.

    Raises MediaError when it is smaller than 16 pixels.
    """
    height, width = shot[0].rgb.shape[:2]
    side = min(height, width)
    centres: dict[int, tuple[float, float]] = {}
    faces = [_path(shot, track) for track in tracks]
    if any(path for _, path in faces):
        side, centres = max(faces, key=lambda face: face[0])
        side = min(side, height, width)
    if side < LEAST_SIDE:
        raise MediaError(f"The face is only {side} pixels wide; {LEAST_SIDE} are needed to estimate from.")
    windows, corners = [], []
    for frame in shot:
        x, y = centres.get(frame.index, ((width - 1) / 2, (height - 1) / 2))
        if centres and frame.index not in centres:
            continue
        row, column = (
            min(max(round(at - (side - 1) / 2), 0), extent - side) for at, extent in ((y, height), (x, width))
        )
        windows.append(as_uint8(frame.rgb)[row : row + side, column : column + side])
        corners.append((row, column))
    return windows, corners


def _path(shot: Sequence[Frame], track: Track) -> tuple[int, dict[int, tuple[float, float]]]:
    """Side of a track's face in pixels of the frame, and its centres (x, y) by frame index."""
    centres, sides = {}, [0.0]
    for frame in shot:
        if track.covers(frame.index):
            backward = inverse(similarity(track.at(frame.index), SIDE))
            x, y = transform(backward, np.full(2, (SIDE - 1) / 2))
            centres[frame.index] = (float(x), float(y))
            sides.append(SIDE * zoom(backward))
    return round(float(np.median(sides[1:] or sides))), centres


def _blur(
    windows: Sequence[Picture],
    corners: Sequence[tuple[int, int]],
    compression: Compression,
    scale: int,
    noise: float,
) -> Blur:
    """The blur of the face, in pixels of a face `scale` times the observed one."""
    chosen = np.linspace(0, len(windows) - 1, min(SPECTRA, len(windows))).astype(int)
    lumas = [windows[i] @ TO_YCBCR[0].numpy() for i in chosen]
    observed = lumas[0].shape[0]
    if compression.quality is not None:
        # The network has seen faces of up to SIDE pixels and a half; of larger ones it sees the middle.
        cut = max(0, observed - SIDE) // 2 if observed > LARGEST * SIDE else 0
        offsets = [
            tuple(
                (at - corner - cut) % BLOCK for at, corner in zip(compression.offset, corners[i], strict=True)
            )
            for i in chosen
        ]
        lumas = [luma[cut : observed - cut, cut : observed - cut] for luma in lumas]
        found = read_blur(lumas, offsets, noise, compression.quality)
        return found.longer(scale / usual_scale(lumas[0].shape[0]))
    if observed > SIDE:  # the prior knows nothing beyond
        noise *= SIDE / observed
        lumas = [cv2.resize(luma, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for luma in lumas]
    found = find_blur(Likelihood(lumas, scale, noise=noise), scale)
    other = find_blur(Likelihood(lumas, scale, noise=noise, standing=True), scale)
    if other.evidence - STANDING_COST > found.evidence:
        found = other
    return found.longer(max(1.0, observed / SIDE))


def _enlargement(windows: Sequence[Picture], corners: Sequence[tuple[int, int]]) -> tuple[int, float]:
    """How many times the footage was enlarged, and how sure that is.

    The spectrum holds nothing beyond the native resolution but what interpolation leaves there, and a network weighs
    that; traces of interpolation settle it where there are any.
    """
    whole = windows[0].shape[0]
    lumas = [window @ TO_YCBCR[0].numpy() for window in windows[:SPECTRA]]
    extent = whole - ALIGNMENT
    aligned = [
        luma[-row % ALIGNMENT :, -column % ALIGNMENT :][:extent, :extent]
        for luma, (row, column) in zip(lumas, corners[:SPECTRA], strict=True)
    ]
    traced = enlargement_traces(aligned) if extent > 0 else None
    # The network knows faces of SIDE pixels: what a larger one was enlarged by beyond that, it does not see.
    beyond = max((factor for factor in FACTORS if whole / factor > SIDE / math.sqrt(2)), default=1)
    size = (round(whole / beyond),) * 2
    small = [cv2.resize(luma, size, interpolation=cv2.INTER_AREA) if beyond > 1 else luma for luma in lumas]
    chance = {factor * beyond if factor > 1 else 1: one for factor, one in read_enlargement(small).items()}
    weight = {
        factor: chance.get(factor, DOUBT) * (TRACES_SURE if factor == traced else 1 - TRACES_SURE)
        for factor in {1, *chance, traced or 1}
        if factor == 1 or round(whole / factor) >= (LEAST_SIDE if factor == traced else LEAST_NATIVE)
    }
    if traced is None:
        weight = {factor: chance.get(factor, 0.0) for factor in weight}
    best = max(weight, key=lambda factor: weight[factor])
    return best, weight[best] / sum(weight.values())


def _reduced(picture: Picture, factor: int) -> Picture:
    """An enlarged picture at its native size: sampled by a cubic spline, not averaged, for it holds no more."""
    size = (round(picture.shape[1] / factor), round(picture.shape[0] / factor))
    return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def _with_blur(settings: DegradationSettings, kernel: Kernel, unit: float) -> DegradationSettings:
    """The settings with a kernel, whose lengths are multiplied by `unit`."""
    length, angle = kernel.length * unit, (kernel.angle + 90) % 180 - 90
    if kernel.kind == "motion":
        return changed(settings, kernel="motion", motion_length=_within("motion_length", length), angle=angle)
    if kernel.kind == "gaussian":
        sigma, turn = _within("blur_sigma", length), angle if kernel.ratio < 1 else 0.0
        return changed(settings, kernel="gaussian", blur_sigma=sigma, blur_ratio=kernel.ratio, angle=turn)
    return settings


def _within(name: str, value: float) -> float:
    """A value in its range."""
    limit = fields(DegradationSettings)[name].limit
    assert isinstance(limit, Range)
    return min(max(value, limit.low), limit.high)
