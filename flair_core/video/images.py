"""Single images and folders of them as a FrameSource, and writing them."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from flair_core.errors import MediaError
from flair_core.frames import ColorTags, Frame, VideoInfo
from flair_core.video.color import to_rgb
from flair_core.video.containers import open_input, read_errors, until_damage, video_stream
from flair_core.video.index import decode
from flair_core.video.source import FrameSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from flair_core.frames import Pixels

cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # damage is told by MediaError

SUFFIXES = frozenset(
    {
        ".png",
        ".jpg",
        ".jpeg",
        ".tif",
        ".tiff",
        ".bmp",
        ".webp",
        ".jp2",
        ".pbm",
        ".pgm",
        ".ppm",
        ".exr",
        ".dpx",
    }
)
FILM = frozenset({".exr", ".dpx"})
"""What libav reads and OpenCV does not."""
LINEAR = (
    "The images hold linear light: they are shown by sRGB's curve, and what is brighter than white is cut."
)
NTSC = tuple(Fraction(1000 * rate, 1001) for rate in (24, 30, 48, 60, 120))
"""Rates that people round when they say them."""
SRGB = ColorTags(matrix=0, primaries=1, transfer=13, full_range=True)


def read_image(path: Path) -> Pixels:
    """(H, W, 3) RGB, uint8 or uint16, upright; transparency is ignored. Raises MediaError."""
    if path.suffix.lower() in FILM:
        return _read_film(path)
    try:
        data = np.fromfile(path, np.uint8)
        bgr = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    except (OSError, MemoryError, cv2.error) as error:
        reason = "damaged or larger than 16384 × 16384" if isinstance(error, cv2.error) else error
        raise MediaError(f"{path} can't be read ({reason}). Check the file.") from error
    if bgr is None:
        raise MediaError(f"{path} is no image that can be read. Check that the file is complete.")
    if bgr.dtype not in (np.uint8, np.uint16):
        raise MediaError(
            f"{path} holds {bgr.dtype} samples, but 8 or 16 bit integers are needed. Convert it first."
        )
    return cast("Pixels", np.ascontiguousarray(bgr[..., ::-1]))


def _read_film(path: Path) -> Pixels:
    with open_input(path) as container, read_errors(path):
        frame = next(decode(until_damage(container.demux(video_stream(container, path)))), None)
        if frame is None:
            raise MediaError(f"{path} is no image that can be read. Check that the file is complete.")
        if "f32" not in frame.format.name and "f16" not in frame.format.name:
            return to_rgb(frame, VideoReformatter(), (frame.width, frame.height))
        light = np.nan_to_num(_float_rgb(frame)).clip(0, 1)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return cast("Pixels", np.rint(65535 * curve).astype(np.uint16))


def _float_rgb(frame: VideoFrame) -> NDArray[np.float32]:
    """(H, W, 3) of a frame with float samples in planes: green, blue, red, or gray alone."""
    kind = np.float16 if "f16" in frame.format.name else np.float32
    planes = [
        np.frombuffer(cast("Any", plane), kind).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes[: 1 if "gray" in frame.format.name else 3]
    ]
    green, blue, red = planes if len(planes) == 3 else planes * 3
    return np.stack([red, green, blue], axis=-1).astype(np.float32)


def write_png(path: Path, rgb: Pixels) -> None:
    """(H, W, 3) RGB of 8 or 16 bits, without loss. Raises OSError."""
    done, data = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise OSError(f"{rgb.shape} {rgb.dtype} can't be encoded as PNG")
    path.write_bytes(data.tobytes())


def exact_rate(rate: float) -> Fraction:
    """The rate that people mean: 23.98 is 24000/1001."""
    known = next((ntsc for ntsc in NTSC if abs(rate - ntsc) < 0.005), None)
    return known or Fraction(rate).limit_denominator(1000)


def images_in(folder: Path) -> list[Path]:
    """Images of a folder, hidden ones aside, numbers in their names counted as numbers."""
    found = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.name[0] != "."]
    return sorted(found, key=_natural)


def _natural(path: Path) -> list[tuple[int, int | str]]:
    parts = re.split(r"(\d+)", path.name.lower())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]


def _has_alpha(path: Path) -> bool:
    if path.suffix.lower() in FILM:
        return False
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    return pixels is not None and pixels.ndim == 3 and pixels.shape[2] in (2, 4)


class ImageSource(FrameSource):
    """Images of one size and depth, shown `rate` a second; for one that can't be read another is held."""

    def __init__(self, path: Path, images: list[Path], rate: float) -> None:
        self.path, self._images = path, images
        self._lost: set[int] = set()
        first, rgb = self._read(0)
        height, width = rgb.shape[:2]
        exact = exact_rate(rate)
        self._info = VideoInfo(
            width, height, exact, 1 / exact, len(images), bit_depth=8 * rgb.itemsize, color=SRGB
        )
        self._transparent = _has_alpha(first)
        self._linear = first.suffix.lower() == ".exr"

    @property
    def info(self) -> VideoInfo:
        """Size and depth of the first image."""
        return self._info

    @property
    def notes(self) -> tuple[str, ...]:
        """Whether transparency is ignored, and which images can't be read."""
        notes = ["The images have transparency, which is ignored."] if self._transparent else []
        notes += [LINEAR] if self._linear else []
        if self._lost:
            names = ", ".join(self._images[index].name for index in sorted(self._lost))
            notes.append(f"Images that can't be read are replaced by the one before: {names}.")
        return tuple(notes)

    def __len__(self) -> int:
        return len(self._images)

    @property
    def pts(self) -> range:
        """One tick each."""
        return range(len(self._images))

    def __getitem__(self, index: int) -> Frame:
        index = self._position(index)
        path, rgb = self._read(index)
        height, width = rgb.shape[:2]
        if (width, height) != (self._info.width, self._info.height):
            raise MediaError(
                f"{path.name} is {width} × {height} pixels, but the first image is "
                f"{self._info.width} × {self._info.height}. Put images of one size into a folder."
            )
        if 8 * rgb.itemsize != self._info.bit_depth:
            raise MediaError(
                f"{path.name} has {8 * rgb.itemsize} bits, but the first image has {self._info.bit_depth}. "
                "Put images of one depth into a folder."
            )
        return Frame(rgb, index, index, 1)

    def _read(self, index: int) -> tuple[Path, Pixels]:
        """Image `index`, or the nearest before it that can be read, or else after it."""
        failure = None
        for number in chain(range(index, -1, -1), range(index + 1, len(self._images))):
            try:
                found = self._images[number], read_image(self._images[number])
            except MediaError as error:
                failure = failure or error
                continue
            if number != index:
                self._lost.add(index)
            return found
        raise failure or MediaError(f"{self.path} holds no images.")

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Images `start` ≤ index < `stop`."""
        for index in range(*slice(start, stop).indices(len(self))):
            yield self[index]

    def thumbnails(self, indices: Iterable[int], height: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Each image, shrunk."""
        width = max(round(height * self._info.width / self._info.height), 1)
        for index in indices:
            rgb = self[index].rgb
            eight = (rgb if rgb.dtype == np.uint8 else rgb >> 8).astype(np.uint8)
            yield index, cv2.resize(eight, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)

    def close(self) -> None:
        """Nothing is held open."""
