"""Which settings are worth a look: the frontier of perception and distortion, and how much is invention.

Nothing here restores anything. `Frontier` says what to try next and learns what came of it, `Spread` collects
restorations that differ only in their seed; so the window tries on one frame, and a command on whatever it likes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

LEAST_STD = {"agreement": 0.05, "psnr": 0.05, "sharpness": 0.1, "lpips": 0.002}
"""What is known of each measure (dB, dB, levels, LPIPS) before seeds were compared: differences below are none."""


class Candidate(NamedTuple):
    """Settings to try."""

    steps: int
    """K"""
    w_tau: float
    seed: int


@dataclass(frozen=True, slots=True)
class GridPoint:
    """What is known of one K and w_τ."""

    steps: int
    w_tau: float
    fidelity: float
    """Mean over the seeds, in dB; more is truer."""
    sharpness: float
    """Mean over the seeds; more is crisper, or looks more like the truth where that is known."""
    spread: tuple[float, float]
    """Std of both over the seeds; 0 for one seed."""
    seeds: int
    dominated: bool
    """Whether some other point is better in both by more than chance."""


class Frontier:
    """The search over K × w_τ × seed. Points that are clearly worse in both respects get no further seeds.

    for trial in frontier:
        frontier.tell(trial, fidelity, sharpness)  # of the restoration with these settings
    """

    def __init__(
        self,
        steps: Sequence[int],
        w_taus: Sequence[float],
        *,
        seeds: int,
        start: Candidate | None = None,
        measures: tuple[str, str] = ("agreement", "sharpness"),
    ) -> None:
        """steps, w_taus: what to try.  seeds: at most so many of each.

        start: where one stands; it is tried first, and its seed is the first one.
        measures: by what fidelity and sharpness are told, of LEAST_STD; LPIPS is told with a minus sign.
        """
        self._least = np.array([LEAST_STD[name] for name in measures])
        grid = [(k, w) for k in sorted(set(steps)) for w in sorted(set(w_taus))]  # the quick ones come first
        self._grid = list(dict.fromkeys([start[:2], *grid] if start else grid))
        self._seed, self._seeds = start.seed if start else 0, seeds
        self._found: dict[tuple[int, float], list[tuple[float, float]]] = {place: [] for place in self._grid}

    def __iter__(self) -> Iterator[Candidate]:
        """What to try next, by what was told so far."""
        for number in range(self._seeds):
            kept = (
                {(p.steps, p.w_tau) for p in self.points() if not p.dominated} if number else set(self._grid)
            )
            for place in self._grid:
                if place in kept:
                    yield Candidate(*place, self._seed + number)

    def tell(self, trial: Candidate, fidelity: float, sharpness: float) -> None:
        """What came of a trial."""
        self._found[trial.steps, trial.w_tau].append((fidelity, sharpness))

    def points(self) -> list[GridPoint]:
        """All that was tried at least once."""
        places = [place for place in self._grid if self._found[place]]
        if not places:
            return []
        seen = [np.array(self._found[place]) for place in places]
        means = np.stack([values.mean(0) for values in seen])
        stds = np.stack([values.std(0, ddof=1) if len(values) > 1 else np.zeros(2) for values in seen])
        counts = np.array([len(values) for values in seen])
        # Points of one frame scatter alike: those with several seeds tell of those with one.
        common = np.maximum(stds[counts > 1].mean(0) if (counts > 1).any() else 0, self._least)
        error = common / np.sqrt(counts)[:, None]
        found = []
        for at, (steps, w_tau) in enumerate(places):
            margin = 2 * np.hypot(error[at], error)
            dominated = bool(((means - means[at]) > margin).all(1).any())
            spread = (float(stds[at, 0]), float(stds[at, 1]))
            mean = (float(means[at, 0]), float(means[at, 1]))
            found.append(GridPoint(steps, w_tau, *mean, spread, int(counts[at]), dominated))
        return found


class Spread:
    """How much restorations of one frame differ; told one after the other."""

    def __init__(self) -> None:
        self._count = 0
        self._mean: NDArray[np.floating] = np.zeros((), np.float32)
        self._total: NDArray[np.floating] = np.zeros((), np.float32)

    def add(self, frame: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
        """One more restoration, (H, W, 3), by Welford's running variance."""
        before = frame.astype(np.float32) - self._mean
        self._count += 1
        self._mean = self._mean + before / self._count
        self._total = self._total + before * (frame - self._mean)

    def levels(self) -> NDArray[np.float32] | None:
        """(H, W) standard deviation, root mean square over the colours, in levels of the frame; None for one."""
        if self._count < 2:
            return None
        return np.asarray(np.sqrt(self._total.mean(axis=-1) / (self._count - 1)), np.float32)


def agreement(residual: float) -> float:
    """PSNR in dB between the footage and the restoration, degraded again, from its rms in 8-bit levels.

    Below a twentieth of a level nothing differs that could be seen.
    """
    return float(20 * np.log10(255 / max(residual, 0.05)))
