"""Frames between frames."""

from __future__ import annotations

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from cheap import SETTINGS, Counting, models
from clips import Clip, make, packets
from safetensors.torch import save_file
from skimage.data import astronaut

from flair_core import cli, video
from flair_core.enhancers.checkpoint import build
from flair_core.errors import SettingsError, ShapeError, WeightsError
from flair_core.frames import Frame, VideoInfo, faster
from flair_core.interpolation.amt import AMT
from flair_core.interpolation.base import times
from flair_core.interpolation.clip import Between, White
from flair_core.interpolation.factory import Pairs, load_interpolator
from flair_core.interpolation.flow import FlowInterpolator
from flair_core.jobs.request import Request
from flair_core.jobs.run import run
from flair_core.kept.cache import Cache
from flair_core.metrics.fidelity import psnr
from flair_core.settings.drawn import DrawnFace
from flair_core.settings.look import Look
from flair_core.settings.output import OutputOptions


def frames(height, width, seed=0):
    return torch.rand((2, 1, 3, height, width), generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def network():
    """A narrow AMT with chance weights."""
    torch.manual_seed(0)
    return AMT((8, 10, 12, 14), skip_channels=4, num_flows=2).eval().requires_grad_(False)


@pytest.mark.parametrize("size", [(128, 144), (96, 96), (96, 200), (64, 100), (17, 40), (1, 1)])
def test_any_size(network, size):
    """The released program fails at 96 pixels, where the coarsest correlation is one pixel."""
    before, after = frames(*size)
    between = network(before, after, times(3))
    assert between.shape == (1, 2, 3, *size)
    assert between.isfinite().all()
    assert between.abs().max() <= 1


def test_moments_and_pairs_are_on_their_own(network):
    before, after = frames(48, 64)
    both = network(torch.cat((before, after)), torch.cat((after, before)), [0.25, 0.5])
    torch.testing.assert_close(both[:1, 1:], network(before, after, [0.5]), rtol=0, atol=1e-4)
    torch.testing.assert_close(both[1:, :1], network(after, before, [0.25]), rtol=0, atol=1e-4)
    assert (both[0, 0] - both[0, 1]).abs().max() > 1e-4, "the moment has no effect"


def test_without_motion_and_preference_it_is_the_average(network):
    still = AMT((8, 10, 12, 14), skip_channels=4, num_flows=2)
    still.load_state_dict(network.state_dict())
    last = [
        f"{part}.flow_head.2"
        for part in ("update4", "update3_low", "update3_high", "update2_low", "update2_high")
    ]
    last += [f"decoder{level}.convblock.2" for level in (1, 2, 3, 4)] + ["comb_block.2"]
    for name in last:
        for parameter in still.get_submodule(name).parameters():
            torch.nn.init.zeros_(parameter)
    before, after = frames(50, 70)
    for zoomed in (1, 2):  # up to 64 pixels, and above
        a, b = (torch.nn.functional.interpolate(x, scale_factor=zoomed) for x in (before, after))
        torch.testing.assert_close(still(a, b, [0.3])[:, 0], (a + b) / 2, rtol=0, atol=1e-4)


def test_no_moment_gives_no_frame(network):
    assert network(*frames(32, 48), times(1)).shape == (1, 0, 3, 32, 48)


def test_moments_lie_between_the_frames(network):
    assert [len(times(factor)) for factor in range(1, 20)] == list(range(19))
    assert all(0 < t < 1 for factor in range(1, 20) for t in times(factor))
    with pytest.raises(SettingsError, match=r"0"):
        times(0)
    for t in (0.0, 1.0):
        with pytest.raises(SettingsError, match=str(t)):
            network(*frames(32, 32), [0.5, t])


def test_frames_of_two_sizes(network):
    with pytest.raises(ShapeError, match=r"\(1, 3, 32, 32\).*\(1, 3, 32, 33\)"):
        network(frames(32, 32)[0], frames(32, 33)[0], [0.5])


def test_the_network_from_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr("flair_core.checkpoints.store.folder", lambda: tmp_path)
    with pytest.raises(WeightsError, match=r"amt-g\.pth"):
        load_interpolator("amt", torch.device("cpu"))
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in AMT().state_dict().items()}
    save_file(
        {key: torch.full(shape, 0.125).half() for key, shape in shapes.items()}, tmp_path / "amt.safetensors"
    )
    loaded = load_interpolator("amt", torch.device("cpu"))
    assert all((value == 0.125).all() for value in loaded._network.state_dict().values())
    with pytest.raises(SettingsError, match="no interpolator 'magic'"):
        load_interpolator("magic", torch.device("cpu"))


def test_a_damaged_file_is_named():
    with pytest.raises(WeightsError, match=r"f\.pth holds no AMT"):
        build(AMT, {"a": torch.zeros(1)}, "f.pth")


# Along the motion


def shifted(x: float, y: float = 0.0, dtype=np.uint8) -> np.ndarray:
    """The same part of a picture, seen from elsewhere."""
    from scipy.ndimage import shift

    part = shift(astronaut()[:200, 120:360].astype(float), (y, x, 0), order=3, mode="nearest")[20:180, 40:200]
    return np.clip(np.rint(part * (257 if dtype == np.uint16 else 1)), 0, np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("moment", [0.25, 0.5, 0.75])
def test_what_moves_is_half_way_there(moment):
    (made,) = FlowInterpolator().between(shifted(0), shifted(6, 2), [moment])
    true = shifted(6 * moment, 2 * moment)
    average = np.rint((1 - moment) * shifted(0) + moment * shifted(6, 2)).astype(np.uint8)
    inner = np.s_[8:-8, 8:-8]
    assert psnr(made[inner], true[inner]) > psnr(average[inner], true[inner]) + 8
    assert psnr(made[inner], true[inner]) > 30


def test_what_stands_still_stays():
    for dtype in (np.uint8, np.uint16):
        still = shifted(0, dtype=dtype)
        for made in FlowInterpolator().between(still, still, [0.3, 0.6]):
            assert made.dtype == dtype
            np.testing.assert_array_equal(made, still)


def test_both_directions_agree():
    a, b = shifted(0), shifted(5)
    (there,) = FlowInterpolator().between(a, b, [0.25])
    (back,) = FlowInterpolator().between(b, a, [0.75])
    assert psnr(there, back) > 40


def test_a_network_is_an_interpolator(network):
    small = np.ascontiguousarray(shifted(0, dtype=np.uint16)[:48, :64])
    made = Pairs(network, torch.device("cpu")).between(small, small, [0.25, 0.5])
    assert [(x.shape, x.dtype) for x in made] == [((48, 64, 3), np.uint16)] * 2


# Clips


class Sink(video.FrameSink):
    def __init__(self, path):
        super().__init__(path)
        self.frames, self.committed = [], False

    def write(self, frame):
        self.frames.append(frame)

    def commit(self):
        self.committed = True

    def abort(self):
        pass


def test_times_between_are_even_and_cuts_are_not_crossed(tmp_path):
    """Uneven times stay as they are; the picture before a cut is held until the cut."""
    before, after = shifted(0), 255 - shifted(0)[::-1]
    pts, pictures = [0, 512, 1536, 2048], [before, shifted(2), after, after]
    inner = Sink(tmp_path / "x")
    with Between(inner, 4, FlowInterpolator()) as sink:
        for i, (at, rgb) in enumerate(zip(pts, pictures, strict=True)):
            sink.write(Frame(rgb, i, at, 512))
        sink.commit()
    assert [frame.index for frame in inner.frames] == list(range(13))
    seconds = [*range(0, 2048, 512), *range(2048, 6144, 1024), *range(6144, 8193, 512)]
    assert [frame.pts for frame in inner.frames] == seconds
    ends = [frame.pts + frame.duration for frame in inner.frames]
    assert ends[:-1] == [frame.pts for frame in inner.frames[1:]]
    assert ends[-1] == 4 * (2048 + 512)
    for held in inner.frames[4:8]:
        np.testing.assert_array_equal(held.rgb, shifted(2))
    assert inner.committed
    assert psnr(inner.frames[2].rgb, shifted(1)) > 30


def test_mattes_are_white_where_frames_are_made_up():
    black = np.zeros((8, 8, 3), np.uint8)
    assert all((made == 255).all() for made in White().between(black, black, [0.5, 0.7]))


def write_clip(path, count=5, rate=25):
    info = VideoInfo(160, 160, Fraction(rate), Fraction(1, rate), count)
    with video.open_sink(
        path, like=info, width=160, height=160, options=OutputOptions(codec="lossless")
    ) as sink:
        for i in range(count):
            sink.write(Frame(shifted(2 * i), i, i, 1))
        sink.commit()
    return path


def test_a_clip_gets_more_frames_in_the_same_time(tmp_path, capsys):
    source, out = write_clip(tmp_path / "a.mkv"), tmp_path / "b.mp4"
    assert cli.main(["interpolate", str(source), "-o", str(out), "--factor", "2"]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    with video.open_source(out) as made:
        frames = list(made.frames())
        seconds = [float(frame.pts * made.info.time_base) for frame in frames]
    np.testing.assert_allclose(seconds, np.arange(9) / 50, atol=1e-3)
    assert psnr(frames[1].rgb, shifted(1)) > 28
    assert cli.main(["interpolate", str(source), "-o", str(out), "--factor", "0"]) == 2
    assert cli.main(["interpolate", str(source), "-o", str(out), "--interpolator", "amt"]) in (0, 2)


def test_the_time_of_a_clip_is_kept():
    info = VideoInfo(8, 8, Fraction(30000, 1001), Fraction(1, 90000), 10)
    more = faster(info, 3)
    assert (more.rate, more.time_base, more.length) == (Fraction(90000, 1001), Fraction(1, 270000), 28)
    assert faster(info, 1) == info


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("span", [None, range(5, 15)], ids=["whole", "part"])
def test_sound_subtitles_and_chapters_of_a_restored_clip_survive_more_frames(
    tmp_path, jobs, monkeypatch, suffix, span
):
    """At uneven times, too: frames keep theirs, and everything beside them is what one without new frames has."""
    uneven = [2 * at + (at > 7) * 31 + at % 2 for at in range(20)]
    text = {".mp4": "mov_text", ".mkv": "srt"}[suffix]
    kind = Clip(
        suffix=suffix,
        times=uneven,
        time_base=Fraction(1, 100),
        sound=("aac", "flac"),
        subtitles=(text,),
        chapters=True,
    )
    clip = make(tmp_path / f"clip{suffix}", kind)
    monkeypatch.setattr(
        "flair_core.restoration.models.load_models", lambda settings, device: models(Counting())
    )
    face = DrawnFace((10, 10, 50, 50), 0, 19)
    shown, beside, ends = {}, {}, {}
    for factor in (1, 3):
        out = tmp_path / f"out{factor}{suffix}"
        wanted = Request(
            source=clip,
            output=out,
            look=Look(SETTINGS),
            span=span,
            device="cpu",
            drawn=(face,),
            fps_factor=factor,
        )
        for _ in run(jobs, jobs.add(wanted), Cache(tmp_path / "cache")):
            pass
        beside[factor] = (packets(out, "audio"), packets(out, "subtitle"), chapters_of(out))
        with video.open_source(out) as made:
            frames = list(made.frames())
            shown[factor] = [frame.pts * made.info.time_base for frame in frames]
            last = shown[factor][-1] + frames[-1].duration * made.info.time_base
        with av.open(str(out)) as container:
            (track,) = container.streams.video
            # MP4 tells how long stored frames last, and the last of those need not be the last shown.
            ends[factor] = track.duration * track.time_base if track.duration else last
    assert beside[3] == beside[1]
    assert all(beside[1])
    if span is None:
        assert beside[3][:2] == (packets(clip, "audio"), packets(clip, "subtitle"))
        assert beside[3][2] == chapters_of(clip)
    whole = Fraction(1, 1000) if suffix == ".mkv" else Fraction(1, 10**6)
    count = len(shown[1])
    assert len(shown[3]) == 3 * (count - 1) + 1
    even = [at + k * (then - at) / 3 for at, then in itertools.pairwise(shown[1]) for k in range(3)]
    assert max(abs(a - b) for a, b in zip(shown[3], [*even, shown[1][-1]], strict=True)) <= whole
    # Which frame MP4 stores last is x264's choice, and one of the new frames may end a third of an interval apart.
    longest = max(then - at for at, then in itertools.pairwise(shown[1]))
    assert abs(ends[3] - ends[1]) <= (whole if suffix == ".mkv" else longest / 3)


def chapters_of(path):
    with av.open(str(path)) as container:
        return [
            (
                chapter["start"] * chapter["time_base"],
                chapter["end"] * chapter["time_base"],
                chapter["metadata"],
            )
            for chapter in container.chapters()
        ]
