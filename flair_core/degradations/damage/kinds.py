"""The kinds of damage, and how strength becomes numbers.

Of every parameter a seed draws how much of it there is, and the strength multiplies that: so the same seed at twice
the strength is the same accident, only worse.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from flair_core.degradations.damage.kernel_files import shrunk
from flair_core.degradations.damage.values import (
    FILTERS,
    KINDS,
    Blur,
    Coding,
    Damage,
    Film,
    Noise,
    Phone,
    Print,
    Round,
    Tape,
)
from flair_core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias, TypeVar

    from numpy.random import Generator
    from numpy.typing import NDArray

    T = TypeVar("T")

    Kernels: TypeAlias = Sequence[NDArray[np.float64]]
    _Drawn: TypeAlias = tuple[tuple[Round, Round], Film | Tape | Print | Phone | None, Coding | None]

CURVED = 0.6
"""How often the first blur is one of the curved kernels, where there are any."""


def draw(kind: str, strength: float, seed: int, kernels: Kernels = ()) -> Damage:
    """A damage of one of KINDS. Strength goes from 0, (nearly) nothing, to 1; kernels come from `read_kernels`.

    Raises SettingsError when one of them is none.
    """
    if kind not in KINDS:
        raise SettingsError(f"damage must be one of {', '.join(KINDS)}, but got {kind!r}.")
    if not 0 <= strength <= 1:
        raise SettingsError(f"strength must lie between 0 and 1, but got {strength:g}.")
    if seed < 0:
        raise SettingsError(f"seed must not be negative, but got {seed}.")
    dice = _Dice(strength, np.random.default_rng((seed, KINDS.index(kind))), kernels)
    recipes: dict[str, Callable[[_Dice], _Drawn]] = {
        "film": _film,
        "tape": _tape,
        "broadcast": _broadcast,
        "web": _web,
        "print": _print,
        "phone": _phone,
    }
    rounds, marks, coding = recipes[kind](dice)
    return Damage(
        kind=kind,
        strength=float(strength),
        seed=seed,
        rounds=rounds,
        marks=marks,
        coding=coding,
        enlarge=dice.among(FILTERS[1:]),
    )


def draw_damage(rng: Generator, kinds: Sequence[str] = KINDS, kernels: Kernels = ()) -> Damage:
    """A damage of any of some kinds and any strength, for training."""
    return draw(
        kinds[int(rng.integers(len(kinds)))], float(rng.uniform(0, 1)), int(rng.integers(2**31)), kernels
    )


class _Dice:
    """Draws parameters; their number never depends on the strength."""

    def __init__(self, strength: float, rng: Generator, kernels: Kernels) -> None:
        self.strength, self._rng, self._kernels = strength, rng, kernels

    def any(self, low: float, high: float) -> float:
        """Something that strength does not change."""
        return float(self._rng.uniform(low, high))

    def grows(self, low: float, high: float) -> float:
        """0 at strength 0; between `low` and `high` at 1."""
        return self.strength * self.any(low, high)

    def rarely(self, chance: float, low: float, high: float) -> float:
        """Like `grows`, and 0 but for this chance."""
        amount = self.grows(low, high)
        return amount if self._rng.random() < chance else 0.0

    def among(self, values: Sequence[T]) -> T:
        """One of them."""
        return values[int(self._rng.integers(len(values)))]

    def shrinks(self, low: float, high: float) -> float:
        """A size: 1 at strength 0; 1 / (1 + low) to 1 / (1 + high) at 1."""
        return 1 / (1 + self.grows(low, high))

    def blur(self, low: float, high: float, kinds: Sequence[str] = ("gaussian",)) -> Blur:
        """About as wide as a Gaussian with a std from `low` to `high` at strength 1."""
        std, kind, angle = self.grows(low, high), self.among(kinds), self.any(-90, 90)
        ratio = 1.0 if self._rng.random() < 0.6 else self.any(0.5, 1)
        if len(self._kernels) and len(kinds) > 1 and self._rng.random() < CURVED:
            kernel = shrunk(self.among(self._kernels), self.strength)
            return Blur(kind="curved", taps=tuple(tuple(map(float, line)) for line in kernel))
        # A line and a disc of the same std: L²/12 and r²/4.
        width = std * {"gaussian": 1.0, "motion": math.sqrt(12), "defocus": 2.0}[kind]
        return Blur(kind=kind, width=width, ratio=ratio if kind == "gaussian" else 1.0, angle=angle)

    def lens(self, low: float, high: float) -> Blur:
        """The blur of a camera: out of focus, moved or merely soft."""
        return self.blur(low, high, ("gaussian", "gaussian", "defocus", "motion"))

    def round(self, blur: Blur, factor: float, noise: Noise, coding: Coding | None = None) -> Round:
        """A round with any filter."""
        return Round(blur=blur, factor=factor, filter=self.among(FILTERS), noise=noise, coding=coding)


def _film(dice: _Dice) -> tuple[tuple[Round, Round], Film, None]:
    """A lens and an emulsion; then a copy or a scan, which sees the grain of the film."""
    grain = Noise(
        grain=dice.grows(0.01, 0.06),
        grain_size=dice.any(0.5, 1.3),
        grain_colour=dice.among((0.0, 0.0, dice.any(0.1, 0.6))),
        gaussian=dice.grows(0, 0.012),
    )
    rounds = (
        dice.round(dice.lens(0.3, 2.4), dice.shrinks(0, 2.2), Noise(grain=dice.grows(0, 0.03))),
        dice.round(dice.blur(0.2, 0.9), dice.shrinks(0, 1.0), grain),
    )
    marks = Film(
        flicker=dice.grows(0.01, 0.05),
        weave=dice.grows(0.1, 0.7),
        dust=dice.grows(0.3, 5),
        dust_size=dice.any(0.6, 1.5),
        dust_dark=dice.among((0.1, 0.5, 0.95)),
        scratches=dice.among((0, 1, 1, 2, 3)),
        scratch=dice.grows(0.2, 0.75),
        scratch_dark=dice.among((False, False, True)),
    )
    return rounds, marks, None


def _tape(dice: _Dice) -> tuple[tuple[Round, Round], Tape, None]:
    """A tube or an early chip; then the tape, whose lines are fewer than the picture's."""
    rounds = (
        dice.round(dice.lens(0.2, 1.6), dice.shrinks(0, 1.4), Noise(gaussian=dice.grows(0, 0.02))),
        dice.round(dice.blur(0.1, 0.8), dice.shrinks(0.1, 1.4), Noise(gaussian=dice.grows(0, 0.015))),
    )
    marks = Tape(
        luma_blur=dice.grows(0.8, 3),
        ringing=dice.grows(0.2, 1.2),
        ringing_period=dice.any(3, 7),
        chroma_delay=dice.grows(0.5, 4.5) * dice.among((1, 1, 1, -1)),
        chroma_blur=dice.grows(1.5, 6),
        chroma_lines=dice.grows(0.4, 2),
        streaks=dice.grows(0.005, 0.032),
        chroma_streaks=dice.grows(0.004, 0.03),
        jitter=dice.grows(0.1, 0.6),
        comb=dice.rarely(0.6, 0.3, 1.8),
        switching=dice.rarely(0.2, 0.01, 0.04),
        switching_shift=dice.grows(4, 24),
        dropouts=dice.rarely(0.6, 0.2, 2),
    )
    return rounds, marks, None


def _broadcast(dice: _Dice) -> tuple[tuple[Round, Round], None, Coding]:
    """A studio's or a reporter's camera, standard definition, MPEG-2 at 1.7 Mbit/s or more for 720 × 576 pixels."""
    sensor = Noise(gaussian=dice.grows(0, 0.03), shot=dice.grows(0, 0.04), chroma=dice.grows(0, 0.02))
    rounds = (
        dice.round(dice.lens(0.2, 1.8), dice.shrinks(0, 1.6), sensor),
        dice.round(dice.blur(0.1, 0.8), dice.shrinks(0.1, 1.5), Noise(gaussian=dice.grows(0, 0.01))),
    )
    coding = Coding(codec="mpeg2", quality=2 + dice.grows(2, 16), rate=1.6 * dice.shrinks(1, 9))
    return rounds, None, coding


def _web(dice: _Dice) -> tuple[tuple[Round, Round], None, Coding]:
    """Uploaded small at a low rate; fetched, enlarged and uploaded again."""
    least = dice.shrinks(0.4, 3.5)
    rounds = (
        dice.round(
            dice.lens(0.1, 1.0),
            least,
            Noise(gaussian=dice.grows(0, 0.025), chroma=dice.grows(0, 0.02)),
            Coding(codec="h264", quality=12 + dice.grows(8, 21)),
        ),
        dice.round(dice.blur(0, 0.4), least ** dice.any(0.1, 0.8), Noise()),
    )
    return rounds, None, Coding(codec="h264", quality=12 + dice.grows(8, 21))


def _print(dice: _Dice) -> tuple[tuple[Round, Round], Print, None]:
    """A photograph, printed or enlarged; then paper, years and a scanner."""
    grain = Noise(grain=dice.grows(0, 0.05), grain_size=0.8, still=True)
    scanner = Noise(gaussian=dice.grows(0, 0.02), still=True)
    rounds = (
        dice.round(dice.lens(0.3, 2.2), dice.shrinks(0, 1.8), grain),
        dice.round(dice.blur(0.1, 0.7), dice.shrinks(0, 0.8), scanner),
    )
    turn = dice.any(-8, 8)
    one_ink, inks = (45 + turn,) * 3, (15 + turn, 75 + turn, turn)
    marks = Print(
        halftone=dice.rarely(0.75, 0.3, 0.8),
        pitch=dice.any(2.8, 6.5),
        angles=dice.among((one_ink, inks)),
        spread=dice.any(0.16, 0.34),
        paper=dice.grows(0.004, 0.025),
        blotches=dice.grows(0.005, 0.04),
        yellowing=dice.grows(0.05, 0.8),
        fading=dice.grows(0.05, 0.7),
        creases=dice.among((0, 0, 0, 1, 2, 4)),
        crease=dice.grows(0.3, 0.9),
    )
    return rounds, marks, None


def _phone(dice: _Dice) -> tuple[tuple[Round, Round], Phone, Coding]:
    """A small sensor in poor light; a processor that smooths and sharpens; a file that must be small."""
    sensor = Noise(
        gaussian=dice.grows(0.01, 0.06),
        shot=dice.grows(0.01, 0.08),
        chroma=dice.grows(0.01, 0.06),
        chroma_size=dice.any(1, 3),
    )
    rounds = (
        dice.round(dice.lens(0.2, 1.8), dice.shrinks(0.1, 2.2), sensor),
        dice.round(dice.blur(0, 0.4), dice.shrinks(0.1, 1.5), Noise(gaussian=dice.grows(0, 0.01))),
    )
    marks = Phone(
        smear=dice.grows(0.05, 0.25),
        chroma_smear=dice.grows(0.5, 2.5),
        halo=dice.grows(0.2, 1.5),
        halo_size=dice.any(0.8, 2),
    )
    jpeg = Coding(codec="jpeg", quality=98 - dice.grows(15, 68))
    h264 = Coding(codec="h264", quality=12 + dice.grows(8, 22))
    return rounds, marks, dice.among((jpeg, h264))
