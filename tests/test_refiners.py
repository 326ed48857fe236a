"""Refiners: eq. (8), (9), (12) and the overlap of windows."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from flair_core.degradations import build
from flair_core.diffusion.refiners import Anchor, Clamp, Consistency, Enhancement
from flair_core.settings.groups import DegradationSettings

STRENGTHS = torch.tensor([1.0, 0.25, 0.0])


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def never(x):
    raise AssertionError("this step should not ask")


def test_clamp():
    assert Clamp()(normal(1, 3, 9, 9) * 3, 0).abs().max() == 1


@pytest.fixture
def consistency():
    A = build(DegradationSettings(scale=4), (32, 32))
    return Consistency(A, A.forward(normal(2, 3, 32, 32, seed=1)), STRENGTHS)


def test_full_consistency_agrees_with_the_observation(consistency):
    A, x0 = consistency.A, normal(2, 3, 32, 32)
    assert_close(A.forward(consistency(x0, 0)), consistency.y, rtol=0, atol=1e-9)


def test_partial_consistency_removes_that_part_of_the_residual(consistency):
    A, x0 = consistency.A, normal(2, 3, 32, 32)
    before, after = A.forward(x0) - consistency.y, A.forward(consistency(x0, 1)) - consistency.y
    assert_close(after, 0.75 * before, rtol=0, atol=1e-9)


def test_consistency_changes_only_what_was_observed(consistency):
    """The part of x0 that A does not see stays."""
    A, x0 = consistency.A, normal(2, 3, 32, 32)
    change = consistency(x0, 0) - x0
    assert_close(A.pinv(A.forward(change)), change, rtol=0, atol=1e-9)


def test_consistency_rests_at_gamma_0(consistency):
    x0 = normal(2, 3, 32, 32)
    assert Consistency(None, consistency.y, STRENGTHS)(x0, 2) is x0


def test_enhancement_mixes_by_weight_and_mask():
    """Eq. (12): (1 − w m) x0 + w m G(x0)."""
    x0, mask = normal(2, 3, 8, 8), normal(2, 1, 8, 8, seed=1).sigmoid()
    enhanced = normal(2, 3, 8, 8, seed=2).clamp(-1, 1)
    masked = Enhancement(lambda _: enhanced, STRENGTHS, lambda _: mask)(x0, 1)
    assert_close(masked, (1 - 0.25 * mask) * x0 + 0.25 * mask * enhanced)
    assert_close(Enhancement(lambda _: enhanced, STRENGTHS)(x0, 0), enhanced)


def test_the_enhanced_image_is_clamped_before_it_is_mixed_in():
    assert_close(
        Enhancement(lambda x: x + 5, STRENGTHS)(torch.zeros(1, 3, 4, 4), 1), torch.full((1, 3, 4, 4), 0.25)
    )


@pytest.mark.parametrize("degradation", [{}, {"kernel": "gaussian"}, {"kernel": "motion"}])
def test_under_the_null_space_lock_the_enhancer_changes_nothing_that_shows(degradation):
    A = build(DegradationSettings(scale=4, **degradation), (32, 32))
    x0, painted = (0.3 * normal(2, 3, 32, 32, seed=seed) for seed in (1, 2))
    free, locked = (Enhancement(lambda _: painted, STRENGTHS, None, lock)(x0, 1) for lock in (None, A))
    before = A.forward(x0)
    assert (A.forward(free) - before).abs().mean() > 20 * (A.forward(locked) - before).abs().mean()
    assert (locked - x0).abs().mean() > 0.5 * (free - x0).abs().mean()


def test_the_mask_follows_the_estimate():
    """m_t is estimated from x0 of the step."""
    x0 = normal(1, 3, 4, 4)
    refine = Enhancement(torch.zeros_like, STRENGTHS, lambda x: (x.mean(1, keepdim=True) > 0).float())
    m = (x0.mean(1, keepdim=True) > 0).float()
    assert_close(refine(x0, 1), x0 * (1 - 0.25 * m))


def test_the_enhancer_is_not_called_at_weight_0():
    x0 = normal(1, 3, 4, 4)
    assert Enhancement(never, STRENGTHS)(x0, 2) is x0


def test_anchor_copies_the_previous_window():
    x0, previous = normal(5, 3, 4, 4), normal(2, 3, 4, 4, seed=1)
    anchored = Anchor(previous)(x0, 0)
    assert_close(anchored, torch.cat([previous, x0[2:]]))
