"""The path of a face through a clip, as a value, and how it is found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from flair_core.errors import ShapeError
from flair_core.faces.align import similarity, template
from flair_core.faces.mask import ELLIPSE_AXES, ELLIPSE_CENTRE
from flair_core.faces.shots import as_uint8, marked
from flair_core.faces.tracker import Tracker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from flair_core.faces.detect import Detector
    from flair_core.frames import Frame
    from flair_core.settings.drawn import Stroke

STROKE_GRID = 256
"""Side of the aligned face in which a map is made; any would do."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face in the consecutive frames [first, first + n); coordinates in pixels of the frame, x first."""

    id: int
    first: int
    """Index of the first frame."""
    landmarks: NDArray[np.float64]
    """(n, 5, 2), in the order of `Detection.landmarks`."""
    boxes: NDArray[np.float64]
    """(n, 4) left, top, right, bottom."""
    score: NDArray[np.float64]
    """(n,) confidence in [0, 1]; 0 where the face is hidden and its place is guessed."""
    strokes: tuple[Stroke, ...] = ()
    """What was painted over its mask."""

    def __post_init__(self) -> None:
        n = len(self.landmarks)
        if self.landmarks.shape != (n, 5, 2) or self.boxes.shape != (n, 4) or self.score.shape != (n,):
            shapes = f"{self.landmarks.shape}, {self.boxes.shape} and {self.score.shape}"
            raise ShapeError(
                f"A track needs landmarks (n, 5, 2), boxes (n, 4) and scores (n,), but got {shapes}."
            )

    def __len__(self) -> int:
        return len(self.landmarks)

    def covers(self, index: int) -> bool:
        """Whether the track reaches over the frame with this index."""
        return self.first <= index < self.first + len(self)

    def at(self, index: int) -> NDArray[np.float64]:
        """(5, 2) landmarks in the frame with this index, which the track must cover."""
        points: NDArray[np.float64] = self.landmarks[index - self.first]
        return points

    def to_face(self, index: int) -> NDArray[np.float64]:
        """(2, 3) map from pixels of the frame to fractions of the aligned face's side, as strokes count."""
        matrix: NDArray[np.float64] = similarity(self.at(index), STROKE_GRID) / STROKE_GRID
        matrix[:, 2] += 0.5 / STROKE_GRID  # from the centre of the first pixel to its corner
        return matrix

    def with_strokes(self, strokes: Iterable[Stroke]) -> Track:
        """The same face with those of the strokes that were painted on it."""
        return replace(self, strokes=tuple(stroke for stroke in strokes if stroke.face == self.id))

    @classmethod
    def fixed(cls, box: tuple[float, float, float, float], first: int, length: int, *, id: int = 0) -> Track:
        """A face that does not move, drawn by hand: `box` (left, top, right, bottom) holds forehead to chin.

        Raises ShapeError if the box has no area or the track no frame.
        """
        left, top, right, bottom = box
        if right <= left or bottom <= top or length < 1:
            raise ShapeError(
                f"A face needs a box with an area and at least one frame, but got {box} and {length}."
            )
        # The box is that of the elliptical mask, whose place in the aligned face is known.
        offset = (template(256) + 0.5) / 256 - ELLIPSE_CENTRE
        centre, side = np.array([left + right, top + bottom]) / 2, (bottom - top) / (2 * ELLIPSE_AXES[1])
        points = centre + offset * side
        boxes = np.tile(np.array(box, np.float64), (length, 1))
        return cls(id, first, np.tile(points, (length, 1, 1)), boxes, np.ones(length))


def track_faces(
    frames: Iterable[Frame], detector: Detector, *, progress: Callable[[int], None] | None = None
) -> list[Track]:
    """Every face of a clip with its path, in order of appearance; none gives an empty list.

    Each frame is read once, and only a few are kept, at reduced size. A cut ends all paths. `progress` hears
    how many frames have been seen.
    """
    tracker = Tracker(detector)
    for seen, (frame, starts) in enumerate(marked(frames), start=1):
        tracker.see(as_uint8(frame.rgb), frame.index, starts=starts)
        if progress is not None:
            progress(seen)
    return [Track(number, *path) for number, path in enumerate(tracker.paths())]
