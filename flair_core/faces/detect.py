"""What finds faces in a single picture: the embedded network, or one whose file the user has."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from flair_core.checkpoints import catalogue, store
from flair_core.errors import SettingsError, WeightsError
from flair_core.faces import locator, points
from flair_core.faces.align import inverse, similarity, transform, zoom
from flair_core.faces.points import Pyramid, point_model
from flair_core.kept.fingerprints import file_hash, resource_hash

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face in one picture; coordinates in pixels, x first, the centre of the top left pixel is (0, 0)."""

    box: NDArray[np.float64]
    """(4,) left, top, right, bottom: from the brows to the chin, roughly."""
    landmarks: NDArray[np.float64]
    """(5, 2): the eye on the left of the picture, the one on the right, nose, left and right mouth corner."""
    score: float
    """Confidence in [0, 1]."""


class Detector(Protocol):
    """Finds every face in a picture."""

    def detect(self, rgb: Pixels) -> list[Detection]:
        """Faces in (H, W, 3) uint8 sRGB, best first; empty when there are none."""
        ...


def load_detector(name: str = "embedded", file: Path | None = None) -> Detector:
    """The detector called `name`: embedded, retinaface or yunet.

    file: weights of retinaface or yunet; None takes those that were imported.
    Raises WeightsError when they are missing or don't fit, SettingsError for an unknown name.
    """
    if name == "embedded":
        return EmbeddedDetector()
    if name not in NETWORKS:
        raise SettingsError(f"There is no detector {name!r}; choose {', '.join(['embedded', *NETWORKS])}.")
    file = file or _imported(name)
    if not file.is_file():
        raise WeightsError(f"The detector {name} can't be loaded: there is no file {file}. Check its path.")
    return NETWORKS[name](file)


def detector_hash(name: str) -> str:
    """SHA-256 of a detector's file, or of the hashes of both that ship. Raises as `load_detector` does."""
    if name in NETWORKS:
        return file_hash(_imported(name))
    shipped = [resource_hash(one) for one in (locator.WEIGHTS, points.WEIGHTS)]
    return hashlib.sha256("".join(shipped).encode()).hexdigest()


def _imported(name: str) -> Path:
    try:
        return store.path(name)
    except WeightsError as error:
        raise WeightsError(f"{error} Or choose the embedded detector.") from None


SEARCHED = 640
"""Longer side of the picture that is searched, in pixels."""
LEAST_QUALITY = 0.15
"""Below it the landmark model has lost a face that was there."""
SURE = 0.4
"""Below it what the landmark model has found need not be a face at all."""


class EmbeddedDetector:
    """What ships: a small network proposes faces, the landmark model places or refuses them.

    Finds faces of at least 15 pixels in a picture whose longer side is SEARCHED; smaller pictures are enlarged up to
    four times.
    """

    def __init__(self) -> None:
        self._network = locator.locator()

    def detect(self, rgb: Pixels) -> list[Detection]:
        """Faces in (H, W, 3) uint8, best first."""
        grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
        small = resized(grey, SEARCHED, most=4)
        ratio = np.array([rgb.shape[1] / small.shape[1], rgb.shape[0] / small.shape[0]])
        pyramid, model = Pyramid(grey), point_model()
        faces = []
        for guess in locator.proposals(self._network, small):
            landmarks, quality = model.search(pyramid, (guess + 0.5) * ratio - 0.5)
            if quality >= SURE:
                faces.append(Detection(face_box(landmarks), landmarks, quality))
        return without_doubles(faces)


def face_box(landmarks: Points) -> Points:
    """(4,) left, top, right, bottom: a square from brows to chin around five landmarks."""
    matrix = inverse(similarity(landmarks, 512))
    x, y = transform(matrix, np.array([256.0, 300.0]))
    half = 140 * zoom(matrix)
    return np.array([x - half, y - half, x + half, y + half])


def resized(grey: Pixels, side: int, most: float = 1) -> Pixels:
    """A picture (H, W) whose longer side is `side`, enlarged at most `most` times."""
    height, width = grey.shape[:2]
    factor = min(side / max(height, width), most)
    if factor == 1:
        return grey
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(grey, size, interpolation=how), np.uint8)


def without_doubles(faces: list[Detection], overlap: float = 0.4) -> list[Detection]:
    """Best first, each face once: of two that share `overlap` of the smaller box, only the better one."""
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(shared(face.box, other.box) < overlap for other in kept):
            kept.append(face)
    return kept


def shared(a: Points, b: Points) -> float:
    """Intersection of two boxes over the smaller one."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return float(np.prod(np.maximum(sides, 0)) / max(smaller, 1e-9))


class YuNetDetector:
    """YuNet through OpenCV's FaceDetectorYN."""

    def __init__(self, file: Path) -> None:
        try:
            self._network: Any = cv2.FaceDetectorYN.create(str(file), "", (320, 320), 0.6, 0.3, 5000)
        except cv2.error as error:
            raise WeightsError(
                f"{file} is no YuNet model ({error.err}). Fetch {catalogue.CHECKPOINTS['yunet'].file}."
            ) from None

    def detect(self, rgb: Pixels) -> list[Detection]:
        """Faces in (H, W, 3) uint8, best first."""
        self._network.setInputSize((rgb.shape[1], rgb.shape[0]))
        _, rows = self._network.detect(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
        rows = np.zeros((0, 15)) if rows is None else np.asarray(rows, np.float64)
        return [
            Detection(np.concatenate([row[:2], row[:2] + row[2:4]]), row[4:14].reshape(5, 2), float(row[14]))
            for row in rows[np.argsort(-rows[:, 14])]
        ]


class RetinaFaceDetector:
    """RetinaFace with a ResNet-50 (Deng et al. 2020) through facexlib."""

    def __init__(self, file: Path) -> None:
        import torch
        from facexlib.detection.retinaface import RetinaFace

        with warnings.catch_warnings(action="ignore"):  # its way of asking torchvision for a network is old
            self._network: Any = RetinaFace(network_name="resnet50", device=torch.device("cpu"))
        # facexlib's own loader would download; this reads nothing but the user's file.
        state = {key.removeprefix("module."): value for key, value in store.read(file).items()}
        try:
            self._network.load_state_dict(state)
        except RuntimeError:
            wanted = catalogue.CHECKPOINTS["retinaface"].file
            raise WeightsError(f"{file} holds another network than RetinaFace. Fetch {wanted}.") from None
        self._network.eval()
        self._inference_mode = torch.inference_mode

    def detect(self, rgb: Pixels) -> list[Detection]:
        """Faces in (H, W, 3) uint8, best first."""
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        with self._inference_mode():
            rows = np.asarray(self._network.detect_faces(bgr, conf_threshold=0.5), np.float64)
        return [Detection(row[:4], row[5:15].reshape(5, 2), float(row[4])) for row in rows]


NETWORKS: Mapping[str, type[YuNetDetector | RetinaFaceDetector]] = MappingProxyType(
    {"yunet": YuNetDetector, "retinaface": RetinaFaceDetector}
)
"""Detectors that need a file, by the name of its checkpoint."""
