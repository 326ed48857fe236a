"""What is heard is what the file holds, from the moment that was asked for, and exactly as long."""

from __future__ import annotations

import numpy as np
import pytest
from clips import Clip, make

from flair_core.errors import MediaError
from flair_core.video import sound

RATE = 48_000


def heard(path, begin, end, rate=RATE):
    return np.concatenate(list(sound(path, begin, end, rate)))


def tone(begin, end):
    """What tests/clips.py puts into the left channel."""
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(round(begin * RATE), round(end * RATE)) / RATE)


@pytest.mark.parametrize(("suffix", "codec", "close"), [(".mkv", "pcm_s16le", 1e-3), (".mp4", "aac", 0.04)])
@pytest.mark.parametrize("begin", [0.0, 0.3, 0.5])
def test_samples_are_those_of_their_moment(tmp_path, suffix, codec, close, begin):
    path = make(tmp_path / f"clip{suffix}", Clip(suffix=suffix, frames=25, sound=(codec,)))
    samples = heard(path, begin, 0.9) / 32768
    assert samples.shape == (round((0.9 - begin) * RATE), 2)
    expected = tone(begin, 0.9)
    inner = slice(2048, -2048)
    assert np.abs(samples[inner, 0] - expected[inner]).max() < close
    assert np.allclose(samples[inner, 0], -samples[inner, 1], atol=close)


def test_beyond_the_end_is_silence(tmp_path):
    path = make(tmp_path / "clip.mkv", Clip(suffix=".mkv", frames=10, sound=("pcm_s16le",)))
    samples = heard(path, 0.2, 3.2)
    assert len(samples) == 3 * RATE
    assert np.abs(samples[: RATE // 10]).max() > 1000
    assert not samples[RATE:].any()


def test_another_rate_is_as_long(tmp_path):
    path = make(tmp_path / "clip.mkv", Clip(suffix=".mkv", frames=25, sound=("pcm_s16le",)))
    assert len(heard(path, 0.1, 0.6, 44_100)) == 22_050


def test_a_clip_without_sound_is_silent_and_a_missing_one_an_error(tmp_path):
    path = make(tmp_path / "clip.mp4", Clip(frames=5))
    assert not heard(path, 0, 0.2).any()
    with pytest.raises(MediaError):
        heard(tmp_path / "missing.mp4", 0, 1)
