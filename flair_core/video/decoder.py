"""Decoding a video file from any frame on: the same frame always gets the same pixels."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain, dropwhile
from typing import TYPE_CHECKING, Any

import av
from av.filter import Graph

from flair_core.errors import MediaError
from flair_core.video.containers import (
    discard_others,
    open_input,
    read_errors,
    until_damage,
    video_stream,
)
from flair_core.video.index import Index, decode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from flair_core.video.index import Entry


class SeekFailed(Exception):
    """Timestamps after a seek are not those of the scan."""


class Decoder:
    """One open file and one decoder; `run` gives every frame from a place on. For one thread.

    Indices of frames that could not be decoded, so that another is shown in their place, are added to `lost`.
    """

    def __init__(self, path: Path, index: Index, lost: set[int]) -> None:
        self.path, self.index, self.lost = path, index, lost
        self._numbers = {pts: number for number, pts in enumerate(index.pts)}
        self._seekable, self._untouched = True, True
        self._container, self._stream = self._opened()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def run(self, start: int) -> Iterator[tuple[int, VideoFrame]]:
        """(index, libav frame) for every index from `start` on, once each and in order.

        For a frame that can't be decoded the last one before it is held; before the first good one, that one.
        The frames belong to libav; the next `run` or `close` ends this one.
        """
        with read_errors(self.path):
            entry = self.index.entry_before(start) if self._seekable else 0
            while True:
                try:
                    held, due = None, start
                    for number, frame in self._delivered(entry):
                        if number > due and held is None and entry > 0:
                            break  # what leads to `start` is damaged: go further back for a frame to hold
                        for lost in range(due, number):
                            self.lost.add(lost)
                            yield lost, held or frame
                        if number >= due:
                            yield number, frame
                            due = number + 1
                        held = frame
                    else:
                        if held is not None:
                            for lost in range(due, len(self.index.pts)):
                                self.lost.add(lost)
                                yield lost, held
                            return
                        if entry == 0:
                            raise MediaError(
                                f"{self.path} holds no frame that can be decoded. Choose another file."
                            )
                    entry -= 1
                except SeekFailed:
                    self._seekable, start, entry = False, due, 0

    def _delivered(self, entry: int) -> Iterator[tuple[int, VideoFrame]]:
        """Shown frames that decoding from an entry gives, with their indices, in order."""
        frames = decode(self._packets(entry))
        if self.index.counted:
            first = self.index.entries[entry].first
            following = dropwhile(lambda frame: entry > 0 and not frame.key_frame, frames)
            yield from zip(range(first, len(self.index.pts)), following, strict=False)
            return
        last = -1
        for frame in frames:
            number = None if frame.pts is None else self._numbers.get(frame.pts)
            if number is None and entry > 0 and (frame.pts is None or frame.pts >= self.index.pts[0]):
                raise SeekFailed
            if number is not None and number > last:
                last = number
                yield number, frame

    def _packets(self, number: int) -> Iterator[Packet[Any]]:
        """Packets from an entry on, in order of decoding."""
        entry = self.index.entries[number]
        if number > 0:
            for target in (entry.pts, entry.dts):
                if target is not None and (packets := self._sought(target, entry)) is not None:
                    return packets
        if not self._untouched:
            self._container.close()
            self._container, self._stream = self._opened()
        packets = self._demux()
        return packets if number == 0 else dropwhile(lambda packet: not entry.is_at(packet), packets)

    def _sought(self, target: int, entry: Entry) -> Iterator[Packet[Any]] | None:
        """Packets from `entry` on, when seeking to `target` leads to a place before it."""
        self._untouched = False
        try:
            self._container.seek(target, stream=self._stream)
        except av.FFmpegError:
            return None
        packets = self._demux()
        for packet in packets:
            if entry.is_at(packet):
                return chain([packet], packets)
            if packet.dts is not None and entry.dts is not None and packet.dts > entry.dts:
                return None
        return None

    def _demux(self) -> Iterator[Packet[Any]]:
        self._untouched = False
        return until_damage(self._container.demux(self._stream))

    def _opened(self) -> tuple[InputContainer, VideoStream]:
        container = open_input(self.path)
        stream = video_stream(container, self.path)
        discard_others(container, stream)
        return container, stream


def deinterlaced(frames: Iterator[tuple[int, VideoFrame]], start: int) -> Iterator[tuple[int, VideoFrame]]:
    """Full frames from fields, as many as went in, from index `start` on.

    The filter looks one frame back and one ahead: `frames` must begin one before `start` unless that is 0.
    """
    graph: Graph | None = None
    for number, frame in frames:
        if graph is None:
            graph = _deinterlacer(frame)
        frame.pts, frame.time_base = number, Fraction(1)
        graph.push(frame)
        yield from _pulled(graph, start)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph, start)


def _deinterlacer(frame: VideoFrame) -> Graph:
    """A filter graph for frames like this one; which field comes first is read from them."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1)
    )
    graph.link_nodes(
        source, graph.add("bwdif", "mode=send_frame:parity=auto:deint=all"), graph.add("buffersink")
    )
    graph.configure()
    return graph


def _pulled(graph: Graph, start: int) -> Iterator[tuple[int, VideoFrame]]:
    while True:
        try:
            frame = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert frame.pts is not None
        assert frame.time_base is not None
        number = round(frame.pts * frame.time_base)
        if number >= start:
            yield number, frame
