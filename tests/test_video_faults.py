"""What can be wrong with files: each is read as far as it goes, or refused in one sentence."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import weakref
from fractions import Fraction
from pathlib import Path

import av
import clips
import cv2
import numpy as np
import pytest
from clips import KINDS, Clip, make, number, picture

from flair_core import video
from flair_core.errors import MediaError
from flair_core.settings.output import OutputOptions

SUBTITLES = "1\n00:00:00,000 --> 00:00:01,000\nHello\n\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.mp4", b"This is no video.\n" * 50, "can't be read as a video"),
        ("short.mp4", b"Hi", "can't be read as a video"),
        ("empty.mp4", b"", "is empty"),
        ("noise.mkv", np.random.default_rng(0).bytes(50_000), "can't be read as a video"),
        ("subtitles.mp4", SUBTITLES.encode(), "has no video track"),
        ("list.mp4", b"ffconcat version 1.0\nfile 'other.mp4'\n", "can't be read as a video"),
        ("text.png", b"This is no image.\n" * 50, "is no image"),
        ("empty.png", b"", "is no image"),
        ("missing.mp4", None, "does not exist"),
        ("missing.png", None, "can't be read"),
    ],
)
def test_what_is_no_video_is_refused_in_one_sentence(tmp_path, capfd, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError, match=message) as caught:
        video.open_source(tmp_path / name)
    assert str(caught.value).count("\n") == 0
    assert capfd.readouterr() == ("", "")


def test_a_folder_without_images_is_refused(tmp_path):
    with pytest.raises(MediaError, match="holds no images"):
        video.open_source(tmp_path)


def test_sound_alone_is_refused_even_with_a_cover(tmp_path):
    path = tmp_path / "song.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=48000)
        cover = container.add_stream("mjpeg", rate=1, width=64, height=64, pix_fmt="yuvj420p")
        cover.disposition = av.stream.Disposition.attached_pic
        container.start_encoding()
        container.mux(cover.encode(av.VideoFrame.from_ndarray(picture(0), "rgb24")))
        container.mux(cover.encode(None))
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 4800), np.float32), "fltp", layout="stereo")
        silence.rate, silence.pts = 48000, 0
        container.mux(sound.encode(silence))
        container.mux(sound.encode(None))
    with pytest.raises(MediaError, match="no video track"):
        video.open_source(path)


@pytest.mark.parametrize("kind", ["h264 in MKV", "FFV1 RGB", "MPEG-4 in AVI", "VP9", "h264 faststart"])
@pytest.mark.parametrize("share", [0.75, 0.92])
def test_a_file_that_is_cut_off_shows_what_is_there_and_tells_how_much_is_not(tmp_path, kind, share):
    clip = KINDS.get(kind, Clip(options=clips.GOP))
    whole = make(tmp_path / f"whole{clip.suffix}", clip)
    if kind not in KINDS:
        with av.open(str(whole)) as source:  # with the index before the frames
            whole = tmp_path / "front.mp4"
            with av.open(str(whole), "w", container_options={"movflags": "faststart"}) as front:
                copy = front.add_stream_from_template(source.streams.video[0])
                for packet in source.demux(video=0):
                    if packet.size:
                        packet.stream = copy
                        front.mux(packet)
    data = whole.read_bytes()
    cut = tmp_path / f"cut{clip.suffix}"
    cut.write_bytes(data[: int(len(data) * share)])
    with video.open_source(cut) as source:
        shown = [number(frame.rgb) for frame in source.frames()]
        assert 5 <= len(shown) < 20
        assert shown[:4] == [0, 1, 2, 3]
        assert any(f"{20 - len(shown)} of 20 frames are missing" in note for note in source.notes)
        assert number(source[-1].rgb) == shown[-1]


def blanked(path: Path, frames: set[int]) -> Path:
    """Overwrite the packets of some frames with zeros."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for index, packet in enumerate(packet for packet in container.demux(video=0) if packet.size):
            if index in frames:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("first", [1, 0])
def test_a_damaged_frame_is_replaced_by_the_one_before_it_in_any_order(tmp_path, first):
    path = blanked(make(tmp_path / "holes.mov", KINDS["PNG in MOV"]), {first, 5, 6, 19})
    expected = [*range(20)]
    expected[first] = 1 - first  # nothing lies before the very first
    expected[5] = expected[6] = 4
    expected[19] = 18
    with video.open_source(path) as source:
        frames = list(source.frames())
        assert [number(frame.rgb) for frame in frames] == expected
        assert [frame.index for frame in frames] == list(range(20))
        for i in (6, 0, 19, 5, 1, 7):
            np.testing.assert_array_equal(source[i].rgb, frames[i].rgb)
            np.testing.assert_array_equal(next(source.frames(i)).rgb, frames[i].rgb)
        assert any(note.startswith(f"4 damaged frames ({first}, 5–6, 19)") for note in source.notes)


def test_a_lost_keyframe_is_bridged(tmp_path):
    path = blanked(make(tmp_path / "gap.mp4", Clip(options={"bf": "0", "g": "5", "sc_threshold": "0"})), {10})
    with video.open_source(path) as source:
        frames = list(source.frames())
        assert [frame.index for frame in frames] == list(range(20))
        assert [number(frame.rgb) for frame in frames[:10] + frames[15:]] == [*range(10), *range(15, 20)]
        assert number(source[10].rgb) == 9


def test_a_video_without_any_good_frame_is_refused(tmp_path):
    path = blanked(make(tmp_path / "void.mov", KINDS["PNG in MOV"]), set(range(20)))
    with pytest.raises(MediaError, match="no frame that can be decoded"):
        video.open_source(path)


def test_a_damaged_image_is_replaced_by_the_one_before_it(tmp_path):
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture(i)[..., ::-1])
    for i in (0, 2):
        (tmp_path / f"{i}.png").write_bytes(b"gone")
    with video.open_source(tmp_path) as source:
        assert [number(frame.rgb) for frame in source.frames()] == [1, 1, 1, 3]
        assert "0.png, 2.png" in source.notes[0]


def test_an_image_of_absurd_size_is_refused_before_memory_is_asked_for(tmp_path):
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + body)
    with pytest.raises(MediaError, match="16384 × 16384"):
        video.open_source(tmp_path / "bomb.png")


def test_a_video_of_absurd_size_is_refused(tmp_path):
    path = make(tmp_path / "huge.avi", KINDS["HuffYUV"])
    data = bytearray(path.read_bytes())
    at = data.index(b"strf") + 8
    assert data[at + 4 : at + 8] == (64).to_bytes(4, "little")
    data[at + 4 : at + 12] = (60000).to_bytes(4, "little") * 2
    path.write_bytes(data)
    with pytest.raises(MediaError):
        video.open_source(path)


def moved_back(path: Path, units: int, seconds: float) -> Path:
    """A transport stream in which the sound's last `units` times lie `seconds` earlier than they should."""
    data = bytearray(path.read_bytes())
    begins = [at for at in range(0, len(data), 188) if data[at + 1] & 0x40]
    sound = [data.index(b"\0\0\1\xc0", at, at + 188) for at in begins if b"\0\0\1\xc0" in data[at : at + 188]]
    for at in sound[-units:]:
        five = data[at + 9 : at + 14]
        stamp = (five[0] >> 1 & 7) << 30 | five[1] << 22 | five[2] >> 1 << 15 | five[3] << 7 | five[4] >> 1
        stamp -= round(seconds * 90_000)
        high, middle, low = stamp >> 29 & 0xE, stamp >> 14 & 0xFE | 1, stamp << 1 & 0xFE | 1
        data[at + 9 : at + 14] = [five[0] & 0xF1 | high, stamp >> 22 & 255, middle, stamp >> 7 & 255, low]
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("target", [".mkv", ".mp4"])
def test_sound_whose_times_go_back_is_kept_and_told(tmp_path, target):
    clip = Clip(suffix=".ts", codec="mpeg2video", frames=50, sound=("mp2",))
    path = make(tmp_path / "clip.ts", clip)
    intact = clips.packets(path, "audio")[0]
    moved_back(path, 2, 0.3)
    (broken,), out = clips.packets(path, "audio"), tmp_path / f"out{target}"
    assert any(after < before for (before, _), (after, _) in itertools.pairwise(broken))
    with video.open_source(path) as source:
        like, (width, height) = source.info, clip.size
        with video.open_sink(
            out, like=like, width=width, height=height, copy_from=path, options=OutputOptions(codec="ffv1")
        ) as sink:
            for frame in source.frames():
                sink.write(frame)
            sink.commit()
    (kept,) = clips.packets(out, "audio")
    assert [data for _, data in kept] == [data for _, data in intact]
    late = [abs(new - old) for (new, _), (old, _) in zip(kept, intact, strict=True)]
    assert max(late) < Fraction(1, 400), "as if nothing had happened"
    assert [
        note
        for note in sink.notes
        if "Packets of audio whose times are missing in the source or go back" in note
    ]


def test_a_source_that_vanishes_is_named(tmp_path):
    path = make(tmp_path / "gone.mp4", Clip())
    with video.open_source(path) as source:
        assert len(source) == 20
        path.unlink()
        with pytest.raises(MediaError, match="does not exist"):
            list(source.frames())


def test_closing_ends_the_index_thread(tmp_path):
    path = make(tmp_path / "long.mp4", KINDS["long GOP"])
    before = threading.active_count()
    sources = [video.open_source(path) for _ in range(8)]
    for source in sources:
        source.close()
    assert threading.active_count() == before


def test_frames_that_were_handed_out_are_not_kept(tmp_path):
    path = make(tmp_path / "long.mp4", KINDS["long GOP"])
    with video.open_source(path) as source:
        handed_out = []
        for frame in source.frames():
            handed_out.append(weakref.ref(frame.rgb))
            assert sum(reference() is not None for reference in handed_out) <= 2


def test_damaged_files_neither_crash_nor_hang():
    """More of them: python -m benchmarks.corruption --count 500."""
    root = Path(__file__).parents[1]
    count = int(os.environ.get("FLAIR_CORRUPTIONS", "60"))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.corruption", "--count", str(count), "--seed", "7"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["files"] == count
    assert result["crashed"] == result["hung"] == result["error"] == 0, done.stderr
    assert result["read"] > 0 < result["refused"]
