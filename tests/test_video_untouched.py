"""What restoration leaves alone is stored with the very samples of the source, and what pictures carry stays."""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction

import av
import clips
import cv2
import numpy as np
import pytest
from cheap import SETTINGS, TRACKS, Counting, models
from clips import KINDS, Clip, make, picture

from flair_core import video
from flair_core.jobs import output
from flair_core.restoration.clip import restore
from flair_core.restoration.run import Run
from flair_core.settings.groups import FootageSettings
from flair_core.settings.look import Look
from flair_core.settings.output import OutputOptions
from flair_core.video.color import Marked, completed, side_data
from flair_core.video.untouched import planar

SIZE = (96, 64)
STORED = {
    "4:2:0, 8 bit": Clip(options=clips.GOP),
    "4:2:0, 10 bit": Clip(pixels="yuv420p10le", options=clips.GOP),
    "4:2:0, full range": Clip(full_range=True, options=clips.GOP),
    "4:2:0, BT.709": Clip(matrix=1, primaries=1, transfer=1, options=clips.GOP),
    "4:2:0, uneven times": KINDS["h264 uneven times"],
    "4:2:2, 10 bit": Clip(".mov", codec="prores_ks", pixels="yuv422p10le"),
    "4:2:2, packed": Clip(".avi", codec="rawvideo", pixels="uyvy422"),
    "4:4:4, 8 bit": Clip(pixels="yuv444p", options=clips.GOP),
    "4:4:4, 12 bit": Clip(codec="libx265", pixels="yuv444p12le", options=clips.X265),
    "4:4:4, transparent": Clip(".mov", codec="prores_ks", pixels="yuva444p10le"),
    "4:1:1": Clip(".mkv", codec="ffv1", pixels="yuv411p"),
    "4:2:0, PQ": KINDS["h265 PQ"],
    "gray": Clip(".mkv", codec="ffv1", pixels="gray16le"),
    "RGB, 8 bit": Clip(".mkv", codec="ffv1", pixels="bgr0"),
    "RGB, 10 bit": Clip(".mkv", codec="ffv1", pixels="gbrp10le"),
    "odd size": KINDS["FFV1 odd size"],
}


def planes(frame):
    """The samples of each plane as bytes, rows of visible ones; of packed formats the format's planar twin."""
    if planar(frame.format.name) != frame.format.name and "yuva" not in frame.format.name:
        frame = frame.reformat(format=planar(frame.format.name))
    found = []
    for plane in frame.planes[:3]:
        kind = np.uint8 if video.color.bit_depth(frame.format) == 8 else np.uint16
        rows = np.frombuffer(plane, np.uint8)[: plane.height * plane.line_size]
        width = plane.width * (4 if frame.format.name == "bgr0" else 1)
        found.append(rows.reshape(plane.height, -1).view(kind)[:, :width])
    return found


def decoded(path):
    """(pixel format, matrix, range) and samples of every frame, straight from libav."""
    with av.open(str(path)) as container:
        return [(planar(frame.format.name), planes(frame)) for frame in container.decode(video=0)]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("kind", STORED)
def test_every_sample_of_an_untouched_clip_is_stored_as_it_was(tmp_path, kind, suffix):
    clip = STORED[kind]
    path = make(tmp_path / f"in{clip.suffix}", clip)
    with video.open_source(path) as source:
        info = source.info
        sink = video.open_sink(
            tmp_path / f"out{suffix}",
            like=info,
            width=info.width,
            height=info.height,
            options=OutputOptions(codec="ffv1"),
        )
        with sink:
            for frame in source.frames():
                sink.write(frame)
            sink.commit()
        with video.open_source(sink.path) as after:
            assert after.info.color == (
                info.color if suffix == ".mkv" or "RGB" in kind else completed(info.color)
            )
            for old, new in zip(source.frames(), after.frames(), strict=True):
                if suffix == ".mkv" or "4:2" not in kind:  # MP4 has no place for where chroma lies
                    np.testing.assert_array_equal(new.rgb, old.rgb)
    before, after = decoded(path), decoded(sink.path)
    assert len(after) == len(before) == clip.frames
    for (old_format, old), (new_format, new) in zip(before, after, strict=True):
        assert new_format == old_format
        for one, other in zip(old, new, strict=True):
            np.testing.assert_array_equal(other, one)


@pytest.mark.parametrize("codec", ["ffv1", "ffv1-rgb"])
@pytest.mark.parametrize("kind", ["4:2:0, 8 bit", "4:2:0, 10 bit", "4:4:4, 8 bit", "RGB, 8 bit"])
def test_outside_the_faces_a_restored_clip_equals_the_source(tmp_path, kind, codec):
    clip = STORED[kind]
    path = make(tmp_path / f"in{clip.suffix}", dataclasses.replace(clip, size=SIZE, frames=7))
    out, matte = tmp_path / "out.mkv", tmp_path / "matte.mkv"
    with video.open_source(path) as source:
        span = range(len(source))
        with (
            output.open_output(out, source, SETTINGS, span, options=OutputOptions(codec=codec)) as sink,
            video.open_sink(
                matte, like=source.info, width=96, height=64, options=OutputOptions(codec="lossless")
            ) as mattes,
        ):
            network = models(Counting())
            steps = restore(Run(source, TRACKS, Look(SETTINGS), lambda _: network), sink, span, matte=mattes)
            assert len(list(steps)) == 7
            sink.commit()
            mattes.commit()
        with video.open_source(out) as after, video.open_source(matte) as shown:
            for old, new, mask in zip(source.frames(), after.frames(), shown.frames(), strict=True):
                outside = mask.rgb.max(axis=2) == 0
                assert 0.2 < outside.mean() < 0.95
                assert (new.rgb != old.rgb).any()
                if codec == "ffv1-rgb":
                    np.testing.assert_array_equal(new.rgb[outside], old.rgb[outside])
                    continue
                touched = (mask.rgb.max(axis=2) > 0).repeat(1, 0)
                for one, other in zip(planes(old.stored), planes(new.stored), strict=True):
                    down, across = 64 // one.shape[0], max(96 // one.shape[1], 1)
                    if "RGB" in kind:
                        blocks = touched.repeat(4, axis=1)
                    else:
                        blocks = touched.reshape(64 // down, down, 96 // across, across).any(axis=(1, 3))
                    np.testing.assert_array_equal(other[~blocks], one[~blocks])


def rewrite(path, target, codec, **options):
    with video.open_source(path) as source:
        info = source.info
        size = {"width": info.width, "height": info.height} | options
        with video.open_sink(target, like=info, **size, options=OutputOptions(codec=codec)) as sink:
            for frame in source.frames():
                rgb = cv2.resize(frame.rgb, (size["width"], size["height"]), interpolation=cv2.INTER_NEAREST)
                sink.write(dataclasses.replace(frame, rgb=rgb))
            sink.commit()
    return sink.notes


@pytest.mark.parametrize("codec", ["h264", "prores", "ffv1"])
@pytest.mark.parametrize("order", ["tff", "bff"])
def test_fields_stay_fields_and_keep_their_order(tmp_path, codec, order):
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        options = {"flags": "+ildct+ilme", "x264-params": f"{order}=1"}
        track = container.add_stream("libx264", rate=25, width=96, height=64, options=options)
        track.codec_context.field_order = 2 if order == "tff" else 3
        mark = Marked("left", order)
        for index in range(6):
            woven = picture(index, *SIZE)
            woven[1::2] = picture(index + 1, *SIZE)[1::2]
            frame = mark(av.VideoFrame.from_ndarray(woven, "rgb24"))
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    with video.open_source(path) as source:
        assert (source.info.interlaced, source.info.top_first) == (True, order == "tff")
        assert source[0].stored.interlaced_frame
        with video.open_source(path, FootageSettings(deinterlace=True)) as whole:
            assert not whole.info.interlaced
    for suffix in (".mov",) if codec == "prores" else (".mkv", ".mp4"):
        assert rewrite(path, tmp_path / f"out{suffix}", codec) == []
        with video.open_source(tmp_path / f"out{suffix}") as after:
            assert (after.info.interlaced, after.info.top_first) == (True, order == "tff")
            assert all(frame.stored.interlaced_frame for frame in after.frames())
    (note,) = rewrite(path, tmp_path / "large.mkv", "h264", width=192, height=128)
    assert "interlaced" in note
    (note,) = rewrite(path, tmp_path / "out.mkv", "h265")
    assert "choose H.264, ProRes or FFV1" in note


def captioned(path):
    """H.264 with a caption of its own inside each picture."""
    with av.open(str(path), "w", format="h264") as container:
        track = container.add_stream("libx264", rate=25, width=64, height=64, options={"bf": "0", "g": "4"})
        frames = [av.VideoFrame.from_ndarray(picture(index), "rgb24") for index in range(8)]
        encoded = [bytes(packet) for frame in [*frames, None] for packet in track.encode(frame)]
        for index, data in enumerate(encoded):
            text = b"\xb5\x00\x31GA94\x03\x41\xff" + bytes([0xFC, 0x94, 0x20 + index]) + b"\xff"
            message = b"\x00\x00\x01\x06\x04" + bytes([len(text)]) + text + b"\x80"
            slice_ = re.search(rb"\x00\x00\x01[\x01\x21\x41\x61\x05\x25\x45\x65]", data).start()
            packet = av.Packet(data[:slice_] + message + data[slice_:])
            packet.stream, packet.pts, packet.dts, packet.time_base = track, index, index, Fraction(1, 25)
            container.mux_one(packet)
    return path


def captions(path):
    with video.open_source(path) as source:
        return [
            [data for kind, data in side_data(frame.stored) if kind.name == "A53_CC"]
            for frame in source.frames()
        ]


@pytest.mark.parametrize("width", [64, 128])
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_captions_inside_the_pictures_are_written_again(tmp_path, codec, width):
    path = captioned(tmp_path / "in.h264")
    before = captions(path)
    assert [line[0][2] for line in before] == [0x20 + index for index in range(8)]
    rewrite(path, tmp_path / "out.mkv", codec, width=width, height=width)
    assert captions(tmp_path / "out.mkv") == before


def test_chroma_stays_where_it_was(tmp_path):
    """H.264 puts it to the left, JPEG in the middle: what is written must be shown in the same place."""
    for kind, siting in (("h264", "left"), ("MJPEG in AVI", "center"), ("VP9", "")):
        clip = KINDS[kind]
        path = make(tmp_path / f"in{clip.suffix}", clip)
        rewrite(path, tmp_path / "out.mkv", "ffv1")
        rewrite(path, tmp_path / "out.mp4", "h264")
        with video.open_source(path) as source, video.open_source(tmp_path / "out.mkv") as after:
            assert (source.info.siting, after.info.siting) == (siting, siting)
            np.testing.assert_array_equal(after[5].rgb, source[5].rgb)
        with video.open_source(tmp_path / "out.mp4") as after:
            assert after.info.siting == (siting or "left")


def test_prores_is_limited_range_whatever_the_source_is(tmp_path):
    path = make(tmp_path / "in.mp4", KINDS["h264 full range"])
    rewrite(path, tmp_path / "out.mov", "prores")
    with video.open_source(path) as source, video.open_source(tmp_path / "out.mov") as after:
        assert not after.info.color.full_range
        assert np.abs(after[3].rgb / 257 - source[3].rgb).mean() < 1.5
