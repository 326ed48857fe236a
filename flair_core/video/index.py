"""Which frames a file shows, when, and where decoding may start: one scan over its packets."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import av

from flair_core.errors import MediaError
from flair_core.video.containers import discard_others, open_input, read_errors, until_damage, video_stream

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

UNEVEN_CODECS = frozenset({"vp8", "mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "rv30", "rv40"})
"""Their packets may hold no shown frame, or two: the frames can only be counted by decoding."""
DEFAULT_RATE = Fraction(25)


class Entry(NamedTuple):
    """A packet at which decoding may start: every frame from `first` on follows from it."""

    first: int
    pts: int
    dts: int | None


@dataclass(frozen=True, slots=True)
class Index:
    """The shown frames of a clip in order of display."""

    pts: tuple[int, ...]
    """Strictly increasing, in units of the track's time base."""
    last_duration: int
    entries: tuple[Entry, ...]
    """In order of display; frame 0 follows from the first."""
    counted: bool = False
    """Frames are found by counting from the start, because timestamps do not tell them apart."""
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


class _Scanned(NamedTuple):
    pts: int | None
    dts: int | None
    duration: int
    key: bool
    hidden: bool
    corrupt: bool


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
        nominal, promised = nominal_duration(stream), stream.frames
        uneven = stream.codec_context.name in UNEVEN_CODECS
        packets = [] if uneven else list(_scan(container.demux(stream), stop))
    if uneven or not _tell_frames(packets):
        index = _by_decoding(path, nominal, stop)
    else:
        index = _by_packets(packets, nominal, promised)
    if not index.pts:
        raise MediaError(f"{path} holds no frame that can be shown. Choose another file.")
    return index


def _scan(packets: Iterator[Packet[Any]], stop: threading.Event) -> Iterator[_Scanned]:
    for packet in until_damage(packets):
        if stop.is_set():
            raise Stopped
        if packet.size:
            yield _Scanned(
                packet.pts,
                packet.dts,
                packet.duration or 0,
                packet.is_keyframe,
                packet.is_discard,
                packet.is_corrupt,
            )


def _tell_frames(packets: Sequence[_Scanned]) -> bool:
    """Whether every packet has a time of its own, and time runs forward."""
    stamps = [packet.pts for packet in packets]
    times = [packet.dts for packet in packets if packet.dts is not None]
    return None not in stamps and len(set(stamps)) == len(stamps) and all(a < b for a, b in pairwise(times))


def _by_packets(packets: list[_Scanned], nominal: int, promised: int) -> Index:
    total = len(packets)
    while packets and packets[-1].corrupt:  # cut off in the middle of a packet
        packets.pop()
    start = next((i for i, packet in enumerate(packets) if packet.key), 0)
    keys = sorted(
        (packet.pts, packet.dts)
        for i, packet in enumerate(packets)
        if (packet.key or i == start) and packet.pts is not None
    )
    shown = sorted(
        (packet.pts, packet.duration)
        for packet in packets[start:]
        if not packet.hidden and packet.pts is not None and packet.pts >= keys[0][0]
    )
    pts = tuple(stamp for stamp, _ in shown)
    entries = tuple(Entry(bisect.bisect_left(pts, stamp), stamp, dts) for stamp, dts in keys)
    # Of several entries before the first shown frame only the last is needed, and none after the last frame.
    first = max((i for i, entry in enumerate(entries) if entry.first == 0), default=0)
    return Index(
        pts,
        (shown[-1][1] if shown else 0) or nominal,
        tuple(entry for entry in entries[first:] if entry.first < len(pts)),
        missing=max(promised - len(packets), total - len(packets), 0),
    )


def _by_decoding(path: Path, nominal: int, stop: threading.Event) -> Index:
    stamps: list[int | None] = []
    with open_input(path) as container, read_errors(path):
        stream = video_stream(container, path)
        discard_others(container, stream)
        for frame in decode(stream, until_damage(container.demux(stream))):
            if stop.is_set():
                raise Stopped
            stamps.append(frame.pts)
    pts = tuple(repaired(stamps, nominal))
    made_up = sum(good != stamp for good, stamp in zip(pts, stamps, strict=True))
    return Index(pts, nominal, (Entry(0, pts[0], None),) if pts else (), counted=True, repaired=made_up)


def decode(stream: VideoStream, packets: Iterable[Packet[Any]]) -> Iterator[VideoFrame]:
    """Frames of `packets` in order of display; packets that can't be decoded give none."""
    for packet in packets:
        try:
            frames = stream.decode(packet)
        except av.EOFError:
            return
        except av.FFmpegError:
            continue
        yield from frames


def repaired(stamps: Iterable[int | None], nominal: int) -> Iterator[int]:
    """Timestamps with gaps and steps backwards replaced by one nominal duration after the one before."""
    last: int | None = None
    for stamp in stamps:
        if stamp is None or (last is not None and stamp <= last):
            stamp = 0 if last is None else last + nominal  # noqa: PLW2901
        yield stamp
        last = stamp
