"""The released sampling loop, as a list of refiners and a plan, against recorded runs with stub networks."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, pad

from flair_core.degradations import JpegDegradation, ReleasedBlur, build
from flair_core.degradations.released import SCALE
from flair_core.denoisers.base import Condition
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.diffusion.plan import released
from flair_core.diffusion.refiners import Anchor, Clamp, Consistency, Enhancement
from flair_core.diffusion.sampler import sample, start
from flair_core.restoration.windows import windows
from flair_core.settings.fields import EIGHT_BIT
from flair_core.settings.groups import DegradationSettings, SamplerSettings


class StubDenoiser:
    """The recorded runs' closed-form network; keeps the steps it was told."""

    def __init__(self, case, schedule, flow_input):
        self.linear, self.schedule, self.flow_input = case["stub"] == "linear", schedule, flow_input
        self.told = []

    def predict_noise(self, x_t, t, condition):
        self.told.append(t)
        if self.linear:
            return 0.2 * x_t + 0.1 * condition.c
        level = self.schedule.alpha_bar[t].sqrt().float()
        x0 = 0.8 * condition.c + 0.1 * x_t.tanh() + 0.05 * self.flow_input
        return (x_t - level * x0) / (1 - level**2).clamp(min=0.01).sqrt()


class StubEnhancer:
    """Sharpens; counts its calls."""

    calls = 0

    def __call__(self, x0):
        self.calls += 1
        return x0 + 1.5 * (x0 - avg_pool2d(pad(x0, (2,) * 4, mode="reflect"), 5, stride=1))


class Run:
    """One recorded case, run by our sampler."""

    def __init__(self, case, golden, chains, kernel):
        blur = "bicubic" not in case["task"]
        chain = chains["face_blur" if blur else "face_bicubic"]
        schedule = chain.respaced(case["K"])
        if case["t_start"] >= 0:
            kept = slice(case["t_start"] + 1)
            schedule = NoiseSchedule(schedule.alpha_bar[kept], schedule.timesteps[kept])
        scale = SCALE if blur else int(re.match(r"x(\d+)", case["task"])[1])
        A = ReleasedBlur(kernel) if blur else build(DegradationSettings(scale=scale), (case["S"],) * 2)
        if case["jpeg_qf"] > 0:
            A = JpegDegradation(A, case["jpeg_qf"])
        y, c, rnn = (torch.from_numpy(golden[name])[0] for name in (f"y_x{scale}", "init", "rnn_input"))
        settings = SamplerSettings(rho=case["rho"], w_tau=1 - case["w"], tau=case["tau"], w_curve="")
        plan = released(schedule, settings, case["noise_level"] / EIGHT_BIT, case["zeta"])
        draws = torch.from_numpy(golden["draws"])
        self.denoiser = StubDenoiser(case, chain, rnn if blur else torch.zeros(()))
        enhancer = StubEnhancer()
        refiners = {
            "x0_raw": Clamp(),
            "unclamped": Consistency(A, y, plan.gamma),
            "x0_dc": Clamp(),
            "x0_enh": Enhancement(enhancer, plan.w),
        }
        if case["n_prev"]:
            refiners["x0_out"] = Anchor(torch.from_numpy(golden["prev_recon"])[0])
        self.x_T = start(c, schedule, lambda k, _: draws[k])
        self.states, self.enhanced = [], []
        for state in sample(
            self.x_T,
            schedule=schedule,
            denoiser=self.denoiser,
            condition=Condition(c),
            refiners=refiners,
            plan=plan,
            noise=lambda k, _: draws[k],
        ):
            self.states.append(state)
            self.enhanced.append(enhancer.calls)
            enhancer.calls = 0
        self.final = self.states[-1].x0
        self.blur, self.level, self.w = blur, schedule.alpha_bar.sqrt().flip(0), plan.w.flip(0)


@pytest.fixture(scope="module")
def golden(load_npz):
    return load_npz("sampler")


@pytest.fixture(scope="module")
def runs(golden, load_npz):
    schedules = load_npz("schedules")
    betas = {name: schedules[f"{name}_betas"] for name in ("face_bicubic", "face_blur")}
    chains = {name: NoiseSchedule.linear(len(beta), beta[0], beta[-1]) for name, beta in betas.items()}
    operators = load_npz("operators")
    kernel = torch.from_numpy(operators[f"kernel12_{int(operators['kernel12_index_used'])}"])
    cases = json.loads(str(golden["cases_json"]))
    assert cases
    return {case["name"]: Run(case, golden, chains, kernel) for case in cases}


def test_which_steps_run_and_what_the_network_is_told(golden, runs, tolerances):
    rtol = tolerances("schedules")[1]
    for name, run in runs.items():
        np.testing.assert_array_equal([state.index for state in run.states], golden[f"{name}_t"])
        told = run.denoiser.told if run.blur else run.level
        np.testing.assert_allclose(told, golden[f"{name}_net_level"], rtol=rtol, err_msg=name)


def test_when_the_enhancer_is_called(golden, runs):
    """As recorded, except that ours rests where w_t = 0; theirs is called at the first step for nothing."""
    for name, run in runs.items():
        theirs = np.where(run.w > 0, golden[f"{name}_enh_called"], 0)
        np.testing.assert_array_equal(run.enhanced, theirs, err_msg=name)


def test_every_stage_of_every_step(golden, runs, tolerances):
    atol, atol_mean = tolerances("sampler")[:2]
    for name, run in runs.items():
        stages = {key: [state.stages[key] for state in run.states] for key in run.states[0].stages}
        stages["x_next"] = [*(state.x_t for state in run.states[1:]), run.final]
        for stage, ours in stages.items():
            if f"{name}_{stage}" not in golden:
                assert stage == "unclamped"
                continue
            theirs = golden[f"{name}_{stage}"]
            stride = ours[0].shape[-1] // theirs.shape[-1]
            off = np.abs(torch.stack(ours)[..., ::stride, ::stride].numpy() - theirs)
            assert off.max() < atol, f"{name} {stage}"
            assert off.mean() < atol_mean, f"{name} {stage}"


def test_whole_frames(golden, runs, tolerances):
    atol, _, atol_final = tolerances("sampler")[:3]
    for name, run in runs.items():
        np.testing.assert_allclose(run.final, golden[f"{name}_final"], atol=atol_final, rtol=0, err_msg=name)
        if f"{name}_x0_dc_first_full" in golden:
            ours = run.states[0].stages["x0_dc"]
            np.testing.assert_allclose(
                ours, golden[f"{name}_x0_dc_first_full"], atol=atol, rtol=0, err_msg=name
            )


def test_where_sampling_starts(golden, runs, tolerances):
    for name, run in runs.items():
        theirs = golden[f"{name}_x_T"]
        stride = run.x_T.shape[-1] // theirs.shape[-1]
        ours = run.x_T[..., ::stride, ::stride]
        np.testing.assert_allclose(ours, theirs, atol=tolerances("sampler")[2], rtol=0, err_msg=name)


def test_windows_of_long_videos(golden):
    recorded = {int(n[1]): golden[n[0]] for n in (re.fullmatch(r"windows_n(\d+)", n) for n in golden) if n}
    longest = recorded[max(recorded)]
    length, stride = longest[0, 1] - longest[0, 0] + 1, longest[1, 0] - longest[0, 0]
    for count, expected in recorded.items():
        ours = [(window.first, window.last - 1) for window in windows(0, count, length, length - stride)]
        np.testing.assert_array_equal(ours, expected)
