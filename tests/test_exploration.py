"""The search for settings, and how much restorations differ."""

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flair_core.errors import ShapeError
from flair_core.experiments.frontier import Candidate, Frontier, Spread, agreement
from flair_core.faces.track import Track
from flair_core.frames import Frame, VideoInfo
from flair_core.metrics.reference import Reference


def explore(frontier, score, noise=0.0):
    rng, tried = np.random.default_rng(0), []
    for trial in frontier:
        tried.append(trial)
        frontier.tell(trial, *(np.array(score(trial)) + noise * rng.normal(size=2)))
    return tried


def test_where_one_stands_comes_first_and_quick_ones_next():
    frontier = Frontier((4, 1), (0.5, 0.0), seeds=1, start=Candidate(4, 0.0, 7))
    tried = explore(frontier, lambda t: (t.steps, t.w_tau))
    assert tried == [Candidate(4, 0.0, 7), Candidate(1, 0.0, 7), Candidate(1, 0.5, 7), Candidate(4, 0.5, 7)]


def test_points_that_are_worse_in_both_get_no_more_seeds():
    """Half of K = 8 is worse than all of K = 2: its points are tried with one seed only."""

    def score(trial):
        return (
            40 - 10 * trial.w_tau - (5 if trial.steps == 8 else 0),
            5 + 5 * trial.w_tau - (2 if trial.steps == 8 else 0),
        )

    frontier = Frontier((2, 8), (0.0, 0.5, 1.0), seeds=4)
    tried = explore(frontier, score, noise=0.01)
    assert [trial.steps for trial in tried].count(2) == 12
    assert [trial.steps for trial in tried].count(8) == 3
    assert {(p.steps, p.dominated) for p in frontier.points()} == {(2, False), (8, True)}
    assert {p.seeds for p in frontier.points()} == {4, 1}


@given(st.lists(st.tuples(st.floats(20, 40), st.floats(1, 20)), min_size=6, max_size=6), st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_the_frontier_keeps_what_is_best_and_drops_only_what_is_worse(scores, seeds):
    """Whatever the scores: both ends stay, only points worse than another in both are left with fewer seeds."""
    places = [(k, w) for k in (1, 4) for w in (0.0, 0.5, 1.0)]
    known = dict(zip(places, scores, strict=True))
    frontier = Frontier((1, 4), (0.0, 0.5, 1.0), seeds=seeds)
    tried = explore(frontier, lambda trial: known[trial.steps, trial.w_tau])
    points = frontier.points()
    assert len(points) == 6
    assert len(set(tried)) == len(tried)
    for point in points:
        better = [p for p in points if p.fidelity > point.fidelity and p.sharpness > point.sharpness]
        assert better or not point.dominated
        assert point.dominated or point.seeds == seeds
        assert point.spread == pytest.approx((0, 0), abs=1e-9), "nothing here depends on the seed"
    for measure in ("fidelity", "sharpness"):
        assert not max(points, key=lambda p: getattr(p, measure)).dominated


def test_what_chance_could_explain_is_not_dominated():
    frontier = Frontier((2, 4), (0.0,), seeds=6)
    explore(frontier, lambda trial: (30.0, 6.0), noise=1.0)
    points = frontier.points()
    assert [point.seeds for point in points] == [6, 6]
    assert all(point.spread[0] > 0.2 for point in points)
    assert not all(point.dominated for point in points)


def test_the_spread_is_the_standard_deviation():
    frames = np.random.default_rng(0).integers(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    spread = Spread()
    assert spread.levels() is None
    for count, frame in enumerate(frames, 1):
        spread.add(frame)
        if count > 1:
            expected = np.sqrt(frames[:count].astype(float).var(0, ddof=1).mean(-1))
            np.testing.assert_allclose(spread.levels(), expected, rtol=1e-4)


@given(st.permutations(range(5)), st.integers(-40, 40))
@settings(max_examples=20, deadline=None)
def test_the_spread_knows_no_order_and_no_level(order, level):
    frames = np.random.default_rng(0).integers(50, 200, (5, 6, 7, 3)).astype(np.uint8)
    one, other, same = Spread(), Spread(), Spread()
    for at, frame in zip(order, frames, strict=True):
        one.add(frame)
        other.add((frames[at].astype(int) + level).astype(np.uint8))
        same.add(frames[0])
    np.testing.assert_allclose(one.levels(), other.levels(), rtol=1e-3)
    np.testing.assert_allclose(same.levels(), 0, atol=1e-4)


def test_agreement_is_a_psnr():
    assert agreement(2.55) == pytest.approx(40)
    assert agreement(0) == agreement(0.01)


class Frames:
    """A clip that is given by its frames."""

    def __init__(self, frames, name="clip.mkv"):
        self._frames, self.path = frames, Path(name)
        height, width = frames[0].shape[:2]
        self.info = VideoInfo(width, height, Fraction(24), Fraction(1, 24), len(frames))

    def __len__(self):
        return len(self._frames)

    def __getitem__(self, index):
        return Frame(self._frames[index], index, index, 1)


@pytest.fixture
def truth():
    """Four frames of smooth noise, 160 × 120, that are all different."""
    rng = np.random.default_rng(1)
    return [
        cv2.GaussianBlur(rng.integers(0, 256, (120, 160, 3)).astype(np.uint8), (0, 0), 1.5) for _ in range(4)
    ]


FACE = Track.fixed((15.0, 10.0, 50.0, 50.0), 0, 4)
"""In pixels of a clip of 80 × 60."""


def test_faces_are_measured_where_the_clips_own_track_has_them(truth):
    """What is wrong outside of the face counts for nothing; the size of the restored frame does not matter."""
    small = [cv2.resize(frame, (80, 60), interpolation=cv2.INTER_AREA) for frame in truth]
    reference = Reference(Frames(truth), Frames(small))
    assert reference.measures == ("psnr", "sharpness")
    spoilt = truth[2].copy()
    spoilt[:, 110:] = 0
    same = reference.scores(2, spoilt, [FACE], aligned=False)
    assert same.psnr == np.inf
    assert same.ssim == pytest.approx(1)
    assert reference.scores(2, truth[1], [FACE], aligned=False).psnr < 25
    # Shown at the clip's size, a pixel of the restored frame is the mean of four of the truth.
    halved = reference.scores(2, small[2], [FACE], aligned=False)
    moved = reference.scores(2, np.roll(small[2], 1, axis=1), [FACE], aligned=False)
    assert halved.psnr > moved.psnr + 3
    assert reference.scores(2, truth[2], [], aligned=False) is None
    assert reference.scores(2, small[2] // 2, [], aligned=True).psnr < 20


def test_lpips_is_the_mean_over_faces(truth):
    told = iter((0.1, 0.3))
    reference = Reference(Frames(truth), Frames(truth), lambda _: next(told))
    assert reference.measures == ("psnr", "lpips")
    faces = [FACE, Track.fixed((80.0, 40.0, 120.0, 90.0), 0, 4, id=1)]
    assert reference.scores(0, truth[0], faces, aligned=False).lpips == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("clip", "reason"),
    [
        (np.zeros((3, 120, 160, 3), np.uint8), r"clip\.mkv has 4 frames, but clip\.mkv 3"),
        (np.zeros((4, 240, 320, 3), np.uint8), "320 × 240"),
        (np.zeros((4, 60, 160, 3), np.uint8), "160 × 60"),
    ],
)
def test_a_reference_that_does_not_fit_is_explained(truth, clip, reason):
    with pytest.raises(ShapeError, match=reason):
        Reference(Frames(truth), Frames(list(clip)))


def test_what_degrading_cut_off_is_no_obstacle(truth):
    clip = Frames([frame[:14, :19] for frame in truth])
    assert Reference(Frames([frame[:119, :157] for frame in truth]), clip).scale == 8


def test_lpips_needs_smaller_differences_to_tell_points_apart():
    """A tenth of an LPIPS is a lot, a tenth of a grey level nothing."""
    scores = {0.0: (30.0, -0.3), 1.0: (30.5, -0.25)}
    for measures, dominated in ((("psnr", "lpips"), True), (("psnr", "sharpness"), False)):
        frontier = Frontier((4,), (0.0, 1.0), seeds=1, measures=measures)
        explore(frontier, lambda trial: scores[trial.w_tau])
        assert [point.dominated for point in frontier.points()] == [dominated, False]
