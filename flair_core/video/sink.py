"""Writing clips: what every sink can do, and how a result appears all at once or not at all."""

from __future__ import annotations

import contextlib
import shutil
from abc import ABC, abstractmethod
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Self

import av
from av.video.reformatter import ColorRange, VideoReformatter
from av.video.stream import VideoStream

from flair_core.errors import MediaError
from flair_core.frames import of_depth
from flair_core.runtime.files import PARTIAL
from flair_core.video.color import Marked, completed, from_rgb, stored_tags, subsampled
from flair_core.video.containers import write_errors
from flair_core.video.encoders import CONTAINERS, FIELDS, LIGHT_OPTIONS, light_options
from flair_core.video.images import write_png
from flair_core.video.tracks import TrackCopy, mp4_options
from flair_core.video.untouched import Untouched

if TYPE_CHECKING:
    from pathlib import Path

    from av.video.frame import VideoFrame

    from flair_core.frames import ColorTags, Frame, VideoInfo
    from flair_core.video.encoders import Encoding

TOP_FIRST, BOTTOM_FIRST = 2, 3
"""Orders of fields, as libav numbers them."""
STATEMENT = "CONTENT_CREDENTIALS"
"""Key of what a file says of how it was made."""
MAX_RATE = Fraction(240)
"""Encoders plan for at most so many frames a second; the frames' own times are kept all the same."""


class FrameSink(ABC):
    """Takes frames in order of display. Nothing lies at `path` before `commit`; without it nothing ever does.

    with open_sink(path, like=source.info, width=w, height=h) as sink:
        for frame in frames:
            sink.write(frame)
        sink.commit()
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.partial = path.with_name(path.name + PARTIAL)
        """Where the result grows until it is committed."""
        self.notes: list[str] = []
        """What could not be carried over; one sentence each."""

    @abstractmethod
    def write(self, frame: Frame) -> None:
        """Append a frame; its `pts` must be later than the one before. Raises MediaError."""

    @abstractmethod
    def commit(self) -> None:
        """Finish, and publish the result under `path` in one step. Raises MediaError."""

    @abstractmethod
    def abort(self) -> None:
        """Throw away what was written. Does nothing after `commit`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()


class ImageSink(FrameSink):
    """A folder of PNGs, named after the frames' indices. It may replace a folder of such PNGs, no other."""

    def __init__(self, path: Path, *, width: int, height: int, bits: int, statement: str = "") -> None:
        super().__init__(path)
        self._bits = bits
        if statement:
            self.notes.append("Images can't say how they were made; the record beside them does.")
        self._shape = (height, width, 3)
        if path.exists() and not _only_numbered_pngs(path):
            raise MediaError(f"{path} exists and holds other things than numbered PNGs. Name a new folder.")
        with write_errors(path):
            shutil.rmtree(self.partial, ignore_errors=True)
            self.partial.mkdir(parents=False)

    def write(self, frame: Frame) -> None:
        """Write one PNG."""
        check_shape(frame, self._shape)
        with write_errors(self.path):
            write_png(self.partial / f"{frame.index:06d}.png", of_depth(frame.rgb, self._bits))

    def commit(self) -> None:
        """Put the folder into place; one that is replaced is moved away first."""
        with write_errors(self.path):
            old = self.path.with_name(self.path.name + ".old")
            if self.path.exists():
                self.path.replace(old)
            self.partial.replace(self.path)
            shutil.rmtree(old, ignore_errors=True)

    def abort(self) -> None:
        """Remove the folder that grew beside `path`."""
        shutil.rmtree(self.partial, ignore_errors=True)


def check_shape(frame: Frame, shape: tuple[int, int, int]) -> None:
    """Raise MediaError unless a frame has the size that the sink was opened for."""
    if frame.rgb.shape != shape:
        height, width = frame.rgb.shape[:2]
        raise MediaError(
            f"Frame {frame.index} is {width} × {height} pixels, but the output is {shape[1]} × {shape[0]}."
        )


def _only_numbered_pngs(folder: Path) -> bool:
    return folder.is_dir() and all(
        entry.suffix == ".png" and entry.stem.isdecimal() and entry.is_file() for entry in folder.iterdir()
    )


def _tags(
    source: ColorTags, width: int, height: int, encoding: Encoding, container: str, *, rgb: bool
) -> ColorTags:
    """What the file says of its colours: the source's tags, as far as they can be told there."""
    tags = stored_tags(source, width, height, rgb=rgb)
    if encoding.always_limited:
        tags = replace(tags, full_range=False)
    if container in ("mp4", "mov") and not rgb and not encoding.tells_colors:
        return completed(tags)  # these containers drop all colour tags when one is missing
    return tags


class VideoSink(FrameSink):
    """One encoded video track, with the other tracks of `copy_from` beside it."""

    def __init__(
        self,
        path: Path,
        *,
        like: VideoInfo,
        width: int,
        height: int,
        encoding: Encoding,
        copy_from: Path | None,
        statement: str,
        seconds: Fraction | None,
    ) -> None:
        super().__init__(path)
        self._like, self._shape, self._encoding = like, (height, width, 3), encoding
        self._copy_from, self._seconds, self._statement = copy_from, seconds, statement
        pixels = av.VideoFormat(encoding.pixels)
        rgb = pixels.is_rgb
        self._tags = _tags(like.color, width, height, encoding, CONTAINERS[path.suffix.lower()], rgb=rgb)
        self._reformatter = VideoReformatter()
        in_place = (width, height) == (like.width, like.height) and not like.rotation
        self._fields = like.interlaced and in_place and encoding.encoder in FIELDS
        if like.interlaced and not self._fields:
            self.notes.append(
                "The clip is interlaced, but its fields can't be told apart in this format at this size: players may "
                "show combs. Deinterlace it, or keep its size and choose H.264, ProRes or FFV1."
            )
        if (like.mastering or like.content_light) and encoding.encoder not in LIGHT_OPTIONS:
            self.notes.append(
                "What the source tells of its screen and its light (for HDR) can't be said with this codec; H.265, "
                "H.264 and AV1 keep it."
            )
        self._siting = like.siting if subsampled(pixels) else ""
        fields = ("tff" if like.top_first else "bff") if self._fields else "prog"
        self._mark = Marked(self._siting, fields)
        self._untouched = Untouched(self._tags, VideoReformatter(), VideoReformatter())
        self.notes += [encoding.note] if encoding.note else []
        self._durations: dict[int, int] = {}
        self._origin = self._last = self._end = 0
        self._tracks: TrackCopy | None = None
        self._stream: VideoStream | None = None
        self._rounded = False
        with write_errors(path):
            container, options = CONTAINERS[path.suffix.lower()], {"avoid_negative_ts": "disabled"}
            self._milliseconds = container in ("matroska", "webm")
            if self._milliseconds:
                options["fflags"] = "+bitexact"  # no random numbers: the same frames give the same file
            if container in ("mp4", "mov") and copy_from is not None:
                options |= mp4_options(copy_from, self._unit)
            if container in ("mp4", "mov") and statement:
                options["movflags"] = "use_metadata_tags"
            if container in ("matroska", "webm") and like.pixel_aspect != 1 and not encoding.tells_shape:
                self.notes.append(
                    f"{path.suffix} can't tell the shape of pixels ({like.pixel_aspect}) with this codec; "
                    "players will show them square."
                )
            self.partial.touch()
            self._container = av.open(
                f"file:{self.partial}", "w", format=container, container_options=options
            )

    def write(self, frame: Frame) -> None:
        """Encode one frame, and copy what belongs beside it."""
        check_shape(frame, self._shape)
        with write_errors(self.path):
            if self._stream is None:
                self._start(frame)
            elif frame.pts <= self._last:
                raise MediaError(
                    f"Frame {frame.index} is due at {frame.pts}, but the one before it was at {self._last}; "
                    "times must increase."
                )
            self._last, self._end = frame.pts, frame.pts + max(frame.duration, 1)
            made = from_rgb(frame.rgb, self._encoding.pixels, self._tags, self._reformatter, self._mark)
            picture = self._untouched.keep(made, frame)
            picture.pts = (frame.pts - self._origin) * self._like.time_base.numerator
            self._rounded |= self._milliseconds and (1000 * picture.pts * self._unit).denominator > 1
            picture.time_base = self._unit
            self._durations[picture.pts] = max(frame.duration, 1) * self._like.time_base.numerator
            self._encode(picture)

    @property
    def _unit(self) -> Fraction:
        """Time base of the new track: exact for every time of the source."""
        return Fraction(1, self._like.time_base.denominator)

    def _start(self, first: Frame) -> None:
        """Add all tracks; the header is written with the first packet."""
        height, width = self._shape[:2]
        stream = self._container.add_stream(
            self._encoding.encoder,
            rate=min(self._like.rate, MAX_RATE),
            width=width,
            height=height,
            time_base=self._unit,
            pix_fmt=self._encoding.pixels,
            options=self._options(),
        )
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.colorspace, context.color_primaries = self._tags.matrix, self._tags.primaries
        context.color_trc = self._tags.transfer
        context.color_range = ColorRange.JPEG if self._tags.full_range else ColorRange.MPEG
        context.sample_aspect_ratio = self._like.pixel_aspect
        if self._fields:
            context.field_order = TOP_FIRST if self._like.top_first else BOTTOM_FIRST
        if self._encoding.tag and self._container.format.name != "matroska":
            context.codec_tag = self._encoding.tag
        self._stream = stream
        whole = self._seconds is None
        self._origin = 0 if whole else first.pts
        if self._copy_from is not None:
            origin = None if whole else first.pts * self._like.time_base
            end = None if origin is None or self._seconds is None else origin + self._seconds
            self._tracks = TrackCopy(
                self._copy_from,
                self._container,
                origin=origin,
                end=end,
                skipped=0 if whole else first.index,
                rate=self._like.rate,
            )
            stream.metadata.update(self._tracks.picture_metadata)
            stream.disposition = self._tracks.picture_disposition
            self.notes += self._tracks.notes
        if self._statement:
            self._container.metadata[STATEMENT] = self._statement

    def _options(self) -> dict[str, str]:
        """For the encoder."""
        options = light_options(self._encoding.encoder, self._like, self._encoding.options)
        if self._siting:
            options["chroma_sample_location"] = self._siting
        return {**options, **FIELDS[self._encoding.encoder]} if self._fields else options

    def _encode(self, picture: VideoFrame | None) -> None:
        assert self._stream is not None
        for packet in self._stream.encode(picture):
            assert packet.pts is not None
            assert packet.dts is not None
            packet.duration = self._durations.pop(packet.pts, packet.duration)
            if self._tracks:
                self._tracks.until(packet.dts * packet.time_base)
            self._container.mux_one(packet)

    def commit(self) -> None:
        """Flush the encoder, copy the rest of the other tracks, and publish the file."""
        if self._stream is None:
            raise MediaError(f"No frame was written to {self.path}. Choose a range with at least one frame.")
        with write_errors(self.path):
            self._encode(None)
            if self._tracks:
                self._tracks.finish((self._end - self._origin) * self._like.time_base)
                self.notes += self._tracks.repairs
            self._container.close()
            self._close_source()
            self.partial.replace(self.path)
        if self._rounded:
            self.notes.append(
                f"{self.path.suffix} counts time in whole milliseconds, so frames begin up to half of one early or "
                "late; .mp4 and .mov keep times exactly."
            )

    def abort(self) -> None:
        """Remove the file that grew beside `path`."""
        with contextlib.suppress(av.FFmpegError, OSError, ValueError):
            self._container.close()
        self._close_source()
        self.partial.unlink(missing_ok=True)

    def _close_source(self) -> None:
        if self._tracks:
            self._tracks.close()
