"""Windows of video networks: what is previewed, exported whole, in parts or resumed is the same."""

import random
from dataclasses import replace

import cheap
import numpy as np
import pytest
import torch
from cheap import FRAMES as SHORT
from cheap import Counting, make_film, models, sampler

from flair_core import video
from flair_core.faces.track import Track
from flair_core.frames import dithered
from flair_core.jobs.output import open_output
from flair_core.kept.cache import Cache
from flair_core.restoration.clip import restore
from flair_core.restoration.preview import preview
from flair_core.restoration.run import Run
from flair_core.restoration.windows import overlap, windows
from flair_core.settings.look import Key, Lane, Look, Shot
from flair_core.settings.output import OutputOptions

FRAMES = 17
TRACKS = [Track.fixed((10, 10, 40, 50), 0, FRAMES), Track.fixed((60, 10, 90, 60), 6, 7, id=1)]
ALIGNED = cheap.faces(aligned=True)
PAPER, RELEASED = sampler(steps=2, gamma=0.3), sampler(steps=2, gamma=0.3, policy="released")


class Mixing(Counting):
    """What it makes of a frame depends on all frames of the window, and on their noise."""

    window, own_noise = 7, True

    def predict_noise(self, x_t, t, condition):
        super().predict_noise(x_t, t, condition)
        weights = torch.arange(1, len(x_t) + 1).view(-1, 1, 1, 1) / len(x_t)
        mixed = (weights * (condition.c + x_t)).mean(0)
        x0 = 0.5 * condition.c + 0.4 * mixed + 0.1 * x_t
        return self.schedule.predict_eps(x_t, x0, t)


WINDOWS = list(windows(0, FRAMES, Mixing.window, overlap(Mixing.window)))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    assert FRAMES > SHORT
    return make_film(tmp_path_factory.mktemp("film") / "film.mkv", FRAMES)


def as_look(settings):
    return settings if isinstance(settings, Look) else Look(settings)


def export(film, settings, span=range(FRAMES), *, tracks=TRACKS, cache=None, network=None, stop_after=None):
    """The frames by index, as they are written with 8 bits."""
    out = film.with_name("out.mkv")
    made_by = models(network or Mixing())
    with (
        video.open_source(film) as source,
        open_output(
            out, source, as_look(settings).settings, span, options=OutputOptions(codec="lossless")
        ) as sink,
    ):
        return {
            progress.index: dithered(progress.frame) if progress.frame.dtype == np.uint16 else progress.frame
            for progress, _ in zip(
                restore(Run(source, tracks, as_look(settings), lambda _: made_by), sink, span, cache=cache),
                range(stop_after or FRAMES),
                strict=False,
            )
        }


def shown(film, index, settings, *, tracks=TRACKS, cache=None, network=None):
    """The last step of a frame's preview."""
    with video.open_source(film) as source:
        made_by = models(network or Mixing())
        *_, last = preview(Run(source, tracks, as_look(settings), lambda _: made_by), index, cache=cache)
    return last


def same(found, expected):
    for index, rgb in found.items():
        np.testing.assert_array_equal(rgb, expected[index], err_msg=str(index))


SHOTS = Look(PAPER, lanes=(Lane("gamma", (Key(0, 0.1), Key(FRAMES, 0.9))),), shots=(Shot(0), Shot(9)))


@pytest.mark.parametrize(
    "settings",
    [PAPER, replace(ALIGNED, sampler=PAPER.sampler), SHOTS],
    ids=["faces", "aligned", "shots and keyframes"],
)
class TestPapersPolicy:
    def test_parts_previews_and_resumed_runs_are_the_whole(self, film, settings, tmp_path):
        whole = export(film, settings)
        assert list(whole) == list(range(FRAMES))
        for start, stop in ((0, 5), (5, 6), (6, 11), (11, FRAMES)):
            part = export(film, settings, range(start, stop))
            assert list(part) == list(range(start, stop))
            same(part, whole)
        kept = Cache(tmp_path)
        export(film, settings, cache=kept, stop_after=8)
        same(export(film, settings, cache=kept), whole)
        for index in random.Random(0).sample(range(FRAMES), FRAMES):
            last = shown(film, index, settings)
            assert last.exact
            same({index: last.frame}, whole)
            same({index: shown(film, index, settings, cache=kept).frame}, whole)

    def test_a_preview_needs_only_the_windows_that_hold_the_frame(self, film, settings):
        for index in range(FRAMES):
            network = Mixing()
            shown(film, index, settings, network=network, tracks=TRACKS[:1])
            shot = as_look(settings).shot_at(index)
            grid = windows(shot.start, min(shot.stop, FRAMES), Mixing.window, overlap(Mixing.window))
            assert network.windows == sum(window.first <= index < window.last for window in grid) <= 2

    def test_previewing_every_frame_restores_no_window_twice(self, film, settings, tmp_path):
        network, kept = Mixing(), Cache(tmp_path)
        for index in range(FRAMES):
            shown(film, index, settings, network=network, cache=kept, tracks=TRACKS[:1])
        made = network.windows
        export(film, settings, network=network, cache=kept, tracks=TRACKS[:1])
        assert network.windows == made <= len(WINDOWS) + 1


def test_the_residual_of_a_cross_faded_frame_is_that_of_what_is_shown(film):
    settings = replace(ALIGNED, sampler=PAPER.sampler)
    index = WINDOWS[1].first + 1
    last = shown(film, index, settings)
    assert last.residual == pytest.approx(np.sqrt(np.square(last.residual_map).mean()), rel=1e-3)


@pytest.mark.parametrize(
    "settings", [RELEASED, replace(ALIGNED, sampler=RELEASED.sampler)], ids=["faces", "aligned"]
)
class TestReleasedPolicy:
    def test_each_window_leans_on_the_one_before(self, film, settings):
        whole = export(film, settings)
        first, second = WINDOWS[:2]
        same(export(film, settings, range(first.last)), whole)
        later = export(film, settings, range(second.first, FRAMES))
        assert any((later[index] != whole[index]).any() for index in range(second.first_new, second.last))

    def test_a_preview_says_when_it_does_not_know_the_window_before(self, film, settings, tmp_path):
        whole, kept = export(film, settings), Cache(tmp_path)
        index = WINDOWS[1].first_new
        for cache in (None, kept):
            apart = shown(film, index, settings, cache=cache)
            assert not apart.exact
        assert (apart.frame != whole[index]).any()
        export(film, settings, cache=kept)
        for index in reversed(range(FRAMES)):
            last = shown(film, index, settings, cache=kept)
            assert last.exact
            same({index: last.frame}, whole)

    def test_going_through_a_clip_previews_what_is_exported(self, film, settings, tmp_path):
        whole, kept = export(film, settings), Cache(tmp_path)
        for index in range(FRAMES):
            last = shown(film, index, settings, cache=kept)
            assert last.exact
            same({index: last.frame}, whole)

    def test_what_a_window_handed_on_counts_for_the_same_clip_and_settings_only(
        self, film, settings, tmp_path
    ):
        kept, index = Cache(tmp_path), WINDOWS[1].first_new
        export(film, settings, cache=kept)
        other = replace(settings, sampler=replace(settings.sampler, seed=1))
        assert not shown(film, index, other, cache=kept).exact
        early = Look(settings, lanes=(Lane("gamma", (Key(0, 0.1), Key(5, settings.sampler.gamma))),))
        assert not shown(film, index, early, cache=kept).exact
        longer = make_film(tmp_path / "longer.mkv", FRAMES + 1)
        assert not shown(longer, index, settings, cache=kept).exact


def test_a_face_that_appears_leans_on_nothing(film):
    track = Track.fixed((10, 10, 40, 50), WINDOWS[1].first_new, 3)
    assert shown(film, WINDOWS[1].first_new, RELEASED, tracks=[track]).exact


@pytest.mark.parametrize("length", range(1, 13))
def test_no_frame_is_in_more_than_two_windows(length):
    found = list(windows(0, 100, length, overlap(length)))
    assert max(sum(w.first <= index < w.last for w in found) for index in range(100)) <= 2
