"""`flair degrade`: exact observations, their side-car, and what is refused."""

import json
from fractions import Fraction

import numpy as np
import pytest

from flair_core import video
from flair_core.cli import main
from flair_core.errors import SettingsError
from flair_core.frames import Frame, VideoInfo
from flair_core.jobs.degrade import degrade_frame, read_sidecar, sidecar
from flair_core.settings.groups import DegradationSettings
from flair_core.settings.output import OutputOptions


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mkv"
    rng = np.random.default_rng(0)
    info = VideoInfo(50, 34, Fraction(25), Fraction(1, 25), 3)
    with video.open_sink(
        path, like=info, width=50, height=34, options=OutputOptions(codec="lossless")
    ) as sink:
        for index in range(3):
            sink.write(Frame(rng.integers(0, 256, (34, 50, 3), dtype=np.uint8), index, index, 1))
        sink.commit()
    return path


def frames_of(path):
    with video.open_source(path) as source:
        return [frame.rgb for frame in source.frames()]


@pytest.mark.parametrize("name", ["y.mkv", "y"])
def test_what_is_written_is_y_to_the_bit(clip, tmp_path, name, capsys):
    out = tmp_path / name
    assert main(["degrade", str(clip), "-o", str(out), "--scale", "4", "--noise", "5", "--jpeg", "70"]) == 0
    settings = DegradationSettings(scale=4, noise=5 / 255, jpeg=70)
    for index, (clean, y) in enumerate(zip(frames_of(clip), frames_of(out), strict=True)):
        assert y.shape == (8, 12, 3)
        np.testing.assert_array_equal(y, degrade_frame(clean, settings, (0, index)))
    assert capsys.readouterr().out.strip() == str(out)
    assert read_sidecar(out) == settings


def test_the_seed_decides_the_noise_of_each_frame(clip):
    frame = frames_of(clip)[0]
    settings = DegradationSettings(scale=2, noise=10 / 255)
    same, again, other_seed, other_frame = (
        degrade_frame(frame, settings, key) for key in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    np.testing.assert_array_equal(same, again)
    assert (same != other_seed).any()
    assert (same != other_frame).any()


def test_no_side_car_is_no_error_but_a_damaged_one_is(tmp_path):
    clip = tmp_path / "y.mkv"
    assert read_sidecar(clip) is None
    for text in (
        "{",
        "{}",
        json.dumps({"degradation": {"scale": 3}}),
        json.dumps({"degradation": {"unknown": 1}}),
    ):
        sidecar(clip).write_text(text)
        with pytest.raises(SettingsError):
            read_sidecar(clip)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["missing.mp4", "-o", "y.mkv"], "missing.mp4"),
        (["clip.mkv", "-o", "y.mp4"], "can't hold lossless frames"),
        (["clip.mkv", "-o", "nowhere/y.mkv"], "nowhere"),
    ],
)
def test_bad_input_ends_with_one_sentence(clip, tmp_path, monkeypatch, capsys, argv, message):
    monkeypatch.chdir(tmp_path)
    assert main(["degrade", *argv]) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("flair degrade:")]
    assert len(error) == 1
    assert message in error[0]
    assert sorted(tmp_path.iterdir()) == [clip]
