"""Numbers of Y'CbCr and gray ↔ R'G'B', to the last level, and how pictures are turned."""

from __future__ import annotations

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from clips import Clip, make, picture

from flair_core import video
from flair_core.frames import ColorTags
from flair_core.video import color

SIZE = (64, 16)


def flat(pixels: str, luma: int, bits: int, full: bool) -> av.VideoFrame:
    """A picture of one gray."""
    frame = av.VideoFrame(*SIZE, pixels)
    for i, plane in enumerate(frame.planes):
        value = luma if i == 0 else 1 << bits - 1
        kind = np.uint8 if bits == 8 else np.uint16
        plane.update(np.full(plane.buffer_size // np.dtype(kind).itemsize, value, kind).tobytes())
    frame.color_range, frame.colorspace = 2 if full else 1, 1
    return frame


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("share", [0, 0.25, 0.5, 1])
@pytest.mark.parametrize(
    ("pixels", "bits"),
    [
        ("yuv420p", 8),
        ("yuv444p10le", 10),
        ("yuv420p12le", 12),
        ("yuv444p16le", 16),
        ("gray", 8),
        ("gray10le", 10),
        ("gray16le", 16),
    ],
)
def test_black_gray_and_white_are_exactly_that(pixels, bits, share, full):
    step = 1 << bits - 8
    luma = round(share * ((1 << bits) - 1)) if full else round((16 + 219 * share) * step)
    level = luma / ((1 << bits) - 1) if full else (luma / step - 16) / 219
    rgb = color.to_rgb(flat(pixels, luma, bits, full), VideoReformatter(), SIZE)
    peak = np.iinfo(rgb.dtype).max
    assert rgb.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert np.abs(rgb - level * peak).max() <= (1 if bits == 8 else 2)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixels", ["yuv420p", "yuv444p10le", "yuv420p10le"])
@pytest.mark.parametrize("value", [0, 20, 100.5, 200.25, 255])
def test_deep_pixels_are_stored_without_bias(pixels, value, full):
    deep = np.full((16, 64, 3), round(257 * value), np.uint16)
    tags = ColorTags(1, 1, 1, full_range=full)
    stored = color.from_rgb(deep, pixels, tags, VideoReformatter())
    back = color.to_rgb(stored, VideoReformatter(), SIZE)
    error = back.mean(axis=(0, 1)) / np.iinfo(back.dtype).max * 255 - value
    # 8 limited bits are coarse by themselves, and swscale puts full-range chroma one of 1023 too low.
    coarse = full == (pixels != "yuv420p")
    assert np.abs(error).max() < (0.6 if coarse else 0.3)
    assert (stored.colorspace, stored.color_range) == (1, 2 if full else 1)


@pytest.mark.parametrize("pixels", ["gbrp", "bgr0", "gbrp16le"])
def test_rgb_formats_keep_every_bit(pixels):
    kind = np.uint16 if "16" in pixels else np.uint8
    rgb = np.random.default_rng(0).integers(0, np.iinfo(kind).max, (16, 64, 3), kind, endpoint=True)
    stored = color.from_rgb(rgb, pixels, ColorTags(0, 1, 1, full_range=True), VideoReformatter())
    np.testing.assert_array_equal(color.to_rgb(stored, VideoReformatter(), SIZE), rgb)


def test_results_do_not_depend_on_the_number_of_threads():
    rgb = np.random.default_rng(0).integers(0, 255, (722, 1282, 3), np.uint8, endpoint=True)
    for pixels in ("yuv420p", "yuv422p10le"):
        frame = color.from_rgb(rgb, pixels, ColorTags(1, 1, 1), VideoReformatter())
        first = frame.reformat(format="rgb24", interpolation=color.EXACT, threads=1).to_ndarray()
        many = frame.reformat(format="rgb24", interpolation=color.EXACT, threads=7).to_ndarray()
        np.testing.assert_array_equal(first, many)


def test_the_angle_alone_is_enough_to_turn_a_picture(tmp_path, monkeypatch):
    """Where side data holds something that PyAV has no name for, it can't be read at all."""
    path = make(tmp_path / "turned.mp4", Clip(size=(64, 48), display=(90, False), frames=2))
    with video.open_source(path) as source:
        upright = source[1].rgb
    monkeypatch.setattr(color, "side_data", lambda frame: [])
    with video.open_source(path) as source:
        np.testing.assert_array_equal(source[1].rgb, upright)


def test_other_angles_are_left_alone_with_a_note(tmp_path):
    path = make(tmp_path / "tilted.mp4", Clip(display=(30, False), frames=2))
    with video.open_source(path) as source:
        assert np.abs(source[1].rgb.astype(int) - picture(1)).mean() < 12
        assert "no quarter turn" in source.notes[0]


def test_an_unknown_matrix_is_named(tmp_path):
    path = make(tmp_path / "ycgco.mkv", Clip(".mkv", codec="ffv1", matrix=8, frames=2))
    with video.open_source(path) as source:
        assert "matrix 8" in source.notes[0]
