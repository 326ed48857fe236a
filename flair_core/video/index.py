"""Which frames a file shows, when, and where decoding may start: one scan over its packets."""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, cast

import av

from flair_core.errors import MediaError
from flair_core.video.containers import (
    discard_others,
    open_input,
    read_errors,
    until_damage,
    video_stream,
)

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

UNEVEN_CODECS = frozenset({"vp8", "mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "rv30", "rv40"})
"""Their packets may hold no shown frame, or two: the frames can only be counted by decoding."""
PROGRESSIVE = (0, 1)
"""Field orders of libav: not said, and progressive."""
DEFAULT_RATE = Fraction(25)


class Entry(NamedTuple):
    """A packet at which decoding may start: every frame from `first` on follows from it."""

    first: int
    pts: int | None
    dts: int | None
    pos: int | None
    """Place in the file, in bytes."""

    def is_at(self, packet: Packet[Any]) -> bool:
        """Whether this is the packet."""
        if self.pos is not None:
            return packet.pos == self.pos
        return (packet.pts, packet.dts) == (self.pts, self.dts)


@dataclass(frozen=True, slots=True)
class Index:
    """The shown frames of a clip in order of display."""

    pts: tuple[int, ...]
    """Strictly increasing, in units of the track's time base."""
    last_duration: int
    entries: tuple[Entry, ...]
    """In order of display; frame 0 follows from the first."""
    counted: bool = False
    """Frames are found by counting from an entry, because timestamps do not tell them apart."""
    missing: int = 0
    """How many frames the file promises and does not hold."""
    repaired: int = 0
    """How many timestamps were made up."""

    def entry_before(self, index: int) -> int:
        """Number of the last entry that leads to frame `index`."""
        return max(bisect.bisect_right(self.entries, index, key=lambda entry: entry.first) - 1, 0)

    def duration(self, index: int) -> int:
        """How long frame `index` is shown."""
        if index + 1 < len(self.pts):
            return self.pts[index + 1] - self.pts[index]
        return self.last_duration


class Stopped(Exception):  # noqa: N818 - no error: nobody wants the index any more
    """The scan was told to stop."""


def nominal_rate(stream: VideoStream) -> Fraction:
    """Frames per second as the file tells or suggests it."""
    return stream.average_rate or stream.guessed_rate or stream.base_rate or DEFAULT_RATE


def nominal_duration(stream: VideoStream) -> int:
    """A frame's usual duration in the track's time base, at least 1."""
    return max(round(1 / (nominal_rate(stream) * (stream.time_base or Fraction(1, 1000)))), 1)


def build_index(path: Path, stop: threading.Event) -> Index:
    """Scan the packets of the video track, and decode them where they do not tell the frames.

    Raises MediaError when the file shows no frame, Stopped when `stop` is set meanwhile.
    """
    with open_input(path) as container, read_errors(path):
        stream = video_stream(container, path)
        discard_others(container, stream)
        nominal, promise = nominal_duration(stream), _promise(stream)
        index = None
        if not _uneven(container, stream):
            packets = [
                _scanned(packet) for packet in _until_stopped(container.demux(stream), stop) if packet.size
            ]
            index = _by_packets(packets, nominal, promise)
    index = index or _by_decoding(path, nominal, promise, stop)
    if not index.pts:
        raise MediaError(f"{path} holds no frame that can be shown. Choose another file.")
    return index


class _Promise(NamedTuple):
    """What the file says about its own extent."""

    frames: int
    """0 when it doesn't say."""
    end: Fraction | None
    """Of the last frame, in units of the time base."""

    def missing(self, found: int, pts: tuple[int, ...], last_duration: int) -> int:
        """How many frames the file should have beyond `found` ones that are shown at `pts`."""
        if self.frames:
            return max(self.frames - found, 0)
        if self.end is None or not pts:
            return 0
        usual = Fraction(pts[-1] + last_duration - pts[0], len(pts))
        return max(round((self.end - pts[-1] - last_duration) / usual), 0)


_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d\.\d+)")


def _promise(stream: VideoStream) -> _Promise:
    told = _CLOCK.fullmatch(stream.metadata.get("DURATION", ""))  # Matroska tells no count, but a length
    if told is None or not stream.time_base:
        return _Promise(stream.frames, None)
    hours, minutes, seconds = told.groups()
    return _Promise(
        stream.frames, (3600 * int(hours) + 60 * int(minutes) + Fraction(seconds)) / stream.time_base
    )


def _uneven(container: InputContainer, stream: VideoStream) -> bool:
    """Whether packets and shown frames may differ in number or order by the nature of the file."""
    codec = stream.codec_context
    untimed = container.format.name == "avi" and codec.codec.reorder  # AVI tells no time of display
    framed = set(container.format.name.split(",")) & {"mp4", "matroska"}
    fields = not framed and codec.name in ("h264", "vc1") and codec.field_order not in PROGRESSIVE
    return codec.name in UNEVEN_CODECS or untimed or fields


def _until_stopped(packets: Iterator[Packet[Any]], stop: threading.Event) -> Iterator[Packet[Any]]:
    for packet in until_damage(packets):
        if stop.is_set():
            raise Stopped
        yield packet


class _Scanned(NamedTuple):
    pts: int | None
    dts: int | None
    pos: int | None
    duration: int
    key: bool
    hidden: bool
    corrupt: bool


def _scanned(packet: Packet[Any]) -> _Scanned:
    return _Scanned(
        packet.pts,
        packet.dts,
        packet.pos,
        packet.duration or 0,
        packet.is_keyframe,
        packet.is_discard,
        packet.is_corrupt,
    )


def _by_packets(packets: list[_Scanned], nominal: int, promise: _Promise) -> Index | None:
    """The index when every packet has a time of its own and time runs forward, else None."""
    total = len(packets)
    while packets and packets[-1].corrupt:  # cut off in the middle of a packet
        packets.pop()
    times = [packet.dts for packet in packets if packet.dts is not None]
    stamped = {packet.pts: packet for packet in packets if packet.pts is not None}
    if not packets or len(stamped) < len(packets) or any(a >= b for a, b in pairwise(times)):
        return None
    start = next((i for i, packet in enumerate(packets) if packet.key), 0)
    keys = [packet for i, packet in enumerate(packets) if packet.key or i == start]
    first = keys[0].pts or 0
    pts = tuple(
        sorted(
            packet.pts
            for packet in packets[start:]
            if not packet.hidden and packet.pts is not None and packet.pts >= first
        )
    )
    entries = sorted(Entry(bisect.bisect_left(pts, key.pts or 0), key.pts, key.dts, key.pos) for key in keys)
    # Of the entries before the first shown frame only the last is needed, of those after the last frame none.
    needed = max((i for i, entry in enumerate(entries) if entry.first == 0), default=0)
    last_duration = (stamped[pts[-1]].duration if pts else 0) or nominal
    return Index(
        pts,
        last_duration,
        tuple(entry for entry in entries[needed:] if entry.first < len(pts)),
        missing=max(promise.missing(len(packets), pts, last_duration), total - len(packets)),
    )


def _by_decoding(path: Path, nominal: int, promise: _Promise, stop: threading.Event) -> Index:
    stamps: list[int | None] = []
    key_frames: list[int] = []
    scanned: list[_Scanned] = []

    def noted(packets: Iterator[Packet[Any]]) -> Iterator[Packet[Any]]:
        for packet in packets:
            if packet.size:
                scanned.append(_scanned(packet))
            yield packet

    with open_input(path) as container, read_errors(path):
        stream = video_stream(container, path)
        discard_others(container, stream)
        for frame in decode(noted(_until_stopped(container.demux(stream), stop))):
            if frame.key_frame:
                key_frames.append(len(stamps))
            stamps.append(frame.pts)
    pts = tuple(_repaired(stamps, nominal, [packet.dts for packet in scanned]))
    keys = [packet for packet in scanned if packet.key]
    entries = [Entry(0, None, None, None)]
    if len(keys) == len(key_frames) and len({key.pos for key in keys} - {None}) == len(keys):
        entries += [
            Entry(frame, key.pts, key.dts, key.pos)
            for frame, key in zip(key_frames, keys, strict=True)
            if frame
        ]
    return Index(
        pts,
        nominal,
        tuple(entries),
        counted=True,
        missing=promise.missing(len(pts), pts, nominal),
        repaired=sum(good != stamp for good, stamp in zip(pts, stamps, strict=True)),
    )


def decode(packets: Iterable[Packet[Any]]) -> Iterator[VideoFrame]:
    """Frames of video `packets` in order of display; packets that can't be decoded give none."""
    for packet in packets:
        try:
            frames = packet.decode()
        except av.EOFError:
            return
        except av.FFmpegError:
            continue
        yield from frames


def _repaired(stamps: list[int | None], nominal: int, decoded: list[int | None]) -> list[int]:
    """Strictly increasing timestamps: as they are when they are; else those of decoding when there is one for
    each frame; else with gaps and steps backwards replaced by one nominal duration after the one before.
    """
    if _increase(stamps):
        return stamps
    if len(decoded) == len(stamps) and _increase(decoded):
        delay = 0 if stamps[0] is None else stamps[0] - decoded[0]
        return [stamp + delay for stamp in decoded]
    good: list[int] = []
    for stamp in stamps:
        due = good[-1] + nominal if good else 0
        good.append(due if stamp is None or (good and stamp <= good[-1]) else stamp)
    return good


def _increase(stamps: list[int | None]) -> TypeGuard[list[int]]:
    return None not in stamps and all(a < b for a, b in pairwise(cast("list[int]", stamps)))
