"""The windows of a clip, and how one begins with the results of another under the released policy.

A preview begins in the middle of that chain. So what each window hands on is kept in the cache, under all that
it depends on and that is known without restoring the clip up to there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from flair_core.kept import fingerprints
from flair_core.restoration.windows import Window, overlap, windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flair_core.restoration.crop import Face
    from flair_core.restoration.restored import Restored
    from flair_core.restoration.restorer import FaceRestorer
    from flair_core.restoration.run import Run


def chained(face: Face) -> bool:
    """Whether each of its windows begins with the results of the one before; if not, they are cross-faded."""
    return face.settings.sampler.policy == "released"


def shares_frames(face: Face, window: Window) -> bool:
    """Whether the window before has the face, too, in frames that it shares with this one."""
    return face.first < window.first_new


@dataclass(frozen=True, slots=True)
class Chain:
    """The windows, `length` frames long, of the frames `grid` of one clip."""

    run: Run
    grid: range
    length: int
    restorer: FaceRestorer

    def windows(self, span: range) -> Iterator[Window]:
        """Those that hold frames of a span."""
        return windows(self.grid.start, self.grid.stop, self.length, overlap(self.length), span)

    def handed_on(self, face: Face, window: Window) -> torch.Tensor | None:
        """(n, 3, H, W): the face's first frames as the window before has them; None if that is not known."""
        return (
            self.restorer.handed_on(face, self._link(face, window.first))
            if shares_frames(face, window)
            else None
        )

    def hand_on(self, face: Face, window: Window, restored: Restored) -> None:
        """Keep what the next window begins with."""
        first = window.last - overlap(self.length)
        if window.last < self.grid.stop and face.span.stop > first:
            tail = restored.x0[max(first - face.first, 0) :]
            self.restorer.hand_on(face, self._link(face, first), tail)

    def _link(self, face: Face, first: int) -> dict[str, object]:
        """What the frames that a window from `first` on begins with depend on: all that was seen before."""
        shared = overlap(self.length)
        before = windows(self.grid.start, first + shared, self.length, shared)
        looks = dict.fromkeys(self.run.look.resolve(window.middle, face.track) for window in before)
        own = next((track for track in self.run.tracks if track.id == face.track), None)
        return {
            "clip": fingerprints.fingerprint(self.run.source.path),
            "place": (self.grid.start, first, self.length),
            "looks": [repr(settings) for settings in looks],
            "path": None if own is None else own.landmarks[: first + shared - own.first],
        }


def chain_of(run: Run, grid: range, restorer: FaceRestorer) -> Chain:
    """The windows of a part of a clip, as long as the network at its first frame takes them."""
    length = run.load(run.look.resolve(grid.start)).denoiser.window
    return Chain(run, grid, length, restorer)


def _before(face: Face, results: Sequence[tuple[Face, Restored]]) -> Restored | None:
    """The first frames of a face as the window before has them; None where it has none."""
    for before, restored in results:
        if before.track == face.track and before.first <= face.first < before.span.stop:
            return restored.part(slice(face.first - before.first, None))
    return None


def cross_faded(
    restorer: FaceRestorer,
    window: Window,
    made: Sequence[tuple[Face, Restored]],
    earlier: Sequence[tuple[Face, Restored]],
) -> list[tuple[Face, Restored]]:
    """The results of a window, cross-faded from those of the one before, or after them where it begins with these."""
    results = []
    for face, restored in made:
        joined, before = restored, _before(face, earlier)
        if before is not None:
            shared = face.span[: len(before.x0)]
            shares = [0.0 if chained(face) else window.share(index) for index in shared]
            joined = restorer.joined(face, torch.tensor(shares), before, restored)
        results.append((face, joined))
    return results
