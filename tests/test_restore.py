"""A real encoded clip through the whole path, with a denoiser that costs nothing."""

import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from flair_core import video
from flair_core.degradations import upscale
from flair_core.denoisers.base import Condition
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.diffusion.plan import enhancement
from flair_core.enhancers.base import Unchanged
from flair_core.faces import parse
from flair_core.faces.track import Track
from flair_core.frames import Frame, VideoInfo, deepened, of_depth
from flair_core.jobs.demo import CENTRE, SETTINGS, camera, make_demo
from flair_core.jobs.output import open_output
from flair_core.kept.cache import Cache
from flair_core.restoration.clip import restore
from flair_core.restoration.find import find_tracks
from flair_core.restoration.models import Models, load_models
from flair_core.restoration.preview import Preview, preview
from flair_core.restoration.run import Run
from flair_core.settings.drawn import Stroke
from flair_core.settings.groups import DegradationSettings, FaceSettings, RestorationSettings, SamplerSettings
from flair_core.settings.look import Look, Shot
from flair_core.settings.output import OutputOptions

WIDTH, HEIGHT, FRAMES = 96, 64, 7


class Plain:
    """Takes the condition for the clean image."""

    schedule = NoiseSchedule.log_spaced(100, 0.01, 0.5)
    size, window, own_noise = 64, 1, False

    def predict_noise(self, x_t, t, condition):
        return self.schedule.predict_eps(x_t, condition.c, t)


class Annealing(Plain):
    """Wants to know the background."""

    background = 0.9

    def condition(self, y, size, degradation, labels):
        return Condition(upscale(y, size), degradation, y)


class Windowed(Plain):
    window, own_noise = 3, True


MODELS = Models(Plain(), Unchanged(), torch.device("cpu"))


@pytest.fixture
def clip(tmp_path):
    """Seven lossless frames of moving blobs."""
    path = tmp_path / "clip.mkv"
    rng = np.random.default_rng(0)
    scene = cv2.resize(
        rng.integers(0, 256, (8, 12, 3), dtype=np.uint8), (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC
    )
    info = VideoInfo(WIDTH, HEIGHT, Fraction(25), Fraction(1, 25), FRAMES)
    with video.open_sink(
        path, like=info, width=WIDTH, height=HEIGHT, options=OutputOptions(codec="lossless")
    ) as sink:
        for index in range(FRAMES):
            sink.write(Frame(np.roll(scene, 2 * index, axis=1), index, index, 1))
        sink.commit()
    return path


def chosen(*, aligned=False, scale=2, upscale=1, steps=2):
    return RestorationSettings(
        degradation=DegradationSettings(scale=scale),
        sampler=SamplerSettings(steps=steps, w_tau=0),
        faces=FaceSettings(aligned=aligned, upscale=upscale, feather=6),
    )


def run(clip, out, settings, tracks=(), span=None, models=MODELS):
    with video.open_source(clip) as source:
        span = span or range(len(source))
        look = settings if isinstance(settings, Look) else Look(settings)
        with open_output(out, source, look.settings, span, options=OutputOptions(codec="lossless")) as sink:
            done = list(restore(Run(source, tracks, look, lambda _: models), sink, span))
            sink.commit()
    with video.open_source(out) as result:
        return done, [frame.rgb for frame in result.frames()]


def shown(clip, index, settings, tracks=(), models=MODELS) -> list[Preview]:
    with video.open_source(clip) as source:
        look = settings if isinstance(settings, Look) else Look(settings)
        return list(preview(Run(source, tracks, look, lambda _: models), index))


def test_a_clip_without_faces_is_copied_pixel_for_pixel(clip, tmp_path):
    done, frames = run(clip, tmp_path / "out.mkv", chosen())
    with video.open_source(clip) as source:
        for before, after in zip(source.frames(), frames, strict=True):
            np.testing.assert_array_equal(after, before.rgb)
    assert [p.done for p in done] == list(range(1, FRAMES + 1))


@pytest.mark.parametrize("models", [MODELS, Models(Windowed(), Unchanged(), torch.device("cpu"))])
def test_only_the_face_changes_and_the_preview_is_what_is_written(clip, tmp_path, models):
    track = Track.fixed((20, 10, 50, 50), 2, 4)
    _, frames = run(clip, tmp_path / "out.mkv", chosen(), [track], models=models)
    with video.open_source(clip) as source:
        originals = [frame.rgb for frame in source.frames()]
    for index, (before, after) in enumerate(zip(originals, frames, strict=True)):
        changed = (before != after).any(axis=-1)
        last = shown(clip, index, chosen(), [track], models)[-1]
        np.testing.assert_array_equal(last.frame, after)
        assert changed.any() == track.covers(index)
        assert not changed[last.mask == 0].any()


def test_grain_comes_back_by_default_other_in_every_frame_and_the_same_in_every_run(tmp_path):
    path, size = tmp_path / "grainy.mkv", (240, 320)
    info = VideoInfo(size[1], size[0], Fraction(25), Fraction(1, 25), 4)
    still = cv2.GaussianBlur(np.random.default_rng(0).normal(120, 8, (*size, 1)), (0, 0), 0.6)
    with video.open_sink(
        path, like=info, width=size[1], height=size[0], options=OutputOptions(codec="lossless")
    ) as sink:
        for index in range(4):
            rgb = np.repeat(still.reshape(*size, 1), 3, axis=2).round().astype(np.uint8)
            sink.write(Frame(rgb, index, index, 1))
        sink.commit()
    track, by_default = Track.fixed((120, 80, 200, 160), 0, 4), chosen(scale=4)
    assert by_default.faces.grain > 0
    settings, without = (
        replace(by_default, faces=replace(by_default.faces, grain=one)) for one in (1.0, 0.0)
    )
    _, frames = run(path, tmp_path / "a.mkv", settings, [track])
    _, plain = run(path, tmp_path / "b.mkv", without, [track])
    _, part = run(path, tmp_path / "c.mkv", settings, [track], range(2, 4))
    face = np.s_[110:130, 150:170]
    np.testing.assert_array_equal(plain[1], plain[2])
    assert plain[1][face].std() < 0.7 * frames[1][face].std()
    assert (frames[1][face] != frames[2][face]).mean() > 0.5
    np.testing.assert_array_equal(part[0], frames[2])
    np.testing.assert_array_equal(shown(path, 2, settings, [track])[-1].frame, frames[2])


class Halves:
    """A parser: the left half is face, the right is hair."""

    classes = parse.NETWORKS["parsenet"].classes

    def __init__(self):
        self.calls = 0

    def labels(self, x0):
        self.calls += 1
        labels = np.full((len(x0), *x0.shape[-2:]), 13, np.uint8)
        labels[..., : x0.shape[-1] // 2] = 1
        return labels


def test_a_parsed_face_is_replaced_where_the_parser_says_and_parsed_once(clip, tmp_path):
    track, parser = Track.fixed((20, 10, 50, 50), 2, 4), Halves()
    models = replace(MODELS, parser=parser)
    settings = replace(chosen(), faces=replace(chosen().faces, mask="parsenet", grain=0.5, match_colour=True))
    kept = Cache(tmp_path / "cache")

    def made(name, settings):
        with (
            video.open_source(clip) as source,
            open_output(
                tmp_path / name, source, settings, range(FRAMES), options=OutputOptions(codec="lossless")
            ) as sink,
        ):
            look = Look(settings)
            list(restore(Run(source, [track], look, lambda _: models), sink, range(FRAMES), cache=kept))
            sink.commit()
        with video.open_source(tmp_path / name) as result:
            return [frame.rgb for frame in result.frames()]

    frames, calls = made("a.mkv", settings), parser.calls
    assert calls == 2 * 4, "restored, and as the footage shows it, for its neighbours"
    with video.open_source(clip) as source:
        changed = [
            (frame.rgb != after).any(axis=-1) for frame, after in zip(source.frames(), frames, strict=True)
        ]
    last = shown(clip, 3, settings, [track], models)[-1]
    np.testing.assert_array_equal(last.frame, frames[3])
    columns = np.nonzero(changed[3].any(axis=0))[0]
    # The picture moves by two pixels a frame and takes the neighbours' masks, whose edge stays, with it.
    assert columns.max() < 36 + 2 * 2
    calls = parser.calls
    made("b.mkv", settings)
    assert parser.calls == calls
    haired = replace(settings, faces=replace(settings.faces, hair=True))
    with video.open_source(clip) as source:
        before = source[3].rgb
    columns = np.nonzero((made("c.mkv", haired)[3] != before).any(axis=(0, 2)))[0]
    assert columns.max() > 44


class Jumping(Halves):
    """A parser that can't decide where the face ends."""

    def labels(self, x0):
        edges = [20 + int(1e4 * face.mean()) % 24 for face in x0]
        columns = torch.arange(x0.shape[-1])
        labels = [torch.where(columns < edge, 1, 13).expand(x0.shape[-2:]) for edge in edges]
        return torch.stack(labels).numpy().astype(np.uint8)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("together", [1, 3])
def test_masks_of_frames_restored_one_by_one_are_steadied_the_same_in_preview_part_and_whole(
    clip, tmp_path, aligned, together
):
    tracks = [] if aligned else [Track.fixed((20, 10, 50, 50), 0, FRAMES)]
    models = Batching(Plain(), Brighter(), torch.device("cpu"), parser=Jumping())
    settings = chosen(aligned=aligned)
    settings = replace(
        settings,
        faces=replace(settings.faces, mask="parsenet"),
        sampler=replace(settings.sampler, w_tau=0.5, tau=0),
    )
    look, restored = Look(settings, shots=(Shot(0), Shot(5))), []
    Batching.together = together
    _, frames = run(clip, tmp_path / "out.mkv", look, tracks, models=models)
    _, part = run(clip, tmp_path / "part.mkv", look, tracks, span=range(2, 6), models=models)
    for index, frame in enumerate(frames):
        last = shown(clip, index, look, tracks, models)[-1]
        restored.append(last.mask)
        np.testing.assert_array_equal(of_depth(last.frame, 8), of_depth(frame, 8))
    for whole, some in zip(frames[2:6], part, strict=True):
        np.testing.assert_array_equal(whole, some)
    if not aligned:  # there the whole frame is replaced
        Batching.together = 1
        hasty = replace(models, denoiser=Windowed())
        unsteady = [shown(clip, i, Look(settings, shots=shots(i)), tracks, hasty)[-1].mask for i in range(4)]
        assert np.abs(np.diff(restored[:4], axis=0)).sum() < 0.7 * np.abs(np.diff(unsteady, axis=0)).sum()


def shots(index):
    """A frame that is a shot of its own."""
    return tuple(Shot(first) for first in sorted({0, index, index + 1}))


class Brighter:
    """An enhancer that notes how many faces it gets."""

    size = 32

    def __init__(self):
        self.seen = []

    def __call__(self, faces):
        self.seen.append(len(faces))
        return (faces + 0.3).clamp(-1, 1)


class Batching(Models):
    """As on a graphics card."""

    together = 4


def test_faces_of_several_frames_are_enhanced_in_one_batch_as_one_by_one(clip, tmp_path):
    tracks = [Track.fixed((20, 10, 50, 50), 0, 5, id=0), Track.fixed((55, 5, 90, 50), 1, 5, id=1)]
    settings, steps = chosen(steps=4), 4
    settings = replace(settings, sampler=replace(settings.sampler, w_tau=0.8, tau=1, w_curve=""))
    assert (enhancement(steps, 0.8, 1) > 0).sum() == 2
    frames, seen = {}, {}
    for together in (1, 4):
        Batching.together, G = together, Brighter()
        models = Batching(Plain(), G, torch.device("cpu"))
        _, frames[together] = run(clip, tmp_path / f"{together}.mkv", settings, tracks, models=models)
        seen[together] = list(G.seen)
        last = shown(clip, 3, settings, tracks, models)[-1]
        np.testing.assert_array_equal(last.frame, frames[together][3])
    assert seen[1] == [1] * 2 * 10, "each face twice: where w is above 0"
    # Frames 0-3 hold 7 faces, 4-6 hold 3; batches are always full.
    assert seen[4] == [4] * 2 * 3
    for alone, beside in zip(frames[1], frames[4], strict=True):
        np.testing.assert_array_equal(alone, beside)
    before = [frame.rgb for frame in video.open_source(clip).frames()]
    assert (frames[4][2] != before[2]).any()


def test_where_memory_is_short_faces_are_enhanced_one_at_a_time(clip, tmp_path):
    class Cramped(Plain):
        def predict_noise(self, x_t, t, condition):
            if len(x_t) > 1:
                raise torch.OutOfMemoryError
            return super().predict_noise(x_t, t, condition)

    Batching.together = 4
    models, track = Batching(Cramped(), Unchanged(), torch.device("cpu")), Track.fixed((20, 10, 50, 50), 0, 5)
    done, frames = run(clip, tmp_path / "a.mkv", chosen(), [track], models=models)
    assert [note for progress in done for note in progress.notes] == [
        "Memory did not suffice for several faces at once; going on with one at a time."
    ]
    _, roomy = run(clip, tmp_path / "b.mkv", chosen(), [track], models=replace(models, denoiser=Plain()))
    for one, other in zip(frames, roomy, strict=True):
        np.testing.assert_array_equal(one, other)
    assert shown(clip, 1, chosen(), [track], models)


def test_tiny_and_half_faces_and_fifty_of_them_are_restored_where_they_are(clip, tmp_path):
    """The network and the enhancer paint all faces white, and nothing else changes."""

    class White:
        size = None

        def __call__(self, faces):
            return torch.ones_like(faces)

    models = replace(MODELS, enhancer=White())
    settings = chosen()
    settings = replace(settings, sampler=replace(settings.sampler, w_tau=1.0, tau=0))
    tiny = [(9 * (i % 10) + 1, 12 * (i // 10) + 1, 9 * (i % 10) + 9, 12 * (i // 10) + 9) for i in range(48)]
    half, outside = (-30, 10, 30, 70), (200, 200, 240, 240)
    tracks = [Track.fixed(box, 0, 2, id=i) for i, box in enumerate([*tiny, half, outside])]
    _, frames = run(clip, tmp_path / "out.mkv", settings, tracks, span=range(2), models=models)
    with video.open_source(clip) as source:
        before = source[1].rgb
    changed = (frames[1] != before).any(axis=-1)
    last = shown(clip, 1, settings, tracks, models)[-1]
    np.testing.assert_array_equal(last.frame, frames[1])
    assert not changed[last.mask == 0].any()
    for left, top, right, bottom in [*tiny, (0, 10, 30, 64)]:
        assert changed[top:bottom, left:right].any()


@pytest.mark.parametrize("models", [MODELS, Models(Windowed(), Unchanged(), torch.device("cpu"))])
def test_strokes_lie_on_the_face_and_the_preview_is_what_is_written(clip, tmp_path, models):
    moving = Track.fixed((20, 10, 50, 50), 0, FRAMES)
    moving = replace(moving, landmarks=moving.landmarks + np.arange(FRAMES)[:, None, None] * (3, 0))
    corner = Stroke(0, ((0.04, 0.04), (0.12, 0.04)), 0.08)
    nose = Stroke(0, ((0.5, 0.6),), 0.1, erases=True)
    track = moving.with_strokes([corner, nose, nose._replace(face=7)])
    assert track.strokes == (corner, nose)
    _, frames = run(clip, tmp_path / "out.mkv", chosen(), [track], models=models)
    masks = []
    for index, after in enumerate(frames):
        last = shown(clip, index, chosen(), [track], models)[-1]
        np.testing.assert_array_equal(last.frame, after)
        masks.append(last.mask)
    plain = shown(clip, 0, chosen(), [moving], models)[-1].mask
    assert (masks[0] - plain).min() < -0.5
    assert (masks[0] - plain).max() > 0.5
    np.testing.assert_allclose(masks[3][:, 9:], masks[0][:, :-9], atol=1e-5)


def test_a_preview_says_what_is_to_be_known_of_it(clip):
    models = replace(MODELS, denoiser=Annealing())
    for made in shown(clip, 3, chosen(aligned=True), models=models):
        assert "background and face are treated alike" in " ".join(made.notes)


def test_windows_of_a_video_network_are_joined(clip, tmp_path):
    """Each window's estimate tells its length: frames that overlap are cross-faded."""

    class Counting(Plain):
        window, own_noise = 5, True

        def predict_noise(self, x_t, t, condition):
            level = 0.1 * len(condition.c) * torch.ones_like(condition.c)
            return self.schedule.predict_eps(x_t, level, t)

    settings = chosen(aligned=True, steps=1)
    settings = replace(settings, sampler=SamplerSettings(steps=1, gamma=0.0))
    _, frames = run(clip, tmp_path / "a.mkv", settings, models=replace(MODELS, denoiser=Counting()))
    levels = [(frame.mean() / 127.5 - 1) * 10 for frame in frames]
    assert levels == pytest.approx([5, 5, 5, 5 - 1 / 3, 5 - 2 / 3, 4, 4], abs=0.05)
    _, frames = run(
        clip, tmp_path / "b.mkv", settings, models=replace(MODELS, denoiser=Counting()), span=range(6)
    )
    levels = [(frame.mean() / 127.5 - 1) * 10 for frame in frames]
    assert levels == pytest.approx([5, 5, 5, 5 - 1 / 3, 5 - 2 / 3, 4], abs=0.05)


def test_many_faces_and_a_larger_frame(clip, tmp_path):
    tracks = [Track.fixed((10, 10, 30, 40), 0, 7, id=0), Track.fixed((60, 10, 90, 60), 3, 2, id=1)]
    _, frames = run(clip, tmp_path / "out.mkv", chosen(upscale=2), tracks)
    assert frames[0].shape == (2 * HEIGHT, 2 * WIDTH, 3)
    masks = [shown(clip, index, chosen(upscale=2), tracks)[-1].mask for index in (0, 3)]
    assert masks[0][:, WIDTH + 20 :].max() == 0
    assert masks[1][:, WIDTH + 20 :].max() > 0.9


def test_aligned_frames_grow_by_the_scale(clip, tmp_path):
    done, frames = run(clip, tmp_path / "out.mkv", chosen(aligned=True))
    assert frames[0].shape == (2 * HEIGHT, 2 * WIDTH, 3)
    assert all(0 < p.residual < 1 for p in done)
    for step, state in enumerate(shown(clip, 3, chosen(aligned=True)), 1):
        assert (state.step, state.steps) == (step, 2)
        assert state.observed.shape == state.frame.shape
    np.testing.assert_array_equal(state.frame, frames[3])


def test_a_range_gives_the_same_frames_as_the_whole(clip, tmp_path):
    _, whole = run(clip, tmp_path / "a.mkv", chosen(aligned=True))
    done, part = run(clip, tmp_path / "b.mkv", chosen(aligned=True), span=range(2, 5))
    assert [p.index for p in done] == [2, 3, 4]
    for a, b in zip(whole[2:5], part, strict=True):
        np.testing.assert_array_equal(a, b)


def test_frames_side_by_side_are_those_of_one_after_the_other_and_of_the_preview(clip, tmp_path):
    """The shipped network: its sums are large enough that several threads would share them."""
    settings = replace(chosen(scale=16), degradation=DegradationSettings(scale=16))
    models, track = load_models(settings, torch.device("cpu")), Track.fixed((20, 4, 70, 60), 1, 3)
    before, written = torch.get_num_threads(), {}
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            out = tmp_path / f"{threads}.mkv"
            _, written[threads] = run(clip, out, settings, [track], span=range(4), models=models)
        last = shown(clip, 2, settings, [track], models)[-1]
    finally:
        torch.set_num_threads(before)
    for alone, beside in zip(written[1], written[3], strict=True):
        np.testing.assert_array_equal(alone, beside)
    np.testing.assert_array_equal(last.frame, written[1][2])


def test_stopping_ends_what_is_at_work_within_a_step(clip, tmp_path):
    class Slow(Plain):
        steps = 0

        def predict_noise(self, x_t, t, condition):
            Slow.steps += 1
            time.sleep(0.001)
            return super().predict_noise(x_t, t, condition)

    settings, before = chosen(aligned=True, steps=100), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with (
            video.open_source(clip) as source,
            open_output(tmp_path / "out.mkv", source, settings, range(FRAMES)) as sink,
        ):
            models = replace(MODELS, denoiser=Slow())
            going = restore(Run(source, [], Look(settings), lambda _: models), sink, range(FRAMES))
            next(going)
            going.close()
            assert Slow.steps < 2.5 * 100
    finally:
        torch.set_num_threads(before)


def test_stopping_early_leaves_nothing(clip, tmp_path):
    out = tmp_path / "out.mkv"
    with video.open_source(clip) as source, open_output(out, source, chosen(), range(FRAMES)) as sink:
        look = Look(chosen())
        next(restore(Run(source, [], look, lambda _: MODELS), sink, range(FRAMES)))
    assert sorted(tmp_path.iterdir()) == [clip]


def test_the_demos_face_is_found_and_followed(tmp_path):
    path = make_demo(tmp_path)
    with video.open_source(path) as source:
        *progress, tracks = find_tracks(source, SETTINGS, span=range(len(source)))
        assert len(progress) == len(source)
    face = max(tracks, key=len)
    assert len(face) > 0.9 * len(progress)
    nose = np.array([face.at(index)[2] for index in range(face.first, face.first + len(face))])
    picture = np.array([225.0, 120.0])  # the astronaut's nose, by eye
    path = np.array(
        [camera(i)[:, :2] @ picture + camera(i)[:, 2] for i in range(face.first, face.first + len(face))]
    )
    assert CENTRE[1] > picture[1]
    assert np.linalg.norm((nose - nose.mean(0)) - (path - path.mean(0)), axis=1).max() < 5


class Kept(video.FrameSink):
    """Keeps what it is given."""

    def __init__(self):
        super().__init__(Path("nowhere"))
        self.frames = []

    def write(self, frame):
        self.frames.append(frame)

    def commit(self):
        pass

    def abort(self):
        pass


def test_the_sink_gets_more_than_eight_bits_of_a_face_and_exactly_eight_of_the_rest(clip):
    sink = Kept()
    with video.open_source(clip) as source:
        track = Track.fixed((20, 5, 60, 60), 0, FRAMES)
        look, span = Look(chosen()), range(FRAMES)
        list(restore(Run(source, [track], look, lambda _: MODELS), sink, span))
        for frame, before in zip(sink.frames, source.frames(), strict=True):
            assert frame.rgb.dtype == np.uint16
            touched = (frame.rgb != deepened(before.rgb)).any(axis=2)
            assert 0.05 < touched.mean() < 0.8
            assert (frame.rgb[touched] % 257 != 0).mean() > 0.9
            shown = of_depth(frame.rgb, 8)
            np.testing.assert_array_equal(shown[~touched], before.rgb[~touched])
            assert np.abs(shown.astype(float) - frame.rgb / 257).max() < 1
