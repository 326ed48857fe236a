"""Sound, subtitles, chapters and metadata of the source, copied packet for packet beside new pictures."""

from __future__ import annotations

import io
import math
import re
from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.packet import Packet
from av.stream import Discard, Disposition

from flair_core.video.containers import open_input, until_damage, video_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from av.container import OutputContainer
    from av.container.core import Chapter
    from av.stream import Stream

STALE = frozenset({
    "major_brand", "minor_version", "compatible_brands", "encoder", "rotate", "duration", "bps",
    "number_of_frames", "number_of_bytes", "_statistics_writing_app", "_statistics_writing_date_utc",
    "_statistics_tags",
})  # fmt: skip
"""Metadata about the old file and not its content; compared in lower case, without a language suffix."""


COMMON_KEYS = frozenset({
    "title", "artist", "album", "album_artist", "comment", "composer", "copyright", "creation_time", "date",
    "description", "genre", "lyrics", "show", "synopsis", "track", "network", "grouping", "keywords",
})  # fmt: skip
"""Metadata that the usual tags of MP4 and MOV hold; for others they need QuickTime's free keys."""
LEAD = Fraction(1, 10)
"""Seconds of compressed sound before the first picture: decoders need it to be right from there on."""
TIMECODE = "timecode"
"""The key of the first picture's; Matroska has it in capitals."""
LATE = ("flac", "opus", "alac")
"""Sound whose header MP4 looks into only when the file is finished, as with data and PCM."""
FLICKS = 705_600_000
"""Ticks a second that fit every usual frame and sample rate."""


def mp4_options(source: Path, unit: Fraction) -> dict[str, str]:
    """What MP4 and MOV must be told to hold the tracks of `source` beside pictures with a clock of `unit`.

    Where a track begins is told by the clock of the whole file, which must tick with every track's own.
    """
    with open_input(source) as container:
        clocks = [unit, *(track.time_base for track in container.streams if track.time_base)]
        ticks = math.lcm(*(clock.denominator for clock in clocks))
        options = {"movie_timescale": str(min(ticks, FLICKS))}
        if not COMMON_KEYS.issuperset(lasting(container.metadata).keys() - {"timecode"}):
            options["movflags"] = "use_metadata_tags"
    return options


def lasting(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata that stays true of a new file."""
    return {key: value for key, value in metadata.items() if key.lower().split("-")[0] not in STALE}


class TrackCopy:
    """Copies everything but the pictures of `source` into `target`, in step with the pictures.

    `origin` None keeps every packet and its time. Otherwise `origin` and `end`, in seconds, tell what
    belongs to the pictures; times are moved so that `origin` becomes 0. Packets that begin earlier are left
    out, but PCM is cut to the sample, and MP4 and MOV take a little more of other sound and hide it. `skipped`
    frames of `rate` a second lie before the first picture; the timecode counts them. To be made before the
    header of `target` is written.
    """

    def __init__(
        self,
        source: Path,
        target: OutputContainer,
        *,
        origin: Fraction | None,
        end: Fraction | None,
        skipped: int,
        rate: Fraction,
    ) -> None:
        self._source, self._target, self._origin = open_input(source), target, origin
        self._skipped, self._rate = skipped, rate
        self._lead = LEAD if target.format.name in ("mp4", "mov") else Fraction(0)
        self.notes: list[str] = []
        """What could not be taken along; one sentence each."""
        self._pictures = video_stream(self._source, source)
        self._copies = {
            track.index: copy for track in self._source.streams if (copy := self._add(track)) is not None
        }
        # A timecode is for the pictures only, or every track gets one.
        target.metadata.update(_without_timecode(lasting(self._source.metadata)))
        target.set_chapters(list(_chapters(self._source.chapters(), origin, end)))
        # MP4 and MOV want every packet later than the one before; Matroska and WebM, not earlier.
        self._strict = bool(self._lead)
        self._latest: dict[int, int] = {}
        """When the last packet of a track is to be decoded, by the track's index, in the packet's units."""
        self._moved: Counter[str] = Counter()
        """How many packets of a kind got other times, because theirs were missing or went back."""
        self._refused: Counter[str] = Counter()
        self._packets = self._relevant()
        self._pending = next(self._packets, None)

    @property
    def picture_metadata(self) -> dict[str, str]:
        """Of the track that the new pictures replace."""
        told = [*self._pictures.metadata.items(), *self._source.metadata.items()]
        metadata = _without_timecode(lasting(self._pictures.metadata))
        timecode = next((text for name, text in told if name.lower() == TIMECODE), None)
        if timecode:
            factor = round(self._rate / (self._pictures.average_rate or self._rate))
            metadata[TIMECODE] = later_timecode(finer_timecode(timecode, factor), self._rate, self._skipped)
        return metadata

    @property
    def picture_disposition(self) -> Disposition:
        """Of the track that the new pictures replace."""
        return self._pictures.disposition

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()

    def _add(self, track: Stream) -> Stream | None:
        """The track of the target that takes the packets of `track`; None when they are left out."""
        if track is self._pictures or track.discard == Discard.all:  # libav discards chapters' texts itself
            return None
        if track.type == "data" and TIMECODE in track.metadata:
            return None  # made again from the metadata of the pictures
        partial = track.type == "video" and self._origin is not None  # can't begin between keyframes
        if partial or not _fits(track, self._target):
            kind = f"{track.type}, {_codec(track)}"
            self.notes.append(f"A track of the source ({kind}) can't be held by the output and was left out.")
            return None
        copy = self._target.add_stream_from_template(track, opaque=True)
        copy.metadata.update(lasting(track.metadata))
        copy.disposition = track.disposition
        return copy

    def until(self, seconds: Fraction) -> None:
        """Copy what begins before `seconds`, as the target counts them."""
        while self._pending is not None:
            packet = self._pending
            stamp = packet.pts if packet.dts is None else packet.dts
            if stamp is not None and stamp * packet.time_base >= seconds:
                return
            self._mux(packet)
            self._pending = next(self._packets, None)

    def finish(self, seconds: Fraction) -> None:
        """Copy the rest: all of it, or what lies before the end of the last picture."""
        while self._pending is not None:
            packet = self._pending
            if self._origin is None:
                self._mux(packet)
            elif packet.pts is not None:
                room = seconds / packet.time_base - packet.pts
                if room > 0:
                    self._mux(_pcm_cut(packet, 0, room) if _is_pcm(packet.stream) else packet)
            self._pending = next(self._packets, None)

    @property
    def repairs(self) -> list[str]:
        """What had to be changed of the copied tracks; one sentence each."""
        refused = [
            f"Damaged packets of {kind} that the output can't hold were left out: {count}."
            for kind, count in sorted(self._refused.items())
        ]
        return refused + [
            f"Packets of {kind} whose times are missing in the source or go back: {count}; they follow the one before."
            for kind, count in sorted(self._moved.items())
        ]

    def _timed(self, packet: Packet[Any]) -> Packet[Any]:
        """A packet with times that a container takes: known, and not before those of the packet before."""
        if packet.stream.type == "video" and packet.dts is None:
            return packet  # the order of decoding is not that of showing: libav works it out
        last, index = self._latest.get(packet.stream.index), packet.stream.index
        due = packet.pts if packet.dts is None else packet.dts
        if due is None:
            due = 0 if last is None else last + max(packet.duration or 0, 1)
            self._moved[packet.stream.type] += 1
            packet.pts = packet.dts = due
        if last is not None:
            tick = self._tick(packet) if self._strict else Fraction(0)
            if due < last or (due - last) * packet.time_base < tick:
                # After a jump back it goes on at its own pace, as pictures do; a jitter is levelled.
                pace = packet.duration or 0
                due = last + max(pace if last - due > pace else 0, math.ceil(tick / packet.time_base))
                self._moved[packet.stream.type] += 1
                packet.dts, packet.pts = due, max(due, due if packet.pts is None else packet.pts)
        self._latest[index] = due
        return packet

    def _tick(self, packet: Packet[Any]) -> Fraction:
        """Seconds that packets of a track must be apart where equal times are refused."""
        if packet.stream.type in ("subtitle", "data"):
            return Fraction(0)
        rate = getattr(packet.stream.codec_context, "sample_rate", 0)
        return Fraction(1, rate) if rate else packet.time_base

    def _mux(self, packet: Packet[Any]) -> None:
        packet.stream = self._copies[packet.stream.index]
        try:
            self._target.mux_one(packet)
        except (
            av.error.InvalidDataError,
            av.error.PatchWelcomeError,
        ):  # the container looks into AAC from TS
            self._refused[packet.stream.type] += 1

    def _relevant(self) -> Iterator[Packet[Any]]:
        """Packets to copy, their times as the target counts them."""
        kept = [track for track in self._source.streams if track.index in self._copies]
        if not kept:  # libav would take that for "all"
            return
        for track in self._source.streams:
            if track not in kept:
                track.discard = Discard.all
        for packet in until_damage(self._source.demux(kept)):
            if not packet.size or _is_gap(packet):
                continue
            if self._origin is not None:
                shift = round(self._origin / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts - shift
                packet.dts = None if packet.dts is None else packet.dts - shift
                yield from map(self._timed, _from_zero(packet, self._lead))
            else:
                yield self._timed(packet)


def _fits(track: Stream, target: OutputContainer) -> bool:
    """Whether a header with this track can be written, and then its packets."""
    if track.disposition & Disposition.attached_pic:  # lies among the usual tags, which free keys replace
        return target.format.name == "mp4" and "movflags" not in target.container_options
    try:
        with av.open(io.BytesIO(), "w", format=target.format.name) as trial:
            trial.add_stream_from_template(track, opaque=True).metadata.update(track.metadata)
            trial.start_encoding()
            if track.type == "data" or _is_pcm(track) or _codec(track) in LATE:
                trial.mux_one(_anything(trial.streams[0]))
    except (av.FFmpegError, ValueError):
        return False
    return True


def _anything(track: Stream) -> Packet[Any]:
    packet: Packet[Any] = Packet(bytes(1920))  # whole samples of any kind
    packet.stream, packet.time_base, packet.pts, packet.dts = track, Fraction(1, 1000), 0, 0
    return packet


def _without_timecode(metadata: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in metadata.items() if name.lower() != TIMECODE}


def finer_timecode(timecode: str, factor: int) -> str:
    """The same moment where `factor` times as many frames a second are counted."""
    found = re.fullmatch(r"(\d\d:\d\d:\d\d[:;.])(\d\d)", timecode)
    return f"{found[1]}{int(found[2]) * factor:02}" if found and factor > 1 else timecode


def later_timecode(timecode: str, rate: Fraction, frames: int) -> str:
    """The timecode of the frame that comes `frames` later; SMPTE 12M, with drop-frame counting after a ";"."""
    found = re.fullmatch(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)", timecode)
    base = round(rate)
    if not found or not frames or base < 1:
        return timecode
    mark = found[4]
    hours, minutes, seconds, last = (int(found[part]) for part in (1, 2, 3, 5))
    number = ((60 * hours + minutes) * 60 + seconds) * base + last
    dropped = 2 * base // 30 if mark != ":" else 0  # numbers left out each minute, but not each tenth
    ten_minutes, minute = 600 * base - 9 * dropped, 60 * base - dropped
    number -= dropped * (60 * hours + minutes - (60 * hours + minutes) // 10)
    tens, rest = divmod((number + frames) % (144 * ten_minutes), ten_minutes)
    number = (number + frames) % (144 * ten_minutes) + 9 * dropped * tens
    number += dropped * max((rest - dropped) // minute, 0)
    seconds, last = divmod(number, base)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{last:02}"


def _from_zero(packet: Packet[Any], lead: Fraction) -> Iterator[Packet[Any]]:
    """What of a packet lies after time 0, where a packet of its kind can be cut; sound that can't, from −`lead` on."""
    if packet.pts is None or packet.pts >= 0:
        yield packet
        return
    remaining = packet.pts + (packet.duration or 0)
    if packet.stream.type == "audio" and not _is_pcm(packet.stream):
        if lead and remaining * packet.time_base > -lead:
            yield packet
    elif remaining > 0 and packet.stream.type == "subtitle":
        packet.pts = packet.dts = 0
        packet.duration = remaining
        yield packet
    elif remaining > 0 and _is_pcm(packet.stream):
        yield _pcm_cut(packet, -packet.pts, packet.duration or 0)


def _is_gap(packet: Packet[Any]) -> bool:
    """Whether this only says that no subtitle is shown: MP4 and MOV put these in by themselves."""
    return packet.size == 2 and _codec(packet.stream) == "mov_text"


def _is_pcm(track: Stream) -> bool:
    return track.type == "audio" and _codec(track).startswith("pcm_")


def _pcm_cut(packet: Packet[Any], start: Fraction | int, stop: Fraction | int) -> Packet[Any]:
    """What an uncompressed packet holds from `start` to `stop`, in its time base, counted from its pts."""
    track = packet.stream
    samples = packet.time_base * track.rate
    block = track.codec_context.format.bytes * track.channels
    first, last = round(start * samples), min(round(stop * samples), packet.size // block)
    cut: Packet[Any] = Packet(bytes(packet)[first * block : last * block])
    cut.stream, cut.time_base = track, packet.time_base
    cut.pts = cut.dts = packet.pts + round(first / samples)
    cut.duration = round((last - first) / samples)
    cut.is_keyframe = True
    return cut


def _codec(track: Stream) -> str:
    return track.codec_context.name if track.codec_context else "unknown codec"


def _chapters(
    chapters: Iterable[Chapter], origin: Fraction | None, end: Fraction | None
) -> Iterator[Chapter]:
    """Chapters that overlap [origin, end), cut to it and counted from `origin`."""
    for chapter in chapters:
        if origin is None or end is None:
            yield chapter
            continue
        unit = chapter["time_base"] or Fraction(1, 1000)
        low, high = round(origin / unit), round(end / unit)
        if chapter["start"] < high and chapter["end"] > low:
            start, stop = max(chapter["start"], low) - low, min(chapter["end"], high) - low
            yield {**chapter, "start": start, "end": stop}
