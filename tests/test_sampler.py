"""The sampler with networks known in closed form, and the policies γ_t, ρ_t, w_t."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from flair_core.degradations import Identity, build, linear
from flair_core.denoisers.base import Condition
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.diffusion.plan import Plan, enhancement, paper, released
from flair_core.diffusion.refiners import Clamp, Consistency
from flair_core.diffusion.sampler import SeededNoise, sample, start
from flair_core.errors import SettingsError
from flair_core.settings.groups import DegradationSettings, SamplerSettings

CHAIN = NoiseSchedule.linear(1000, 1e-4, 2e-2)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class GaussianPrior:
    """x_0 ~ N(mean, std² I): the exact noise predictor is linear in x_t."""

    def __init__(self, mean: float = 0.0, std: float = 1.0) -> None:
        self.mean, self.std, self.told = mean, std, []

    def predict_noise(self, x_t, t, condition):
        self.told.append(t)
        alpha_bar = float(CHAIN.alpha_bar[t])
        variance = alpha_bar * self.std**2 + 1 - alpha_bar
        return (1 - alpha_bar) ** 0.5 * (x_t - alpha_bar**0.5 * self.mean) / variance


def run(steps=10, shape=(2, 3, 16, 16), *, prior=None, refiners=None, plan=None, noise=None, rho=0.25):
    schedule = CHAIN.respaced(steps)
    noise = noise or (lambda k, shape: normal(*shape, seed=1000 + k))
    return list(
        sample(
            start(torch.zeros(shape, dtype=torch.float64), schedule, noise),
            schedule=schedule,
            denoiser=prior or GaussianPrior(),
            condition=Condition(torch.zeros(shape)),
            refiners=refiners or {},
            plan=plan or paper(schedule, SamplerSettings(rho=rho), 0.0),
            noise=noise,
        )
    )


def test_samples_follow_the_prior():
    """With the exact noise predictor, many small steps turn noise into draws from N(0.3, 0.2² I)."""
    last = run(200, (4, 3, 64, 64), prior=GaussianPrior(0.3, 0.2), rho=0.0)[-1]
    assert last.x0.mean().item() == pytest.approx(0.3, abs=0.01)
    assert last.x0.std().item() == pytest.approx(0.2, rel=0.03)


@pytest.mark.parametrize(
    "blur",
    [
        DegradationSettings(scale=8),
        DegradationSettings(scale=4, kernel="gaussian"),
        DegradationSettings(scale=2, kernel="motion", angle=30),
    ],
)
def test_the_last_estimate_agrees_with_the_measurement(blur):
    """γ = 1, σ_e = 0: A x̂ = y at every step."""
    A = build(blur, (16, 16))
    y = A.forward(normal(2, 3, 16, 16))
    states = run(refiners={"clamp": Clamp(), "DC": Consistency(A, y, torch.ones(10))})
    for state in states:
        assert_close(A.forward(state.x0), y, rtol=0, atol=1e-9)


def test_what_was_not_observed_follows_the_prior():
    """x_0 ~ N(0, I) seen through A without noise: A⁺y is the observed part, and the rest varies as before."""
    A = build(DegradationSettings(scale=4), (16, 16))
    y = A.forward(normal(2, 3, 16, 16))
    last = run(100, refiners={"DC": Consistency(A, y, torch.ones(100))}, rho=0.0)[-1]
    assert_close(A.pinv(A.forward(last.x0)), A.pinv(y), rtol=0, atol=1e-9)
    unseen = last.x0 - A.pinv(y)
    assert unseen.std().item() == pytest.approx((1 - 1 / 16) ** 0.5, rel=0.05)


def test_rho_0_is_deterministic_given_its_start():
    x_T = normal(2, 3, 16, 16)

    def only_first(k, shape):
        assert k == 0, "no fresh noise at ρ = 0"
        return x_T

    first, second = (run(rho=0.0, noise=only_first)[-1].x0 for _ in range(2))
    assert_close(first, second, rtol=0, atol=0)


def test_states_tell_what_happened():
    prior = GaussianPrior()
    refiners = {"halved": lambda x0, index: x0 / 2, "shifted": lambda x0, index: x0 + index}
    states = run(5, prior=prior, refiners=refiners)
    assert [state.index for state in states] == [4, 3, 2, 1, 0]
    assert prior.told == CHAIN.respaced(5).timesteps.flip(0).tolist()
    for state in states:
        assert list(state.stages) == ["halved", "shifted"]
        assert_close(state.stages["halved"], state.x0_raw / 2)
        assert_close(state.x0, state.x0_raw / 2 + state.index)


def test_each_step_starts_from_the_refined_estimate():
    """Eq. (9), second line, with ε̃ recomputed."""
    none, eps_scale, noise_scale = torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.3, 0.4], [0.0, 0.2, 0.1]])
    schedule, plan = CHAIN.respaced(3), Plan(none, none, eps_scale, noise_scale, none)
    first, second, _ = run(3, refiners={"halved": lambda x0, index: x0 / 2}, plan=plan)
    eps = schedule.predict_eps(first.x_t, first.x0, 2)
    draw = normal(2, 3, 16, 16, seed=1001)
    assert_close(second.x_t, schedule.alpha_bar[1].sqrt() * first.x0 + 0.4 * eps + 0.1 * draw)


def test_the_second_order_solver_steps_back_as_noise_is_fresh():
    schedule = NoiseSchedule.log_spaced(6, 0.05, 3.0)
    whole, half, none = (paper(schedule, SamplerSettings(rho=rho)).momentum for rho in (0.0, 0.5, 1.0))
    assert (whole[1:-1] > 0.1).all()
    assert_close(half, whole / 2)
    assert not none.any()


@pytest.mark.parametrize("sigma", [0.0, 0.3])
def test_after_a_first_step_that_saw_no_x0_all_noise_is_fresh_and_then_as_rho_says(sigma):
    schedule = NoiseSchedule.log_spaced(6, 0.05, 3.0)
    plan, usual = (paper(schedule, SamplerSettings(rho=0.2), sigma, anew=anew) for anew in (True, False))
    assert (plan.eps_scale[-1] == 0) & (usual.eps_scale[-1] > 0)
    brought = schedule.alpha_bar_before(5) * (plan.gamma[-1] * sigma) ** 2
    assert_close(plan.noise_scale[-1] ** 2 + brought, 1 - schedule.alpha_bar[-2])
    assert plan.eps_scale[-2] > 0


def test_the_second_order_solver_comes_nearer_in_as_many_steps():
    """Without noise the walk follows an ordinary differential equation, whose end is known for a Gaussian prior."""
    schedule, errors = NoiseSchedule.log_spaced(1000, 0.05, 3.0), {}

    class Exact(GaussianPrior):
        def predict_noise(self, x_t, t, condition):
            alpha_bar = float(schedule.alpha_bar[t])
            variance = alpha_bar * self.std**2 + 1 - alpha_bar
            return (1 - alpha_bar) ** 0.5 * (x_t - alpha_bar**0.5 * self.mean) / variance

    def scale(t):
        return float(schedule.alpha_bar[t] * 0.25 + 1 - schedule.alpha_bar[t]) ** 0.5

    x_T = normal(1, 3, 8, 8)
    for steps in (8, 16):
        few = schedule.respaced(steps)
        second = paper(few, SamplerSettings(rho=0.0), 0.0)
        for name, plan in (("first", replace(second, momentum=torch.zeros(steps))), ("second", second)):
            last = list(
                sample(
                    x_T,
                    schedule=few,
                    denoiser=Exact(0.3, 0.5),
                    condition=Condition(x_T),
                    refiners={},
                    plan=plan,
                    noise=lambda k, shape: pytest.fail("no fresh noise at ρ = 0"),
                )
            )[-1]
            # (x_t − √ᾱ mean) / its std stays what it was.
            expected = (x_T - float(schedule.alpha_bar[-1]) ** 0.5 * 0.3) / scale(-1)
            reached = (last.x_t - float(schedule.alpha_bar[0]) ** 0.5 * 0.3) / scale(0)
            errors[name, steps] = float((reached - expected).square().mean().sqrt())
    assert errors["second", 8] < 0.5 * errors["first", 8]
    assert errors["second", 16] < 0.35 * errors["second", 8]


def test_gradients_stay_off_inside_and_on_outside():
    """Suspended at a yield, the generator must not leave its caller without gradients."""
    states = sample(
        normal(1, 3, 4, 4).requires_grad_(),
        schedule=CHAIN.respaced(2),
        denoiser=GaussianPrior(),
        condition=Condition(torch.zeros(1, 3, 4, 4)),
        refiners={},
        plan=paper(CHAIN.respaced(2), SamplerSettings(), 0.0),
        noise=lambda k, shape: normal(*shape),
    )
    state = next(states)
    assert torch.is_grad_enabled()
    assert not state.x0.requires_grad


@given(st.integers(1, 60), st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_clean_footage_gets_all_of_q_from_eps_and_fresh_noise(steps, rho, gamma):
    schedule = CHAIN.respaced(steps)
    plan = paper(schedule, SamplerSettings(rho=rho, gamma=gamma), 0.0)
    total = torch.tensor([1 - schedule.alpha_bar_before(t) for t in range(steps)], dtype=torch.float64)
    assert_close(plan.gamma, torch.full_like(total, gamma))
    assert_close(plan.noise_scale.square(), rho * total, rtol=0, atol=1e-12)
    assert_close(plan.eps_scale.square(), (1 - rho) * total, rtol=0, atol=1e-12)


@given(st.integers(2, 60), st.floats(0, 1), st.floats(0, 1), st.floats(1e-3, 3))
@settings(max_examples=60, deadline=None)
def test_consistency_never_brings_more_noise_than_q_allows(steps, rho, gamma, sigma):
    schedule = CHAIN.respaced(steps)
    plan = paper(schedule, SamplerSettings(rho=rho, gamma=gamma), sigma)
    before = torch.tensor([schedule.alpha_bar_before(t) for t in range(steps)], dtype=torch.float64)
    brought = before * plan.gamma.square() * sigma**2
    assert (brought + plan.noise_scale.square() <= 1 - before + 1e-12).all()
    assert torch.isfinite(plan.eps_scale).all()
    assert (plan.gamma <= gamma).all()
    assert plan.gamma[0] == 0


@pytest.mark.parametrize("steps", [5, 30, 100])
@pytest.mark.parametrize("rho", [0.0, 0.25, 0.85])
@pytest.mark.parametrize("sigma", [0.05, 0.4])
def test_with_noise_the_variance_conforms_to_q(steps, rho, sigma):
    """x_0 = 0 and a network that knows it: all there is in x_t is noise, of variance 1 − ᾱ_t."""
    shape, schedule = (1, 3, 100, 100), CHAIN.respaced(steps)
    y = sigma * normal(*shape)
    plan = paper(schedule, SamplerSettings(rho=rho), sigma)
    states = run(
        steps,
        shape,
        prior=GaussianPrior(std=0.0),
        refiners={"DC": Consistency(Identity(), y, plan.gamma)},
        plan=plan,
    )
    for state in states:
        expected = 1 - float(schedule.alpha_bar[state.index])
        assert state.x_t.var().item() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("rho", [0.25, 1.0])
@pytest.mark.parametrize(
    "blur",
    [
        DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0),
        DegradationSettings(scale=2, kernel="motion", motion_length=5, angle=30),
    ],
)
def test_with_noise_the_variance_conforms_to_q_in_every_direction(blur, rho):
    """As above, behind an operator that makes its noise up to twenty times as strong in some directions."""
    A, schedule, sigma, count = linear(blur, (16, 16)), CHAIN.respaced(8), 0.1, 600
    y = sigma * normal(count, 1, 16 // blur.scale, 16 // blur.scale)
    plan = paper(schedule, SamplerSettings(rho=rho), sigma, A)
    states = run(
        8,
        (count, 1, 16, 16),
        prior=GaussianPrior(std=0.0),
        refiners={"DC": Consistency(A, y, plan.gamma, plan.levels)},
        plan=plan,
    )
    _, _, basis = torch.linalg.svd(
        A.forward(torch.eye(256, dtype=torch.float64).view(256, 1, 16, 16)).flatten(1).T
    )
    for state in states:
        along = state.x_t.flatten(1) @ basis.T
        expected = 1 - float(schedule.alpha_bar[state.index])
        assert_close(along.var(0), torch.full((256,), expected, dtype=torch.float64), rtol=0.3, atol=0)
        assert along.var().item() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("sigma", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("steps", [4, 10, 40])
def test_consistency_helps_under_noise_however_a_blurs(sigma, steps):
    """x_0 ~ N(0, I) and its exact network: γ = 1 errs less than γ = 0, in every kind of direction."""
    A = linear(DegradationSettings(scale=2, kernel="gaussian", blur_sigma=1.5), (16, 16))
    x, schedule = normal(100, 1, 16, 16, seed=5), CHAIN.respaced(steps)
    y = A.forward(x) + sigma * normal(100, 1, 8, 8, seed=6)
    errors = []
    for gamma in (1.0, 0.0):
        plan = paper(schedule, SamplerSettings(gamma=gamma), sigma, A)
        refiners = {"DC": Consistency(A, y, plan.gamma, plan.levels)}
        last = run(steps, x.shape, refiners=refiners, plan=plan)[-1]
        error = A.filtered(last.x0 - x, torch.ones_like(A.singular))
        errors.append(float(error.square().mean()))
    assert errors[0] < errors[1]


def test_a_curve_shapes_what_the_policy_gives():
    schedule = CHAIN.respaced(10)
    sampler = SamplerSettings(w_tau=0.5, tau=2, w_curve="")
    plain = paper(schedule, sampler, 0.1)
    shaped = paper(schedule, replace(sampler, gamma_curve="1, 0.5, 0", w_curve="0, 1"), 0.1)
    kept = torch.linspace(0, 1, len(schedule), dtype=torch.float64)
    assert_close(shaped.gamma, plain.gamma * kept)
    assert_close(shaped.w, torch.cat([torch.zeros(2), torch.linspace(0.5, 0, 8)]).double())
    same = paper(schedule, replace(sampler, gamma_curve="1"), 0.1)
    for name in ("gamma", "eps_scale", "noise_scale"):
        assert torch.equal(getattr(same, name), getattr(plain, name))
    ours = released(schedule, replace(sampler, gamma_curve="1, 0"), 0.1, 1)
    assert_close(ours.gamma, released(schedule, sampler, 0.1, 1).gamma * kept)


@pytest.mark.parametrize(("steps", "tau"), [(1, 0), (4, 0), (10, 3), (4, 3), (25, 0), (100, 5)])
def test_by_default_the_enhancer_is_called_once_at_step_tau(steps, tau):
    w = paper(CHAIN.respaced(steps), SamplerSettings(w_tau=0.3, tau=tau)).w
    assert w.nonzero().flatten().tolist() == [tau]
    assert w[tau] == 0.3


@pytest.mark.parametrize("curve", ["1, 2", "a", "0.5,,1", "-0.1", "nan"])
def test_a_curve_that_is_none_is_refused(curve):
    with pytest.raises(SettingsError, match="numbers from 0 to 1"):
        SamplerSettings(gamma_curve=curve)


def test_enhancement_falls_from_tau_to_the_first_step():
    w = enhancement(20, 0.6, 5)
    assert w[5].item() == pytest.approx(0.6)
    assert w[19].item() == pytest.approx(0)
    assert (w[:5] == 0).all()
    assert (w[5:].diff() < 0).all()


@pytest.mark.parametrize(
    ("steps", "tau", "expected"), [(1, 0, [0.6]), (3, 2, [0, 0, 0.6]), (3, 3, [0, 0, 0]), (2, 999, [0, 0])]
)
def test_enhancement_of_short_chains(steps, tau, expected):
    assert enhancement(steps, 0.6, tau).tolist() == pytest.approx(expected)
    assert SamplerSettings(steps=steps, tau=tau, w_tau=0.6).enhances == any(expected)


def test_released_trusts_clean_footage_and_scales_with_gamma():
    schedule = CHAIN.respaced(50)
    assert (released(schedule, SamplerSettings(), 0.05, -1).gamma == 1).all()
    noisy = released(schedule, SamplerSettings(), 0.05, 1).gamma
    assert noisy[0] < 0.01
    assert noisy[-1] > 0.99
    assert_close(released(schedule, SamplerSettings(gamma=0.5), 0.05, 1).gamma, 0.5 * noisy)


def test_seeded_noise_is_one_draw_for_all_frames_and_windows():
    noise = SeededNoise(7)
    five, two = noise(3, torch.Size((5, 3, 8, 8))), noise(3, torch.Size((2, 3, 8, 8)))
    assert_close(five[4], five[0], rtol=0, atol=0)
    assert_close(five[:2], two, rtol=0, atol=0)
    for other in (noise(4, two.shape), SeededNoise(8)(3, two.shape)):
        assert abs(torch.corrcoef(torch.stack([two[0].flatten(), other[0].flatten()]))[0, 1]) < 0.3


def test_seeded_noise_is_standard_normal_over_steps_and_seeds():
    draws = torch.stack(
        [SeededNoise(seed)(step, torch.Size((1, 3, 16, 16)))[0] for seed in range(8) for step in range(8)]
    )
    assert draws.mean().item() == pytest.approx(0, abs=0.02)
    assert draws.std().item() == pytest.approx(1, abs=0.02)


def test_frames_of_video_networks_have_noise_of_their_own_in_whichever_window():
    shape = torch.Size((4, 3, 8, 8))
    early, late = SeededNoise(7, first=10)(3, shape), SeededNoise(7, first=12)(3, shape)
    assert_close(early[2:], late[:2], rtol=0, atol=0)
    assert (early[0] - early[1]).abs().mean() > 0.5
