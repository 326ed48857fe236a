"""The search for settings, and how much restorations differ."""

import numpy as np
import pytest

from flair_core.exploration import Frontier, Spread, Trial, agreement


def explore(frontier, score, noise=0.0):
    rng, tried = np.random.default_rng(0), []
    for trial in frontier:
        tried.append(trial)
        frontier.tell(trial, *(np.array(score(trial)) + noise * rng.normal(size=2)))
    return tried


def test_where_one_stands_comes_first_and_quick_ones_next():
    frontier = Frontier((4, 1), (0.5, 0.0), seeds=1, start=Trial(4, 0.0, 7))
    tried = explore(frontier, lambda t: (t.steps, t.w_tau))
    assert tried == [Trial(4, 0.0, 7), Trial(1, 0.0, 7), Trial(1, 0.5, 7), Trial(4, 0.5, 7)]


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


def test_agreement_is_a_psnr():
    assert agreement(2.55) == pytest.approx(40)
    assert agreement(0) == agreement(0.01)
