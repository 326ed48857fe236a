"""A sample clip made on the spot: a public-domain portrait, a known camera path, our own degradation."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core import video
from flair_core.frames import Frame, VideoInfo
from flair_core.jobs.degrade import degrade_frame
from flair_core.settings.groups import DegradationSettings, FaceSettings, RestorationSettings
from flair_core.settings.output import OutputOptions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


FRAMES, WIDTH, HEIGHT, RATE = 48, 640, 480, 24
SETTINGS = RestorationSettings(
    degradation=DegradationSettings(scale=4, noise=2 / 255), faces=FaceSettings(upscale=1)
)
"""How the demo was degraded, at the size of its faces."""
ZOOM = 1.55
"""Makes the face in the picture as large as the model's."""
CENTRE = (225.0, 150.0)
"""Point of the picture that the camera looks at."""


def camera(index: int) -> NDArray[np.float64]:
    """(2, 3) map from the picture to frame `index`: a slow drift with a slight roll, the same forwards and back."""
    phase = 2 * np.pi * index / FRAMES
    angle, scale = np.radians(2.5 * np.sin(phase)), ZOOM * (1 + 0.04 * np.cos(phase))
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    target = np.array([WIDTH / 2 + 24 * np.sin(phase), HEIGHT / 2 + 10 * np.cos(2 * phase)])
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.hstack([linear, (target - linear @ CENTRE)[:, None]])


def clean_frame(picture: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
    """Frame `index` before degradation, (HEIGHT, WIDTH, 3)."""
    return cv2.warpAffine(
        picture, camera(index), (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    ).astype(np.uint8)


def make_demo(folder: Path) -> Path:
    """Write the clip into `folder` unless it is there; returns its path."""
    from skimage.data import astronaut

    path = folder / "flair-demo.mp4"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    picture = astronaut()  # type: ignore[no-untyped-call]
    info = VideoInfo(WIDTH, HEIGHT, Fraction(RATE), Fraction(1, RATE), FRAMES)
    with video.open_sink(
        path, like=info, width=WIDTH, height=HEIGHT, options=OutputOptions(codec="h264", quality=14)
    ) as sink:
        for index in range(FRAMES):
            y = degrade_frame(clean_frame(picture, index), SETTINGS.degradation, (0, index))
            soft = cv2.resize(y, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
            sink.write(Frame(soft.astype(np.uint8), index, index, 1))
        sink.commit()
    return path
