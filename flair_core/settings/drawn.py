"""A stroke of the brush over the mask of a face: a value, which jobs and projects store."""

from __future__ import annotations

from typing import Any, NamedTuple, Self


class Stroke(NamedTuple):
    """One drag of the brush. It lies on the face and not in the picture, so it moves and turns along with it."""

    face: int
    """Number of the face."""
    points: tuple[tuple[float, float], ...]
    """Path of the brush, x first, as fractions of the aligned face's side."""
    radius: float
    """Of the brush, in the same unit."""
    erases: bool = False
    """Whether the footage shows there again; else the restoration does."""

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `_asdict` gave. Raises ValueError, KeyError or TypeError when it is none."""
        points = tuple((float(x), float(y)) for x, y in data["points"])
        return cls(int(data["face"]), points, float(data["radius"]), bool(data["erases"]))


class DrawnFace(NamedTuple):
    """A face that was drawn by hand into frames [first, last]."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom, in pixels of the frame."""
    first: int
    last: int
