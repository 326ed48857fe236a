"""Damage as in life: the same for the same seed, worse with strength, and every kind's marks are there to measure."""

import itertools
import json
from dataclasses import replace
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from flair_core import video
from flair_core.cli import main
from flair_core.cli import parser as command_line
from flair_core.cli.restore import look_of
from flair_core.degradations.damage import (
    KINDS,
    Coding,
    Damage,
    damage_frames,
    damaged,
    draw,
    draw_damage,
    read_kernels,
)
from flair_core.degradations.damage.rounds import blurred, field, noise_generator, noisy, resized
from flair_core.degradations.damage.values import Blur, Film, Noise, Phone, Print, Round, Tape
from flair_core.errors import SettingsError
from flair_core.frames import Frame, VideoInfo
from flair_core.jobs.degrade import damage_record, read_damage, read_sidecar, sidecar
from flair_core.settings.groups import DegradationSettings
from flair_core.settings.output import OutputOptions
from flair_core.video.recoded import recode

WITHOUT_VIDEO_CODEC = ("film", "tape", "print")

FILM = Film(flicker=0, weave=0, dust=0, dust_size=1, dust_dark=0, scratches=0, scratch=0, scratch_dark=False)
TAPE = Tape(
    luma_blur=0,
    ringing=0,
    ringing_period=5,
    chroma_delay=0,
    chroma_blur=0,
    chroma_lines=0,
    streaks=0,
    chroma_streaks=0,
    jitter=0,
    comb=0,
    switching=0,
    switching_shift=0,
    dropouts=0,
)
PRINT = Print(
    halftone=0,
    pitch=5,
    angles=(45, 45, 45),
    spread=0.2,
    paper=0,
    blotches=0,
    yellowing=0,
    fading=0,
    creases=0,
    crease=0,
)
PHONE = Phone(smear=0, chroma_smear=0, halo=0, halo_size=1.5)
NOTHING = Round(blur=Blur(), factor=1.0, filter="area", noise=Noise())


def only(marks, *, kind="film", rounds=(NOTHING, NOTHING), coding=None, seed=3) -> Damage:
    """Nothing but these marks."""
    return Damage(
        kind=kind, strength=1, seed=seed, rounds=rounds, marks=marks, coding=coding, enlarge="bicubic"
    )


def picture(side: int = 128) -> np.ndarray:
    return cv2.resize(astronaut()[20:276, 96:352], (side, side), interpolation=cv2.INTER_AREA)


def grey(level: int, frames: int = 1, side: int = 96) -> np.ndarray:
    return np.full((frames, side, side, 3), level, np.uint8)


def moving(frames: int = 6) -> np.ndarray:
    whole = picture(128 + 2 * frames)
    return np.stack([whole[i : i + 128, 2 * i : 2 * i + 128] for i in range(frames)])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = np.mean((a.astype(float) - b) ** 2)
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def luma(rgb: np.ndarray) -> np.ndarray:
    return rgb.astype(float) @ (0.299, 0.587, 0.114)


# Drawn once


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_is_one_damage_to_the_bit(kind):
    clip = moving()
    damage = draw(kind, 0.7, 11)
    assert damage == draw(kind, 0.7, 11)
    assert damage != draw(kind, 0.7, 12)
    first, again, other = (damaged(clip, d, recode) for d in (damage, damage, draw(kind, 0.7, 12)))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == clip.shape
    assert first.dtype == np.uint8


@pytest.mark.parametrize("kind", KINDS)
def test_a_damage_survives_json(kind):
    kernel = np.array([[0, 1, 0], [0, 2, 1], [0, 0, 1]])
    for seed in range(6):
        damage = draw(kind, 0.4, seed, [kernel])
        assert Damage.from_dict(json.loads(json.dumps(damage.as_dict()))) == damage
    with pytest.raises(SettingsError):
        Damage.from_dict({"kind": kind})


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_a_clip_is_as_in_the_whole(kind):
    clip = moving(8)
    for seed in range(4):
        damage = draw(kind, 0.8, seed)
        if kind not in WITHOUT_VIDEO_CODEC and damage.coding.codec != "jpeg":
            continue
        whole = damaged(clip, damage, recode)
        np.testing.assert_array_equal(whole[5:7], damaged(clip[5:7], damage, recode, first=5))


def test_training_draws_every_kind_at_every_strength():
    rng = np.random.default_rng(0)
    drawn = [draw_damage(rng) for _ in range(200)]
    assert {damage.kind for damage in drawn} == set(KINDS)
    strengths = [damage.strength for damage in drawn]
    assert min(strengths) < 0.05
    assert max(strengths) > 0.95
    assert len({damage.seed for damage in drawn}) == len(drawn)
    assert {damage.kind for damage in (draw_damage(rng, ("tape", "web")) for _ in range(30))} == {
        "tape",
        "web",
    }


# Strength


@pytest.mark.parametrize("kind", KINDS)
def test_at_strength_nothing_a_picture_stays_as_it_is(kind):
    clean = picture()[None]
    for seed in range(4):
        y = damaged(clean, draw(kind, 0, seed), recode)
        if kind in WITHOUT_VIDEO_CODEC:
            assert np.abs(y.astype(int) - clean).max() <= 1
        else:  # the finest quantiser and colours of half the size take as much from so small a picture
            assert psnr(luma(y), luma(clean)) > 37


@pytest.mark.parametrize("kind", KINDS)
def test_damage_grows_with_strength(kind):
    clean = picture()[None]
    means = [
        np.mean([psnr(damaged(clean, draw(kind, strength, seed), recode), clean) for seed in range(8)])
        for strength in (0.1, 0.3, 0.5, 0.75, 1)
    ]
    assert all(worse < better for better, worse in itertools.pairwise(means)), means
    assert means[0] - means[-1] > 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(128, 128), (37, 51), (16, 16), (9, 200)])
def test_the_size_stays(kind, size):
    clip = np.stack([cv2.resize(picture(), size[::-1], interpolation=cv2.INTER_AREA)] * 2)
    assert damaged(clip, draw(kind, 1, 5), recode).shape == clip.shape


def test_frames_are_taken_one_by_one():
    endless = itertools.cycle(moving())
    for kind, most in (("film", 1), ("web", 60)):
        taken = itertools.count()
        source = (frame for frame in endless if next(taken) >= 0)
        next(damage_frames(source, draw(kind, 0.5, 0), recode))
        assert next(taken) <= most
    assert not list(damage_frames([], draw("film", 0.5, 0), recode))


# Rounds


def test_every_blur_keeps_the_brightness_and_the_place_of_a_point():
    point = np.zeros((65, 65, 3), np.float32)
    point[32, 32] = 1
    curve = ((0.0, 0.5, 0.0), (0.0, 0.25, 0.25), (0.0, 0.0, 0.0))
    blurs = {
        "gaussian": Blur(width=2, ratio=0.5, angle=30),
        "motion": Blur(kind="motion", width=9, angle=30),
        "defocus": Blur(kind="defocus", width=4),
        "curved": Blur(kind="curved", taps=curve),
    }
    at = np.arange(65) - 32
    for name, blur in blurs.items():
        spread = blurred(point, blur)[..., 0]
        assert spread.sum() == pytest.approx(1, abs=1e-4)
        if name == "curved":
            np.testing.assert_allclose(spread[31:34, 31:34], curve, atol=1e-6)
        else:
            centre = (spread * at).sum(), (spread * at[:, None]).sum()
            np.testing.assert_allclose(centre, 0, atol=0.02)
    disc = blurred(point, blurs["defocus"])[..., 0]
    assert disc[32, 32] == pytest.approx(disc[32, 35], rel=1e-3)
    assert disc[32, 38] == 0
    variance = [(blurred(point, b)[..., 0] * at**2).sum() for b in (Blur(width=2), blurs["defocus"])]
    np.testing.assert_allclose(variance, 4, rtol=0.12)  # a disc of radius r has r²/4


@pytest.mark.parametrize("name", ["area", "bilinear", "bicubic", "lanczos"])
def test_resizing_moves_nothing(name):
    ramp = np.repeat(np.linspace(0, 1, 96, dtype=np.float32)[None, :, None], 3, 2).repeat(96, 0)
    back = resized(resized(ramp, (29, 29), name), (96, 96), name)
    np.testing.assert_allclose(back[8:-8, 8:-8], ramp[8:-8, 8:-8], atol=0.012)


def test_noise_is_as_strong_and_as_large_as_told():
    flat = np.full((256, 256, 3), 0.5, np.float32)
    rng = noise_generator(1)
    assert (noisy(flat, Noise(gaussian=0.05), rng) - flat).std() == pytest.approx(0.05, rel=0.03)
    dark, light = (np.full_like(flat, level) for level in (0.09, 0.81))
    spread = [(noisy(x, Noise(shot=0.05), rng) - x).std() for x in (dark, light)]
    np.testing.assert_allclose(spread, [0.015, 0.045], rtol=0.04)
    black, middle, white = (
        (noisy(np.full_like(flat, level), Noise(grain=0.06), rng) - level).std() for level in (0, 0.5, 1)
    )
    assert middle == pytest.approx(0.06, rel=0.05)
    assert max(black, white) < 0.4 * middle
    colour = noisy(flat, Noise(chroma=0.05), rng) - flat
    assert np.abs(luma(colour)).max() < 1e-3
    assert colour.std() > 0.01
    for size in (0.8, 2.0):
        grain = field((256, 256), size, rng)
        assert grain.std() == pytest.approx(1, abs=0.1)
        # Noise smoothed by a Gaussian of std s has the correlation exp(-d²/4s²).
        assert np.mean(grain[:, 1:] * grain[:, :-1]) == pytest.approx(np.exp(-1 / (4 * size**2)), abs=0.1)


# What stands still stands still


@pytest.mark.parametrize("kind", ["film", "tape", "print", "phone"])
def test_the_same_picture_stays_the_same_but_for_what_moves(kind):
    """Kernel, sizes, delay, screen, paper and colours are of the clip; noise, dust, flicker and lines of a frame."""
    clip = np.repeat(picture()[None], 4, 0)
    for seed in range(3):
        damage = draw(kind, 0.8, seed)
        moves = damaged(clip, damage, recode)
        assert (moves[0] != moves[1]).any() or kind == "print"
        still = tuple(replace(stage, noise=replace(stage.noise, still=True)) for stage in damage.rounds)
        lasting = {
            "film": {"flicker": 0, "weave": 0, "dust": 0, "scratch": 0},
            "tape": {
                "streaks": 0,
                "chroma_streaks": 0,
                "jitter": 0,
                "comb": 0,
                "switching": 0,
                "dropouts": 0,
            },
        }.get(kind, {})
        fixed = replace(damage, rounds=still, marks=replace(damage.marks, **lasting), coding=None)
        frames = damaged(clip, fixed, recode)
        assert (frames == frames[0]).all()
        assert (frames != clip).any()


# Film


def test_film_flickers_smoothly():
    levels = damaged(grey(128, 120, 32), only(replace(FILM, flicker=0.05)), recode).mean((1, 2, 3)) / 128
    assert levels.std() == pytest.approx(0.05, rel=0.5)
    assert np.abs(np.diff(levels)).max() < 0.08


def test_dust_moves_and_scratches_stand():
    dust = damaged(grey(128, 6), only(replace(FILM, dust=25)), recode)
    marked = np.abs(dust[..., 0].astype(int) - 128) > 30
    assert all(0.0005 < share < 0.1 for share in marked.mean((1, 2)))
    for one, next_ in itertools.pairwise(marked):
        assert (one & next_).sum() < 0.3 * one.sum()
    scratched = damaged(grey(128, 8), only(replace(FILM, scratches=8, scratch=0.9)), recode)
    columns = np.abs(scratched[..., 0].astype(float) - 128).mean(1)
    assert columns.max(1).min() > 8
    alike = [np.corrcoef(*pair)[0, 1] for pair in itertools.pairwise(columns)]
    assert min(alike) > 0.5
    assert np.median(alike) > 0.9
    assert (np.sort(columns, 1)[:, : columns.shape[1] // 2] < 1).all()


def test_a_scratch_goes_in_the_end():
    clip = grey(128, 1, 64)
    damage = only(replace(FILM, scratches=1, scratch=0.9))
    places = []
    for at in range(0, 600, 50):
        columns = np.abs(damaged(clip, damage, recode, first=at)[0, ..., 0].astype(float) - 128).mean(0)
        places.append(int(columns.argmax()) if columns.max() > 3 else None)
    assert len(set(places)) > 3


def test_the_gate_weaves_by_parts_of_a_pixel_from_where_it_began():
    clip = np.repeat(picture()[None], 40, 0)
    woven = damaged(clip, only(replace(FILM, weave=0.6)), recode)
    np.testing.assert_array_equal(woven[0], clip[0])
    reference = luma(clip[0]).astype(np.float32)
    window = cv2.createHanningWindow(reference.shape[::-1], cv2.CV_32F)
    moves = np.array([cv2.phaseCorrelate(reference, luma(y).astype(np.float32), window)[0] for y in woven])
    assert 0.15 < moves.std(0).mean() < 2
    assert np.abs(np.diff(moves, axis=0)).max() < 0.7


# Tape


def test_colour_comes_late_on_tape_and_brightness_does_not():
    wide = replace(TAPE, chroma_delay=4, chroma_blur=1)
    clean = picture()
    y = damaged(clean[None], only(wide, kind="tape"), recode)[0]

    def late(channel: int) -> int:
        before, after = (
            cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb)[..., channel].astype(float) for rgb in (clean, y)
        )
        lags = range(-8, 9)
        fits = [
            np.corrcoef(before[:, 8:-8].ravel(), np.roll(after, -lag, 1)[:, 8:-8].ravel())[0, 1]
            for lag in lags
        ]
        return lags[int(np.argmax(fits))]

    assert late(0) == 0
    assert late(1) in (3, 4, 5)
    assert late(2) in (3, 4, 5)


def test_an_edge_rings_behind_it():
    edge = grey(60)
    edge[:, :, 48:] = 180
    row = damaged(edge, only(replace(TAPE, ringing=0.8, luma_blur=1), kind="tape"), recode)[
        0, 48, :, 0
    ].astype(int)
    assert row[48:66].max() > 190  # overshoot
    assert row[48:70].min() < 180  # and back under it
    assert np.abs(row[:36] - 60).max() <= 2
    assert np.abs(row[80:] - 180).max() <= 2


def test_heads_switch_at_the_bottom_only():
    clean = picture()[None]
    y = damaged(clean, only(replace(TAPE, switching=0.05, switching_shift=15), kind="tape"), recode)[0]
    error = np.abs(y.astype(float) - clean[0]).mean((1, 2))
    assert error[:-6].max() < 1.5
    assert error[-6:].mean() > 8


def test_dropouts_are_short_stretches_of_lines():
    y = damaged(grey(60, 6), only(replace(TAPE, dropouts=40), kind="tape"), recode)[..., 0].astype(int)
    lost = y > 90
    assert 0.001 < lost.mean() < 0.1
    alike = (lost[:, :, 1:] & lost[:, :, :-1]).sum(), (lost[:, 1:] & lost[:, :-1]).sum()
    assert alike[0] > 5 * alike[1]
    assert (lost[0] != lost[1]).any()


def test_a_comb_moves_the_odd_lines():
    clip = np.repeat(picture()[None], 8, 0)
    y = damaged(clip, only(replace(TAPE, comb=2), kind="tape"), recode)
    error = np.abs(y.astype(float) - clip).mean((0, 2, 3))
    assert error[::2].max() < 1
    assert error[1::2].mean() > 2


# Broadcast and web


def blocks(y: np.ndarray) -> float:
    """Steps of brightness between neighbouring blocks of 8 columns over those within blocks."""
    jumps = np.abs(np.diff(luma(y), axis=-1)).mean((0, 1))
    between = np.arange(len(jumps)) % 8 == 7
    return jumps[between].mean() / jumps[~between].mean()


def test_broadcast_is_the_mpeg_2_of_a_file(tmp_path):
    """The same frames through a real file, written and read by libav's own way."""
    clip = moving(14)
    coding = Coding(codec="mpeg2", quality=9, rate=0.3)
    y = damaged(clip, only(None, kind="broadcast", coding=coding), recode)
    path = tmp_path / "broadcast.ts"
    with av.open(path, "w") as container:
        stream = container.add_stream(
            "mpeg2video", rate=25, options={"g": "12", "bf": "2", "qmin": "9", "qmax": "31"}
        )
        stream.width = stream.height = 128
        stream.pix_fmt, stream.bit_rate, stream.thread_count = "yuv420p", round(0.3 * 128 * 128 * 25), 1
        for rgb in clip:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        container.mux(stream.encode(None))
    with av.open(path) as container:
        assert container.streams.video[0].codec_context.name == "mpeg2video"
        filed = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    assert filed.shape == y.shape
    assert psnr(filed, y) > 40  # conversion to RGB rounds in another way
    assert psnr(y, clip) < 36
    assert blocks(y) > 1.1 * blocks(clip)


def test_a_lower_rate_is_a_worse_picture():
    rng = np.random.default_rng(0)
    clip = np.clip(moving(24) + rng.normal(0, 12, (24, 128, 128, 3)), 0, 255).astype(np.uint8)
    rich, poor = (
        psnr(np.stack(list(recode(clip, Coding(codec="mpeg2", quality=2, rate=rate)))), clip)
        for rate in (2, 0.15)
    )
    assert poor < rich - 0.5


def test_web_is_coded_twice_and_leaves_blocks():
    codings = []

    def watched(frames, coding):
        codings.append(coding)
        return recode(frames, coding)

    damage = draw("web", 0.9, 3)
    damaged(picture()[None], damage, watched)
    assert [coding.codec for coding in codings] == ["h264", "h264"]
    assert damage.rounds[0].factor < damage.rounds[1].factor < 1
    clean = picture()[None]
    coarse = Coding(codec="h264", quality=38)
    twice = (replace(NOTHING, coding=coarse), NOTHING)
    y = damaged(clean, only(None, kind="web", rounds=twice, coding=coarse), recode)
    # Blocks whose details are all gone: much larger a share of 4 × 4 pixels is smooth.
    flat = [(luma(x[0]).reshape(32, 4, 32, 4).std((1, 3)) < 1).mean() for x in (clean, y)]
    assert flat[1] > flat[0] + 0.1
    assert blocks(y) > 1.15 * blocks(clean)


@pytest.mark.parametrize("codec", ["mpeg2", "h264"])
def test_recoding_gives_back_every_frame_in_order(codec):
    levels = [40, 220, 60, 200, 80, 180, 100, 160, 120, 140, 50, 210, 70]
    frames = [np.full((37, 51, 3), level, np.uint8) for level in levels]
    coding = Coding(codec=codec, quality=4)
    out = list(recode(iter(frames), coding))
    np.testing.assert_allclose([y.mean() for y in out], levels, atol=4)
    assert all(y.shape == (37, 51, 3) for y in out)
    assert len(list(recode(frames[:1], coding))) == 1
    assert not list(recode([], coding))


# Print and phone


def test_halftone_is_a_peak_of_its_pitch_and_keeps_the_brightness():
    y = damaged(grey(128, 1, 128), only(replace(PRINT, halftone=1, pitch=6), kind="print"), recode)[0]
    spectrum = np.abs(np.fft.fft2(luma(y) - luma(y).mean()))
    at = np.fft.fftfreq(128)
    peak = np.unravel_index(spectrum.argmax(), spectrum.shape)
    assert np.hypot(at[peak[0]], at[peak[1]]) == pytest.approx(1 / 6, abs=0.01)
    angle = np.degrees(np.arctan2(abs(at[peak[0]]), abs(at[peak[1]])))
    assert angle == pytest.approx(45, abs=4)
    assert spectrum.max() > 30 * np.median(spectrum)
    for level in (50, 128, 200):
        y = damaged(grey(level, 1, 128), only(replace(PRINT, halftone=1, pitch=6), kind="print"), recode)
        assert y.mean() == pytest.approx(level, abs=8)


def test_paper_yellows_fades_and_breaks():
    white, black = grey(255), grey(0)
    aged = only(replace(PRINT, yellowing=0.8, fading=0.8), kind="print")
    red, green, blue = damaged(white, aged, recode).mean((0, 1, 2))
    assert red > green + 10 > blue + 20
    assert damaged(black, aged, recode).mean() > 25
    creased = damaged(grey(90), only(replace(PRINT, creases=4, crease=0.9), kind="print"), recode)[0, ..., 0]
    assert 0.001 < (creased > 160).mean() < 0.15
    rough = damaged(grey(180), only(replace(PRINT, paper=0.03), kind="print"), recode)
    assert 2 < rough.std() < 8


def test_a_phone_smooths_and_then_sharpens():
    rng = np.random.default_rng(0)
    rough = np.clip(grey(128) + rng.normal(0, 8, (1, 96, 96, 3)), 0, 255).astype(np.uint8)
    assert damaged(rough, only(replace(PHONE, smear=0.2), kind="phone"), recode).std() < 0.7 * rough.std()
    edge = grey(60)
    edge[:, :, 48:] = 180
    y = damaged(edge, only(replace(PHONE, halo=1), kind="phone"), recode)
    assert y.max() > 195
    assert y.min() < 45


# Kernels from files


def test_kernels_are_read_centred_and_of_sum_1(tmp_path):
    curve = np.zeros((7, 9))
    curve[1, 1:6] = 1
    curve[1:5, 5] = 1
    np.save(tmp_path / "one.npy", curve)
    np.savez(tmp_path / "more.npz", a=np.stack([curve, 2 * curve]), b=curve[:6, :6])
    cv2.imwrite(str(tmp_path / "drawn.png"), (curve * 200).astype(np.uint8))
    one, *_ = read_kernels(tmp_path / "one.npy")
    kernels = [one, *read_kernels(tmp_path / "more.npz"), *read_kernels(tmp_path / "drawn.png")]
    assert len(kernels) == 5
    for kernel in kernels:
        assert kernel.sum() == pytest.approx(1)
        assert all(side % 2 == 1 for side in kernel.shape)
        rows, columns = (np.arange(side) - side // 2 for side in kernel.shape)
        assert abs((kernel * rows[:, None]).sum()) <= 0.5
        assert abs((kernel * columns).sum()) <= 0.5


def test_given_kernels_blur_and_shrink_with_strength(tmp_path):
    np.save(tmp_path / "k.npy", np.eye(15))
    kernels = read_kernels(tmp_path / "k.npy")
    drawn = [draw("film", 1, seed, kernels).rounds[0].blur for seed in range(30)]
    curved = [blur for blur in drawn if blur.kind == "curved"]
    assert 10 < len(curved) < 28
    assert len(curved[0].taps) == 15
    assert np.sum(curved[0].taps) == pytest.approx(1)
    weak = [draw("film", 0.4, seed, kernels).rounds[0].blur for seed in range(30)]
    assert {len(blur.taps) for blur in weak if blur.kind == "curved"} == {7}
    gone = [draw("film", 0, seed, kernels).rounds[0].blur for seed in range(30)]
    assert {blur.taps for blur in gone if blur.kind == "curved"} == {((1.0,),)}


# The command line


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.mkv"
    frames = moving(3)
    info = VideoInfo(128, 128, Fraction(25), Fraction(1, 25), len(frames))
    with video.open_sink(
        path, like=info, width=128, height=128, options=OutputOptions(codec="lossless")
    ) as sink:
        for index, rgb in enumerate(frames):
            sink.write(Frame(rgb, index, index, 1))
        sink.commit()
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_clip_is_exact_and_restoration_is_not_told(kind, clip, tmp_path, capsys):
    out = tmp_path / "y.mkv"
    sidecar(out).write_text(json.dumps({"degradation": {"scale": 8}}))
    argv = ["degrade", str(clip), "-o", str(out), "--damage", kind, "--strength", "0.6", "--seed", "7"]
    assert main(argv) == 0
    assert capsys.readouterr().out.strip() == str(out)
    damage = draw(kind, 0.6, 7)
    with video.open_source(out) as y:
        frames = np.stack([frame.rgb for frame in y.frames()])
    np.testing.assert_array_equal(frames, damaged(moving(3), damage, recode))
    assert read_damage(out) == damage
    assert read_sidecar(out) is None
    told = look_of(command_line().parse_args(["restore", str(out), "-o", str(tmp_path / "x.mkv")]))
    untold = look_of(command_line().parse_args(["restore", str(clip), "-o", str(tmp_path / "x.mkv")]))
    assert told.settings == untold.settings


def test_degrading_by_eq_10_again_takes_the_record_away(clip, tmp_path):
    out = tmp_path / "y.mkv"
    assert read_damage(out) is None
    assert main(["degrade", str(clip), "-o", str(out), "--damage", "film"]) == 0
    assert read_damage(out) == draw("film", 0.5, 0)
    assert main(["degrade", str(clip), "-o", str(out), "--scale", "4"]) == 0
    assert read_damage(out) is None
    assert read_sidecar(out) == DegradationSettings(scale=4)
    damage_record(out).write_text("{")
    with pytest.raises(SettingsError):
        read_damage(out)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--damage", "vhs"], "damage must be one of film, tape, broadcast, web, print, phone"),
        (["--damage", "film", "--strength", "3"], "strength must lie between 0 and 1, but got 3"),
        (["--damage", "film", "--strength", "-0.1"], "strength must lie between 0 and 1"),
        (["--damage", "film", "--strength", "nan"], "strength must lie between 0 and 1"),
        (["--damage", "film", "--seed", "-1"], "seed must not be negative"),
        (["--damage", "film", "--scale", "4"], "leave out --scale"),
        (["--damage", "film", "--motion", "9,30"], "leave out --motion"),
        (["--strength", "0.5"], "--strength belongs to --damage"),
        (["--kernels", "k.npy"], "--kernels belongs to --damage"),
        (["--damage", "film", "--kernels", "missing.npy"], "missing.npy"),
        (["--damage", "film", "--kernels", "text.npy"], "text.npy"),
        (["--damage", "film", "--kernels", "text.npz"], "text.npz"),
        (["--damage", "film", "--kernels", "text.png"], "text.png"),
        (["--damage", "film", "--kernels", "text.txt"], "name a .npy, .npz or .png file"),
        (["--damage", "film", "--kernels", "negative.npy"], "none negative"),
        (["--damage", "film", "--kernels", "infinite.npy"], "finite"),
        (["--damage", "film", "--kernels", "zero.npy"], "not all 0"),
        (["--damage", "film", "--kernels", "large.npy"], "sides go from 3 to 127"),
        (["--damage", "film", "--kernels", "line.npy"], "n × m"),
        (["--damage", "film", "--kernels", "objects.npy"], "objects.npy"),
        (["--damage", "film", "--kernels", "empty.npz"], "holds no kernels"),
        (["--damage", "film", "-o", "y.mp4"], "can't hold lossless frames"),
    ],
)
def test_bad_input_ends_with_one_sentence(clip, tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    for suffix in ("npy", "npz", "png", "txt"):
        (tmp_path / f"text.{suffix}").write_text("no kernel")
    bad = {
        "negative": -np.eye(5),
        "infinite": np.full((5, 5), np.inf),
        "zero": np.zeros((5, 5)),
        "large": np.eye(201),
        "line": np.ones(5),
    }
    for name, kernel in bad.items():
        np.save(tmp_path / f"{name}.npy", kernel)
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "empty.npz")
    before = sorted(tmp_path.iterdir())
    assert main(["degrade", str(clip), "-o", "y.mkv", *options]) == 2
    error = [line for line in capsys.readouterr().err.splitlines() if line.startswith("flair degrade:")]
    assert len(error) == 1
    assert message in error[0]
    assert sorted(tmp_path.iterdir()) == before
