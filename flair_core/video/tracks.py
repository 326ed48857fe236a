"""Sound, subtitles, chapters and metadata of the source, copied packet for packet beside new pictures."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.packet import Packet
from av.stream import Discard

from flair_core.video.containers import open_input
from flair_core.video.index import until_damage

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
"""Metadata that describes the old file, not its content; compared without a language suffix, in lower case."""


def lasting(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata that stays true of a new file."""
    return {key: value for key, value in metadata.items() if key.lower().split("-")[0] not in STALE}


class TrackCopy:
    """Copies everything but the pictures of `source` into `target`, in step with the pictures.

    `origin` None keeps every packet and its time. Otherwise `origin` and `end`, in seconds, tell what belongs to
    the pictures; times are moved so that `origin` becomes 0. Packets that begin earlier are left out, but PCM is
    cut to the sample. Make it before the header of `target` is written.
    """

    def __init__(
        self, source: Path, target: OutputContainer, *, origin: Fraction | None, end: Fraction | None
    ) -> None:
        self._source, self._target, self._origin = open_input(source), target, origin
        self.notes: list[str] = []
        self._copies = {
            track.index: copy for track in self._source.streams if (copy := self._add(track)) is not None
        }
        for track in self._source.streams:
            if track.index not in self._copies:
                track.discard = Discard.all
        target.metadata.update(lasting(self._source.metadata))
        self.picture_metadata = (
            lasting(self._source.streams.video[0].metadata) if self._source.streams.video else {}
        )
        target.set_chapters(list(_chapters(self._source.chapters(), origin, end)))
        self._packets = self._relevant()
        self._pending = next(self._packets, None)

    def close(self) -> None:
        """Let go of the source."""
        self._source.close()

    def _add(self, track: Stream) -> Stream | None:
        """The track of the target that takes the packets of `track`; None when they are left out."""
        if track.type not in ("audio", "subtitle", "attachment"):
            return None
        try:
            copy = self._target.add_stream_from_template(track, opaque=True)
        except (av.FFmpegError, ValueError) as error:
            self.notes.append(f"A track of the source ({track.type}, {_codec(track)}) was left out: {error}.")
            return None
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

    def _mux(self, packet: Packet) -> None:
        packet.stream = self._copies[packet.stream.index]
        self._target.mux_one(packet)

    def _relevant(self) -> Iterator[Packet]:
        """Packets to copy, their times as the target counts them."""
        kept = [
            track
            for track in self._source.streams
            if track.index in self._copies and track.type != "attachment"
        ]
        if not kept:  # libav would take that for "all"
            return
        for packet in until_damage(self._source.demux(kept)):
            if not packet.size:
                continue
            if self._origin is not None:
                shift = round(self._origin / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts - shift
                packet.dts = None if packet.dts is None else packet.dts - shift
                if (packet := _from_zero(packet)) is None:
                    continue
            yield packet


def _from_zero(packet: Packet) -> Packet | None:
    """What of a packet lies after time 0; None when that is nothing, or can't be cut."""
    if packet.pts is None or packet.pts >= 0:
        return packet
    remaining = packet.pts + (packet.duration or 0)
    if remaining <= 0:
        return None
    if packet.stream.type == "subtitle":
        packet.pts = packet.dts = 0
        packet.duration = remaining
        return packet
    return _pcm_cut(packet, -packet.pts, packet.duration) if _is_pcm(packet.stream) else None


def _is_pcm(track: Stream) -> bool:
    return track.type == "audio" and _codec(track).startswith("pcm_")


def _pcm_cut(packet: Packet, start: Fraction | int, stop: Fraction | int) -> Packet:
    """Samples from `start` to `stop` of an uncompressed packet, both in its time base and counted from its pts."""
    track = packet.stream
    samples = packet.time_base * track.rate
    block = track.codec_context.format.bytes * track.channels
    first, last = round(start * samples), min(round(stop * samples), packet.size // block)
    cut = Packet(bytes(packet)[first * block : last * block])
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
