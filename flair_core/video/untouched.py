"""Unchanged samples reach the output as they were decoded, and so does the data that each picture carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter

from flair_core.frames import deepened
from flair_core.video.color import EXACT, bit_depth, color_tags, side_data, to_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.frames import ColorTags, Frame, Pixels

SEMI_PLANAR = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "p010le": "yuv420p10le",
    "p210le": "yuv422p10le",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "yvyu422": "yuv422p",
}
"""Pixel format → the one that has the same samples in planes of their own."""
CARRIED = frozenset({SideDataType.A53_CC, SideDataType.AFD, SideDataType.S12M_TIMECODE})
"""What lies in the pictures themselves and encoders write again: captions, active format, timecodes."""


def planar(pixels: str) -> str:
    """The planar format without transparency that holds the same samples; the format itself when there is none."""
    return SEMI_PLANAR.get(
        pixels, pixels.replace("yuvj", "yuv").replace("yuva", "yuv").replace("gbrap", "gbrp")
    )


class Untouched:
    """Puts back what restoration left alone. One for each output; for one thread."""

    def __init__(self, tags: ColorTags, repack: VideoReformatter, show: VideoReformatter) -> None:
        self._tags, self._repack, self._show = tags, repack, show
        self._small = VideoReformatter()

    def keep(self, picture: VideoFrame, frame: Frame) -> VideoFrame:
        """`picture`, made of `frame.rgb`, with the stored samples wherever `rgb` is what the file shows there.

        Chroma is kept where all pixels that share it are untouched. What the stored picture tells of fields,
        captions and timecodes comes along. Nothing is kept in another size, sampling, depth, matrix or range.
        """
        stored = frame.stored
        if not isinstance(stored, VideoFrame):
            return picture
        if self._same_samples(stored, picture):
            _merge(picture, self._as(stored, picture), self._touched(stored, frame.rgb))
        if stored.interlaced_frame or self._carries(stored):
            return self._carrier(stored, picture)
        return picture

    def _carries(self, stored: VideoFrame) -> bool:
        """Whether something lies in the picture that encoders write again.

        A small copy is asked: in PyAV a frame whose side data was looked at lives until the garbage is collected.
        """
        small = self._small.reformat(stored, 16, 16, "gray", interpolation=int(Interpolation.POINT))
        return any(kind in CARRIED for kind, _ in side_data(small))

    def _same_samples(self, stored: VideoFrame, picture: VideoFrame) -> bool:
        here = color_tags(stored)
        return (
            planar(stored.format.name) == picture.format.name
            and (stored.width, stored.height) == (picture.width, picture.height)
            and len({part.plane for part in picture.format.components}) == len(picture.format.components)
            and (here.matrix, here.full_range) == (self._tags.matrix, self._tags.full_range)
        )

    def _touched(self, stored: VideoFrame, rgb: Pixels) -> NDArray[np.bool_]:
        """(H, W): where `rgb` is not what the file shows."""
        shown = to_rgb(stored, self._show, (stored.width, stored.height))
        if shown.dtype != rgb.dtype:
            shown, rgb = deepened(shown), deepened(rgb)
        red, green, blue = np.moveaxis(
            shown != rgb, 2, 0
        )  # `any` over so short an axis takes ten times as long
        return cast("NDArray[np.bool_]", red | green | blue)

    def _as(self, stored: VideoFrame, picture: VideoFrame) -> VideoFrame:
        """The stored picture in planes like those of `picture`."""
        if stored.format.name in SEMI_PLANAR:
            return self._repack.reformat(
                stored,
                format=picture.format.name,
                src_color_range=picture.color_range,
                dst_color_range=picture.color_range,
                interpolation=EXACT,
            )
        return stored

    def _carrier(self, stored: VideoFrame, picture: VideoFrame) -> VideoFrame:
        """The samples and tags of `picture` in a picture that carries what comes with `stored`."""
        carrier = self._repack.reformat(
            stored,
            picture.width,
            picture.height,
            picture.format.name,
            dst_color_primaries=picture.color_primaries,  # named, so that a copy is made in any case
            interpolation=EXACT,
        )
        for mine, theirs in zip(carrier.planes, picture.planes, strict=True):
            rows = _rows(theirs)
            _rows(mine)[:, : rows.shape[1]] = rows[:, : mine.line_size]
        carrier.colorspace, carrier.color_range = picture.colorspace, picture.color_range
        carrier.color_primaries, carrier.color_trc = picture.color_primaries, picture.color_trc
        carrier.pict_type = 0  # the encoder decides anew
        return carrier


def _merge(picture: VideoFrame, stored: VideoFrame, touched: NDArray[np.bool_]) -> None:
    """Samples of `stored` into `picture` where nothing of what they cover is touched."""
    sample = np.uint8 if bit_depth(picture.format) == 8 else np.uint16
    height, width = touched.shape
    for mine, theirs in zip(picture.planes, stored.planes, strict=False):  # the last of four is transparency
        across, down = -(-width // mine.width), -(-height // mine.height)
        blocks = np.zeros((mine.height * down, mine.width * across), bool)
        blocks[:height, :width] = touched
        covered = np.zeros((mine.height, mine.width), bool)
        for y, x in np.ndindex(down, across):
            covered |= blocks[y::down, x::across]
        new = _rows(mine).view(sample)[:, : mine.width]
        np.copyto(new, _rows(theirs).view(sample)[:, : mine.width], where=~covered)


def _rows(plane: Any) -> NDArray[np.uint8]:
    """The bytes of a plane, one row a line, padding at the end."""
    return np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size].reshape(
        plane.height, plane.line_size
    )
