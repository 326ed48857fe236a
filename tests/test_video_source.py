"""One contract, every kind of source: the right frames at the right times, in any order."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction

import av
import clips
import cv2
import numpy as np
import pytest
from clips import KINDS, Clip, make, number, picture

from flair_core import video
from flair_core.errors import MediaError
from flair_core.settings.groups import FootageSettings
from flair_core.video import kept_index

DELAYED = {".ts", ".flv", ".avi", ".mpg"}
"""Containers that can't start before 0 and so move every frame by the same delay."""


@pytest.fixture(scope="session", params=KINDS)
def kind(request, tmp_path_factory):
    """(Clip, path) of every kind of video file."""
    clip = KINDS[request.param]
    return clip, make(tmp_path_factory.mktemp("kinds") / f"clip{clip.suffix}", clip)


def as_stored(clip: Clip, rgb: np.ndarray) -> np.ndarray:
    """Undo what a player does to show the clip."""
    degrees, mirrored = clip.display
    return np.rot90(rgb[:, ::-1] if mirrored else rgb, -degrees // 90)


def test_every_frame_is_there_once_and_in_order(kind):
    clip, path = kind
    with video.open_source(path) as source:
        frames = list(source.frames())
        assert len(source) == source.info.length == clip.frames
    assert [number(as_stored(clip, frame.rgb)) for frame in frames] == list(range(clip.frames))
    assert [frame.index for frame in frames] == list(range(clip.frames))


def test_frames_keep_their_times(kind):
    clip, path = kind
    with video.open_source(path) as source:
        frames, unit = list(source.frames()), source.info.time_base
    times = [frame.pts * unit for frame in frames]
    delay = times[0] - clip.seconds[0] if clip.suffix in DELAYED else 0
    assert [time - delay for time in times] == pytest.approx(clip.seconds, abs=0.0006)
    for frame, following in itertools.pairwise(frames):
        assert frame.pts + frame.duration == following.pts
    assert frames[-1].duration > 0
    if clip.times is None:
        assert frames[-1].duration * unit == pytest.approx(1 / clip.rate, abs=0.0006)


def test_any_order_gives_the_same_frames(kind):
    _clip, path = kind
    with video.open_source(path) as source:
        forward = list(source.frames())
        for i in (7, 0, 11, 3, -1, 8, 9, 1, 16, 15, 17):
            assert source[i].pts == forward[i].pts
            np.testing.assert_array_equal(source[i].rgb, forward[i].rgb)
        for start, stop in ((8, 12), (5, None), (15, 18), (3, 3)):
            for frame, expected in zip(source.frames(start, stop), forward[start:stop], strict=True):
                np.testing.assert_array_equal(frame.rgb, expected.rgb)


def test_nothing_is_said_of_healthy_clips(kind):
    clip, path = kind
    expected = [
        word
        for word, told in (
            ("transparency", clip.pixels in ("yuva444p10le", "argb", "rgba") or clip.codec == "gif"),
            ("interlaced", "+ildct+ilme" in clip.options.values()),
            ("timestamps", clip.suffix in (".h264",) or (clip.suffix, clip.codec) == (".avi", "libx264")),
        )
        if told
    ]
    with video.open_source(path) as source:
        list(source.frames())
        assert len(source.notes) == len(expected)
        assert all(word in note for word, note in zip(expected, source.notes, strict=True))


def test_info_tells_what_is_in_the_file(kind):
    clip, path = kind
    turned = clip.display[0] in (90, -90)
    with video.open_source(path) as source:
        info, frame = source.info, source[0]
    assert (info.height, info.width) == frame.rgb.shape[:2]
    assert (info.width, info.height) == (clip.size[::-1] if turned else clip.size)
    assert info.pixel_aspect == clip.pixel_aspect
    assert info.rotation == -clip.display[0] % 360
    assert info.has_audio == bool(clip.sound)
    assert frame.rgb.dtype == (np.uint16 if info.bit_depth > 8 else np.uint8)
    rgb = clip.pixels.startswith(("rgb", "bgr", "gbr", "arg"))
    assert info.color.full_range == (clip.full_range or rgb)
    if clip.matrix != 2:
        assert (info.color.matrix, info.color.primaries, info.color.transfer) == (
            clip.matrix,
            clip.primaries,
            clip.transfer,
        )


@pytest.mark.parametrize("matrix", [5, 1, 9])
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pixels", ["yuv444p", "yuv444p10le", "yuv444p16le", "yuv420p", "yuv422p12le"])
def test_colours_are_those_that_the_tags_tell(tmp_path, matrix, full, pixels):
    """Flat colours survive Y'CbCr of every depth to within its own steps."""
    path = make(
        tmp_path / "flat.mkv",
        Clip(codec="ffv1", pixels=pixels, matrix=matrix, primaries=matrix, full_range=full),
    )
    truth = picture(3)[:16, :8].mean(axis=(0, 1))  # one block: light or dark gray
    with video.open_source(path) as source:
        rgb = source[3].rgb
        assert source.info.color.matrix == matrix
        assert source.info.color.full_range == full
    scale = np.iinfo(rgb.dtype).max / 255
    np.testing.assert_allclose(rgb[4:12, 2:6].mean(axis=(0, 1)) / scale, truth, atol=2.5)
    if "444" in pixels:
        drift = rgb[20:60, 4:60] / scale - picture(3)[20:60, 4:60]
        assert np.abs(drift).max() < 3


def test_untagged_pictures_get_the_matrix_of_their_size(tmp_path):
    for size, matrix in (((720, 576), 5), ((64, 64), 5), ((1280, 64), 1), ((64, 720), 1)):
        path = make(tmp_path / f"{size}.mkv", Clip(codec="ffv1", frames=1, size=size))
        with video.open_source(path) as source:
            assert source.info.color.matrix == matrix


def edited(path, clip, skip, length):
    """Write an MP4 whose edit list begins at frame `skip` and shows `length` frames."""
    make(path, clip)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12  # past name, version and count
    unit = 512
    start = int.from_bytes(data[at + 4 : at + 8], "big") + skip * unit
    data[at : at + 8] = (40 * length).to_bytes(4, "big") + start.to_bytes(4, "big")
    path.write_bytes(data)


@pytest.mark.parametrize("skip", [3, 8, 11])
def test_frames_outside_the_edit_list_are_not_shown(tmp_path, skip):
    path = tmp_path / "edited.mp4"
    edited(path, Clip(options=clips.GOP), skip, 6)
    with video.open_source(path) as source:
        frames = list(source.frames())
        assert [number(frame.rgb) for frame in frames] == list(range(skip, skip + 6))
        assert frames[0].pts == 0
        for i in (5, 0, 3):
            np.testing.assert_array_equal(source[i].rgb, frames[i].rgb)


def test_repeated_recordings_in_one_stream_play_one_after_the_other(tmp_path):
    """Two transport streams in one file: the clock jumps back in the middle."""
    part = make(tmp_path / "part.ts", Clip(suffix=".ts", options=clips.GOP)).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(part + part)
    with video.open_source(path) as source:
        frames = list(source.frames())
        assert [number(frame.rgb) for frame in frames] == 2 * list(range(20))
        assert all(a.pts < b.pts for a, b in itertools.pairwise(frames))
        for i in (30, 5, 21, 39):
            np.testing.assert_array_equal(source[i].rgb, frames[i].rgb)
        assert any("timestamps" in note for note in source.notes)


def test_a_recording_that_starts_between_keyframes_shows_from_the_first_keyframe(tmp_path):
    whole = make(tmp_path / "whole.ts", Clip(suffix=".ts", options={"bf": "0", "g": "8"})).read_bytes()
    path = tmp_path / "late.ts"
    packets = [whole[i : i + 188] for i in range(0, len(whole), 188)]
    video_starts = [
        i for i, data in enumerate(packets) if data[1] & 0x40 and (data[1] & 0x1F) << 8 | data[2] == 256
    ]
    kept = packets[:3] + packets[video_starts[2] :]
    path.write_bytes(b"".join(kept))
    with video.open_source(path) as source:
        assert [number(frame.rgb) for frame in source.frames()] == list(range(8, 20))


def test_deinterlacing_takes_the_combs_out_and_is_the_same_in_any_order(tmp_path):
    """A bright column moves between the fields: woven, its edge is a comb; deinterlaced it is not."""
    path = tmp_path / "combs.mkv"
    make(path, KINDS["h264 interlaced"])

    def combs(rgb):
        rows = rgb[16:].astype(int)
        return np.abs(2 * rows[1:-1] - rows[:-2] - rows[2:]).mean()

    with av.open(str(path), "w") as container:
        track = container.add_stream(
            "libx264",
            rate=25,
            width=64,
            height=64,
            options={"x264-params": "interlaced=1", "crf": "1", "g": "6"},
        )
        for i in range(16):
            rgb = np.full((64, 64, 3), 40, np.uint8)
            rgb[0::2, 3 * i : 3 * i + 8] = 220
            rgb[1::2, 3 * i + 8 : 3 * i + 16] = 220
            frame = av.VideoFrame.from_ndarray(rgb, "rgb24")
            frame.pts = i
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    with (
        video.open_source(path) as woven,
        video.open_source(path, FootageSettings(deinterlace=True)) as source,
    ):
        frames = list(source.frames())
        assert len(frames) == len(woven) == 16
        assert [frame.pts for frame in frames] == [frame.pts for frame in woven.frames()]
        assert np.mean([combs(frame.rgb) for frame in frames]) < 0.5 * np.mean(
            [combs(f.rgb) for f in woven.frames()]
        )
        for i in (9, 0, 15, 6, 7):
            np.testing.assert_array_equal(source[i].rgb, frames[i].rgb)
        np.testing.assert_array_equal(next(source.frames(7, 8)).rgb, frames[7].rgb)
        assert not any("interlaced" in note for note in source.notes)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff", ".bmp", ".webp"])
def test_folders_of_images_are_clips_in_natural_order(tmp_path, suffix):
    for i in range(12):
        cv2.imwrite(str(tmp_path / f"shot {i}{suffix}"), cv2.cvtColor(picture(i), cv2.COLOR_RGB2BGR))
    (tmp_path / "notes.txt").write_text("not an image")
    with video.open_source(tmp_path) as source:
        assert [number(frame.rgb) for frame in source.frames()] == list(range(12))
        assert number(source[-2].rgb) == 10
        assert [frame.pts for frame in source.frames(4, 7)] == [4, 5, 6]
        assert source.info.rate == Fraction(25)


def test_images_of_16_bits_keep_them(tmp_path):
    deep = np.arange(64 * 64 * 3, dtype=np.uint16).reshape(64, 64, 3) * 5
    cv2.imwrite(str(tmp_path / "deep.png"), deep[..., ::-1])
    with video.open_source(tmp_path / "deep.png") as source:
        assert len(source) == 1
        assert source.info.bit_depth == 16
        np.testing.assert_array_equal(source[0].rgb, deep)


def save(path, frame, codec, pixels):
    """One picture of a film format, encoded by libav."""
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, pixels
    context.time_base = Fraction(1, 25)
    path.write_bytes(b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)]))


def test_exr_is_shown_by_the_curve_of_srgb_with_a_note(tmp_path):
    shown = picture(5).astype(np.float32) / 255
    light = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4).astype(np.float32)
    light[40:, :8] = 3.0
    frame = av.VideoFrame(64, 64, "gbrpf32le")
    for plane, channel in zip(frame.planes, (1, 2, 0), strict=True):
        plane.update(light[..., channel].tobytes())
    for index in range(3):
        save(tmp_path / f"{index}.exr", frame, "exr", "gbrpf32le")
    with video.open_source(tmp_path) as source:
        assert (len(source), source.info.bit_depth) == (3, 16)
        assert any("linear light" in note for note in source.notes)
        rgb = source[2].rgb / 257
        assert (rgb[40:, :8] == 255).all()
        assert np.abs(rgb[:, 8:] - picture(5)[:, 8:]).max() < 0.1


def test_dpx_keeps_its_ten_bits(tmp_path):
    deep = picture(5).astype(np.uint16) * 257
    ten = av.VideoFrame.from_ndarray(deep, "rgb48le").reformat(format="gbrp10le")
    save(tmp_path / "a.dpx", ten, "dpx", "gbrp10le")
    with video.open_source(tmp_path / "a.dpx") as source:
        assert source.info.bit_depth == 16
        assert np.abs(source[0].rgb.astype(int) - deep).max() < 100
        assert source.notes == ()


@pytest.mark.parametrize("suffix", [".exr", ".dpx"])
def test_a_damaged_film_image_is_refused(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(b"no image at all" * 100)
    with pytest.raises(MediaError, match="a" + suffix):
        video.open_source(tmp_path / f"a{suffix}")


def test_transparent_images_are_shown_opaque_with_a_note(tmp_path):
    rgba = np.dstack([picture(5)[..., ::-1], np.full((64, 64), 9, np.uint8)])
    cv2.imwrite(str(tmp_path / "glass.png"), rgba)
    with video.open_source(tmp_path / "glass.png") as source:
        np.testing.assert_array_equal(source[0].rgb, picture(5))
        assert "transparency" in source.notes[0]


def test_images_of_another_size_are_refused_by_name(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), picture(0))
    cv2.imwrite(str(tmp_path / "b.png"), picture(1, 32, 32))
    with video.open_source(tmp_path) as source, pytest.raises(MediaError, match=r"b\.png is 32 × 32"):
        source[1]


@pytest.mark.parametrize("made", ["h264", "MPEG-4 in AVI", "h264 uneven times", "MPEG-2 in PS", "h264 bare"])
def test_the_index_of_a_file_is_kept_until_the_file_changes(tmp_path, home, monkeypatch, made):
    monkeypatch.setattr(kept_index, "WORTH_KEEPING", 0)
    scans = []
    build = kept_index.build_index
    monkeypatch.setattr(kept_index, "build_index", lambda *given: scans.append(1) or build(*given))
    clip = KINDS[made]
    path = make(tmp_path / f"a{clip.suffix}", clip)
    with video.open_source(path) as first, video.open_source(path) as again:
        assert len(first) == len(again) == 20
        assert again._indexed.result() == first._indexed.result()
        for index in (19, 3, 12):
            np.testing.assert_array_equal(again[index].rgb, first[index].rgb)
            assert again[index].pts == first[index].pts
    assert scans == [1], "two readers share one index, whoever of them comes first"
    del first, again  # with them goes what is in memory: the next one is from the disk
    scans.clear()
    with video.open_source(path) as source:
        assert len(source) == 20
    assert scans == []
    make(path, dataclasses.replace(clip, frames=12, times=clip.times and clip.times[:12]))
    with video.open_source(path) as source:
        assert len(source) == 12
    assert scans == [1]
    del source
    for entry in home.glob("indices/*/*"):
        entry.write_bytes(b"damaged")
    with video.open_source(path) as source:
        assert len(source) == 12
    assert scans == [1, 1]


def test_positions_outside_the_clip_are_refused(tmp_path):
    with video.open_source(make(tmp_path / "a.mp4", Clip())) as source:
        for index in (20, -21):
            with pytest.raises(IndexError, match="has 20 frames"):
                source[index]


def test_thumbnails_show_about_the_moment_asked_for(tmp_path):
    short = make(tmp_path / "short.mp4", Clip(size=(128, 96), display=(90, False)))
    with video.open_source(short) as source:
        small = dict(source.thumbnails((0, 7, 19), 64))
        assert {rgb.shape for rgb in small.values()} == {(64, 48, 3)}
        assert [number(np.rot90(rgb, -1)) for rgb in small.values()] == [0, 7, 19]
    long = make(tmp_path / "long.mp4", Clip(frames=700, options={"g": "50", "sc_threshold": "0"}))
    with video.open_source(long) as source:
        shown = {index: source[index - index % 50] for index, _ in source.thumbnails((60, 120), 64)}
        for index, rgb in source.thumbnails((60, 120), 64):
            assert np.abs(rgb.astype(int) - shown[index].rgb).mean() < 4


def test_a_wide_pixel_makes_a_wide_thumbnail(tmp_path):
    path = make(tmp_path / "wide.mp4", Clip(size=(64, 64), pixel_aspect=Fraction(2)))
    with video.open_source(path) as source:
        assert next(source.thumbnails([0], 32))[1].shape == (32, 64, 3)
