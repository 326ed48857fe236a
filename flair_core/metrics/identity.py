"""Whether it still is the same face: identity as two networks see it, and landmarks."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.checkpoints.metrics import PackageFile, WeightsFile
from flair_core.errors import WeightsError
from flair_core.faces.align import similarity, similarity_between, template, transform, warp_affine
from flair_core.faces.detect import LEAST_QUALITY, SURE, load_detector
from flair_core.faces.points import Pyramid, point_model

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from flair_core.faces.detect import Detection, Detector
    from flair_core.metrics.meters import Pair

    Points = NDArray[np.float64]

SFACE = WeightsFile(
    "face_recognition_sface_2021dec.onnx",
    "https://github.com/opencv/opencv_zoo/raw/main/models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
    "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
)


DLIB = PackageFile(
    "face-recognition-models",
    "face_recognition_models",
    "models/dlib_face_recognition_resnet_model_v1.dat",
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
SIDE = 512
"""Of the aligned face on the way to dlib's, in pixels."""
CHIP = 150
"""Side in pixels of the faces that dlib's network was trained on."""
EYES = np.array([(47.7, 47.1), (100.3, 47.1)])
"""Where the middles of the eyes lie in them."""


class Places:
    """Where the clean frame's face is: five landmarks, by the program's own locator and points.

    Nothing is looked for in a restored frame as long as it isn't known where: a face that a restoration spoils so
    far that no detector finds it must not drop out of the mean.
    """

    def __init__(self) -> None:
        self._detector = load_detector("embedded")
        self._last: tuple[NDArray[np.uint8], Points | None] | None = None

    def of(self, clean: NDArray[np.uint8]) -> Points | None:
        """(5, 2) of the surest face of (H, W, 3), None without one; metrics ask for the same frame in turn."""
        if self._last is None or self._last[0] is not clean:
            self._last = clean, self._found(clean)
        return self._last[1]

    def _found(self, clean: NDArray[np.uint8]) -> Points | None:
        if faces := self._detector.detect(clean):
            return faces[0].landmarks
        # A close-up that fills the frame is none to a detector, but where its landmarks are is known.
        points, quality = _settled(clean, template(min(clean.shape[:2])))
        return points if quality >= SURE else None


@lru_cache(maxsize=1)
def places() -> Places:
    """What all metrics of faces share."""
    return Places()


def landmark_error(places: Places) -> Callable[[Pair], float | None]:
    """The metric: mean distance of the five landmarks between both frames, in percent of the eye distance.

    In both the landmark model settles from the clean frame's landmarks. None without a face in the clean frame, or
    where the model says that nothing like one is left in the restored one.
    """

    def error(pair: Pair) -> float | None:
        start = places.of(pair.clean)
        if start is None:
            return None
        (clean, _), (restored, quality) = (_settled(frame, start) for frame in (pair.clean, pair.restored))
        if quality < LEAST_QUALITY:
            return None
        offsets = np.linalg.norm(clean - restored, axis=1)
        return 100 * float(offsets.mean() / np.linalg.norm(clean[1] - clean[0]))

    return error


def _settled(frame: NDArray[np.uint8], start: Points) -> tuple[Points, float]:
    """Landmarks (5, 2) of (H, W, 3) near others, and how well they lie."""
    grey = np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), np.uint8)
    return point_model().refine(Pyramid(grey), start)


def identity_distance(places: Places) -> Callable[[Pair], float | None]:
    """The metric: Euclidean distance of the 128 numbers by which dlib's network describes a face (King, 2017).

    0 is the same picture, below 0.6 counts as the same person; two persons are 0.8 apart in the mean. Both faces are
    cut out at the clean one's landmarks: where they lie is another metric's business. None without a face in the
    clean frame. Raises WeightsError without dlib or its network.
    """
    weights = DLIB.path()
    try:
        import dlib
    except ImportError:
        raise WeightsError("needs the package dlib-bin: pip install 'flair-studio[bench]'") from None
    network = dlib.face_recognition_model_v1(str(weights))
    to_chip = similarity_between(template(SIDE)[:2], EYES)

    def describe(frame: NDArray[np.uint8], points: Points) -> NDArray[np.float64]:
        matrix = similarity(points, SIDE)
        matrix = np.hstack([to_chip[:, :2] @ matrix[:, :2], transform(to_chip, matrix[:, 2])[:, None]])
        chip = np.clip(np.rint(warp_affine(frame, matrix, CHIP, CHIP)), 0, 255).astype(np.uint8)
        return np.asarray(network.compute_face_descriptor(np.ascontiguousarray(chip)))

    def distance(pair: Pair) -> float | None:
        points = places.of(pair.clean)
        if points is None:
            return None
        return float(np.linalg.norm(describe(pair.clean, points) - describe(pair.restored, points)))

    return distance


def identity_similarity(detector: Detector, weights: Path) -> Callable[[Pair], float | None]:
    """The metric: cosine of SFace's descriptions (Zhong et al., 2021), each face at its own landmarks.

    1 is the same picture; above 0.363 counts as the same person. None where either frame lacks a face.
    """
    recognizer = cv2.FaceRecognizerSF.create(str(weights), "")

    def describe(frame: NDArray[np.uint8], face: Detection) -> NDArray[np.float32]:
        corner, extent = face.box[:2], face.box[2:] - face.box[:2]
        row = np.concatenate([corner, extent, face.landmarks.ravel(), [face.score]])
        aligned = recognizer.alignCrop(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), row.astype(np.float32))
        return np.asarray(recognizer.feature(aligned).copy(), np.float32)

    def similarity(pair: Pair) -> float | None:
        faces = same_face(detector, pair)
        if faces is None:
            return None
        clean, restored = describe(pair.clean, faces[0]), describe(pair.restored, faces[1])
        return float(recognizer.match(clean, restored, cv2.FaceRecognizerSF_FR_COSINE))

    return similarity


def same_face(detector: Detector, pair: Pair) -> tuple[Detection, Detection] | None:
    """The surest face of the clean frame and the nearest of the restored one; None unless they overlap."""
    found = detector.detect(pair.clean)
    others = detector.detect(pair.restored)
    if not found or not others:
        return None
    face = found[0]
    centre, eyes = face.landmarks.mean(0), np.linalg.norm(face.landmarks[1] - face.landmarks[0])
    nearest = min(others, key=lambda other: float(np.linalg.norm(other.landmarks.mean(0) - centre)))
    near = np.linalg.norm(nearest.landmarks.mean(0) - centre) < eyes
    return (face, nearest) if near else None


def detector() -> Detector:
    """The detector whose landmarks are measured ones. Raises WeightsError when the user has none."""
    return load_detector("yunet")
