"""libav frames ↔ RGB arrays: matrix, range, depth and orientation. Transfer and primaries are never converted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from av import VideoFrame
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from flair_core.frames import ColorTags

if TYPE_CHECKING:
    from av.video.format import VideoFormat
    from numpy.typing import NDArray

RGB, UNSPECIFIED, BT709, BT601 = 0, 2, 1, 5
SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""H.273 matrix → the coefficients that swscale knows by number (BT.2020 constant luminance is approximated)."""
HD_WIDTH, HD_HEIGHT = 1280, 576
"""Untagged pictures from this width, or above this height, are BT.709, smaller ones BT.601: what players do."""
EXACT = int(
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.BITEXACT
)
"""The same pixels on every processor."""


def bit_depth(pixels: VideoFormat) -> int:
    """Bits of the deepest colour component, alpha aside."""
    return max(part.bits for part in pixels.components if not part.is_alpha) if pixels.components else 8


def has_alpha(pixels: VideoFormat) -> bool:
    """Whether a pixel format carries transparency."""
    return any(part.is_alpha for part in pixels.components)


def is_gray(pixels: VideoFormat) -> bool:
    """Whether a pixel format has luma only."""
    return not pixels.is_rgb and not any(part.is_chroma for part in pixels.components)


def color_tags(frame: VideoFrame) -> ColorTags:
    """The tags of a decoded frame; a missing matrix is filled by size, a missing range by pixel format."""
    pixels = frame.format
    tags = ColorTags(
        frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range == ColorRange.JPEG
    )
    if pixels.is_rgb or pixels.has_palette:
        return replace(tags, matrix=RGB, full_range=True)
    if frame.color_range == ColorRange.UNSPECIFIED and (pixels.name.startswith("yuvj") or is_gray(pixels)):
        tags = replace(tags, full_range=True)
    if tags.matrix not in SWSCALE_MATRIX:
        tags = replace(tags, matrix=default_matrix(frame.width, frame.height))
    return tags


def default_matrix(width: int, height: int) -> int:
    """The matrix that players assume for an untagged picture of this size."""
    return BT709 if width >= HD_WIDTH or height > HD_HEIGHT else BT601


def to_rgb(
    frame: VideoFrame, reformatter: VideoReformatter, tags: ColorTags, size: tuple[int, int] | None = None
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """(H, W, 3) full-range R'G'B', uint8 up to 8 bits and uint16 above; `size` (width, height) scales."""
    width, height = size or (frame.width, frame.height)
    converted = reformatter.reformat(
        frame,
        width,
        height,
        "rgb24" if bit_depth(frame.format) <= 8 else "rgb48le",
        src_colorspace=SWSCALE_MATRIX.get(tags.matrix),
        src_color_range=ColorRange.JPEG if tags.full_range else ColorRange.MPEG,
        interpolation=EXACT,
        threads=1,
    )
    pixels: NDArray[np.uint8] | NDArray[np.uint16] = converted.to_ndarray()
    return pixels


def from_rgb(
    rgb: NDArray[np.uint8] | NDArray[np.uint16], pixels: str, tags: ColorTags, reformatter: VideoReformatter
) -> VideoFrame:
    """(H, W, 3) full-range R'G'B' → a frame of pixel format `pixels`, tagged. Fewer bits are dithered (ordered)."""
    source = VideoFrame.from_ndarray(
        np.ascontiguousarray(rgb), "rgb24" if rgb.dtype == np.uint8 else "rgb48le"
    )
    frame = reformatter.reformat(
        source,
        format=pixels,
        dst_colorspace=SWSCALE_MATRIX.get(tags.matrix),
        dst_color_range=ColorRange.JPEG if tags.full_range else ColorRange.MPEG,
        interpolation=EXACT,
        threads=1,
    )
    frame.colorspace, frame.color_primaries, frame.color_trc = tags.matrix, tags.primaries, tags.transfer
    frame.color_range = ColorRange.JPEG if tags.full_range else ColorRange.MPEG
    return frame


class Orientation:
    """A display matrix as a transposition and two flips; the identity for angles that are no quarter turns."""

    def __init__(self, matrix: bytes | None = None) -> None:
        values = np.frombuffer(matrix, dtype=np.int32) if matrix else np.array([1, 0, 0, 0, 1, 0, 0, 0, 1])
        a, b, _, c, d = (int(np.sign(value)) for value in values[:5])
        straight, turned = a * d != 0 and not (b or c), b * c != 0 and not (a or d)
        self.tilted = not (straight or turned)
        self.turned = turned
        self.mirrored_x = (straight and a < 0) or (turned and c < 0)
        self.mirrored_y = (straight and d < 0) or (turned and b < 0)

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """How a decoded frame wants to be shown."""
        data = frame.side_data.get(SideDataType.DISPLAYMATRIX)
        return cls(bytes(data) if data is not None else None)

    @property
    def rotation(self) -> int:
        """Clockwise degrees; a mirrored picture counts as the turn before the mirror."""
        if self.turned:
            return 90 if self.mirrored_x else 270
        return 180 if self.mirrored_y else 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as shown."""
        return (height, width) if self.turned else (width, height)

    def apply(self, rgb: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """(H, W, 3) as stored → as shown."""
        if self.turned:
            rgb = rgb.transpose(1, 0, 2)
        if self.mirrored_x:
            rgb = rgb[:, ::-1]
        if self.mirrored_y:
            rgb = rgb[::-1]
        return np.ascontiguousarray(rgb)
