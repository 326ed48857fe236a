"""A video file as a FrameSource."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from av.sidedata.sidedata import Type as SideDataType
from av.video.reformatter import VideoReformatter

from flair_core.errors import MediaError
from flair_core.frames import Frame, VideoInfo
from flair_core.video.color import (
    UNSPECIFIED,
    Orientation,
    bit_depth,
    color_tags,
    has_alpha,
    light_of,
    side_data,
    siting_of,
    to_rgb,
    to_small_rgb,
    top_first,
)
from flair_core.video.containers import (
    discard_others,
    open_input,
    read_errors,
    until_damage,
    video_stream,
)
from flair_core.video.decoder import Decoder, deinterlaced
from flair_core.video.index import PROGRESSIVE, Index, IndexingStopped, decode, nominal_rate
from flair_core.video.kept_index import kept_index
from flair_core.video.source import FrameSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

DYNAMIC = frozenset({
    SideDataType.DYNAMIC_HDR_PLUS, SideDataType.DYNAMIC_HDR_VIVID, SideDataType.DOVI_METADATA,
    SideDataType.DOVI_RPU_BUFFER,
})  # fmt: skip
"""Side data that changes with the frames and that encoders do not take."""
CACHE_BYTES = 128 << 20
BOTTOM_FIRST = (3, 4)
"""Field orders of libav in which the lower field is shown first."""
MOST_SPANS = 12
SHORT = 600
"""Up to so many frames every one of them is worth decoding for thumbnails."""


class VideoSource(FrameSource):
    """Everything that libav decodes. A thread of its own builds the index from the start."""

    def __init__(self, path: Path, *, deinterlace: bool = False) -> None:
        self.path, self._deinterlace = path, deinterlace
        self._info, self._orientation, self._first_notes = _probe(path)
        if deinterlace:
            self._info = replace(self._info, interlaced=False)
        self._lost: set[int] = set()
        self._cache = _PictureCache()
        self._reformatter = VideoReformatter()
        self._cursor: Iterator[tuple[int, VideoFrame]] | None = None
        self._next = 0
        self._stop = threading.Event()
        self._indexed: Future[Index] = Future()
        self._thread = threading.Thread(target=self._build_index, name=f"index of {path.name}", daemon=True)
        self._thread.start()

    def _build_index(self) -> None:
        try:
            self._indexed.set_result(kept_index(self.path, self._stop))
        except IndexingStopped:
            self._indexed.set_exception(MediaError(f"{self.path} was closed. Open it again to read it."))
        except Exception as error:
            self._indexed.set_exception(error)

    @property
    def _index(self) -> Index | None:
        """The index as soon as it is there."""
        done = self._indexed.done() and self._indexed.exception() is None
        return self._indexed.result() if done else None

    @property
    def info(self) -> VideoInfo:
        """Size, rate and tags; `length` is exact as soon as the index is complete."""
        return replace(self._info, length=len(self._index.pts)) if self._index else self._info

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know about the clip, as far as it has been read."""
        notes = list(self._first_notes)
        if self._info.interlaced:
            notes.append("The clip is interlaced; deinterlace it if combs show.")
        if (index := self._index) and index.missing:
            total = len(index.pts) + index.missing
            notes.append(f"The file is cut off or damaged: {index.missing} of {total} frames are missing.")
        if index and index.repaired:
            notes.append(f"{index.repaired} missing or repeated timestamps were replaced.")
        if self._lost:
            notes.append(
                f"{len(self._lost)} damaged frames ({_spans(self._lost)}) can't be decoded; "
                "the one before is shown instead."
            )
        return tuple(notes)

    def __len__(self) -> int:
        return len(self._indexed.result().pts)

    @property
    def pts(self) -> tuple[int, ...]:
        """As the file has them."""
        return self._indexed.result().pts

    def __getitem__(self, index: int) -> Frame:
        index = self._position(index)
        return self._frame(index, self._picture(index), self._reformatter)

    def frames(self, start: int = 0, stop: int | None = None) -> Iterator[Frame]:
        """Frames `start` ≤ index < `stop`, decoded one by one by a decoder of their own."""
        reformatter = VideoReformatter()
        for index, picture in self._pictures(*slice(start, stop).indices(len(self))[:2]):
            yield self._frame(index, picture, reformatter)

    def thumbnails(self, indices: Iterable[int], height: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Small pictures; in a long clip the keyframe before each index stands for it."""
        width = max(round(height * self._info.width * self._info.pixel_aspect / self._info.height), 1)
        reformatter, whole = VideoReformatter(), self._indexed.result()
        for index in indices:
            number = self._position(index)
            if len(self) > SHORT:
                number = whole.entries[whole.entry_before(number)].first
            with read_errors(self.path):
                small = to_small_rgb(
                    self._picture(number), reformatter, self._orientation.size(width, height)
                )
            yield index, self._orientation.apply(small).astype(np.uint8, copy=False)

    def _picture(self, index: int) -> VideoFrame:
        """Frame `index` as libav has it; the ones passed on the way to it are kept for a while."""
        known = self._cache.get(index)
        if known is not None:
            return known
        if self._cursor is None or not self._reachable(index):
            self._end_cursor()
            self._cursor, self._next = self._pictures(index, len(self)), index
        for number, picture in self._cursor:
            self._next = number + 1
            self._cache.put(number, picture)
            if number == index:
                return picture
        raise MediaError(f"{self.path} changed while it was read. Open it again.")

    def _reachable(self, index: int) -> bool:
        """Whether decoding on leads to `index` no later than seeking would."""
        whole = self._indexed.result()
        return self._next <= index and whole.entry_before(index) <= whole.entry_before(self._next)

    def _pictures(self, start: int, stop: int) -> Iterator[tuple[int, VideoFrame]]:
        """(index, libav frame) for `start` ≤ index < `stop`; the decoder lives as long as the iterator."""
        if start >= stop:
            return
        with closing(Decoder(self.path, self._indexed.result(), self._lost)) as decoder:
            run = decoder.run(max(start - 1, 0) if self._deinterlace else start)
            for number, picture in deinterlaced(run, start) if self._deinterlace else run:
                yield number, picture
                if number + 1 >= stop:
                    return

    def _frame(self, index: int, picture: VideoFrame, reformatter: VideoReformatter) -> Frame:
        whole = self._indexed.result()
        with read_errors(self.path):
            stored = self._orientation.size(self._info.width, self._info.height)
            rgb = self._orientation.apply(to_rgb(picture, reformatter, stored))
        kept = None if self._orientation.moves else picture
        return Frame(rgb, index, whole.pts[index], whole.duration(index), kept)

    def _end_cursor(self) -> None:
        if isinstance(self._cursor, Generator):
            self._cursor.close()
        self._cursor = None

    def close(self) -> None:
        """Stop indexing and let go of the file."""
        self._stop.set()
        self._thread.join()
        self._end_cursor()
        self._cache = _PictureCache()


def _spans(numbers: set[int]) -> str:
    """Numbers as people write them: 3, 5–9, and no more than a line of them."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    words = [f"{first}" if first == last else f"{first}–{last}" for first, last in spans]
    return ", ".join(words[:MOST_SPANS]) + (", …" if len(words) > MOST_SPANS else "")


class _PictureCache:
    """The pictures decoded last, up to CACHE_BYTES; always at least one."""

    def __init__(self) -> None:
        self._size = 0
        self._pictures: OrderedDict[int, VideoFrame] = OrderedDict()

    def get(self, index: int) -> VideoFrame | None:
        return self._pictures.get(index)

    def put(self, index: int, picture: VideoFrame) -> None:
        self._size += _bytes(picture) - (_bytes(self._pictures.pop(index)) if index in self._pictures else 0)
        self._pictures[index] = picture
        while self._size > CACHE_BYTES and len(self._pictures) > 1:
            self._size -= _bytes(self._pictures.popitem(last=False)[1])


def _bytes(picture: VideoFrame) -> int:
    return sum(plane.buffer_size for plane in picture.planes)


def _probe(path: Path) -> tuple[VideoInfo, Orientation, tuple[str, ...]]:
    """What the header and the first frame that can be decoded tell."""
    with open_input(path) as container, read_errors(path):
        stream = video_stream(container, path)
        has_audio = bool(container.streams.audio)
        rate, time_base = nominal_rate(stream), stream.time_base or Fraction(1, 1000)
        seconds = Fraction(container.duration or 0, 1_000_000)
        length = stream.frames or max(round(seconds * rate), 1)
        discard_others(container, stream)
        picture = next(decode(until_damage(container.demux(stream))), None)
        if picture is None:
            raise MediaError(f"{path} holds no frame that can be decoded. Choose another file.")
        orientation = Orientation.of(picture)
        width, height = orientation.size(picture.width, picture.height)
        aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or Fraction(1)
        mastering, content_light = light_of(picture)
        fields = stream.codec_context.field_order
        info = VideoInfo(
            width,
            height,
            rate,
            time_base,
            length,
            pixels=picture.format.name,
            bit_depth=bit_depth(picture.format),
            siting=siting_of(picture),
            color=color_tags(picture),
            pixel_aspect=1 / aspect if orientation.turned else aspect,
            rotation=orientation.rotation,
            mastering=mastering,
            content_light=content_light,
            interlaced=picture.interlaced_frame or fields not in PROGRESSIVE,
            top_first=top_first(picture) if picture.interlaced_frame else fields not in BOTTOM_FIRST,
            has_audio=has_audio,
        )
        notes = []
        if has_alpha(picture.format):
            notes.append("The clip has transparency, which is ignored.")
        if picture.colorspace not in (info.color.matrix, UNSPECIFIED) and not picture.format.is_rgb:
            notes.append(f"Colour matrix {picture.colorspace} can't be undone; {info.color.matrix} is used.")
        if any(kind in DYNAMIC for kind, _ in side_data(picture)):
            notes.append(
                "The clip says frame by frame how its HDR is to be shown (HDR10+ or Dolby Vision); that can't be "
                "written again, only what holds for the whole clip."
            )
        if orientation.tilted:
            notes.append("The clip asks to be shown at an angle that is no quarter turn, which is ignored.")
    return info, orientation, tuple(notes)
