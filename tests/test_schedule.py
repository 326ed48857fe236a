"""The noise schedule: eq. (1), (3), and its shortening."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.errors import SettingsError

CHAIN = NoiseSchedule.linear(1000, 1e-4, 2e-2)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(st.integers(0, 999))
@settings(deadline=None)
def test_noise_and_clean_image_determine_each_other(index):
    x0, eps = normal(2, 3, 4, 4, seed=1), normal(2, 3, 4, 4, seed=2)
    x_t = CHAIN.diffuse(x0, eps, index)
    assert_close(CHAIN.predict_x0(x_t, eps, index), x0, rtol=0, atol=1e-9)
    assert_close(CHAIN.predict_eps(x_t, x0, index), eps, rtol=0, atol=1e-9)


def test_diffusion_keeps_the_variance():
    x_t = CHAIN.diffuse(normal(3, 200, 200, seed=1), normal(3, 200, 200, seed=2), 300)
    assert x_t.var().item() == pytest.approx(1, abs=0.02)


@given(st.data())
@settings(deadline=None)
def test_respacing_is_even_and_keeps_both_ends(data):
    last = data.draw(st.integers(1, 999))
    steps = data.draw(st.integers(2, last + 1))
    schedule = CHAIN.respaced(steps, last)
    kept = schedule.timesteps
    assert len(schedule) == steps
    assert (kept[0], kept[-1]) == (0, last)
    assert kept.diff().max() - kept.diff().min() <= 1
    assert kept.diff().min() > 0
    assert_close(schedule.alpha_bar, CHAIN.alpha_bar[kept], rtol=0, atol=0)


def test_one_step_is_the_noisiest():
    assert CHAIN.respaced(1).timesteps.tolist() == [999]
    assert CHAIN.respaced(1, 300).timesteps.tolist() == [300]


def test_respacing_twice_still_tells_base_steps():
    kept = CHAIN.respaced(100).respaced(10).timesteps
    assert set(kept.tolist()) <= set(CHAIN.respaced(100).timesteps.tolist())


@pytest.mark.parametrize(("steps", "t_start"), [(0, None), (1001, None), (6, 4), (1, 1000), (1, -1)])
def test_impossible_respacings_are_refused(steps, t_start):
    with pytest.raises(SettingsError, match="steps"):
        CHAIN.respaced(steps, t_start)


def test_nothing_is_noisier_before_the_last_step():
    assert CHAIN.alpha_bar_before(0) == 1
    assert CHAIN.alpha_bar_before(5) == CHAIN.alpha_bar[4]
