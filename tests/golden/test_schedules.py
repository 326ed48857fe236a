"""Noise schedules and the released policies against recorded vectors: eq. (1), (4), (9) and (12)."""

from __future__ import annotations

import re

import numpy as np
import pytest

from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.diffusion.plan import enhancement, released
from flair_core.settings.fields import EIGHT_BIT
from flair_core.settings.groups import SamplerSettings


@pytest.fixture(scope="module")
def golden(load_npz):
    return load_npz("schedules")


@pytest.fixture(scope="module")
def chains(golden):
    """The base schedules by name."""
    names = [name for name in golden if re.fullmatch(r"(?!.+_K\d+_betas).+_betas", name)]
    assert names
    betas = {name.removesuffix("_betas"): golden[name] for name in names}
    return {name: NoiseSchedule.linear(len(beta), beta[0], beta[-1]) for name, beta in betas.items()}


def test_the_base_chains(golden, chains, tolerances):
    rtol = tolerances("schedules")[0]
    for name, chain in chains.items():
        np.testing.assert_allclose(chain.alpha_bar, golden[f"{name}_alphas_cumprod"], rtol=rtol)


def test_respacing(golden, chains, tolerances):
    rtol, atol = tolerances("schedules")[:2]
    cases = [re.fullmatch(r"(.+)_K(\d+)_timestep_map", name) for name in golden]
    assert any(cases)
    for prefix, name, steps in ((m[0].removesuffix("timestep_map"), m[1], int(m[2])) for m in cases if m):
        schedule = chains[name].respaced(steps)
        alpha_bar = schedule.alpha_bar.numpy()
        beta = 1 - alpha_bar / np.concatenate([[1.0], alpha_bar[:-1]])
        np.testing.assert_array_equal(schedule.timesteps, golden[prefix + "timestep_map"])
        np.testing.assert_allclose(alpha_bar, golden[prefix + "alphas_cumprod"], rtol=rtol)
        np.testing.assert_allclose(beta, golden[prefix + "betas"], rtol=rtol)
        np.testing.assert_allclose(np.sqrt(alpha_bar), golden[prefix + "net_noise_level"], atol=atol)


def test_enhancement_weights(golden, tolerances):
    """The released w weighs the image that is not enhanced; where its enhancer never runs, our w_t is 0."""
    atol = tolerances("schedules")[1]
    for row, (K, tau, w, t_start) in enumerate(golden["ws_params_K_tau_w_tstart"]):
        steps = int(K if t_start < 0 else t_start + 1)
        ours = enhancement(steps, 1 - float(w), int(tau)).numpy()
        theirs = golden[f"ws_{row}"]
        runs = np.arange(steps) >= tau
        np.testing.assert_allclose(1 - ours[runs], theirs[:steps][runs], atol=atol)
        assert not ours[~runs].any()
        assert np.isnan(theirs[steps:]).all()


def test_consistency_strength(golden, chains, tolerances):
    atol = tolerances("schedules")[1]
    for row, (K, zeta, level) in enumerate(golden["gamma_params_K_zeta_noise"]):
        schedule = chains[str(golden["gamma_schedule_name"][row])].respaced(int(K))
        plan = released(schedule, SamplerSettings(), float(level) / EIGHT_BIT, float(zeta))
        np.testing.assert_allclose(plan.gamma, golden[f"gamma_{row}"], atol=atol)
