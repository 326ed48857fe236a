"""Small clips for tests: every frame shows its own number, so that a wrong frame is seen at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import ColorRange

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

BITS = 8
"""Digits of the number that a frame shows."""


def picture(index: int, width: int = 64, height: int = 64) -> np.ndarray:
    """(height, width, 3) uint8: `index` in binary as light and dark blocks above a gradient that drifts."""
    y, x = np.mgrid[:height, :width]
    rgb = np.stack([
        128 + 100 * np.sin(2 * np.pi * (x / width + index / 16)),
        128 + 100 * np.sin(2 * np.pi * (y / height - index / 24)),
        96 + 64 * np.cos(2 * np.pi * ((x + y) / (width + height) + index / 12)),
    ], axis=-1)  # fmt: skip
    for bit in range(BITS):
        block = slice(bit * width // BITS, (bit + 1) * width // BITS)
        rgb[: height // 4, block] = 224 if index >> bit & 1 else 32
    return rgb.astype(np.uint8)


def number(rgb: np.ndarray) -> int:
    """The number that a frame shows, after any codec."""
    height, width = rgb.shape[:2]
    strip = rgb[: height // 4].mean(axis=(0, 2)) / np.iinfo(rgb.dtype).max
    blocks = [strip[bit * width // BITS : (bit + 1) * width // BITS].mean() for bit in range(BITS)]
    return sum((block > 0.5) << bit for bit, block in enumerate(blocks))


@dataclass(frozen=True)
class Clip:
    """How to make a clip; `times` are pts in units of `time_base`, one per frame."""

    suffix: str = ".mp4"
    codec: str = "libx264"
    pixels: str = "yuv420p"
    frames: int = 20
    size: tuple[int, int] = (64, 64)
    rate: Fraction = Fraction(25)
    time_base: Fraction | None = None
    times: Sequence[int] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    full_range: bool = False
    display: tuple[int, bool] = (0, False)
    """Degrees that a player turns the picture counterclockwise, and whether it mirrors it."""
    pixel_aspect: Fraction = Fraction(1)
    sound: tuple[str, ...] = ()
    """Audio encoders, one track each."""
    subtitles: tuple[str, ...] = ()
    """Subtitle codecs, one track each: "srt" or "mov_text"."""
    chapters: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def unit(self) -> Fraction:
        """Seconds per unit of `times`."""
        return self.time_base or 1 / self.rate

    @property
    def seconds(self) -> list[Fraction]:
        """When each frame is shown."""
        return [time * self.unit for time in self.times or range(self.frames)]


def make(path: Path, clip: Clip) -> Path:
    """Write the clip to `path` and return it."""
    with av.open(str(path), "w") as container:
        video = _add_video(container, clip)
        sound = [container.add_stream(codec, rate=48000) for codec in clip.sound]
        subtitles = [container.add_mux_stream(codec, time_base=Fraction(1, 1000)) for codec in clip.subtitles]
        for language, track in zip(("deu", "fra", "eng", "ita"), [*sound, *subtitles], strict=False):
            track.metadata["language"] = language
        container.metadata.update(clip.metadata)
        if clip.chapters:
            container.set_chapters(_chapters(clip))
        container.start_encoding()
        for track in subtitles:
            _write_subtitles(container, track, clip)
        ends = [*clip.seconds[1:], clip.seconds[-1] + 1 / clip.rate]
        done = [0] * len(sound)
        for index, (time, end) in enumerate(zip(clip.times or range(clip.frames), ends, strict=True)):
            container.mux(video.encode(_frame(clip, index, time)))
            for number_, track in enumerate(sound):
                done[number_] = _write_sound(container, track, done[number_], int(end * 48000), 440 * (number_ + 1))
        for track in (video, *sound):
            container.mux(track.encode(None))
    return path


def _add_video(container: av.container.OutputContainer, clip: Clip) -> av.VideoStream:
    width, height = clip.size
    track = container.add_stream(
        clip.codec, rate=clip.rate, width=width, height=height, pix_fmt=clip.pixels, options=dict(clip.options)
    )
    context = track.codec_context
    context.time_base = clip.unit
    context.colorspace, context.color_primaries, context.color_trc = clip.matrix, clip.primaries, clip.transfer
    context.color_range = ColorRange.JPEG if clip.full_range else ColorRange.MPEG
    context.sample_aspect_ratio = clip.pixel_aspect
    degrees, mirrored = clip.display
    if degrees or mirrored:
        track.set_display_rotation(degrees, hflip=mirrored)
    return track


def _frame(clip: Clip, index: int, time: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture(index, *clip.size), "rgb24").reformat(
        format=clip.pixels,
        dst_colorspace={1: 1, 9: 9}.get(clip.matrix, 5),
        dst_color_range=ColorRange.JPEG if clip.full_range else ColorRange.MPEG,
    )
    frame.pts, frame.time_base = time, clip.unit
    frame.colorspace, frame.color_primaries, frame.color_trc = clip.matrix, clip.primaries, clip.transfer
    return frame


def _write_sound(
    container: av.container.OutputContainer, track: av.AudioStream, start: int, stop: int, pitch: float
) -> int:
    """Encode samples `start` ≤ n < `stop` of a tone; returns `stop`."""
    wave = 0.3 * np.sin(2 * np.pi * pitch * np.arange(start, stop) / 48000)
    frame = av.AudioFrame.from_ndarray(np.stack([wave, -wave]).astype(np.float32), "fltp", layout="stereo")
    frame.rate, frame.pts = 48000, start
    container.mux(track.encode(frame))
    return stop


def _write_subtitles(container: av.container.OutputContainer, track: av.SubtitleStream, clip: Clip) -> None:
    for start in (0, 300, 500):
        text = f"at {start}".encode()
        packet = av.Packet(len(text).to_bytes(2, "big") + text if "mov_text" in clip.subtitles else text)
        packet.stream, packet.time_base = track, Fraction(1, 1000)
        packet.pts = packet.dts = start
        packet.duration = 150
        packet.is_keyframe = True
        container.mux(packet)


def _chapters(clip: Clip) -> list[av.container.core.Chapter]:
    end = int(1000 * (clip.seconds[-1] + 1 / clip.rate))
    bounds = [0, end // 2, end]
    return [
        {"id": i + 1, "start": a, "end": b, "time_base": Fraction(1, 1000), "metadata": {"title": f"part {i}"}}
        for i, (a, b) in enumerate(zip(bounds, bounds[1:], strict=False))
    ]


def packets(path: Path, kind: str) -> list[list[tuple[Fraction | None, bytes]]]:
    """(time in seconds, content) of every packet, for each track of a kind ("audio", "subtitle")."""
    with av.open(str(path)) as container:
        tracks = [track for track in container.streams if track.type == kind]
        found: dict[int, list[tuple[Fraction | None, bytes]]] = {track.index: [] for track in tracks}
        for packet in container.demux(tracks) if tracks else ():
            if packet.size:
                time = None if packet.pts is None else packet.pts * packet.time_base
                found[packet.stream.index].append((time, bytes(packet)))
    return list(found.values())
