"""libav frames ↔ RGB arrays: matrix, range, depth, orientation; transfer and primaries are not touched."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, cast

import numpy as np
from av import VideoFrame
from av.filter import Graph
from av.sidedata.sidedata import Type as SideDataType
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange, Interpolation

from flair_core.frames import ColorTags, dithered

if TYPE_CHECKING:
    from collections.abc import Iterable

    from av.sidedata.sidedata import SideData
    from av.video.reformatter import VideoReformatter
    from numpy.typing import NDArray

    from flair_core.frames import Pixels

RGB, BT709, UNSPECIFIED, BT601 = 0, 1, 2, 5
"""Matrix coefficients, numbered by H.273 as all tags here."""
SWSCALE_MATRIX = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""Matrix → the coefficients that swscale knows by number; constant-luminance BT.2020 is approximated."""
COMPANIONS = {1: (1, 1), 5: (5, 6), 6: (6, 6), 7: (7, 7), 9: (9, 14), 10: (9, 14)}
"""Matrix → the primaries and the transfer that its standard has."""
HD_WIDTH, HD_HEIGHT = 1280, 576
"""An untagged picture is BT.709 from this width or above this height, else BT.601: what players assume."""
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
    return max((part.bits for part in pixels.components if not part.is_alpha), default=8)


def has_alpha(pixels: VideoFormat) -> bool:
    """Whether a pixel format carries transparency."""
    return any(part.is_alpha for part in pixels.components)


def is_gray(pixels: VideoFormat) -> bool:
    """Whether a pixel format has luma only."""
    return not pixels.is_rgb and sum(not part.is_alpha for part in pixels.components) == 1


def color_tags(frame: VideoFrame) -> ColorTags:
    """The tags of a decoded frame; a missing matrix is filled by size, a missing range by pixel format."""
    pixels, full = frame.format, frame.color_range == ColorRange.JPEG
    if pixels.is_rgb or pixels.has_palette:
        return ColorTags(RGB, frame.color_primaries, frame.color_trc, full_range=True)
    if frame.color_range == ColorRange.UNSPECIFIED:
        full = pixels.name.startswith("yuvj") or is_gray(pixels)
    known = frame.colorspace in SWSCALE_MATRIX
    matrix = frame.colorspace if known else default_matrix(frame.width, frame.height)
    return ColorTags(matrix, frame.color_primaries, frame.color_trc, full)


def light_of(frame: VideoFrame) -> tuple[tuple[float, ...] | None, tuple[int, int] | None]:
    """`VideoInfo.mastering` and `content_light` as a decoded frame carries them."""
    mastering = light = None
    for kind, data in side_data(frame):
        if kind == SideDataType.MASTERING_DISPLAY_METADATA:
            numbers = np.frombuffer(data, np.int32)
            fractions, known = numbers[:20].reshape(10, 2), numbers[20:22]
            if known.all() and fractions[:, 1].all():
                mastering = tuple((fractions[:, 0] / fractions[:, 1]).tolist())
        elif kind == SideDataType.CONTENT_LIGHT_LEVEL:
            brightest, average = np.frombuffer(data, np.int32)[:2].tolist()
            light = brightest, average
    return mastering, light


def side_data(frame: VideoFrame) -> list[tuple[SideDataType, bytes]]:
    """What comes with a frame; nothing when some of it is newer than this PyAV."""
    try:
        return [(data.type, bytes(data)) for data in cast("Iterable[SideData]", frame.side_data)]
    except ValueError:
        return []


def default_matrix(width: int, height: int) -> int:
    """The matrix that players assume for an untagged picture of this size."""
    return BT709 if width >= HD_WIDTH or height > HD_HEIGHT else BT601


def stored_tags(source: ColorTags, width: int, height: int, *, rgb: bool) -> ColorTags:
    """Tags for storing frames of `source` as `rgb`, or else as Y'CbCr: of its own matrix, or of a usual one."""
    if rgb:
        return replace(source, matrix=RGB, full_range=True)
    if source.matrix == RGB:
        return replace(source, matrix=default_matrix(width, height), full_range=False)
    return source


def completed(tags: ColorTags) -> ColorTags:
    """`tags` with the primaries and transfer that go with the matrix, where the source did not say them."""
    primaries, transfer = COMPANIONS.get(tags.matrix, (UNSPECIFIED, UNSPECIFIED))
    return replace(
        tags,
        primaries=primaries if tags.primaries == UNSPECIFIED else tags.primaries,
        transfer=transfer if tags.transfer == UNSPECIFIED else tags.transfer,
    )


def to_rgb(frame: VideoFrame, reformatter: VideoReformatter, size: tuple[int, int]) -> Pixels:
    """(H, W, 3) full-range R'G'B' of `size` (width, height): uint8 up to 8 bits and uint16 above."""
    return _converted(frame, reformatter, size, "rgb24" if bit_depth(frame.format) <= 8 else "rgb48le", EXACT)


def to_small_rgb(
    frame: VideoFrame, reformatter: VideoReformatter, size: tuple[int, int]
) -> NDArray[np.uint8]:
    """(H, W, 3) of `size` (width, height) for looking at: fast, 8 bits."""
    return _converted(frame, reformatter, size, "rgb24", int(Interpolation.AREA)).astype(np.uint8, copy=False)


def _converted(
    frame: VideoFrame, reformatter: VideoReformatter, size: tuple[int, int], pixels: str, scaling: int
) -> Pixels:
    tags = color_tags(frame)
    converted = reformatter.reformat(
        frame,
        *size,
        pixels,
        src_colorspace=SWSCALE_MATRIX.get(tags.matrix),
        src_color_range=ColorRange.JPEG if tags.full_range else ColorRange.MPEG,
        interpolation=scaling,
        threads=0,
    )
    rgb = cast("Pixels", np.array(converted.to_ndarray()))
    black, white = _swscale_ends(frame.format, tags, deep=pixels == "rgb48le")
    return rgb if white == np.iinfo(rgb.dtype).max else _stretch(black, white, rgb.dtype.name)[rgb]


def _swscale_ends(pixels: VideoFormat, tags: ColorTags, *, deep: bool) -> tuple[int, int]:
    """What swscale makes of black and of white in 8 bits, or with `deep` in 16.

    It takes deep R'G'B' for 256 times that of 8 bits, so that limited-range white becomes 255 · 256; it
    shifts a full range up and leaves zeros below; and it takes gray for full range always.
    """
    peak, bits = (65535, 16) if deep else (255, 8)
    if pixels.is_rgb or pixels.has_palette:
        return 0, peak
    if not tags.full_range:
        return (16 << bits - 8, 235 << bits - 8) if is_gray(pixels) else (0, 255 << bits - 8)
    depth = min(bit_depth(pixels), bits)
    return (0, (1 << depth) - 1 << bits - depth) if deep else (0, peak)


@cache
def _stretch(black: int, white: int, kind: str) -> Pixels:
    """Table that maps [black, white] to all of an integer type."""
    peak = np.iinfo(kind).max
    levels = (np.arange(peak + 1) - black) * (peak / (white - black))
    return cast("Pixels", levels.round().clip(0, peak).astype(kind))


def from_rgb(
    rgb: Pixels, pixels: str, tags: ColorTags, reformatter: VideoReformatter, mark: Marked | None = None
) -> VideoFrame:
    """(H, W, 3) full-range R'G'B' → a tagged frame of pixel format `pixels`; dithered down to 8 bits."""
    layout = "rgb24"
    if rgb.dtype == np.uint16 and bit_depth(VideoFormat(pixels)) <= 8:
        rgb = dithered(cast("NDArray[np.uint16]", rgb))
    elif rgb.dtype == np.uint16:
        layout, rgb = "rgb48le", rgb if tags.matrix == RGB else _squeeze()[rgb]
    color_range = ColorRange.JPEG if tags.full_range else ColorRange.MPEG
    whole = VideoFrame.from_ndarray(cast("Pixels", np.ascontiguousarray(rgb)), layout)
    frame = reformatter.reformat(
        mark(whole) if mark else whole,
        format=pixels,
        dst_colorspace=SWSCALE_MATRIX.get(tags.matrix),
        dst_color_range=color_range,
        interpolation=EXACT,
        threads=0,
    )
    frame.colorspace, frame.color_range = tags.matrix, color_range
    frame.color_primaries, frame.color_trc = tags.primaries, tags.transfer
    return frame


@cache
def _squeeze() -> NDArray[np.uint16]:
    """Table from all of 16 bits to [0, 255 · 256], which swscale takes for all of it."""
    return (np.arange(65536) * (65280 / 65535)).round().astype(np.uint16)


class Marked:
    """Marks frames of one size and format, so that swscale puts chroma where `siting` says. For one thread."""

    def __init__(self, siting: str, fields: str = "prog") -> None:
        """`fields`: "tff" or "bff" when frames hold two, the upper or the lower one first."""
        self._marks, self._graph = f"chroma_location={siting or 'unspecified'}:field_mode={fields}", Graph()
        self._ready = False

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        """The same pixels, marked."""
        if not self._ready:
            source = self._graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1)
            )
            mark = self._graph.add("setparams", self._marks)
            self._graph.link_nodes(source, mark, self._graph.add("buffersink"))
            self._graph.configure()
            self._ready = True
        frame.pts = 0
        self._graph.push(frame)
        return self._graph.vpull()


def subsampled(pixels: VideoFormat) -> bool:
    """Whether several pixels share their chroma."""
    return any(
        part.is_chroma and (part.width, part.height) != (16, 16)
        for part in VideoFormat(pixels.name, 16, 16).components
    )


def siting_of(frame: VideoFrame) -> str:
    """Where a decoded frame's chroma lies; empty when it does not say. PyAV has no name for it: the pixels tell.

    swscale takes the centre when nothing is said. Full-range pictures are meant so, as those of JPEG.
    """
    if not subsampled(frame.format):
        return "left"
    probe = frame.reformat(16, 16, "yuv420p")
    for at, plane in enumerate(probe.planes):
        plane.update(np.random.default_rng(at).integers(0, 256, plane.buffer_size, np.uint8).tobytes())
    shown = _shown_probe(probe)
    for siting in ("left", "topleft", "top", "bottomleft", "bottom"):
        if np.array_equal(_shown_probe(Marked(siting)(probe)), shown):
            return siting
    return "center" if color_tags(frame).full_range else ""


def top_first(frame: VideoFrame) -> bool:
    """Whether the field of the first row is the earlier one; a filter tells, PyAV has no name for it."""
    probe = frame.reformat(16, 16, "gray")
    probe.planes[0].update((b"\xff" * 16 + b"\x00" * (probe.planes[0].line_size * 2 - 16)) * 8)
    graph = Graph()
    source = graph.add_buffer(width=16, height=16, format=probe.format, time_base=Fraction(1))
    graph.link_nodes(source, graph.add("separatefields"), graph.add("buffersink"))
    graph.configure()
    probe.pts = 0
    graph.push(probe)
    return bytes(graph.vpull().planes[0])[0] == 255


def _shown_probe(probe: VideoFrame) -> NDArray[np.uint8]:
    whole = probe.reformat(
        format="rgb24",
        src_colorspace=BT601,
        src_color_range=ColorRange.JPEG,
        interpolation=EXACT,
        threads=1,
    )
    return cast("NDArray[np.uint8]", np.array(whole.to_ndarray()))


class Orientation:
    """A display matrix as a transposition and two flips; nothing for angles that are no quarter turns."""

    def __init__(self, matrix: bytes | None = None) -> None:
        values = np.frombuffer(matrix, dtype=np.int32) if matrix else np.array([1, 0, 0, 0, 1])
        a, b, _, c, d = (int(np.sign(value)) for value in values[:5])
        straight, self.turned = a * d != 0 and not (b or c), b * c != 0 and not (a or d)
        self.tilted = not (straight or self.turned)
        self._flip_x = (straight and a < 0) or (self.turned and c < 0)
        self._flip_y = (straight and d < 0) or (self.turned and b < 0)

    @classmethod
    def of(cls, frame: VideoFrame) -> Orientation:
        """How a decoded frame wants to be shown."""
        found = [data for kind, data in side_data(frame) if kind == SideDataType.DISPLAYMATRIX]
        if not found and frame.rotation:  # side data can't be read as a whole: flips are lost
            angle = np.radians(frame.rotation)
            cos, sin = np.cos(angle).round(), np.sin(angle).round()
            return cls(np.array([cos, -sin, 0, sin, cos]).astype(np.int32).tobytes())
        return cls(found[0] if found else None)

    @property
    def moves(self) -> bool:
        """Whether pixels are shown elsewhere than they are stored."""
        return self.turned or self._flip_x or self._flip_y

    @property
    def rotation(self) -> int:
        """Clockwise degrees; a mirrored picture is turned first."""
        if self.turned:
            return 270 if self._flip_y else 90
        return 180 if self._flip_y else 0

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height as stored → as shown, and back."""
        return (height, width) if self.turned else (width, height)

    def apply(self, rgb: Pixels) -> Pixels:
        """(H, W, 3) as stored → as shown."""
        if self.turned:
            rgb = rgb.transpose(1, 0, 2)
        if self._flip_x:
            rgb = rgb[:, ::-1]
        if self._flip_y:
            rgb = rgb[::-1]
        return cast("Pixels", np.ascontiguousarray(rgb))
