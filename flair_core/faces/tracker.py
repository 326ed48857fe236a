"""Faces followed from frame to frame: detections now and then, landmark model and optical flow in between.

A face that is found becomes a path. Optical flow carries it from frame to frame; every few frames a
detection or the landmark model confirms and corrects it; a Kalman smoother joins both. A face hidden by
another one goes on as it moved before. A path that nothing confirms for a second or so has ended where it
was last confirmed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from flair_core.faces.align import inverse, similarity_between, template, transform
from flair_core.faces.detect import LEAST_QUALITY, SURE, Detection, Detector, face_box, resized
from flair_core.faces.flow import Motion, face_motion
from flair_core.faces.points import Pyramid, point_model
from flair_core.faces.smooth import Belief, smoothed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Grey = NDArray[np.uint8]
    Look = NDArray[np.float32]

WORKING_SIZE = 640
"""Longer side of the pictures in which faces are followed; small frames are enlarged up to four times."""
DETECTION_SIZE = 1280
"""Longer side of the pictures in which the detector looks, at most."""
CONFIRM_EVERY = 2
"""Frames from one confirmation of the known faces to the next."""
DETECT_EVERY = 8
"""Frames from one search for new faces to the next; a multiple of the above."""
PATIENCE = 16
"""Confirmations in a row that may fail before a face counts as gone: about a second."""
LOOK_BACK = 16
"""Frames that are kept, so that a path can begin before its face was first detected."""
LEAST_EYE_DISTANCE = 3.0
"""Pixels of the frame; nothing can be restored of a smaller face."""

MEASURED = 0.05
"""Std of a detected landmark in eye distances."""
CARRIED = 0.005
"""Std that a frame of optical flow adds."""
STRAYED = 1.5
"""Share of the points' straying that it adds besides."""
GUESSED = 0.1
"""Std that a frame adds in which a hidden face only goes on as it moved before."""

LEAST_LIKENESS = 0.4
"""Correlation of a face with its own look below which it is hidden, or another one."""
CLEAR = 0.8
"""The same where another face is near and may be the one that is seen."""
OVERLAP = 2.2
"""Distance in eye distances at which one face begins to hide another."""

LOOK_SIZE = 24
LOOK_SHAPE: NDArray[np.float64] = (template(256) - (128, 140) + 70) * (LOOK_SIZE / 140)
"""Landmarks in the small picture by which a face is told from another: brows to chin, no background."""


class Path(NamedTuple):
    """What `Track` holds, less its number; see there."""

    first: int
    landmarks: Points
    boxes: Points
    score: Points


@dataclass(slots=True, eq=False)
class _Face:
    """A face while it is being followed; coordinates of the working picture."""

    first: int
    beliefs: list[Belief]
    look: Look
    confirmed: dict[int, float]
    """Confidence at each confirmation, by position in `beliefs`."""
    misses: int = 0
    hidden: set[int] = field(default_factory=set)
    """Positions at which the face was covered or lost sight of."""

    @property
    def points(self) -> Points:
        return self.beliefs[-1].points

    def carry(self, motion: Motion | None) -> None:
        """On to the next frame; None when the face can't be seen."""
        eyes = eye_distance(self.points)
        if motion is None:
            self.hidden.add(len(self.beliefs))
            self.beliefs.append(self.beliefs[-1].moved(self.velocity(), GUESSED * eyes))
        else:
            noise = float(np.hypot(CARRIED * eyes, STRAYED * motion.stray))
            self.beliefs.append(self.beliefs[-1].moved(motion.matrix, noise))

    def confirm(self, points: Points, look: Look, score: float) -> None:
        """Correct the newest belief by a measurement."""
        self.beliefs[-1].measure(points, MEASURED * eye_distance(points))
        self.confirmed[len(self.beliefs) - 1] = score
        self.hidden.discard(len(self.beliefs) - 1)
        self.look = _normalised(0.7 * self.look + 0.3 * look)
        self.misses = 0

    def velocity(self) -> Points:
        """(2, 3) shift per frame, from the last frames in which the face was seen."""
        seen = [i for i in range(max(0, len(self.beliefs) - 12), len(self.beliefs)) if i not in self.hidden]
        if len(seen) < 2:
            return np.eye(2, 3)
        shift = self.beliefs[seen[-1]].points.mean(axis=0) - self.beliefs[seen[0]].points.mean(axis=0)
        return np.hstack([np.eye(2), (shift / (seen[-1] - seen[0]))[:, None]])


class _Move(NamedTuple):
    """Where optical flow takes a face, and how like itself it looks there."""

    motion: Motion | None
    points: Points
    likeness: float

    def hides(self, other: _Move) -> bool:
        """Whether this face, if it is the nearer one, hides some of the other."""
        return self.motion is not None and _near(self.points, other.points, OVERLAP)


class _View(NamedTuple):
    """A frame as the tracker keeps it."""

    number: int
    """The frame's index."""
    grey: Grey
    small: NDArray[np.uint8]


class Tracker:
    """Told one frame after the other, follows the faces in them."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._model = point_model()
        self._views: deque[_View] = deque(maxlen=LOOK_BACK)
        self._faces: list[_Face] = []
        self._ended: list[Path] = []
        self._clock = 0
        self._ratio = np.ones(2)

    def see(self, rgb: NDArray[np.uint8], index: int, *, starts: bool) -> None:
        """Take the next frame, (H, W, 3); where it starts a shot, no face goes on from before."""
        grey = resized(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8), WORKING_SIZE, most=4)
        small = cv2.resize(rgb, grey.shape[::-1], interpolation=cv2.INTER_AREA)
        view = _View(index, grey, np.asarray(small, np.uint8))
        changed = bool(self._views) and self._views[-1].grey.shape != grey.shape
        if starts or changed:
            self._end(self._faces)
            self._views.clear()
            self._clock = 0
        self._ratio = np.array([rgb.shape[1] / grey.shape[1], rgb.shape[0] / grey.shape[0]])
        if self._views:
            self._carry(self._views[-1], view)
        self._views.append(view)
        if self._clock % CONFIRM_EVERY == 0:
            found = self._detect(rgb) if self._clock % DETECT_EVERY == 0 else []
            self._confirm(view, found)
        self._clock += 1

    def paths(self) -> list[Path]:
        """All paths of the frames seen so far, in order of appearance."""
        self._end(self._faces)
        return sorted(self._ended, key=lambda path: path.first)

    def _detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        """Detections in the working picture."""
        factor = min(1.0, DETECTION_SIZE / max(rgb.shape[:2]))
        size = (max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor)))
        picture = rgb if factor == 1 else cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        ratio = np.array([rgb.shape[1], rgb.shape[0]]) / size / self._ratio
        found = []
        for face in self._detector.detect(np.asarray(picture, np.uint8)):
            points = (face.landmarks + 0.5) * ratio - 0.5
            if eye_distance(points) * self._ratio[0] >= LEAST_EYE_DISTANCE:
                found.append(Detection(face_box(points), points, face.score))
        return found

    def _carry(self, before: _View, now: _View) -> None:
        """Move every face on by optical flow, or as it moved before where that fails."""
        moves = []
        for face in self._faces:
            motion = face_motion(before.grey, now.grey, face.points)
            points = face.points if motion is None else transform(motion.matrix, face.points)
            moves.append(_Move(motion, points, _likeness(look_of(now.small, points), face.look)))
        for face, move in zip(self._faces, moves, strict=True):
            rivals = [other for other in moves if other is not move and other.hides(move)]
            wanted = CLEAR if rivals else LEAST_LIKENESS
            covered = move.likeness < min([wanted, *(rival.likeness for rival in rivals)])
            face.carry(None if covered else move.motion)

    def _confirm(self, view: _View, found: list[Detection]) -> None:
        """Correct the known faces, start new ones, let go of those that are gone."""
        pyramid = Pyramid(view.grey)
        looks = [look_of(view.small, face.landmarks) for face in found]
        pairs = self._assign(found, looks)
        for row, face in enumerate(self._faces):
            if row in pairs:
                face.confirm(found[pairs[row]].landmarks, looks[pairs[row]], found[pairs[row]].score)
                continue
            face.misses += 1
            points, quality = self._model.refine(pyramid, face.points)
            look = look_of(view.small, points)
            wanted = CLEAR if len(face.beliefs) - 1 in face.hidden else LEAST_LIKENESS
            alone = not any(_near(points, other.points, 1) for other in self._faces if other is not face)
            if quality >= LEAST_QUALITY and alone and _likeness(look, face.look) > wanted:
                face.confirm(points, look, quality)
        lost = [face for face in self._faces if face.misses > PATIENCE or not _inside(face.points, view.grey)]
        self._end(lost)
        for column, detection in enumerate(found):
            if column not in pairs.values() and not any(
                _near(detection.landmarks, f.points, 1) for f in self._faces
            ):
                self._faces.append(self._begin(detection, looks[column]))

    def _assign(self, found: list[Detection], looks: list[Look]) -> dict[int, int]:
        """Which face each detection continues: number of the face → number of the detection."""
        never = 1e3
        cost = np.full((len(self._faces), len(found)), never)
        for row, face in enumerate(self._faces):
            eyes = eye_distance(face.points)
            reach = 0.7 + 0.15 * min(face.misses, 12) * ((len(face.beliefs) - 1) in face.hidden)
            for column, detection in enumerate(found):
                distance = np.hypot(*(detection.landmarks - face.points).mean(axis=0)) / eyes
                growth = abs(np.log(eye_distance(detection.landmarks) / eyes))
                if distance < reach and growth < 0.5:
                    cost[row, column] = distance + growth + 2 * (1 - _likeness(looks[column], face.look))
        rows, columns = linear_sum_assignment(cost)
        return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if cost[r, c] < never}

    def _begin(self, detection: Detection, look: Look) -> _Face:
        """A new face, followed back to where it appeared."""
        points, back = detection.landmarks, []
        for now, before in zip(list(self._views)[::-1], list(self._views)[-2::-1], strict=False):
            motion = face_motion(now.grey, before.grey, points)
            if motion is None:
                break
            earlier = transform(motion.matrix, points)
            refined, quality = self._model.refine(Pyramid(before.grey), earlier)
            known = self._taken(before.number, earlier)
            if known or quality < LEAST_QUALITY or not _near(refined, earlier, 0.5):
                break
            points = earlier
            back.append(inverse(motion.matrix))
        beliefs = [Belief.initial(points, 4 * MEASURED * eye_distance(points))]
        for forth in reversed(back):
            beliefs.append(beliefs[-1].moved(forth, CARRIED * eye_distance(points)))
        face = _Face(self._views[-1].number - len(back), beliefs, look, {})
        face.confirm(detection.landmarks, look, detection.score)
        return face

    def _taken(self, number: int, points: Points) -> bool:
        """Whether a face that is being followed was at this place in an earlier frame."""
        return any(
            0 <= (i := number - face.first) < len(face.beliefs) and _near(points, face.beliefs[i].points, 1)
            for face in self._faces
        )

    def _end(self, faces: list[_Face]) -> None:
        """Keep the paths of faces that were real."""
        self._ended += [path for face in faces if (path := self._path(face)) is not None]
        self._faces = [face for face in self._faces if not any(face is gone for gone in faces)]

    def _path(self, face: _Face) -> Path | None:
        last = max(face.confirmed)
        n = last + 1
        while n < len(face.beliefs) and n < last + CONFIRM_EVERY and n not in face.hidden:
            n += 1
        best = sorted(face.confirmed.values())[-3:]
        if np.mean(best) < SURE or (len(best) < 2 and n > CONFIRM_EVERY):
            return None
        landmarks = (smoothed(face.beliefs[:n]) + 0.5) * self._ratio - 0.5
        score = np.interp(np.arange(n), list(face.confirmed), list(face.confirmed.values()))
        score[[i for i in face.hidden if i < n]] = 0
        return Path(face.first, landmarks, np.stack([face_box(points) for points in landmarks]), score)


def look_of(rgb: NDArray[np.uint8], points: Points) -> Look:
    """The aligned face as a small colour picture of mean 0 and norm 1."""
    matrix = similarity_between(points, LOOK_SHAPE)
    size = (LOOK_SIZE, LOOK_SIZE)
    patch = cv2.warpAffine(rgb, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return _normalised(np.asarray(cv2.GaussianBlur(patch, (3, 3), 0), np.float32))


def eye_distance(points: Points) -> float:
    """Pixels between the eyes."""
    return float(np.hypot(*(points[1] - points[0])))


def _normalised(look: Look) -> Look:
    centred = look - look.mean()
    return np.asarray(centred / (np.linalg.norm(centred) + 1e-6), np.float32)


def _likeness(a: Look, b: Look) -> float:
    return float((a * b).sum())


def _near(a: Points, b: Points, reach: float) -> bool:
    """Whether the centres of two faces are less than `reach` eye distances apart."""
    return bool(np.hypot(*(a - b).mean(axis=0)) < reach * max(eye_distance(a), eye_distance(b)))


def _inside(points: Points, grey: Grey) -> bool:
    x, y = points.mean(axis=0)
    return bool(0 <= x < grey.shape[1] and 0 <= y < grey.shape[0])
