"""The marks of film, tape, print and phones.

`marking` makes, for one clip, a function from a frame and its index to the marked frame. What stands still is made
once, there; what moves follows from the seed and the index.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.degradations.damage.rounds import field, noise_generator, smoothed
from flair_core.degradations.damage.values import Film, Phone, Print, Tape

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from numpy.random import Generator
    from numpy.typing import NDArray

    from flair_core.degradations.damage.values import Picture

    Mark: TypeAlias = Callable[[Picture, int], Picture]
    Plane: TypeAlias = NDArray[np.float32]

(FLICKER, WEAVE_X, WEAVE_Y, DUST, SCRATCH, WOBBLE, LINES, SWITCHING, DROPOUT, COMB, PAPER, CREASE) = range(
    100, 112
)
"""What each random number is for, in its key."""
REFERENCE = 256 * 256
"""Pixels in which dust, scratches and dropouts are counted."""
YELLOW = np.array([0.08, 0.2, 0.42], np.float32)
"""How much red, green and blue the oldest paper swallows."""
FADED = np.array([0.26, 0.22, 0.17], np.float32)
"""The colour to which black ink fades."""
FIXED_POINT = 4
"""Bits below a pixel, with which OpenCV draws."""


def marking(marks: Film | Tape | Print | Phone, seed: int, size: tuple[int, int], scale: float) -> Mark:
    """What marks the frames of a clip; they are (H, W) = size now, which is `scale` times the clip's size."""
    match marks:
        case Film():
            return _Film(marks, seed, size, scale)
        case Tape():
            return _Tape(marks, seed, size, scale)
        case Print():
            return _Print(marks, seed, size, scale)
        case Phone():
            return _Phone(marks, scale)


class Walk:
    """A smooth function of time with mean 0 and std 1: four slow waves, whose periods (in frames) the key decides."""

    def __init__(self, *key: int, fastest: float, slowest: float) -> None:
        rng = noise_generator(*key)
        self._speeds = 2 * np.pi / np.exp(rng.uniform(np.log(fastest), np.log(slowest), 4))
        self._phases = rng.uniform(0, 2 * np.pi, 4)

    def __call__(self, at: float) -> float:
        """Its value at a frame."""
        return float(np.sin(self._speeds * at + self._phases).sum() / np.sqrt(2))


class _Film:
    def __init__(self, film: Film, seed: int, size: tuple[int, int], scale: float) -> None:
        self._film, self._seed, self._size, self._scale = film, seed, size, scale
        self._flicker = Walk(seed, FLICKER, fastest=5, slowest=60)
        self._weave = [Walk(seed, tag, fastest=8, slowest=80) for tag in (WEAVE_X, WEAVE_Y)]
        self._scratches = round(film.scratches * max(1.0, size[1] / scale / 256))

    def __call__(self, x: Picture, index: int) -> Picture:
        film = self._film
        x = self._woven(x, index) * np.float32(1 + film.flicker * self._flicker(index))
        if film.scratch:
            for number in range(self._scratches):
                self._scratch(x, number, index)
        if film.dust:
            x = self._dusty(x, index)
        return x

    def _woven(self, x: Picture, index: int) -> Picture:
        """Moved by less than a pixel or two; the first frame of the clip stands where it was filmed."""
        reach = self._film.weave * self._scale
        across, down = (reach * (walk(index) - walk(0)) for walk in self._weave)
        if not across and not down:
            return x.copy()
        move = np.array([[1, 0, across], [0, 1, down]])
        return cv2.warpAffine(
            x, move, x.shape[1::-1], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        ).astype(np.float32, copy=False)

    def _scratch(self, x: Picture, number: int, index: int) -> None:
        """One line down the frame, in place. It stands, nearly, for a second or more; then another comes elsewhere."""
        height, width = self._size
        clip = noise_generator(self._seed, SCRATCH, number)
        lasts, offset = int(clip.integers(20, 90)), int(clip.integers(90))
        epoch = (index + offset) // lasts
        rng = noise_generator(self._seed, SCRATCH, number, epoch)
        if rng.random() < 0.35:
            return
        wobble = Walk(self._seed, WOBBLE, number, epoch, fastest=10, slowest=60)
        place, slant = rng.uniform(0, width), rng.normal(0, 0.006)
        thickness = max(0.45, rng.uniform(0.4, 0.9) * self._scale)
        rows = np.arange(height, dtype=np.float32)
        centre = place + 0.4 * self._scale * wobble(index) + slant * (rows - height / 2)
        # Along its way it is deeper here and there, and at times it ends.
        broken = smoothed(rng.standard_normal((height, 1), np.float32), 0, height / 8)[:, 0] + 0.9
        depth = self._film.scratch * rng.uniform(0.3, 1) * broken.clip(0, 1)
        begin = int(max(0, centre.min() - 4))
        end = int(min(width, centre.max() + 5))
        if begin >= end:
            return
        profile = np.exp(-(((np.arange(begin, end) - centre[:, None]) / thickness) ** 2) / 2)
        alpha = (depth[:, None] * profile)[..., None].astype(np.float32)
        tone = np.float32(0.06 if self._film.scratch_dark else 0.9)
        x[:, begin:end] += alpha * (tone - x[:, begin:end])

    def _dusty(self, x: Picture, index: int) -> Picture:
        """Specks and hairs, which lie on one frame only."""
        rng = noise_generator(self._seed, DUST, index)
        area = self._size[0] * self._size[1] / self._scale**2
        for dark in (False, True):
            share = self._film.dust_dark if dark else 1 - self._film.dust_dark
            count = rng.poisson(self._film.dust * share * area / REFERENCE)
            if count:
                alpha = self._specks(count, rng)[..., None]
                x = x + alpha * (np.float32(0.08 if dark else 0.92) - x)
        return x

    def _specks(self, count: int, rng: Generator) -> Plane:
        """(H, W) opacities."""
        height, width = self._size
        mask = np.zeros((height, width), np.uint8)
        for _ in range(count):
            place, opacity = rng.uniform((0, 0), (width, height)), int(rng.uniform(110, 250))
            if rng.random() < 0.12:
                bends = rng.normal(0, 9 * self._scale, (2, 2))
                at = np.linspace(-1, 1, 12)[:, None]
                hair = place + at * bends[0] + at**2 * bends[1]
                cv2.polylines(mask, [_fixed(hair)], False, opacity, 1, cv2.LINE_AA, FIXED_POINT)
            else:
                radius = self._film.dust_size * self._scale * rng.lognormal(0, 0.5)
                cv2.fillPoly(mask, [_fixed(place + _blob(radius, rng))], opacity, cv2.LINE_AA, FIXED_POINT)
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(0.4, 0.5 * self._scale))
        return (soft / np.float32(255)).astype(np.float32, copy=False)


class _Tape:
    def __init__(self, tape: Tape, seed: int, size: tuple[int, int], scale: float) -> None:
        self._tape, self._seed, self._size, self._scale = tape, seed, size, scale
        self._luma = _line_response(
            tape.luma_blur * scale, tape.ringing, max(1.5, tape.ringing_period * scale)
        )
        self._comb = Walk(seed, COMB, fastest=6, slowest=40)
        # Where in the picture something moved, and how: the same for a while of rows.
        profile = smoothed(
            noise_generator(seed, COMB, 1).standard_normal((size[0], 1), np.float32), 0, size[0] / 6
        )
        self._moved = profile[:, 0].clip(-1.5, 1.5)

    def __call__(self, x: Picture, index: int) -> Picture:
        tape, scale = self._tape, self._scale
        rng = noise_generator(self._seed, LINES, index)
        planes = cv2.cvtColor(x, cv2.COLOR_RGB2YCrCb).astype(np.float32, copy=False)
        luma: Plane = np.asarray(
            cv2.filter2D(planes[..., 0], -1, self._luma, borderType=cv2.BORDER_REPLICATE), np.float32
        )
        chroma: Plane = np.ascontiguousarray(planes[..., 1:])
        if tape.chroma_blur:
            across, down = (max(0.05, std * scale) for std in (tape.chroma_blur, tape.chroma_lines))
            chroma = cv2.GaussianBlur(
                chroma, (0, 0), sigmaX=across, sigmaY=down, borderType=cv2.BORDER_REPLICATE
            ).astype(np.float32, copy=False)
        if tape.chroma_delay:
            late = np.array([[1, 0, tape.chroma_delay * scale], [0, 1, 0]])
            chroma = cv2.warpAffine(
                chroma, late, chroma.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            ).astype(np.float32, copy=False)
        if tape.streaks:
            luma = luma + tape.streaks * smoothed(rng.standard_normal(luma.shape, np.float32), 1.4 * scale, 0)
        if tape.chroma_streaks:
            streaks = smoothed(rng.standard_normal(chroma.shape, np.float32), 6 * scale, 0.7 * scale)
            chroma = chroma + tape.chroma_streaks * streaks
        planes = np.dstack([luma, chroma]).astype(np.float32, copy=False)
        if tape.dropouts:
            self._drop(planes, index)
        x = cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB).astype(np.float32, copy=False)
        return self._displaced(x, rng, index)

    def _drop(self, planes: Picture, index: int) -> None:
        """Stretches of lines that the head did not read, in place: white at first, then fading."""
        height, width = self._size
        rng = noise_generator(self._seed, DROPOUT, index)
        for _ in range(rng.poisson(self._tape.dropouts * height * width / self._scale**2 / REFERENCE)):
            row, begin = int(rng.integers(height)), int(rng.integers(-width // 8, width))
            length = int(max(3, rng.exponential(18 * self._scale)))
            at = slice(max(0, begin), max(0, min(width, begin + length)))
            fading = np.linspace(rng.uniform(0.5, 0.95), 0.1, length, dtype=np.float32)[at.start - begin :]
            alpha = fading[: at.stop - at.start, None]
            tone = np.array([rng.uniform(0.75, 1), 0.5, 0.5], np.float32)
            planes[row, at] += alpha * (tone - planes[row, at])

    def _displaced(self, x: Picture, rng: Generator, index: int) -> Picture:
        """Every line begins where the tape's speed, the other field or the switching of the heads puts it."""
        tape, (height, width) = self._tape, self._size
        if not (tape.jitter or tape.comb or tape.switching):
            return x
        rows = np.arange(height)
        move = np.zeros(height, np.float32)
        if tape.jitter:
            slow = smoothed(rng.standard_normal((height, 1), np.float32), 0, 5)[:, 0]
            move += tape.jitter * self._scale * (0.8 * slow + 0.6 * rng.standard_normal(height, np.float32))
        if tape.comb:
            move += tape.comb * self._scale * self._comb(index) * self._moved * (rows % 2)
        bent = round(tape.switching * height)
        if bent:
            switch = noise_generator(self._seed, SWITCHING, index)
            ramp = np.linspace(0, 1, bent, dtype=np.float32) ** 1.5
            shift = tape.switching_shift * self._scale * switch.uniform(0.85, 1.15)
            move[-bent:] += shift * (0.3 + 0.7 * ramp) + switch.normal(0, 0.6, bent).astype(np.float32)
            x[-bent:] += 0.08 * min(1.0, tape.switching_shift / 8) * field((bent, width, 1), 0, switch)
        columns = np.arange(width, dtype=np.float32) - move[:, None]
        return cv2.remap(
            x,
            columns,
            np.broadcast_to(rows[:, None], columns.shape).astype(np.float32),
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ).astype(np.float32, copy=False)


class _Print:
    def __init__(self, made: Print, seed: int, size: tuple[int, int], scale: float) -> None:
        self._print, self._size, self._scale = made, size, scale
        self._pitch = max(2.4, made.pitch * scale)
        self._thresholds = _screens(size, self._pitch, made.angles) if made.halftone else None
        rng = noise_generator(seed, PAPER)
        fine = 0.8 * field(size, 0.7 * scale, rng) + 0.6 * field(size, 2.2 * scale, rng)
        broad = cv2.resize(field((9, 9), 1.2, rng), size[::-1], interpolation=cv2.INTER_CUBIC)
        self._paper = (1 + made.paper * fine + made.blotches * broad)[..., None].astype(np.float32)
        # Yellow is deeper where the paper is stained, too.
        age = made.yellowing * (1 + 0.25 * broad.clip(-2, 2))[..., None]
        self._white = np.asarray(1 - age * YELLOW, np.float32)
        self._ink = np.asarray(made.fading * FADED, np.float32)
        self._cracks = self._creased(noise_generator(seed, CREASE)) if made.crease and made.creases else None

    def __call__(self, x: Picture, _: int) -> Picture:
        made = self._print
        if self._thresholds is not None:
            # A dot's edge is as soft as a pixel, then the ink spreads.
            dots = ((x.clip(0, 1) - self._thresholds) * np.float32(0.55 * self._pitch) + 0.5).clip(0, 1)
            spread = max(0.3, made.spread * self._pitch)
            dots = cv2.GaussianBlur(dots, (0, 0), spread, borderType=cv2.BORDER_REFLECT)
            x = x + np.float32(made.halftone) * (dots - x)
        x = (self._ink + (self._white - self._ink) * x) * self._paper
        if self._cracks is None:
            return x
        # The fold throws a little shadow, and shows the paper under the ink.
        shadow = cv2.GaussianBlur(self._cracks, (0, 0), max(0.6, 1.2 * self._scale))[..., None]
        x = x * (1 - shadow / 2).astype(np.float32)
        return np.asarray(x + self._cracks * (0.95 * self._white - x), np.float32)

    def _creased(self, rng: Generator) -> Plane:
        """(H, W, 1) opacities of folds: nearly straight, jagged, broken, and some with finer ones beside them."""
        height, width = self._size
        mask = np.zeros((height, width), np.uint8)
        for _ in range(self._print.creases):
            place, way = rng.uniform((0, 0), (width, height)), rng.uniform(0, 2 * np.pi)
            self._crack(mask, place, way, int(rng.exponential(40)) + 20, rng)
        soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(0.35, 0.4 * self._scale)) / 255
        return (self._print.crease * soft)[..., None].astype(np.float32)

    def _crack(
        self,
        mask: NDArray[np.uint8],
        place: NDArray[np.float64],
        way: float,
        steps: int,
        rng: Generator,
    ) -> None:
        """One of them from a place in a direction, drawn into the mask."""
        ways = way + np.cumsum(rng.normal(0, 0.07, steps)) + rng.normal(0, 0.45, steps)
        lengths = rng.uniform(1.5, 4, steps) * self._scale
        path = place + np.cumsum(lengths[:, None] * np.stack([np.cos(ways), np.sin(ways)], -1), 0)
        depths = smoothed(rng.standard_normal((steps, 1), np.float32), 0, 2.5)[:, 0] + 0.9
        corners = _fixed(np.concatenate([place[None], path])).tolist()
        opacities = (255 * depths.clip(0, 1)).astype(int).tolist()
        for begin, end, opacity, depth in zip(corners, corners[1:], opacities, depths, strict=False):
            thick = 2 if depth > 2 and self._scale > 0.6 else 1
            cv2.line(mask, begin, end, opacity, thick, cv2.LINE_AA, FIXED_POINT)
        if steps > 12:
            for at in np.flatnonzero(rng.random(steps) < 0.04):
                turned = float(ways[at] + rng.choice((-1, 1)) * rng.uniform(0.4, 1.3))
                self._crack(mask, path[at], turned, steps // 4, rng)


class _Phone:
    def __init__(self, phone: Phone, scale: float) -> None:
        self._phone, self._scale = phone, scale

    def __call__(self, x: Picture, _: int) -> Picture:
        phone = self._phone
        if phone.smear:
            x = cv2.bilateralFilter(x, 5, phone.smear, 2.0).astype(np.float32, copy=False)
        if phone.chroma_smear:
            planes = cv2.cvtColor(x, cv2.COLOR_RGB2YCrCb)
            planes[..., 1:] = cv2.GaussianBlur(
                planes[..., 1:], (0, 0), max(0.2, phone.chroma_smear * self._scale)
            )
            x = cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB).astype(np.float32, copy=False)
        if phone.halo:
            soft = cv2.GaussianBlur(x, (0, 0), max(0.5, phone.halo_size * self._scale))
            x = x + np.float32(phone.halo) * (x - soft)
        return x


def _line_response(blur: float, ringing: float, period: float) -> Plane:
    """(1, n) of sum 1 along a line: a narrow band, and the echoes that follow an edge, each weaker than the last.

    An echo is the detail δ − g that the band's Gaussian g takes away, later by half a period, with its sign changed.
    """
    reach = int(np.ceil(3 * max(blur, 1) + 2 * period)) + 1
    at = np.arange(-reach, reach + 1)

    def gauss(std: float, middle: float) -> NDArray[np.float64]:
        taps = np.exp(-(((at - middle) / max(std, 1e-3)) ** 2) / 2)
        return np.asarray(taps / taps.sum())

    narrow, wide = max(blur, 0.0), max(blur, 0.7) * 1.8
    response = gauss(narrow, 0) if narrow > 0.2 else (at == 0).astype(float)
    for number, height in enumerate((1.0, -0.7, 0.4)):
        middle = number * period / 2
        response = response + ringing * height * (gauss(max(blur, 0.5), middle) - gauss(wide, middle))
    # filter2D correlates: turned round, so that echoes come after the edge.
    return np.ascontiguousarray(response[None, ::-1]).astype(np.float32)


def _screens(size: tuple[int, int], pitch: float, angles: tuple[float, ...]) -> Picture:
    """(H, W, 3) thresholds in [0, 1], as often below v as v says: a tone keeps its brightness as dots."""
    y, x = (np.arange(extent) for extent in size)
    table = _shares()
    planes = {}
    for angle in angles:
        cos, sin = (2 * np.pi / pitch * turn(np.radians(angle)) for turn in (np.cos, np.sin))
        waves = _plane_wave(sin * y, cos * x) + _plane_wave(cos * y, -sin * x)
        planes[angle] = table[((waves + 2) * np.float32((len(table) - 1) / 4)).astype(np.int32)]
    return np.stack([planes[angle] for angle in angles], -1)


def _plane_wave(down: NDArray[np.float64], across: NDArray[np.float64]) -> Plane:
    """cos(down + across), (H, W), as the product that it is."""
    left = np.stack([np.cos(down), -np.sin(down)], -1).astype(np.float32)
    return np.asarray(left @ np.stack([np.cos(across), np.sin(across)]), np.float32)


@cache
def _shares() -> Plane:
    """How large a share of cos a + cos b, over all a and b, lies below each of 1,025 values from −2 to 2."""
    waves = np.cos(np.linspace(0, np.pi, 1025))
    counts, _ = np.histogram(waves[:, None] + waves, 1024, (-2, 2))
    return np.concatenate([[0], np.cumsum(counts) / counts.sum()]).astype(np.float32)


def _blob(radius: float, rng: Generator) -> NDArray[np.float64]:
    """(9, 2): the outline of a speck, longer than wide at times, about 0."""
    turns = np.linspace(0, 2 * np.pi, 9, endpoint=False)
    outline = radius * rng.uniform(0.55, 1.2, 9)[:, None] * np.stack([np.cos(turns), np.sin(turns)], -1)
    outline[:, 0] *= rng.uniform(0.5, 1.6)
    tilt = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return np.asarray(outline @ turn)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """(n, 2) places as OpenCV draws them."""
    return np.rint(points * (1 << FIXED_POINT)).astype(np.int32)
