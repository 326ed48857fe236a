"""Which frames a file shows, when, and where decoding may start: one scan over its packets."""

from __future__ import annotations

import bisect
import re
from array import array
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard, cast

import av
import numpy as np

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
    from numpy.typing import NDArray

UNEVEN_CODECS = frozenset({"vp8", "mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "rv30", "rv40"})
"""Their packets may hold no shown frame, or two: the frames can only be counted by decoding."""
PROGRESSIVE = (0, 1)
"""Field orders of libav: not said, and progressive."""
DEFAULT_RATE = Fraction(25)
UNKNOWN = int(np.iinfo(np.int64).min)


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


@dataclass(frozen=True, slots=True, weakref_slot=True)
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


class IndexingStopped(Exception):
    """The scan was told to stop."""


def nominal_rate(stream: VideoStream) -> Fraction:
    """Frames per second as the file tells or suggests it."""
    return stream.average_rate or stream.guessed_rate or stream.base_rate or DEFAULT_RATE


def nominal_duration(stream: VideoStream) -> int:
    """A frame's usual duration in the track's time base, at least 1."""
    return max(round(1 / (nominal_rate(stream) * (stream.time_base or Fraction(1, 1000)))), 1)


def build_index(path: Path, stop: threading.Event) -> Index:
    """Scan the packets of the video track, and decode them where they do not tell the frames.

    Raises MediaError when the file shows no frame, IndexingStopped when `stop` is set meanwhile.
    """
    with open_input(path) as container, read_errors(path):
        stream = video_stream(container, path)
        discard_others(container, stream)
        nominal, promise = nominal_duration(stream), _promise(stream)
        index = None
        if not _uneven(container, stream):
            scan = _Scan()
            for packet in _until_stopped(container.demux(stream), stop):
                scan.note(packet)
            index = _by_packets(scan.packets(), nominal, promise)
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
            raise IndexingStopped
        yield packet


PACKET = np.dtype(
    [(name, np.int64) for name in ("pts", "dts", "pos", "duration", "key", "hidden", "corrupt")]
)
"""A packet as a row of numbers, UNKNOWN where the file does not tell: hours of packets are no objects that way,
and the interpreter does not stop every thread to look after them."""


class _Scan:
    """Notes packets in the order of the file."""

    def __init__(self) -> None:
        self._numbers = array("q")

    def note(self, packet: Packet[Any]) -> None:
        """One more; empty ones do not count."""
        if packet.size:
            self._numbers.extend(
                (
                    UNKNOWN if packet.pts is None else packet.pts,
                    UNKNOWN if packet.dts is None else packet.dts,
                    UNKNOWN if packet.pos is None else packet.pos,
                    packet.duration or 0,
                    packet.is_keyframe,
                    packet.is_discard,
                    packet.is_corrupt,
                )
            )

    def packets(self) -> NDArray[np.void]:
        """(N,) of PACKET."""
        return np.array(self._numbers, np.int64).view(PACKET)


def _entries(firsts: Iterable[int], keys: NDArray[np.void]) -> list[Entry]:
    """The packets `keys`, each as an entry to the frames from its first one on."""
    places = zip(*(_known(keys[name]) for name in ("pts", "dts", "pos")), strict=True)
    return [Entry(first, *place) for first, place in zip(firsts, places, strict=True)]


def _known(numbers: NDArray[np.int64]) -> list[int | None]:
    return [None if number == UNKNOWN else number for number in numbers.tolist()]


def _by_packets(packets: NDArray[np.void], nominal: int, promise: _Promise) -> Index | None:
    """The index when every packet has a time of its own and time runs forward, else None."""
    total, sound = len(packets), np.flatnonzero(packets["corrupt"] == 0)
    packets = packets[
        : sound[-1] + 1 if len(sound) else 0
    ]  # without what is cut off in the middle of a packet
    times, stamps = packets["dts"][packets["dts"] != UNKNOWN], packets["pts"]
    # Sorted rather than made unique: sorting lets go of the interpreter's lock, which hours of packets take long.
    shared = not np.diff(np.sort(stamps)).all()
    if not len(packets) or UNKNOWN in stamps or shared or (np.diff(times) <= 0).any():
        return None
    key = packets["key"] != 0
    start = int(key.argmax())  # 0 if there is none
    key[start] = True
    after = packets[start:]
    shown = np.sort(after["pts"][(after["hidden"] == 0) & (after["pts"] >= stamps[start])])
    pts = tuple(shown.tolist())
    entries = sorted(_entries(np.searchsorted(shown, stamps[key]).tolist(), packets[key]))
    # Of the entries before the first shown frame only the last is needed, of those after the last frame none.
    needed = max((i for i, entry in enumerate(entries) if entry.first == 0), default=0)
    last_duration = (int(packets["duration"][stamps == pts[-1]][0]) if pts else 0) or nominal
    return Index(
        pts,
        last_duration,
        tuple(entry for entry in entries[needed:] if entry.first < len(pts)),
        missing=max(promise.missing(len(packets), pts, last_duration), total - len(packets)),
    )


def _by_decoding(path: Path, nominal: int, promise: _Promise, stop: threading.Event) -> Index:
    stamps: list[int | None] = []
    key_frames: list[int] = []
    scan = _Scan()

    def noted(packets: Iterator[Packet[Any]]) -> Iterator[Packet[Any]]:
        for packet in packets:
            scan.note(packet)
            yield packet

    with open_input(path) as container, read_errors(path):
        stream = video_stream(container, path)
        discard_others(container, stream)
        for frame in decode(noted(_until_stopped(container.demux(stream), stop))):
            if frame.key_frame:
                key_frames.append(len(stamps))
            stamps.append(frame.pts)
    packets = scan.packets()
    pts = tuple(_repaired(stamps, nominal, _known(packets["dts"])))
    keys = packets[packets["key"] != 0]
    entries = [Entry(0, None, None, None)]
    placed = UNKNOWN not in keys["pos"] and len(np.unique(keys["pos"])) == len(keys)
    if len(keys) == len(key_frames) and placed:
        entries += [entry for entry in _entries(key_frames, keys) if entry.first]
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
