"""What finds faces in a single picture: the embedded cascades, or a network whose file the user has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np
import platformdirs

from flair_core.errors import SettingsError, WeightsError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]


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

    file: weights of retinaface or yunet; None looks for them by name in the user's data folder.
    Raises WeightsError when they are missing or don't fit, SettingsError for an unknown name.
    """
    if name == "embedded":
        return CascadeDetector()
    if name not in NETWORKS:
        raise SettingsError(f"There is no detector {name!r}; choose {', '.join(['embedded', *NETWORKS])}.")
    network = NETWORKS[name]
    file = file or data_folder() / network.file
    if not file.is_file():
        raise WeightsError(
            f"The detector {name} needs {network.file}, and there is no {file}. Download it from {network.source} "
            "and put it there, or choose the embedded detector."
        )
    return network.build(file)


def data_folder() -> Path:
    """Where the user's own checkpoints live."""
    return platformdirs.user_data_path("flair-studio", appauthor=False) / "models"


# Landmarks of an upright face in the unit square of a cascade's box: medians over aligned photographs.
FRONTAL = np.array([(0.308, 0.380), (0.682, 0.380), (0.497, 0.597), (0.332, 0.766), (0.665, 0.765)])
PROFILE = np.array([(0.153, 0.409), (0.501, 0.409), (0.334, 0.609), (0.176, 0.766), (0.482, 0.765)])


class CascadeDetector:
    """Boosted cascades that ship with OpenCV (Viola and Jones 2001): frontal, and profile both ways round."""

    def __init__(self, working_size: int = 640) -> None:
        self._working_size = working_size
        self._frontal = _cascade("haarcascade_frontalface_alt2.xml")
        self._profile = _cascade("haarcascade_profileface.xml")

    def detect(self, rgb: Pixels) -> list[Detection]:
        """Faces in (H, W, 3) uint8, best first."""
        height, width = rgb.shape[:2]
        shrink = min(1.0, self._working_size / max(height, width))
        size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        if shrink < 1:
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        ratio = np.array([width / size[0], height / size[1]])
        found = [
            *self._search(self._frontal, grey, FRONTAL, 1.0),
            *self._search(self._profile, grey, PROFILE, 0.5),
            *(_mirrored(face, size[0]) for face in self._search(self._profile, grey[:, ::-1], PROFILE, 0.5)),
        ]
        return [
            Detection(face.box * np.tile(ratio, 2), face.landmarks * ratio, face.score)
            for face in without_doubles(found)
        ]

    def _search(
        self, cascade: cv2.CascadeClassifier, grey: Pixels, shape: NDArray[np.float64], trust: float
    ) -> list[Detection]:
        boxes, counts = cascade.detectMultiScale2(
            np.ascontiguousarray(grey), scaleFactor=1.1, minNeighbors=4, minSize=(24, 24)
        )
        faces = []
        for (left, top, side, _), count in zip(boxes, counts, strict=True):
            corner = np.array([left, top], float)
            faces.append(
                Detection(
                    np.concatenate([corner, corner + side]),
                    corner + side * shape,
                    trust * float(count) / (float(count) + 4),
                )
            )
        return faces


def without_doubles(faces: list[Detection], overlap: float = 0.35) -> list[Detection]:
    """Best first, each face once: drops what covers a better one by more than `overlap` of the smaller."""
    kept: list[Detection] = []
    for face in sorted(faces, key=lambda face: -face.score):
        if all(_shared(face.box, other.box) < overlap for other in kept):
            kept.append(face)
    return kept


def _shared(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Intersection over the smaller box."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return float(np.prod(np.maximum(sides, 0)) / max(smaller, 1e-9))


def _mirrored(face: Detection, width: int) -> Detection:
    """A face found in the mirrored picture, as it lies in the true one."""
    left, top, right, bottom = face.box
    landmarks = face.landmarks * (-1, 1) + (width - 1, 0)
    box = np.array([width - 1 - right, top, width - 1 - left, bottom])
    return Detection(box, landmarks[[1, 0, 2, 4, 3]], face.score)


def _cascade(name: str) -> cv2.CascadeClassifier:
    path = Path(cv2.data.haarcascades) / name
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise WeightsError(f"OpenCV has no cascade {path}. Install opencv-python 4.11 or later, but not 5.")
    return cascade


class YuNetDetector:
    """YuNet through OpenCV's FaceDetectorYN."""

    def __init__(self, file: Path) -> None:
        try:
            self._network: Any = cv2.FaceDetectorYN.create(str(file), "", (320, 320), 0.6, 0.3, 5000)
        except cv2.error as error:
            raise WeightsError(f"{file} is no YuNet model ({error.err}). Download {NETWORKS['yunet'].file}.") from None

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
        import torch  # noqa: PLC0415 - the embedded detector works without these two
        from facexlib.detection.retinaface import RetinaFace  # noqa: PLC0415

        # facexlib's own loader would download; this one only reads the user's file.
        self._network: Any = RetinaFace(network_name="resnet50", device=torch.device("cpu"))
        try:
            weights = torch.load(file, map_location="cpu", weights_only=True)
            self._network.load_state_dict({key.removeprefix("module."): weights[key] for key in weights})
        except (RuntimeError, OSError, ValueError, AttributeError, TypeError, EOFError) as error:
            wanted = NETWORKS["retinaface"].file
            raise WeightsError(f"{file} does not fit RetinaFace ({_first_line(error)}). Download {wanted}.") from None
        self._network.eval()
        self._no_grad = torch.inference_mode

    def detect(self, rgb: Pixels) -> list[Detection]:
        """Faces in (H, W, 3) uint8, best first."""
        with self._no_grad():
            rows = self._network.detect_faces(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), conf_threshold=0.5)
        return [
            Detection(row[:4].astype(np.float64), row[5:15].astype(np.float64).reshape(5, 2), float(row[4]))
            for row in rows
        ]


@dataclass(frozen=True, slots=True)
class Network:
    """A detector that needs a file of the user's."""

    file: str
    source: str
    build: type[YuNetDetector] | type[RetinaFaceDetector]


NETWORKS = {
    "yunet": Network(
        "face_detection_yunet_2023mar.onnx",
        "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet",
        YuNetDetector,
    ),
    "retinaface": Network(
        "detection_Resnet50_Final.pth", "https://github.com/xinntao/facexlib/releases/tag/v0.1.0", RetinaFaceDetector
    ),
}


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
