"""Clips in and out: any video, image or folder of images as frames, and frames as a file or a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flair_core.errors import MediaError
from flair_core.runtime import files
from flair_core.settings.groups import FootageSettings
from flair_core.settings.output import AS_USUAL, OutputOptions
from flair_core.video import encoders, images
from flair_core.video.encoders import CODECS, CONTAINERS
from flair_core.video.reader import VideoSource
from flair_core.video.sink import FrameSink, ImageSink, VideoSink
from flair_core.video.sound import sound
from flair_core.video.source import FrameSource

if TYPE_CHECKING:
    from pathlib import Path

    from flair_core.frames import VideoInfo

__all__ = ["CODECS", "FrameSink", "FrameSource", "open_sink", "open_source", "sound"]

AS_IT_IS = FootageSettings()


def open_source(path: str | Path, footage: FootageSettings = AS_IT_IS) -> FrameSource:
    """Open a video file, an image or a folder of images (in natural order of their names).

    Deinterlaced, a video has as many frames as before. Raises MediaError when there is nothing to show.
    """
    path = files.as_path(path)
    if path.is_dir():
        found = images.images_in(path)
        if not found:
            raise MediaError(f"{path} holds no images. Name a video, an image or a folder of images.")
        return images.ImageSource(path, found, footage.rate)
    if path.suffix.lower() in images.SUFFIXES:
        return images.ImageSource(path, [path], footage.rate)
    return VideoSource(path, deinterlace=footage.deinterlace)


def open_sink(
    path: str | Path,
    *,
    like: VideoInfo,
    width: int,
    height: int,
    options: OutputOptions = AS_USUAL,
    source: Path | None = None,
    copy_from: Path | None = None,
    span: range | None = None,
    statement: str = "",
) -> FrameSink:
    """Open an output of `width` × `height` pixels: a video file by its suffix, a folder of PNGs without one.

    like: the source's info; its rate, time base, tags and pixel shape are carried over.
    source: what is read meanwhile, and must not be written over.
    copy_from: the file whose sound, subtitles, chapters and metadata are copied packet for packet.
    span: the part of the source that will be written, unless it is all; times then count from its start.
    statement: what the file says of how it was made, in a free key of its metadata.
    Raises MediaError when the output can't be written there or so.
    """
    path = files.as_path(path)
    if not path.name:
        raise MediaError(f"{path} is a folder that is there already. Name a file or a new folder.")
    for read in (source, copy_from):
        if read is not None and path.exists() and path.samefile(read):
            raise MediaError(f"{path} is the source itself. Name another output.")
    suffix, codec, bits = path.suffix.lower(), options.codec, options.bits
    if suffix not in CONTAINERS:
        if suffix or codec not in (None, "png", "lossless"):
            raise MediaError(
                f"{path.name} can't be written. Name a file ending in {', '.join(CONTAINERS)}, or a folder."
            )
        return ImageSink(path, width=width, height=height, bits=bits or like.bit_depth, statement=statement)
    name = codec or ("av1" if suffix == ".webm" else "h264")
    name = "ffv1-rgb" if name == "lossless" else name
    depth = bits or (like.bit_depth if name.startswith("ffv1") else min(like.bit_depth, 10))
    whole = span is None or (span.start == 0 and span.stop >= like.length)
    return VideoSink(
        path,
        like=like,
        width=width,
        height=height,
        encoding=encoders.choose(
            name, path, (width, height), depth, options.quality, hardware=options.hardware, stored=like.pixels
        ),
        copy_from=copy_from,
        statement=statement,
        seconds=None if whole or span is None else len(span) / like.rate,
    )
