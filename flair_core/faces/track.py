"""Faces followed through a clip: detections every few frames, optical flow between them, smoothed without lag."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np
from scipy.optimize import linear_sum_assignment

from flair_core.errors import ShapeError
from flair_core.faces.align import FFHQ_512, inverse, similarity, transform, zoom
from flair_core.faces.detect import without_doubles
from flair_core.faces.mask import ELLIPSE_AXES, ELLIPSE_CENTRE
from flair_core.faces.shots import ShotDetector, as_uint8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from flair_core.faces.detect import Detection, Detector
    from flair_core.frames import Frame

    Points = NDArray[np.float64]
    Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One face in the consecutive frames [first, first + n); coordinates in pixels of the frame, x first."""

    id: int
    first: int
    """Index of the first frame."""
    landmarks: Points
    """(n, 5, 2), in the order of `Detection.landmarks`."""
    boxes: Points
    """(n, 4) left, top, right, bottom."""
    score: Points
    """(n,) in [0, 1]: how sure it is that the face is there."""

    def __post_init__(self) -> None:
        n = len(self.landmarks)
        if self.landmarks.shape != (n, 5, 2) or self.boxes.shape != (n, 4) or self.score.shape != (n,):
            raise ShapeError(
                f"A track needs landmarks (n, 5, 2), boxes (n, 4) and scores (n,), but got {self.landmarks.shape}, "
                f"{self.boxes.shape} and {self.score.shape}."
            )

    def __len__(self) -> int:
        return len(self.landmarks)

    def covers(self, index: int) -> bool:
        """Whether the face is there in the frame with this index."""
        return self.first <= index < self.first + len(self)

    def at(self, index: int) -> Points:
        """(5, 2) landmarks in the frame with this index, which the track must cover."""
        points: Points = self.landmarks[index - self.first]
        return points

    @classmethod
    def fixed(cls, box: tuple[float, float, float, float], first: int, length: int, *, id: int = 0) -> Track:
        """A face drawn by hand that does not move: `box` (left, top, right, bottom) holds forehead to chin."""
        left, top, right, bottom = box
        if right <= left or bottom <= top or length < 1:
            raise ShapeError(f"A face drawn by hand needs a box with an area and a frame, but got {box}, {length}.")
        unit = ((FFHQ_512 + 0.5) / 512 - ELLIPSE_CENTRE) / (2 * ELLIPSE_AXES[1])
        points = np.array([(left + right) / 2, (top + bottom) / 2]) + unit * (bottom - top)
        return cls(
            id, first, np.tile(points, (length, 1, 1)), np.tile(np.array(box, float), (length, 1)), np.ones(length)
        )


WORKING_SIZE = 640
"""Longer side of the pictures that optical flow looks at."""
DETECTION_SIZE = 1280
STRIDE = 4
"""Frames from one detection to the next."""
PATIENCE = 8
"""Detections in a row that may fail before a face counts as gone."""
LEAST_HITS = 2
LEAST_EYE_DISTANCE = 5.0
"""Pixels; of a smaller face nothing can be restored."""
LEAST_LIKENESS = 0.4
"""Correlation with its last sure sight below which a face is covered or gone."""
DETECTION_NOISE = 0.06
"""Std of a detected landmark, in eye distances."""
FLOW_NOISE = 0.004
"""Std of a landmark carried to the next frame by optical flow, in eye distances."""
COASTING_NOISE = 0.1
"""The same when the face is covered and only goes on as it moved before."""
PATCH = 24


@dataclass(slots=True)
class _State:
    """A Kalman filter's beliefs about one frame: five points with one common variance."""

    motion: Points
    """(2, 3) from the frame before."""
    predicted: Points
    predicted_variance: float
    points: Points
    variance: float
    score: float
    sure: bool


@dataclass(slots=True)
class _Path:
    """A track while it is being followed."""

    id: int
    first: int
    states: list[_State]
    box: Points
    """Last detected box, relative to its landmarks' aligned frame."""
    look: NDArray[np.float32]
    hits: int = 1
    misses: int = 0
    velocity: Points = field(default_factory=lambda: np.eye(2, 3))

    @property
    def points(self) -> Points:
        return self.states[-1].points


def track_faces(
    frames: Iterable[Frame], detector: Detector, *, progress: Callable[[int], None] | None = None
) -> list[Track]:
    """Every face of a clip, each with its path; none gives an empty list.

    Reads each frame once and keeps one, at reduced size. `progress` hears how many frames have been seen.
    """
    tracker = Tracker(detector)
    for seen, frame in enumerate(frames, start=1):
        tracker.see(as_uint8(frame.rgb), frame.index)
        if progress is not None:
            progress(seen)
    return tracker.finish()


class Tracker:
    """Follows faces frame by frame; `track_faces` in pieces, for callers that do something in between."""

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._shots = ShotDetector()
        self._grey: Grey | None = None
        self._ratio = np.ones(2)
        self._active: list[_Path] = []
        self._ended: list[_Path] = []
        self._countdown = 0
        self._next_id = 0

    def see(self, rgb: NDArray[np.uint8], index: int) -> None:
        """Take the next frame."""
        grey = self._reduced(rgb)
        if self._shots.starts(rgb) or self._grey is None:
            self._ended += self._active
            self._active, self._countdown = [], 0
        else:
            self._carry(self._grey, grey)
        self._grey = grey
        if self._countdown == 0:
            self._countdown = STRIDE
            self._look_for_faces(rgb, index)
        self._countdown -= 1

    def finish(self) -> list[Track]:
        """The tracks so far, in order of appearance."""
        paths = [_trimmed(path) for path in self._ended + self._active if path.hits >= _needed(path)]
        return [_smoothed(path) for path in sorted(paths, key=lambda path: path.first)]

    def _reduced(self, rgb: NDArray[np.uint8]) -> Grey:
        height, width = rgb.shape[:2]
        shrink = min(1.0, WORKING_SIZE / max(height, width))
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        self._ratio = np.array([width / size[0], height / size[1]])
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        return np.asarray(grey if shrink == 1 else cv2.resize(grey, size, interpolation=cv2.INTER_AREA))

    def _carry(self, before: Grey, now: Grey) -> None:
        """Move every face by optical flow, or as it moved before where it is covered."""
        for path in self._active:
            points = (path.points + 0.5) / self._ratio - 0.5
            eyes = _eye_distance(path.points)
            motion = _flow(before, now, points)
            sure = motion is not None
            if motion is None:
                motion = path.velocity
            else:
                motion = _rescaled(motion, self._ratio)
            predicted = transform(motion, path.points)
            look = _look(now, (predicted + 0.5) / self._ratio - 0.5)
            if sure and _likeness(look, path.look) < LEAST_LIKENESS:
                sure = False
                motion = path.velocity
                predicted = transform(motion, path.points)
            noise = (FLOW_NOISE if sure else COASTING_NOISE) * eyes
            variance = zoom(motion) ** 2 * path.states[-1].variance + noise**2
            path.velocity = _damped(motion)
            path.states.append(_State(motion, predicted, variance, predicted, variance, 0.9 * path.states[-1].score, sure))

    def _look_for_faces(self, rgb: NDArray[np.uint8], index: int) -> None:
        assert self._grey is not None
        found = [face for face in self._detect(rgb) if _eye_distance(face.landmarks) >= LEAST_EYE_DISTANCE]
        looks = [_look(self._grey, (face.landmarks + 0.5) / self._ratio - 0.5) for face in found]
        pairs = self._assign(found, looks)
        for row, path in enumerate(self._active):
            if row in pairs:
                _correct(path, found[pairs[row]], looks[pairs[row]])
            else:
                path.misses += 1
        lost = [path for path in self._active if path.misses > PATIENCE or _outside(path.points, rgb.shape)]
        self._ended += lost
        self._active = [path for path in self._active if path not in lost]
        for column, face in enumerate(found):
            if column not in pairs.values():
                self._active.append(_start(self._next_id, index, face, looks[column]))
                self._next_id += 1

    def _detect(self, rgb: NDArray[np.uint8]) -> list[Detection]:
        height, width = rgb.shape[:2]
        shrink = DETECTION_SIZE / max(height, width)
        if shrink >= 1:
            return self._detector.detect(rgb)
        size = (round(width * shrink), round(height * shrink))
        ratio = np.array([width / size[0], height / size[1]])
        faces = self._detector.detect(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
        return [
            type(face)(
                (face.box + 0.5) * np.tile(ratio, 2) - 0.5, (face.landmarks + 0.5) * ratio - 0.5, face.score
            )
            for face in without_doubles(faces)
        ]

    def _assign(self, found: list[Detection], looks: list[NDArray[np.float32]]) -> dict[int, int]:
        """Which path each detection continues: row of the path → column of the detection."""
        cost = np.full((len(self._active), len(found)), 1e3)
        for row, path in enumerate(self._active):
            eyes = _eye_distance(path.points)
            reach = 0.6 + 0.3 * min(path.misses, 4)
            for column, face in enumerate(found):
                size = abs(np.log(_eye_distance(face.landmarks) / eyes))
                distance = np.hypot(*(face.landmarks - path.points).mean(axis=0)) / eyes
                if distance < reach and size < 0.7:
                    cost[row, column] = distance + size + 1 - _likeness(looks[column], path.look)
        rows, columns = linear_sum_assignment(cost)
        return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if cost[r, c] < 1e3}


def _start(id: int, index: int, face: Detection, look: NDArray[np.float32]) -> _Path:
    variance = (DETECTION_NOISE * _eye_distance(face.landmarks)) ** 2
    state = _State(np.eye(2, 3), face.landmarks, variance, face.landmarks, variance, face.score, sure=True)
    return _Path(id, index, [state], _relative_box(face), look)


def _correct(path: _Path, face: Detection, look: NDArray[np.float32]) -> None:
    """Kalman update with a detection; one far from the prediction counts less."""
    state = path.states[-1]
    innovation = face.landmarks - state.points
    noise = (DETECTION_NOISE * _eye_distance(face.landmarks)) ** 2
    surprise = float((innovation**2).mean()) / (state.variance + noise)
    noise *= max(1.0, surprise)
    gain = state.variance / (state.variance + noise)
    state.points = state.points + gain * innovation
    state.variance *= 1 - gain
    state.score, state.sure = max(face.score, state.score), True
    path.box = 0.8 * path.box + 0.2 * _relative_box(face)
    path.look, path.hits, path.misses = look, path.hits + 1, 0


def _smoothed(path: _Path) -> Track:
    """Rauch, Tung and Striebel 1965: the filter's beliefs, corrected by what came later. So nothing lags."""
    points = path.states[-1].points
    smooth = [points]
    for now, then in zip(path.states[-2::-1], path.states[:0:-1], strict=True):
        gain = now.variance * zoom(then.motion) ** 2 / then.predicted_variance
        points = now.points + gain * (points - then.predicted) @ np.linalg.inv(then.motion[:, :2]).T
        smooth.append(points)
    landmarks = np.stack(smooth[::-1])
    boxes = np.stack([transform(inverse(similarity(p, 512)), path.box.reshape(2, 2)).ravel() for p in landmarks])
    return Track(path.id, path.first, landmarks, boxes, np.array([state.score for state in path.states]))


def _trimmed(path: _Path) -> _Path:
    """Without the frames at its end in which the face was no longer seen."""
    last = max(i for i, state in enumerate(path.states) if state.sure)
    path.states = path.states[: last + 1]
    return path


def _needed(path: _Path) -> int:
    return LEAST_HITS if len(path.states) > STRIDE else 1


def _flow(before: Grey, now: Grey, points: Points) -> Points | None:
    """(2, 3) how the face around `points` moved, by pyramidal Lucas-Kanade; None when too little agrees."""
    height, width = before.shape
    eyes = _eye_distance(points)
    centre = points.mean(axis=0)
    mask = np.zeros_like(before)
    axes = (max(3, round(1.2 * eyes)), max(3, round(1.6 * eyes)))
    cv2.ellipse(mask, tuple(int(c) for c in np.rint(centre)), axes, 0, 0, 360, 255, cv2.FILLED)
    left, top = (max(0, round(c - 1.7 * eyes)) for c in centre)
    right, bottom = min(width, round(centre[0] + 1.7 * eyes)), min(height, round(centre[1] + 1.7 * eyes))
    if right - left < 8 or bottom - top < 8:
        return None
    corners = cv2.goodFeaturesToTrack(
        before[top:bottom, left:right], 60, 0.01, max(2, eyes / 10), mask=mask[top:bottom, left:right], blockSize=3
    )
    if corners is None or len(corners) < 6:
        return None
    start = corners + np.array([left, top], np.float32)
    side = int(np.clip(eyes / 2, 9, 21)) | 1
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 0.01)
    options = {"winSize": (side, side), "maxLevel": 3, "criteria": stop}
    end, found, _ = cv2.calcOpticalFlowPyrLK(before, now, start, None, **options)
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(now, before, end, None, **options)
    error = np.linalg.norm((back - start)[:, 0], axis=1)
    good = (found[:, 0] == 1) & (found_back[:, 0] == 1) & (error < 0.5)
    if good.sum() < 6 or good.mean() < 0.3:
        return None
    matrix, inliers = cv2.estimateAffinePartial2D(start[good], end[good], method=cv2.RANSAC, ransacReprojThreshold=1)
    if matrix is None or inliers.mean() < 0.5 or not 0.8 < zoom(matrix) < 1.25:
        return None
    return np.asarray(matrix, np.float64)


def _rescaled(motion: Points, ratio: Points) -> Points:
    """A motion in the reduced picture as one in the frame."""
    scale = float(ratio.mean())
    moved = motion.copy()
    half = np.full(2, 0.5)
    # (p + ½)/k − ½ before, and back after.
    moved[:, 2] = (transform(motion, half / scale - half) + half) * scale - half
    return moved


def _damped(motion: Points) -> Points:
    """Go on with nine tenths of the shift, and neither grow nor turn."""
    return np.hstack([np.eye(2), 0.9 * motion[:, 2:]])


def _look(grey: Grey, points: Points) -> NDArray[np.float32]:
    """The aligned face as a small patch of mean 0 and norm 1."""
    matrix = similarity(points, PATCH)
    patch = cv2.warpAffine(grey, matrix, (PATCH, PATCH), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
    centred = patch.astype(np.float32) - patch.mean()
    return np.asarray(centred / (np.linalg.norm(centred) + 1e-3), np.float32)


def _likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    return float((a * b).sum())


def _eye_distance(points: Points) -> float:
    return float(np.hypot(*(points[1] - points[0])))


def _relative_box(face: Detection) -> Points:
    """The box in the frame of the aligned face."""
    return transform(similarity(face.landmarks, 512), face.box.reshape(2, 2)).ravel()


def _outside(points: Points, shape: tuple[int, ...]) -> bool:
    x, y = points.mean(axis=0)
    return not (0 <= x < shape[1] and 0 <= y < shape[0])
