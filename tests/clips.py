"""Small clips for tests: every frame shows its own number, so that a wrong frame is seen at once."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

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
                done[number_] = _write_sound(
                    container, track, done[number_], int(end * 48000), 440 * (number_ + 1)
                )
        for track in (video, *sound):
            container.mux(track.encode(None))
    return path


def _add_video(container: av.container.OutputContainer, clip: Clip) -> av.VideoStream:
    width, height = clip.size
    track = container.add_stream(
        clip.codec,
        rate=clip.rate,
        width=width,
        height=height,
        pix_fmt=clip.pixels,
        options=dict(clip.options),
    )
    context = track.codec_context
    context.time_base = clip.unit
    context.colorspace, context.color_primaries, context.color_trc = (
        clip.matrix,
        clip.primaries,
        clip.transfer,
    )
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
        {
            "id": i + 1,
            "start": a,
            "end": b,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": f"part {i}"},
        }
        for i, (a, b) in enumerate(itertools.pairwise(bounds))
    ]


def packets(path: Path, kind: str) -> list[list[tuple[Fraction | None, bytes]]]:
    """(time in seconds, content) of every packet, for each track of a kind ("audio", "subtitle")."""
    with av.open(str(path)) as container:
        tracks = [track for track in container.streams if track.type == kind]
        found: dict[int, list[tuple[Fraction | None, bytes]]] = {track.index: [] for track in tracks}
        for packet in container.demux(tracks) if tracks else ():
            if packet.size:
                time = None if packet.pts is None else packet.pts * packet.time_base
                found[packet.stream.index].append((time, _payload(packet)))
    return list(found.values())


def _payload(packet: av.Packet) -> bytes:
    """What a packet says, without the header that AAC only has in transport streams."""
    data = bytes(packet)
    codec = packet.stream.codec_context
    return data[7:] if codec and codec.name == "aac" and data[:1] == b"\xff" else data


GOP = {"bf": "2", "g": "8", "sc_threshold": "0"}
X265 = {"x265-params": "keyint=8:bframes=2:log-level=none"}
MPEG = {"bf": "2", "g": "8", "b": "2M"}
VPX = {"g": "8", "auto-alt-ref": "1", "lag-in-frames": "12", "b": "200k"}
UNEVEN_TIMES = (0, 3000, 3200, 9000, 9300, 20000, 20500, 30000, 40000, 50000,
                50300, 60000, 70000, 80000, 90000, 90300, 90700, 99999, 120000, 130000)  # fmt: skip
KINDS: Mapping[str, Clip] = {
    "h264": Clip(options=GOP),
    "h264 4:2:2": Clip(pixels="yuv422p", options=GOP),
    "h264 4:4:4": Clip(pixels="yuv444p", options=GOP),
    "h264 10 bit": Clip(pixels="yuv420p10le", options=GOP),
    "h264 gray": Clip(pixels="gray", options=GOP),
    "h264 full range": Clip(full_range=True, options=GOP),
    "h264 BT.709": Clip(matrix=1, primaries=1, transfer=1, options=GOP),
    "h264 in TS": Clip(suffix=".ts", options=GOP),
    "h264 in FLV": Clip(suffix=".flv", options=GOP),
    "h264 in AVI": Clip(suffix=".avi", options=GOP),
    "h264 in MKV": Clip(suffix=".mkv", options=GOP),
    "h264 bare": Clip(suffix=".h264", options=GOP),
    "h264 open GOP": Clip(
        suffix=".mkv", options={"bf": "2", "g": "8", "x264-params": "open-gop=1:scenecut=0"}
    ),
    "h264 intra refresh": Clip(
        suffix=".mkv", options={"g": "6", "x264-params": "intra-refresh=1:scenecut=0"}
    ),
    "h264 intra only": Clip(options={"g": "1"}),
    "h264 uneven times": Clip(time_base=Fraction(1, 90000), times=UNEVEN_TIMES, options=GOP),
    "h264 NTSC": Clip(rate=Fraction(30000, 1001), options=GOP),
    "h264 late start": Clip(time_base=Fraction(1, 1000), times=range(500, 1300, 40), options=GOP),
    "h264 interlaced": Clip(
        options={"bf": "2", "g": "8", "flags": "+ildct+ilme", "x264-params": "interlaced=1"}
    ),
    "h265": Clip(codec="libx265", options=X265),
    "h265 PQ": Clip(codec="libx265", pixels="yuv420p10le", matrix=9, primaries=9, transfer=16, options=X265),
    "h265 HLG": Clip(
        suffix=".mkv", codec="libx265", pixels="yuv422p10le", matrix=9, primaries=9, transfer=18, options=X265
    ),
    "h265 12 bit": Clip(codec="libx265", pixels="yuv444p12le", options=X265),
    "h265 RGB": Clip(codec="libx265", pixels="gbrp", matrix=0, full_range=True, options=X265),
    "AV1": Clip(codec="libsvtav1", options={"g": "8", "preset": "10"}),
    "AV1 10 bit": Clip(
        suffix=".webm", codec="libsvtav1", pixels="yuv420p10le", options={"g": "8", "preset": "10"}
    ),
    "VP8": Clip(suffix=".webm", codec="libvpx", options=VPX),
    "VP9": Clip(suffix=".webm", codec="libvpx-vp9", options=VPX),
    "MPEG-2 in TS": Clip(suffix=".ts", codec="mpeg2video", options=MPEG),
    "MPEG-2 in PS": Clip(suffix=".mpg", codec="mpeg2video", options=MPEG),
    "MPEG-2 interlaced": Clip(suffix=".ts", codec="mpeg2video", options={**MPEG, "flags": "+ildct+ilme"}),
    "MPEG-4 in AVI": Clip(suffix=".avi", codec="mpeg4", options=MPEG),
    "MPEG-4 in MP4": Clip(codec="mpeg4", options=MPEG),
    "WMV": Clip(suffix=".wmv", codec="wmv2", options={"b": "2M"}),
    "MJPEG in AVI": Clip(suffix=".avi", codec="mjpeg", pixels="yuvj420p", full_range=True),
    "ProRes": Clip(suffix=".mov", codec="prores_ks", pixels="yuv422p10le"),
    "ProRes with alpha": Clip(suffix=".mov", codec="prores_ks", pixels="yuva444p10le"),
    "FFV1 RGB": Clip(suffix=".mkv", codec="ffv1", pixels="bgr0"),
    "FFV1 RGB 10 bit": Clip(suffix=".mkv", codec="ffv1", pixels="gbrp10le"),
    "FFV1 16 bit": Clip(suffix=".mkv", codec="ffv1", pixels="yuv444p16le"),
    "FFV1 gray 16 bit": Clip(suffix=".mkv", codec="ffv1", pixels="gray16le"),
    "FFV1 4:1:1": Clip(suffix=".mkv", codec="ffv1", pixels="yuv411p"),
    "FFV1 odd size": Clip(suffix=".mkv", codec="ffv1", pixels="yuv420p", size=(63, 37)),
    "HuffYUV": Clip(suffix=".avi", codec="huffyuv", pixels="rgb24"),
    "Ut Video": Clip(suffix=".avi", codec="utvideo", pixels="yuv422p"),
    "raw RGB": Clip(suffix=".nut", codec="rawvideo", pixels="rgb24"),
    "Animation": Clip(suffix=".mov", codec="qtrle", pixels="argb"),
    "PNG in MOV": Clip(suffix=".mov", codec="png", pixels="rgba"),
    "GIF": Clip(suffix=".gif", codec="gif", pixels="rgb8", time_base=Fraction(1, 100), times=range(0, 80, 4)),
    "APNG": Clip(suffix=".apng", codec="apng", pixels="rgb24"),
    "turned left": Clip(size=(64, 48), display=(90, False)),
    "turned right": Clip(size=(64, 48), display=(-90, False)),
    "upside down": Clip(size=(64, 48), display=(180, False)),
    "mirrored": Clip(size=(64, 48), display=(0, True)),
    "turned and mirrored": Clip(size=(64, 48), display=(90, True)),
    "wide pixels": Clip(size=(72, 64), pixel_aspect=Fraction(16, 15)),
    "with sound": Clip(sound=("aac",), options=GOP),
    "long GOP": Clip(frames=200, options={"bf": "2", "g": "100"}),
}
"""One clip of each kind of video file."""
BESIDE: Mapping[str, Mapping[str, Any]] = {
    ".mp4": {"sound": ("aac", "ac3"), "subtitles": ("mov_text",), "chapters": True},
    ".mov": {"sound": ("pcm_s24le", "aac")},
    ".mkv": {"sound": ("flac", "aac", "libopus"), "subtitles": ("srt",), "chapters": True},
    ".webm": {"sound": ("libopus",)},
    ".ts": {"sound": ("aac", "mp2")},
    ".flv": {"sound": ("libmp3lame",)},
    ".avi": {"sound": ("mp2",)},
    ".mpg": {"sound": ("mp2",)},
    ".nut": {"sound": ("pcm_s16le",)},
}
"""What a container holds beside the pictures; others hold nothing."""
