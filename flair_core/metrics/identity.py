"""Whether it still is the same face: identity and landmarks, seen by networks that the user supplies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core.checkpoints.metrics import WeightsFile
from flair_core.faces.detect import load_detector

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from flair_core.faces.detect import Detection, Detector
    from flair_core.metrics.meters import Pair

SFACE = WeightsFile(
    "face_recognition_sface_2021dec.onnx",
    "https://github.com/opencv/opencv_zoo/raw/main/models/face_recognition_sface/face_recognition_sface_2021dec.onnx",
    "0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
)


def landmark_distance(detector: Detector) -> Callable[[Pair], float | None]:
    """The metric: mean distance of the five landmarks, found in both frames, in percent of the eye distance.

    None where a face is missing in either frame.
    """

    def distance(pair: Pair) -> float | None:
        faces = same_face(detector, pair)
        if faces is None:
            return None
        clean, restored = (face.landmarks for face in faces)
        offsets = np.linalg.norm(clean - restored, axis=1)
        return 100 * float(offsets.mean() / np.linalg.norm(clean[1] - clean[0]))

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
