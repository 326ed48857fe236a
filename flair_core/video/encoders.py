"""Which encoders there are, and how each is asked for a quality."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.codeccontext import VideoCodecContext

from flair_core.errors import MediaError
from flair_core.video.color import has_alpha
from flair_core.video.untouched import planar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from flair_core.frames import VideoInfo

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 talks to stderr by itself; errors only

CONTAINERS: Mapping[str, str] = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
"""Suffix → libav's name of the container."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to store video."""

    label: str
    encoder: str
    containers: frozenset[str]
    formats: Mapping[int, tuple[str, ...]]
    """Bits → pixel formats, the usual one first."""
    quality: int | None = None
    """Constant-quality number (CRF) used when none is asked for; smaller is better."""
    options: Mapping[str, str] = field(default_factory=dict)
    hardware: tuple[str, ...] = ()
    """Encoders on graphics cards, in order of preference."""
    as_stored: bool = False
    """Whether the source's own pixel format is taken where the encoder knows it."""


EVERYWHERE = frozenset({"mp4", "mov", "matroska"})
YUV = {8: ("yuv420p", "yuv444p"), 10: ("yuv420p10le", "yuv444p10le")}
RGB = {8: ("bgr0",), 16: ("gbrp16le",)}
FFV1 = {"level": "3", "slicecrc": "1", "g": "1"}
CODECS: Mapping[str, Codec] = {
    "h264": Codec(
        "H.264",
        "libx264",
        EVERYWHERE,
        YUV,
        quality=16,
        # x264's AVX-512 code reads memory before it is set, and then no two runs give the same file.
        options={"preset": "medium", "x264-params": "cpu-independent=1"},
        hardware=("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf"),
    ),
    "h265": Codec(
        "H.265",
        "libx265",
        EVERYWHERE,
        YUV,
        quality=18,
        options={"preset": "medium", "a53cc": "1", "x265-params": "log-level=none"},
        hardware=("hevc_nvenc", "hevc_videotoolbox", "hevc_qsv", "hevc_amf"),
    ),
    "av1": Codec(
        "AV1",
        "libsvtav1",
        frozenset({"mp4", "matroska", "webm"}),
        {8: ("yuv420p",), 10: ("yuv420p10le",)},
        quality=22,
        options={"preset": "6"},
        hardware=("av1_nvenc", "av1_qsv", "av1_amf"),
    ),
    "prores": Codec(
        "ProRes 422 HQ",
        "prores_ks",
        frozenset({"mov", "matroska"}),
        {10: ("yuv422p10le",)},
        options={"profile": "hq", "vendor": "apl0"},
    ),
    "ffv1": Codec(
        "FFV1, lossless",
        "ffv1",
        frozenset({"mp4", "matroska"}),
        RGB,
        options=FFV1,
        as_stored=True,
    ),
    "ffv1-rgb": Codec("FFV1 RGB, lossless", "ffv1", frozenset({"mp4", "matroska"}), RGB, options=FFV1),
}


LIGHT_OPTIONS: Mapping[str, tuple[str, str, str, bool]] = {
    "libx264": ("x264-params", "mastering-display", "cll", True),
    "libx265": ("x265-params", "master-display", "max-cll", True),
    "libsvtav1": ("svtav1-params", "mastering-display", "content-light", False),
}
"""Encoder → option, its two keys, and whether it counts in the whole units of H.265 instead of in cd/m²."""


def light_options(encoder: str, info: VideoInfo, options: Mapping[str, str]) -> dict[str, str]:
    """`options` with what `info` tells of screen and light, for encoders that take it."""
    if encoder not in LIGHT_OPTIONS:
        return dict(options)
    name, screen, light, units = LIGHT_OPTIONS[encoder]
    parts = [options[name]] if name in options else []
    if info.mastering is not None:
        x_y, nits = (50000, 10000) if units else (1, 1)
        scaled = [value * x_y for value in info.mastering[:8]] + [
            value * nits for value in info.mastering[8:]
        ]
        red, green, blue, white = (_pair(scaled[i : i + 2], units) for i in (0, 2, 4, 6))
        parts.append(f"{screen}=G{green}B{blue}R{red}WP{white}L{_pair(scaled[:7:-1], units)}")
    if info.content_light is not None:
        parts.append("{}={},{}".format(light, *info.content_light))
    return {**options, name: ":".join(parts)} if parts else dict(options)


def _pair(values: Sequence[float], whole: bool) -> str:
    return "({},{})".format(*(round(value) if whole else round(value, 5) for value in values))


FIELDS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"flags": "+ildct+ilme"},
    "prores_ks": {"flags": "+ildct"},
    "ffv1": {},
}
"""Encoders that keep the fields of interlaced pictures → what they must be told."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """A codec with everything settled: which encoder, pixel format and options."""

    encoder: str
    pixels: str
    options: Mapping[str, str]
    note: str = ""
    """What is not as it was asked for; one sentence."""

    @property
    def tag(self) -> str | None:
        """How MP4 and MOV must call the codec so that every player knows it."""
        return "hvc1" if "265" in self.encoder or "hevc" in self.encoder else None

    @property
    def always_limited(self) -> bool:
        """Whether every player takes the pictures for limited range, whatever they say."""
        return self.encoder == "prores_ks"

    @property
    def tells_colors(self) -> bool:
        """Whether the stream itself has the colour tags, so that they do not hang on the container."""
        return any(name in self.encoder for name in ("264", "265", "hevc", "av1", "prores"))

    @property
    def tells_shape(self) -> bool:
        """Whether the stream itself says how wide its pixels are."""
        return any(name in self.encoder for name in ("264", "265", "hevc"))


def choose(
    codec: str,
    path: Path,
    size: tuple[int, int],
    bits: int,
    quality: int | None,
    *,
    hardware: bool,
    stored: str = "",
) -> Encoding:
    """Settle how to encode frames of `size` (width, height) with `bits` into `path`.

    The depth is the least that holds `bits`, else the largest there is. `hardware` takes a graphics card's
    encoder when one works for pictures like these, else the usual one with a note. `stored` is the source's
    pixel format, for codecs that keep it. Raises MediaError when the codec is unknown, or the file can't hold
    it, or it can't hold the size.
    """
    if codec not in CODECS:
        raise MediaError(f"{codec} is no known codec. Choose one of {', '.join(CODECS)}.")
    chosen = CODECS[codec]
    if CONTAINERS[path.suffix.lower()] not in chosen.containers:
        fitting = [suffix for suffix, name in CONTAINERS.items() if name in chosen.containers]
        raise MediaError(
            f"{path.name} can't hold {chosen.label}. Name a file ending in {' or '.join(fitting)}."
        )
    depth = min((depth for depth in chosen.formats if depth >= bits), default=max(chosen.formats))
    if chosen.encoder not in av.codecs_available:
        raise MediaError(f"{chosen.label} can't be encoded by this build of libav. Choose another codec.")
    if quality is None:
        quality = chosen.quality
    note = ""
    if hardware:
        on_card = working_hardware(codec, depth, size)
        if on_card is not None:
            return Encoding(on_card, HARDWARE_PIXELS[depth], hardware_options(on_card, quality or 0))
        note = (
            f"No graphics card here encodes {chosen.label} of {depth} bits at {size[0]} × {size[1]}; "
            "the processor did it."
        )
    formats = [name for name in chosen.formats[depth] if not (_odd(size) and "420" in name)]
    if chosen.as_stored and _keeps(chosen.encoder, planar(stored)):
        formats = [planar(stored)]
    if not formats:
        raise MediaError(f"{chosen.label} needs an even width and height, but got {size[0]} × {size[1]}.")
    options = dict(chosen.options)
    if quality is not None and chosen.quality is not None:
        options["crf"] = str(quality)
    return Encoding(chosen.encoder, formats[0], options, note)


def _keeps(encoder: str, pixels: str) -> bool:
    """Whether an encoder stores a pixel format as it is, and the format has nothing but picture."""
    formats = {known.name: known for known in av.Codec(encoder, "w").video_formats or ()}
    return pixels in formats and not has_alpha(formats[pixels])


def _odd(size: tuple[int, int]) -> bool:
    return any(extent % 2 for extent in size)


HARDWARE_PIXELS = {8: "nv12", 10: "p010le"}


def hardware_options(encoder: str, quality: int) -> dict[str, str]:
    """Options that ask a graphics card's encoder for about the quality of a CRF."""
    number = str(quality)
    family = encoder.rsplit("_", 1)[1]
    return {
        "nvenc": {"preset": "p6", "rc": "vbr", "cq": number, "b": "0"},
        "qsv": {"preset": "slow", "global_quality": number},
        "amf": {"quality": "quality", "rc": "cqp", "qp_i": number, "qp_p": number, "qp_b": number},
        "videotoolbox": {"flags": "+qscale", "global_quality": str(118 * max(100 - 2 * quality, 1))},
    }[family]


@cache
def working_hardware(codec: str, bits: int, size: tuple[int, int]) -> str | None:
    """The first encoder on a graphics card that encodes such a picture here; None when none does."""
    for name in CODECS[codec].hardware:
        if name in av.codecs_available and not _odd(size) and _encodes(name, bits, size):
            return name
    return None


def _encodes(encoder: str, bits: int, size: tuple[int, int]) -> bool:
    try:
        context = VideoCodecContext.create(encoder, "w")
        assert isinstance(context, VideoCodecContext)
        (context.width, context.height), context.pix_fmt = size, HARDWARE_PIXELS[bits]
        context.time_base, context.framerate = Fraction(1, 25), Fraction(25)
        context.options = hardware_options(encoder, 20)
        gray = np.full((*size[::-1], 3), 128, np.uint8)
        picture = av.VideoFrame.from_ndarray(gray, "rgb24").reformat(format=HARDWARE_PIXELS[bits])
        return bool([*context.encode(picture), *context.encode(None)])
    except (av.FFmpegError, ValueError, RuntimeError, NotImplementedError):
        return False
