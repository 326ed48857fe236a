"""Opening files with libav, and saying in one sentence what went wrong."""

from __future__ import annotations

import contextlib
import errno
from typing import TYPE_CHECKING, Any

import av
from av.stream import Discard, Disposition

from flair_core.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

MAX_PIXELS = 1 << 28
"""A frame larger than 16384 × 16384 is taken for a damaged header."""
TEXT_FORMATS = frozenset({"tty", "ansi", "idf", "bin", "xbin", "adf"})
"""Demuxers that draw plain text; they accept nearly everything."""


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


@contextlib.contextmanager
def read_errors(path: Path) -> Iterator[None]:
    """Turn libav's and the system's errors while reading `path` into a MediaError."""
    try:
        yield
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        raise MediaError(
            f"{path} can't be read as a video ({_reason(error)}). Check that it is one, and complete."
        ) from error


@contextlib.contextmanager
def write_errors(path: Path) -> Iterator[None]:
    """Turn libav's and the system's errors while writing `path` into a MediaError."""
    try:
        yield
    except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise MediaError(
                f"The disk is full, so {path} was not written. Free space and try again."
            ) from error
        raise MediaError(
            f"{path} can't be written ({_reason(error)}). Choose another place, name or codec."
        ) from error


def open_input(path: Path) -> InputContainer:
    """Open a media file for demuxing. Raises MediaError when it isn't one."""
    if not path.exists():
        raise MediaError(f"{path} does not exist. Name a video, an image or a folder of images.")
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty (0 bytes), but a video was expected. Copy the file again.")
    options = {"max_pixels": str(MAX_PIXELS), "protocol_whitelist": "file"}
    with read_errors(path):
        container = av.open(f"file:{path}", "r", metadata_errors="replace", options=options)
    if container.format.name in TEXT_FORMATS:
        container.close()
        raise MediaError(f"{path} holds text, not a video. Name a video, an image or a folder of images.")
    return container


def video_stream(container: InputContainer, path: Path) -> VideoStream:
    """The track that a player would show. Raises MediaError when there is none, or no decoder for it."""
    tracks = [track for track in container.streams.video if not track.disposition & Disposition.attached_pic]
    if not tracks:
        raise MediaError(f"{path} has no video track. Choose a file with moving pictures.")
    best = container.streams.best("video")
    track = next((track for track in tracks if track is best), tracks[0])
    if track.codec_context is None:
        raise MediaError(f"{path} uses a video codec that can't be decoded here. Convert it first.")
    return track


def discard_others(container: InputContainer, kept: VideoStream) -> None:
    """Demux `kept` alone."""
    for track in container.streams:
        if track is not kept:
            track.discard = Discard.all


def until_damage(packets: Iterator[Packet[Any]]) -> Iterator[Packet[Any]]:
    """Packets up to the place where the file can't be read any further."""
    try:
        yield from packets
    except av.FFmpegError:
        return
