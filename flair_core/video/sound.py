"""The sound of a clip as samples, to be heard while it plays. Export copies packets instead: see tracks.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.audio.resampler import AudioResampler
from av.stream import Discard

from flair_core.video.containers import open_input, read_errors, until_damage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.packet import Packet
    from numpy.typing import NDArray

    Samples = NDArray[np.int16]

CHANNELS = 2
PREROLL = 0.1
"""Seconds decoded ahead of what is wanted: codecs that overlap their blocks need the one before."""
TOLERANCE = 0.02
"""Seconds by which the times of a file may jitter before samples are left out or silence is put in."""


def sound(path: Path, begin: float, end: float, rate: int) -> Iterator[Samples]:
    """Samples (n, 2) of the first sound track at `rate` a second, for the times `begin` ≤ t < `end` of the file.

    Together they are exactly as long as that; where the track is silent, damaged or over, so are they. Seconds
    count as the file does. Raises MediaError when it can't be opened or has no sound.
    """
    wanted, done = round((end - begin) * rate), 0
    for time, samples in _blocks(path, begin, rate):
        skipped, place = 0, round((time - begin) * rate)
        if done == 0 or abs(place - done) > TOLERANCE * rate:
            yield from _silence(min(place, wanted) - done)
            done, skipped = max(done, min(place, wanted)), max(done - place, 0)
        block = samples[skipped : skipped + wanted - done]
        if len(block):
            yield block
            done += len(block)
        if done >= wanted:
            return
    yield from _silence(wanted - done)


def _silence(count: int) -> Iterator[Samples]:
    while count > 0:
        yield np.zeros((min(count, 4096), CHANNELS), np.int16)
        count -= 4096


def _blocks(path: Path, begin: float, rate: int) -> Iterator[tuple[float, Samples]]:
    """(time of the first sample, samples) from a little before `begin` on."""
    with open_input(path) as container, read_errors(path):
        if not container.streams.audio:
            return
        track = container.streams.audio[0]
        for other in container.streams:
            if other is not track:
                other.discard = Discard.all
        if begin > PREROLL and track.time_base:
            container.seek(int((begin - PREROLL) / track.time_base), stream=track)
        resampler = AudioResampler(format="s16", layout="stereo", rate=rate)
        for packet in until_damage(container.demux(track)):
            for frame in _decoded(packet):
                if frame.time is None:
                    continue
                for made in resampler.resample(frame):
                    yield frame.time, made.to_ndarray().reshape(-1, CHANNELS).astype(np.int16, copy=False)


def _decoded(packet: Packet[Any]) -> list[Any]:
    try:
        return packet.decode()
    except av.FFmpegError:
        return []
