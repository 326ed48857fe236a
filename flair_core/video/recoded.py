"""Compressing a clip and decoding it again, in memory: what codecs do to pictures, without a file."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av import VideoFrame
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, VideoReformatter

from flair_core.errors import MediaError
from flair_core.video.color import BT601, EXACT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    from flair_core.degradations.damage import Coding

RATE = 25
"""Frames a second, of which a rate in bits a pixel knows nothing."""
LEAST_SIDE = 32
"""Smaller pictures are continued at the border: coders refuse them."""
ENCODERS = {"mpeg2": "mpeg2video", "h264": "libx264"}
DECODERS = {"mpeg2": "mpeg2video", "h264": "h264"}


def recode(frames: Iterable[NDArray[np.uint8]], coding: Coding) -> Iterator[NDArray[np.uint8]]:
    """(H, W, 3) full-range R'G'B' frames of one size through MPEG-2 or H.264, 4:2:0: as many, as large, in order.

    Few frames are held at a time, and the same frames give the same pixels. Raises MediaError when libav has no
    such coder or does not give back every frame.
    """
    reformatter, encoder, decoder = VideoReformatter(), None, _decoder(coding)
    height = width = taken = given = 0
    for rgb in frames:
        if encoder is None:
            height, width = rgb.shape[:2]
            encoder = _encoder(coding, _whole(width), _whole(height))
        frame = _stored(rgb, reformatter)
        frame.pts, frame.time_base = taken, Fraction(1, RATE)
        taken += 1
        for decoded in _decoded(decoder, encoder.encode(frame)):
            given += 1
            yield _shown(decoded, reformatter)[:height, :width]
    if encoder is None:
        return
    for decoded in _decoded(decoder, [*encoder.encode(None), None]):
        given += 1
        yield _shown(decoded, reformatter)[:height, :width]
    if given != taken:
        raise MediaError(
            f"{coding.codec} gave back {given} of {taken} frames; choose another kind of damage."
        )


def _whole(extent: int) -> int:
    """The next even number, large enough for a coder."""
    return max(LEAST_SIDE, extent + extent % 2)


def _encoder(coding: Coding, width: int, height: int) -> VideoCodecContext:
    options = {
        # One thread, and no processor's own shortcuts: the same pixels everywhere. A short look ahead, for memory.
        "h264": {
            "preset": "veryfast",
            "crf": f"{coding.quality:.2f}",
            "x264-params": "cpu-independent=1:threads=1:rc-lookahead=8:bframes=2",
        },
        # Half a second from key picture to key picture, as broadcasts have it.
        "mpeg2": {"g": "12", "bf": "2", "qmin": f"{round(coding.quality)}", "qmax": "31"},
    }[coding.codec]
    try:
        encoder = VideoCodecContext.create(ENCODERS[coding.codec], "w")
    except av.FFmpegError as error:
        raise MediaError(f"This libav can't write {coding.codec} ({error}).") from None
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, RATE), Fraction(RATE)
    encoder.thread_count = 1
    if coding.rate:
        encoder.bit_rate = round(coding.rate * width * height * RATE)
    encoder.options = options
    return encoder


def _decoder(coding: Coding) -> VideoCodecContext:
    decoder = VideoCodecContext.create(DECODERS[coding.codec], "r")
    assert isinstance(decoder, VideoCodecContext)
    decoder.thread_count = 1
    return decoder


def _decoded(
    decoder: VideoCodecContext, packets: Iterable[Packet[VideoStream] | None]
) -> Iterator[VideoFrame]:
    for packet in packets:
        yield from decoder.decode(packet)


def _stored(rgb: NDArray[np.uint8], reformatter: VideoReformatter) -> VideoFrame:
    """(H, W, 3) → 4:2:0, continued at the border. One thread: for small pictures more of them take longer."""
    height, width = rgb.shape[:2]
    whole = np.pad(rgb, ((0, _whole(height) - height), (0, _whole(width) - width), (0, 0)), mode="edge")
    return reformatter.reformat(
        VideoFrame.from_ndarray(whole, "rgb24"),
        format="yuv420p",
        dst_colorspace=BT601,
        dst_color_range=ColorRange.MPEG,
        interpolation=EXACT,
        threads=1,
    )


def _shown(frame: VideoFrame, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    """(H, W, 3) as both coders mean it: BT.601, limited range."""
    shown = reformatter.reformat(
        frame,
        format="rgb24",
        src_colorspace=BT601,
        src_color_range=ColorRange.MPEG,
        interpolation=EXACT,
        threads=1,
    )
    return np.asarray(shown.to_ndarray(), np.uint8)
