"""What comes out: times, pixels, tags and the other tracks as they went in; all at once or not at all."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from clips import BESIDE, KINDS, Clip, make, number, packets, picture

from flair_core import video
from flair_core.errors import MediaError
from flair_core.frames import ColorTags, Frame, VideoInfo, faster
from flair_core.video import OutputOptions, encoders
from flair_core.video.color import stored_tags
from flair_core.video.tracks import finer_timecode, later_timecode

UNEVEN = {"h264 uneven times", "h264 NTSC"}
"""Kinds whose frames do not begin at whole milliseconds."""
MILLISECONDS = {".mkv", ".webm"}
"""Containers whose clock ticks once a millisecond."""
SOURCES = [
    "h264",
    "h264 10 bit",
    "h264 full range",
    "h264 BT.709",
    "h264 in TS",
    "h264 uneven times",
    "h264 NTSC",
    "h264 late start",
    "h265 PQ",
    "h265 HLG",
    "h265 RGB",
    "MPEG-4 in AVI",
    "ProRes with alpha",
    "FFV1 16 bit",
    "FFV1 odd size",
    "turned left",
    "wide pixels",
    "APNG",
]
OUTPUTS = [(".mov", "h264"), (".mp4", "lossless"), (".mkv", "lossless")]
MORE = [
    ("wide pixels", ".mkv", "prores"),
    ("wide pixels", ".mp4", "h265"),
    ("h264", ".mkv", "h264"),
    ("h264", ".mp4", "h265"),
    ("h265 PQ", ".mkv", "h265"),
    ("h264 uneven times", ".mov", "h265"),
    ("h264 BT.709", ".mp4", "av1"),
    ("h265 HLG", ".webm", "av1"),
    ("h264 uneven times", ".mov", "prores"),
    ("FFV1 16 bit", ".mkv", "prores"),
]
MATRIX = [(kind, *output) for kind in SOURCES for output in OUTPUTS] + MORE


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Path of a clip of a kind, made once."""
    known = {}

    def path(kind):
        if kind not in known:
            clip = KINDS[kind]
            known[kind] = make(tmp_path_factory.mktemp("made") / f"clip{clip.suffix}", clip)
        return known[kind]

    return path


def sorted_out(options):
    """Arguments of open_sink, where those of its OutputOptions stand beside the others."""
    names = {field.name for field in dataclasses.fields(OutputOptions)}
    encoding = OutputOptions(**{name: value for name, value in options.items() if name in names})
    return {name: value for name, value in options.items() if name not in names} | {"options": encoding}


def rewrite(path, target, **options):
    """Read a clip and write it again, untouched; returns the notes."""
    with video.open_source(path) as source:
        info = source.info
        span = options.get("span", range(len(source)))
        with video.open_sink(
            target, like=info, width=info.width, height=info.height, copy_from=path, **sorted_out(options)
        ) as sink:
            for frame in source.frames(span.start, span.stop):
                sink.write(frame)
            sink.commit()
    return sink.notes


@pytest.mark.parametrize(("kind", "suffix", "codec"), MATRIX)
def test_what_goes_in_comes_out(made, tmp_path, kind, suffix, codec):
    if codec == "av1" and kind == "FFV1 odd size":
        pytest.skip("AV1 is even")
    target = tmp_path / f"out{suffix}"
    lost_shape = kind == "wide pixels" and suffix in MILLISECONDS
    rounded = kind in UNEVEN and suffix in MILLISECONDS
    notes = rewrite(made(kind), target, codec=codec)
    assert len(notes) == lost_shape + rounded
    assert any("milliseconds" in note for note in notes) == rounded
    with video.open_source(made(kind)) as before, video.open_source(target) as after:
        old, new = list(before.frames()), list(after.frames())
        assert len(new) == len(after) == len(old)
        slack = 0.0005 if suffix in MILLISECONDS else 0
        for a, b in zip(old, new, strict=True):
            assert b.pts * after.info.time_base == pytest.approx(
                a.pts * before.info.time_base, abs=slack, rel=0
            )
            if codec == "lossless":
                np.testing.assert_array_equal(b.rgb, a.rgb)
            else:
                peaks = np.iinfo(a.rgb.dtype).max, np.iinfo(b.rgb.dtype).max
                error = a.rgb / peaks[0] - b.rgb / peaks[1]
                assert -10 * np.log10(np.square(error).mean()) > 28
        size = before.info.width, before.info.height
        assert after.info.color == stored_tags(before.info.color, *size, rgb=codec == "lossless")
        deep = before.info.bit_depth > 8 or codec == "prores"
        expected = 16 if codec == "lossless" else 10
        assert after.info.bit_depth == (expected if deep else 8)
        assert after.notes == ()
        if not lost_shape:
            assert after.info.pixel_aspect == before.info.pixel_aspect
        if kind != "h264 uneven times":  # MP4 tells the durations in order of decoding
            lengths = old[-1].duration * before.info.time_base, new[-1].duration * after.info.time_base
            assert lengths[1] == pytest.approx(lengths[0], abs=2 * slack, rel=0)


@pytest.mark.parametrize("target", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_makes_the_round_trip_frame_by_frame_and_packet_by_packet(tmp_path, kind, target):
    """All 58 kinds with sound, subtitles and chapters as their container has them, through FFV1 in RGB and back."""
    clip = dataclasses.replace(KINDS[kind], **BESIDE.get(KINDS[kind].suffix, {}))
    path, copy = make(tmp_path / f"in{clip.suffix}", clip), tmp_path / f"out{target}"
    notes = rewrite(path, copy, codec="lossless")
    left_out = [note for note in notes if "left out" in note]
    with video.open_source(path) as before, video.open_source(copy) as after:
        slack = Fraction(1, 2000) if target == ".mkv" else 0
        for old, new in zip(before.frames(), after.frames(), strict=True):
            np.testing.assert_array_equal(new.rgb, old.rgb)
            off = abs(new.pts * after.info.time_base - old.pts * before.info.time_base)
            assert off <= slack
    kept = 0
    tick = (
        Fraction(1, 1000) if ".mkv" in (target, clip.suffix) or clip.suffix == ".webm" else Fraction(1, 48000)
    )
    for sort in ("audio", "subtitle"):
        old_tracks = packets(path, sort)
        new_tracks = packets(copy, sort)
        kept += len(new_tracks)
        for new in new_tracks:
            data = [content for _, content in new]
            (old,) = [track for track in old_tracks if b"".join(c for _, c in track) == b"".join(data)]
            if new[0][1] != old[0][1]:
                continue  # PCM has no packets of its own: its bytes are the same, in other pieces
            assert data == [content for _, content in old]
            assert [time for time, _ in new] == pytest.approx([time for time, _ in old], abs=float(tick))
    assert kept + len(left_out) == len(clip.sound) + len(clip.subtitles)
    if clip.chapters:
        with av.open(str(path)) as one, av.open(str(copy)) as other:
            titles = [[part["metadata"]["title"] for part in file.chapters()] for file in (one, other)]
        assert titles[0] == titles[1] == ["part 0", "part 1"]


@pytest.mark.parametrize(
    ("suffix", "sound", "subtitles", "target"),
    [
        (".mp4", ("aac", "libmp3lame"), ("mov_text",), ".mp4"),
        (".mp4", ("aac",), (), ".mov"),
        (".mp4", ("aac", "ac3"), (), ".mkv"),
        (".mkv", ("libopus", "flac"), ("srt", "srt"), ".mkv"),
        (".mkv", ("aac", "pcm_s16le"), (), ".mov"),
        (".mkv", ("libopus",), (), ".mp4"),
        (".mov", ("pcm_s24le", "aac"), (), ".mov"),
        (".mov", ("pcm_s16le",), (), ".mkv"),
        (".ts", ("aac", "mp2"), (), ".mkv"),
        (".avi", ("mp2",), (), ".mp4"),
        (".webm", ("libopus",), (), ".webm"),
    ],
)
def test_other_tracks_are_copied_packet_for_packet(tmp_path, suffix, sound, subtitles, target):
    codec = {".webm": "libvpx-vp9", ".avi": "mpeg4"}.get(suffix, "libx264")
    path = make(
        tmp_path / f"in{suffix}", Clip(suffix, codec=codec, frames=40, sound=sound, subtitles=subtitles)
    )
    copy = tmp_path / f"out{target}"
    assert rewrite(path, copy) == []
    tick = Fraction(1, 1000) if ".mkv" in (target, suffix) or target == ".webm" else Fraction(1, 48000)
    for kind in ("audio", "subtitle"):
        before, after = packets(path, kind), packets(copy, kind)
        assert len(after) == len(before) == len(sound if kind == "audio" else subtitles)
        for old, new, name in zip(before, after, sound if kind == "audio" else subtitles, strict=True):
            if name.startswith("pcm"):  # has no packets of its own
                assert b"".join(data for _, data in new) == b"".join(data for _, data in old)
                assert new[0][0] == old[0][0]
                continue
            assert [data for _, data in new] == [data for _, data in old]
            assert [time for time, _ in new] == pytest.approx([time for time, _ in old], abs=float(tick))


def test_names_chapters_and_dispositions_are_copied(tmp_path):
    details = {"title": "A day", "artist": "Someone", "scene": "7b"}
    clip = Clip(".mkv", sound=("aac", "flac"), subtitles=("srt",), chapters=True, metadata=details)
    path = make(tmp_path / "in.mkv", clip)
    for suffix in (".mkv", ".mp4"):
        copy = tmp_path / f"out{suffix}"
        rewrite(path, copy)
        with av.open(str(copy)) as container:
            found = {key.lower(): value for key, value in container.metadata.items()}
            assert {key: found.get(key) for key in details} == details
            chapters = [
                (chapter["start"] * chapter["time_base"], chapter["metadata"]["title"])
                for chapter in container.chapters()
            ]
            assert chapters == [(0, "part 0"), (Fraction(2, 5), "part 1")]
            languages = [track.language for track in container.streams.audio]
            assert languages == ["deu", "fra"]


def test_sound_whose_channels_are_not_named_is_left_out_where_they_must_be(tmp_path):
    """NUT does not say what the channels are; MP4 refuses that, but only when the file is finished."""
    path = make(tmp_path / "in.nut", dataclasses.replace(KINDS["raw RGB"], sound=("pcm_s16le",)))
    (note,) = rewrite(path, tmp_path / "out.mp4")
    assert "audio, pcm_s16le" in note
    assert rewrite(path, tmp_path / "out.mov") == []
    assert len(packets(tmp_path / "out.mov", "audio")) == 1


def test_tracks_that_the_container_can_not_hold_are_named_and_the_rest_is_written(tmp_path):
    path = make(tmp_path / "in.mkv", Clip(".mkv", sound=("libopus", "aac"), subtitles=("srt",)))
    notes = rewrite(path, tmp_path / "out.mov")
    assert len(notes) == 2
    assert "opus" in notes[0]
    assert "sub" in notes[1]
    assert [data for _, data in packets(tmp_path / "out.mov", "audio")[0]] == [
        data for _, data in packets(path, "audio")[1]
    ]


def ramp(path, suffix):
    """A clip whose sound counts its samples, modulo 2^15."""
    with av.open(str(path), "w") as container:
        track = container.add_stream("libx264", rate=Fraction(30000, 1001), width=64, height=64)
        sound = container.add_stream("pcm_s16le", rate=48000, layout="mono")
        for i in range(60):
            frame = av.VideoFrame.from_ndarray(picture(i), "rgb24")
            container.mux(track.encode(frame))
        for start in range(0, 96000, 1000):
            counts = (np.arange(start, start + 1000) % 2**15).astype(np.int16)[None]
            chunk = av.AudioFrame.from_ndarray(counts, "s16", layout="mono")
            chunk.rate, chunk.pts = 48000, start
            container.mux(sound.encode(chunk))
        for stream in (track, sound):
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
@pytest.mark.parametrize("span", [range(7, 31), range(13, 60), range(1, 2)])
def test_sound_of_a_part_does_not_drift_by_a_sample(tmp_path, suffix, span):
    path = ramp(tmp_path / f"in{suffix}", suffix)
    copy = tmp_path / f"out{suffix}"
    rewrite(path, copy, span=span, codec="lossless" if suffix == ".mkv" else "h264")
    with video.open_source(path) as source, video.open_source(copy) as part:
        origin, frame = source[span.start].pts * source.info.time_base, source[span.stop - 1]
        end = (frame.pts + frame.duration) * source.info.time_base
        assert part[0].pts == 0
        assert [number(picture.rgb) for picture in part.frames()] == list(span)
    heard = {}
    with av.open(str(copy)) as container:
        for chunk in container.decode(audio=0):
            first = round(chunk.pts * chunk.time_base * 48000)
            heard.update(
                zip(range(first, first + chunk.samples), chunk.to_ndarray()[0].tolist(), strict=True)
            )
    slack = 1 if suffix == ".mov" else 48  # Matroska's clock ticks once a millisecond
    for sample, value in heard.items():
        off = (value - sample - origin * 48000) % 2**15
        assert min(off, 2**15 - off) <= slack
    assert min(heard) <= slack
    assert max(heard) == pytest.approx((min(end, 2) - origin) * 48000, abs=slack + 1)


def test_compressed_sound_of_a_part_is_moved_by_one_offset(tmp_path):
    path = make(tmp_path / "in.mp4", Clip(frames=50, sound=("aac",), subtitles=("mov_text",), chapters=True))
    copy = tmp_path / "out.mp4"
    rewrite(path, copy, span=range(10, 40))
    before = {data: time for time, data in packets(path, "audio")[0]}
    moved = [(time - before[data], time) for time, data in packets(copy, "audio")[0]]
    assert {offset for offset, _ in moved} == {Fraction(-10, 25)}
    assert min(time for _, time in moved) < Fraction(1024, 48000)
    assert (
        max(time for _, time in moved)
        < Fraction(30, 25)
        <= max(time for _, time in moved) + Fraction(1024, 48000)
    )
    with av.open(str(copy)) as container:
        times = [
            (part["start"] * part["time_base"], part["end"] * part["time_base"])
            for part in container.chapters()
        ]
    assert times == [(0, Fraction(3, 5)), (Fraction(3, 5), Fraction(6, 5))]


def heard(path):
    """The left channel, by the number of the sample after time 0."""
    samples = {}
    with av.open(str(path)) as container:
        for chunk in container.decode(audio=0):
            first = round(chunk.pts * chunk.time_base * 48000)
            values = chunk.to_ndarray()
            values = values[0, :: len(chunk.layout.channels)] if chunk.format.is_packed else values[0]
            samples.update(zip(range(first, first + chunk.samples), values.tolist(), strict=True))
    return samples


@pytest.mark.parametrize(
    ("suffix", "sound", "target"),
    [
        (".mp4", "aac", ".mp4"),
        (".mov", "aac", ".mov"),
        (".mp4", "libmp3lame", ".mp4"),
        (".mp4", "ac3", ".mov"),
        (".mkv", "flac", ".mp4"),
        (".mp4", "alac", ".mov"),
    ],
)
def test_compressed_sound_of_a_part_is_right_from_its_first_sample_to_its_last(
    tmp_path, suffix, sound, target
):
    path = make(tmp_path / f"in{suffix}", Clip(suffix, frames=60, sound=(sound,)))
    copy = tmp_path / f"out{target}"
    assert rewrite(path, copy, span=range(17, 41)) == []
    before, after = heard(path), heard(copy)
    origin, length = 17 * 1920, 24 * 1920
    whole = [after[sample] for sample in range(length)]
    scale = max(abs(value) for value in whole)
    expected = [before[origin + sample] for sample in range(length)]
    assert whole == pytest.approx(expected, abs=1e-4 * scale, rel=0)


def frames_of(count=6, size=(64, 64), dtype=np.uint8):
    """Frames that need no file."""
    scale = 257 if dtype == np.uint16 else 1
    return [Frame(picture(i, *size).astype(dtype) * dtype(scale), i, i, 1) for i in range(count)]


INFO = VideoInfo(64, 64, Fraction(25), Fraction(1, 25), 6)


def write(path, frames, info=INFO, **options):
    if "width" not in options:
        options["height"], options["width"] = frames[0].rgb.shape[:2]
    with video.open_sink(path, like=info, **sorted_out(options)) as sink:
        for frame in frames:
            sink.write(frame)
        sink.commit()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["out.mkv", "out.mp4", "folder"])
def test_lossless_is_bit_exact_for_any_pixels(tmp_path, name, dtype):
    rng = np.random.default_rng(1)
    high = np.iinfo(dtype).max
    frames = [Frame(rng.integers(0, high, (37, 63, 3), dtype, endpoint=True), i, i, 1) for i in range(4)]
    info = dataclasses.replace(INFO, bit_depth=8 * np.dtype(dtype).itemsize)
    write(tmp_path / name, frames, info, codec="lossless")
    with video.open_source(tmp_path / name) as source:
        for frame, expected in zip(source.frames(), frames, strict=True):
            np.testing.assert_array_equal(frame.rgb, expected.rgb)


def test_a_deep_source_can_be_stored_in_8_bits_without_bands(tmp_path):
    """A ramp of 4 levels across 256 columns keeps its mean everywhere, though pixels have whole levels."""
    ramp_ = np.linspace(100, 104, 256)
    deep = np.broadcast_to(ramp_[None, :, None] * 257, (64, 256, 3)).astype(np.uint16)
    tags = ColorTags(1, 1, 1, full_range=True)
    write(tmp_path / "out.mp4", [Frame(deep, 0, 0, 1)], dataclasses.replace(INFO, color=tags), quality=0)
    with video.open_source(tmp_path / "out.mp4") as source:
        stored = source[0].rgb.mean(axis=(0, 2))
    assert source.info.bit_depth == 8
    assert np.abs((stored - ramp_).reshape(16, 16).mean(1)).max() < 0.1


def test_frames_of_8_bits_can_be_stored_in_10(tmp_path):
    write(tmp_path / "out.mp4", frames_of(), codec="h265", bits=10)
    with video.open_source(tmp_path / "out.mp4") as source:
        assert source.info.bit_depth == 10
        assert [number(frame.rgb) for frame in source.frames()] == list(range(6))


def test_quality_is_handed_to_the_encoder(tmp_path):
    for quality in (10, 40):
        write(tmp_path / f"{quality}.mp4", frames_of(), quality=quality)
    assert (tmp_path / "10.mp4").stat().st_size > 1.5 * (tmp_path / "40.mp4").stat().st_size


def test_enlarged_pictures_keep_the_tags_that_they_were_decoded_by(tmp_path):
    """An untagged small clip is BT.601; ×20 its size would be guessed as BT.709 if it were not told."""
    with video.open_source(make(tmp_path / "in.mp4", Clip(frames=2))) as source:
        info = source.info
    frames = [Frame(picture(i, 1280, 720), i, i * 512, 512) for i in range(2)]
    write(tmp_path / "out.mp4", frames, info)
    with video.open_source(tmp_path / "out.mp4") as source:
        assert source.info.color.matrix == 5
        assert np.abs(source[1].rgb.astype(int) - frames[1].rgb).mean() < 3


def test_nothing_lies_there_before_commit_and_no_rest_after(tmp_path):
    for name in ("out.mp4", "folder"):
        sink = video.open_sink(tmp_path / name, like=INFO, width=64, height=64)
        for frame in frames_of():
            sink.write(frame)
            assert not (tmp_path / name).exists()
        sink.commit()
        sink.abort()
        assert (tmp_path / name).exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "out.mp4"]


@pytest.mark.parametrize("name", ["out.mp4", "folder"])
@pytest.mark.parametrize("written", [0, 3])
def test_an_error_leaves_what_was_there_before(tmp_path, name, written):
    write(tmp_path / name, frames_of(2))
    frames = frames_of(6)
    frames[written] = None
    with pytest.raises(AttributeError):
        write(tmp_path / name, frames, height=64, width=64)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with video.open_source(tmp_path / name) as source:
        assert len(source) == 2


def test_a_folder_of_frames_is_replaced_as_a_whole(tmp_path):
    write(tmp_path / "folder", frames_of(6))
    write(tmp_path / "folder", frames_of(2))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["000000.png", "000001.png", "folder"]


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.txt").write_text("years of work")
    with pytest.raises(MediaError, match="other things"):
        write(tmp_path / "folder", frames_of())
    assert (tmp_path / "folder" / "thesis.txt").read_text() == "years of work"


def test_png_frames_are_named_after_their_index(tmp_path):
    write(tmp_path / "folder", frames_of(6)[4:])
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["000004.png", "000005.png"]
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "folder/000005.png"))[..., ::-1], picture(5))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("missing/out.mp4", {}, "can't be written"),
        ("missing/folder", {}, "can't be written"),
        ("out.xyz", {}, r"ending in \.mp4"),
        ("folder", {"codec": "h264"}, r"ending in \.mp4"),
        ("out.mp4", {"codec": "divx"}, "Choose one of h264"),
        ("out.webm", {"codec": "h264"}, r"ending in \.mp4"),
        ("out.mp4", {"codec": "prores"}, r"ending in \.mov"),
        ("file/out.mp4", {}, "can't be written"),
    ],
)
def test_outputs_that_can_not_be_are_refused_before_anything_is_done(tmp_path, name, options, message):
    (tmp_path / "file").write_text("a file, no folder")
    with pytest.raises(MediaError, match=message):
        video.open_sink(tmp_path / name, like=INFO, width=64, height=64, **sorted_out(options))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_odd_sizes_are_stored_where_they_can_be(tmp_path):
    frames = frames_of(size=(63, 37))
    for name, codec in (("a.mp4", "h264"), ("b.mp4", "h265"), ("c.mkv", "lossless"), ("d.mov", "prores")):
        write(tmp_path / name, frames, codec=codec)
        with video.open_source(tmp_path / name) as source:
            assert source[0].rgb.shape == (37, 63, 3)
    with pytest.raises(MediaError, match="even width and height"):
        write(tmp_path / "e.mp4", frames, codec="av1")


def test_the_source_is_not_overwritten(tmp_path):
    path = make(tmp_path / "in.mp4", Clip())
    before = path.read_bytes()
    with pytest.raises(MediaError, match="source itself"):
        rewrite(path, path)
    assert path.read_bytes() == before


def test_frames_of_another_size_or_out_of_order_are_refused(tmp_path):
    for frames, message in (
        ([*frames_of(2), *frames_of(3, size=(32, 32))[2:]], "is 32 × 32 pixels"),
        ([*frames_of(3), *frames_of(2)[1:]], "times must increase"),
    ):
        with pytest.raises(MediaError, match=message):
            write(tmp_path / "out.mp4", frames)
    with pytest.raises(MediaError, match="No frame was written"):
        video.open_sink(tmp_path / "out.mp4", like=INFO, width=64, height=64).commit()


def test_a_full_disk_is_named(tmp_path):
    """The growing file leads to the device that is always full."""
    (tmp_path / "out.mp4.partial").symlink_to("/dev/full")
    with pytest.raises(MediaError, match="disk is full"):
        write(tmp_path / "out.mp4", frames_of())
    assert list(tmp_path.iterdir()) == []


def test_a_missing_graphics_card_does_no_harm(tmp_path):
    write(tmp_path / "out.mp4", frames_of(), hardware=True)
    with video.open_source(tmp_path / "out.mp4") as source:
        assert len(source) == 6


@pytest.mark.parametrize("bits", [8, 10])
def test_a_graphics_card_is_tried_with_pictures_of_the_size_at_hand(monkeypatch, bits):
    """The stand-in for its encoder is one that every build has, and it refuses small pictures."""
    tried = []
    real = encoders._encodes

    def tries(encoder, depth, size):
        tried.append((encoder, depth, size))
        return encoder == "h264_qsv" and size[0] >= 128

    monkeypatch.setattr(encoders, "_encodes", tries)
    monkeypatch.setattr(encoders.av, "codecs_available", {"h264_nvenc", "h264_qsv", "libx264"})
    encoders.working_hardware.cache_clear()
    path = Path("out.mp4")
    chosen = encoders.choose("h264", path, (640, 480), bits, None, hardware=True)
    assert (chosen.encoder, chosen.note) == ("h264_qsv", "")
    assert chosen.pixels == encoders.HARDWARE_PIXELS[bits]
    assert tried == [("h264_nvenc", bits, (640, 480)), ("h264_qsv", bits, (640, 480))]
    small = encoders.choose("h264", path, (64, 64), bits, None, hardware=True)
    assert small.encoder == "libx264"
    assert "No graphics card here encodes H.264" in small.note
    odd = encoders.choose("h264", path, (641, 480), bits, None, hardware=True)
    assert (odd.encoder, "444" in odd.pixels) == ("libx264", True)
    encoders.working_hardware.cache_clear()
    assert not real("no such encoder", 8, (64, 64))


def test_tags_of_rgb_sources_become_those_of_usual_video():
    srgb = ColorTags(matrix=0, primaries=1, transfer=13, full_range=True)
    assert stored_tags(srgb, 640, 480, rgb=False) == ColorTags(5, 1, 13, full_range=False)
    assert stored_tags(srgb, 1920, 1080, rgb=False) == ColorTags(1, 1, 13, full_range=False)
    pq = ColorTags(9, 9, 16)
    assert stored_tags(pq, 640, 480, rgb=False) == pq
    assert stored_tags(pq, 640, 480, rgb=True) == ColorTags(0, 9, 16, full_range=True)


def test_the_light_of_hdr_is_told_again(tmp_path):
    screen = "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"
    options = {"x265-params": f"log-level=none:{screen}:max-cll=1000,400"}
    path = make(tmp_path / "in.mp4", dataclasses.replace(KINDS["h265 PQ"], options=options))
    for name, codec in (("a.mp4", "h265"), ("b.mkv", "h264"), ("c.mkv", "av1")):
        rewrite(path, tmp_path / name, codec=codec)
        with video.open_source(tmp_path / name) as source:
            expected = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06, 0.3127, 0.329, 0.005, 1000)
            assert source.info.mastering == pytest.approx(expected, abs=1e-4)
            assert source.info.content_light == (1000, 400)
    (note,) = rewrite(path, tmp_path / "d.mov", codec="prores")
    assert "light" in note


def test_covers_other_angles_and_timecodes_come_along_or_are_named(tmp_path):
    path = tmp_path / "in.mp4"
    with av.open(str(path), "w") as container:
        main = container.add_stream("libx264", rate=25, width=64, height=64)
        main.metadata["timecode"] = "01:00:00:00"
        cover = container.add_stream("mjpeg", rate=1, width=32, height=32, pix_fmt="yuvj420p")
        cover.disposition = av.stream.Disposition.attached_pic
        angle = container.add_stream("libx264", rate=25, width=32, height=32)
        container.start_encoding()
        for track, count, size in ((cover, 1, 32), (main, 8, 64), (angle, 8, 32)):
            for i in range(count):
                container.mux(track.encode(av.VideoFrame.from_ndarray(picture(i, size, size), "rgb24")))
            container.mux(track.encode(None))
    assert rewrite(path, tmp_path / "out.mp4") == []
    with av.open(str(path)) as before, av.open(str(tmp_path / "out.mp4")) as after:
        tracks = [
            sorted((track.type, int(track.disposition)) for track in file.streams) for file in (before, after)
        ]
        assert tracks[0] == tracks[1]
        assert len(tracks[0]) == 4
        assert after.streams.video[0].metadata["timecode"] == "01:00:00:00"
    for old, new in list(zip(packets(path, "video"), packets(tmp_path / "out.mp4", "video"), strict=True))[
        1:
    ]:
        assert new == old
    notes = rewrite(path, tmp_path / "part.mkv", span=range(2, 5))
    assert len(notes) == 2
    for left_out in ("video, h264", "video, mjpeg"):
        assert any(left_out in note for note in notes)
    rewrite(path, tmp_path / "part.mp4", span=range(2, 5))
    for suffix in (".mkv", ".mp4"):
        with av.open(str(tmp_path / f"part{suffix}")) as container:
            metadata = container.streams.video[0].metadata
            assert metadata.get("timecode", metadata.get("TIMECODE")) == "01:00:00:02"


@pytest.mark.parametrize(
    ("first", "rate", "frames", "then"),
    [
        ("01:00:00:00", 25, 30, "01:00:01:05"),
        ("00:00:59;28", Fraction(30000, 1001), 3, "00:01:00;03"),
        ("00:09:59;29", Fraction(30000, 1001), 1, "00:10:00;00"),
        ("00:00:00;00", Fraction(30000, 1001), 107_892, "01:00:00;00"),
        ("10:00:59;58", Fraction(60000, 1001), 3, "10:01:00;05"),
        ("23:59:59:23", Fraction(24000, 1001), 1, "00:00:00:00"),
        ("nonsense", 25, 3, "nonsense"),
    ],
)
def test_timecodes_count_on(first, rate, frames, then):
    assert later_timecode(first, Fraction(rate), frames) == then


@pytest.mark.parametrize(
    ("first", "factor", "then"),
    [
        ("01:00:00:12", 2, "01:00:00:24"),
        ("00:01:00;02", 2, "00:01:00;04"),  # the first of its minute at 29.97, as at 59.94
        ("01:00:00:12", 1, "01:00:00:12"),
        ("nonsense", 2, "nonsense"),
    ],
)
def test_timecodes_name_the_same_moment_among_more_frames(first, factor, then):
    assert finer_timecode(first, factor) == then


@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
@pytest.mark.parametrize(("factor", "then"), [(1, "01:00:00:09"), (2, "01:00:00:18")])
def test_the_timecode_of_a_part_counts_on_from_matroska_too(tmp_path, suffix, factor, then):
    clip = Clip(suffix=".mkv", frames=6, metadata={"timecode": "01:00:00:05"})
    path, out = make(tmp_path / "clip.mkv", clip), tmp_path / f"out{suffix}"
    with video.open_source(path) as source:
        like, span = faster(source.info, factor), range(4 * factor, 6 * factor)
        with video.open_sink(out, like=like, width=64, height=64, copy_from=path, span=span) as sink:
            for index, frame in enumerate(source.frames(4, 6)):
                at = factor * frame.pts
                sink.write(dataclasses.replace(frame, index=span.start + factor * index, pts=at))
            sink.commit()
    with av.open(str(out)) as written:
        found = {**written.metadata, **written.streams.video[0].metadata}
    assert {text for name, text in found.items() if name.lower() == "timecode"} == {then}


@pytest.mark.parametrize("suffix", [".mov", ".mp4"])
def test_data_beside_the_pictures_is_copied(tmp_path, suffix):
    """A camera's own track, as packets that nobody here understands."""
    path = tmp_path / "in.mp4"
    rng = np.random.default_rng(0)
    data = [rng.bytes(50 + i) for i in range(10)]
    with av.open(str(path), "w") as container:
        track = container.add_stream("libx264", rate=25, width=64, height=64)
        camera = container.add_data_stream("bin_data")
        camera.time_base = Fraction(1, 1000)
        container.start_encoding()
        for i in range(20):
            container.mux(track.encode(av.VideoFrame.from_ndarray(picture(i), "rgb24")))
        container.mux(track.encode(None))
        for i, content in enumerate(data):
            packet = av.Packet(content)
            packet.stream, packet.time_base = camera, Fraction(1, 1000)
            packet.pts = packet.dts = 80 * i
            packet.duration = 80
            container.mux_one(packet)
    before = packets(path, "data")
    assert [content for _, content in before[0]] == data
    assert rewrite(path, tmp_path / f"out{suffix}") == []
    assert packets(tmp_path / f"out{suffix}", "data") == before
    (note,) = rewrite(path, tmp_path / "out.mkv")
    assert "data" in note


def test_attachments_are_copied(tmp_path):
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        track = container.add_stream("libx264", rate=25, width=64, height=64)
        container.add_attachment("letters.ttf", "application/x-truetype-font", bytes(range(100)))
        container.start_encoding()
        container.mux(track.encode(av.VideoFrame.from_ndarray(picture(0), "rgb24")))
        container.mux(track.encode(None))
    assert rewrite(path, tmp_path / "out.mkv") == []
    with av.open(str(tmp_path / "out.mkv")) as container:
        (font,) = container.streams.attachments
        assert (font.metadata["filename"], font.data) == ("letters.ttf", bytes(range(100)))


def test_h265_in_mp4_is_called_what_every_player_knows(tmp_path):
    write(tmp_path / "out.mp4", frames_of(), codec="h265")
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_tag == "hvc1"


def test_names_that_look_like_patterns_are_only_names(tmp_path):
    path = make(tmp_path / "shot %03d ünï:1.mp4", Clip(sound=("aac",)))
    target = tmp_path / "öut %d [x]: 100%.mp4"
    assert rewrite(path, target) == []
    assert sorted(file.name for file in tmp_path.iterdir()) == [path.name, target.name]
