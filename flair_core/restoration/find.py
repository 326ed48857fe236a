"""Finding the faces of a clip. What the detector saw is kept, so that an interrupted search is not begun anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flair_core.faces.detect import Detection, detector_hash, load_detector
from flair_core.faces.shots import as_uint8, marked
from flair_core.faces.track import Track
from flair_core.faces.tracker import Tracker
from flair_core.frames import Progress
from flair_core.kept import fingerprints
from flair_core.kept.cache import key
from flair_core.settings.fields import values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from flair_core.faces.detect import Detector
    from flair_core.kept.cache import Arrays, Cache
    from flair_core.settings.groups import FootageSettings, RestorationSettings
    from flair_core.video import FrameSource


def find_tracks(
    source: FrameSource, settings: RestorationSettings, *, span: range, cache: Cache | None = None
) -> Iterator[Progress | list[Track]]:
    """Find and follow the faces of a span; yields Progress for every frame and at last the tracks."""
    if settings.faces.aligned:
        yield []
        return
    name, clip = settings.faces.detector, fingerprints.fingerprint(source.path)
    footage = values_of(settings.footage, "frames")
    entry = _entry(name, clip=clip, frames=(span.start, span.stop), footage=footage)
    if cache and (known := cache.get(entry)) is not None:
        yield _unpacked(known)
        return
    detector = load_detector(name)
    tracker = Tracker(Remembering(detector, name, cache) if cache else detector)
    for done, (frame, starts) in enumerate(marked(source.frames(span.start, span.stop)), 1):
        tracker.see(as_uint8(frame.rgb), frame.index, starts=starts)
        yield Progress(done, len(span), frame.index, stage="find faces")
    tracks = [Track(number, *path) for number, path in enumerate(tracker.paths())]
    if cache and clip == fingerprints.fingerprint(source.path):
        cache.put(entry, _packed(tracks))
    yield tracks


def find_shots(
    source: FrameSource, footage: FootageSettings, cache: Cache | None = None
) -> Iterator[tuple[int, ...] | None]:
    """Find the first frames of all shots; yields them whenever there is another one and at last, else None."""
    clip = fingerprints.fingerprint(source.path)
    code = fingerprints.code_version(fingerprints.FINDING)
    entry = key(shots=clip, footage=values_of(footage, "frames"), code=code)
    if cache and (known := cache.get(entry)) is not None:
        yield tuple(known["first"].tolist())
        return
    firsts = tuple[int, ...]()
    for frame, starts in marked(source.frames()):
        firsts += (frame.index,) if starts else ()
        yield firsts if starts else None
    if cache and clip == fingerprints.fingerprint(source.path):
        cache.put(entry, {"first": np.array(firsts, np.int64)})
    yield firsts


class Remembering:
    """A detector that looks up what it saw in the same picture before."""

    def __init__(self, detector: Detector, name: str, kept: Cache) -> None:
        self._detector, self._name, self._kept = detector, name, kept

    def detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        """Faces in (H, W, 3) uint8, best first."""
        entry = _entry(self._name, picture=rgb)
        if (known := self._kept.get(entry)) is not None:
            rows = zip(known["box"], known["landmarks"], known["score"].tolist(), strict=True)
            return [Detection(box, landmarks, score) for box, landmarks, score in rows]
        faces = self._detector.detect(rgb)
        packed = {
            "box": np.array([face.box for face in faces]).reshape(-1, 4),
            "landmarks": np.array([face.landmarks for face in faces]).reshape(-1, 5, 2),
            "score": np.array([face.score for face in faces]),
        }
        self._kept.put(entry, packed)
        return faces


def _entry(detector: str, **parts: object) -> str:
    """The key of something that a detector found."""
    networks = detector, detector_hash(detector)
    return key(detector=networks, code=fingerprints.code_version(fingerprints.FINDING), **parts)


def _packed(tracks: Sequence[Track]) -> Arrays:
    """Tracks as arrays."""
    packed: dict[str, NDArray[Any]] = {"first": np.array([track.first for track in tracks], np.int64)}
    for i, track in enumerate(tracks):
        packed |= {f"landmarks {i}": track.landmarks, f"boxes {i}": track.boxes, f"score {i}": track.score}
    return packed


def _unpacked(arrays: Arrays) -> list[Track]:
    return [
        Track(i, int(first), arrays[f"landmarks {i}"], arrays[f"boxes {i}"], arrays[f"score {i}"])
        for i, first in enumerate(arrays["first"])
    ]
