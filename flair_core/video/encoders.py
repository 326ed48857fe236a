"""Which encoders there are, and how each is asked for a quality."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flair_core.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

os.environ.setdefault("SVT_LOG", "1")  # SVT-AV1 writes to stderr on its own; errors only

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to store video. `formats` maps bits to pixel formats, those with full colour resolution last."""

    label: str
    encoder: str
    containers: frozenset[str]
    formats: Mapping[int, tuple[str, ...]]
    quality: int = 0
    """What `quality` means by default: the encoder's constant-quality number; smaller is better and larger."""
    quality_option: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    hardware: tuple[str, ...] = ()
    lossless: bool = False


YUV = {8: ("yuv420p", "yuv444p"), 10: ("yuv420p10le", "yuv444p10le")}
CODECS: Mapping[str, Codec] = {
    "h264": Codec(
        "H.264",
        "libx264",
        frozenset({"mp4", "mov", "matroska"}),
        YUV,
        quality=16,
        quality_option="crf",
        options={"preset": "medium"},
        hardware=("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf"),
    ),
    "h265": Codec(
        "H.265",
        "libx265",
        frozenset({"mp4", "mov", "matroska"}),
        YUV,
        quality=18,
        quality_option="crf",
        options={"preset": "medium", "x265-params": "log-level=none"},
        hardware=("hevc_nvenc", "hevc_videotoolbox", "hevc_qsv", "hevc_amf"),
    ),
    "av1": Codec(
        "AV1",
        "libsvtav1",
        frozenset({"mp4", "matroska", "webm"}),
        {8: ("yuv420p",), 10: ("yuv420p10le",)},
        quality=22,
        quality_option="crf",
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
        "FFV1, lossless RGB",
        "ffv1",
        frozenset({"matroska", "mov"}),
        {8: ("bgr0",), 16: ("gbrp16le",)},
        options={"level": "3", "slicecrc": "1", "slices": "4", "g": "1"},
        lossless=True,
    ),
}


@dataclass(frozen=True, slots=True)
class Encoding:
    """A codec with everything decided: which encoder, which pixel format, which options."""

    codec: Codec
    encoder: str
    pixels: str
    options: Mapping[str, str]


def choose(
    codec: str, path: Path, size: tuple[int, int], bits: int, quality: int | None, *, hardware: bool = False
) -> Encoding:
    """Settle how to encode frames of `size` (width, height) with `bits` into `path`.

    Lossless codecs keep at least `bits`, others take the nearest depth they have. Raises MediaError when the codec
    is unknown, the file can't hold it, or it can't hold the size.
    """
    if codec not in CODECS:
        raise MediaError(f"{codec} is no known codec. Choose one of {', '.join(CODECS)}.")
    chosen = CODECS[codec]
    if CONTAINERS[path.suffix.lower()] not in chosen.containers:
        fitting = [suffix for suffix, name in CONTAINERS.items() if name in chosen.containers]
        raise MediaError(
            f"{path.name} can't hold {chosen.label}. Name a file that ends in {' or '.join(fitting)}."
        )
    depth = next((depth for depth in chosen.formats if depth >= bits), max(chosen.formats))
    odd = any(extent % 2 for extent in size)
    formats = [name for name in chosen.formats[depth] if not (odd and "420" in name)]
    if not formats:
        raise MediaError(f"{chosen.label} needs an even width and height, but got {size[0]} × {size[1]}.")
    options = dict(chosen.options)
    if chosen.quality_option:
        options[chosen.quality_option] = str(chosen.quality if quality is None else quality)
    return Encoding(chosen, chosen.encoder, formats[0], options)
