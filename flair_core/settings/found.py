"""What Auto found of a shot."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """What is done about a shot of which nobody says what happened to it, and what was seen there."""

    frames: range
    """The frames of the shot."""
    enlargement: float = 1.0
    """How many times larger its pictures are than what they show, see DegradationSettings."""
    sharp: bool = False
    """Whether its faces have nothing to gain."""
    gain: float | None = None
    """By how much the result is nearer to the truth than the footage, in dB, as far as can be told without the truth.
    None where no face was found, so that nothing was looked at."""
    certainty: float = 0.0
    """In [0, 1]: the chance that it is nearer at all."""
    grain: float = 0.0
    """Std of fine grain, in levels."""
    failed: bool = False
    """Whether the footage could not be read, so that nobody looked."""

    @property
    def grainy(self) -> int:
        """How much grain there is: hardly any (0), a little, some, much (3)."""
        return sum(self.grain >= least for least in STEPS)

    @property
    def likely(self) -> int:
        """Whether the result may be better (0), probably is (1), or very likely (2). Nothing is ever called certain."""
        return sum(self.certainty > least for least in CHANCES)


CHANCES = (0.75, 0.95)
"""Certainties above which more is said of a result."""
STEPS = (1.0, 3.0, 8.0)
"""Levels from which on there is a little grain, some, and much."""
