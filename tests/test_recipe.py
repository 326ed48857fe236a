"""From an observed window to its restoration, with networks that need no training."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from flair_core.degradations import ReleasedBlur, build
from flair_core.denoisers.base import Condition
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.enhancers.base import Unchanged
from flair_core.errors import SettingsError
from flair_core.restoration.crop import Face
from flair_core.restoration.models import Models
from flair_core.restoration.restorer import FaceRestorer
from flair_core.restoration.window import STAGES, operator, plan_for, restore_window
from flair_core.settings.groups import DegradationSettings, FaceSettings, RestorationSettings, SamplerSettings


class GaussianPrior:
    """x_0 ~ N(c, s²) for each pixel: its exact noise predictor is linear in x_t."""

    schedule = NoiseSchedule.log_spaced(100, 0.01, 1.0)
    size, window, own_noise, std = 64, 1, False, 0.1

    def predict_noise(self, x_t, t, condition):
        alpha_bar = float(self.schedule.alpha_bar[t])
        sigma2 = (1 - alpha_bar) / alpha_bar
        x0 = condition.c + self.std**2 / (self.std**2 + sigma2) * (x_t / alpha_bar**0.5 - condition.c)
        return self.schedule.predict_eps(x_t, x0, t)


class Annealing(GaussianPrior):
    """Says in its own way what it is told, and remembers it."""

    background = 0.9

    def condition(self, y, size, degradation, labels):
        c = torch.full((len(y), 3, *size), 0.25)
        self.told = Condition(c, degradation, y, weight=None if labels is None else labels(c))
        return self.told

    def predict_noise(self, x_t, t, condition):
        assert condition is self.told
        self.started = getattr(self, "started", x_t)
        return super().predict_noise(x_t, t, condition)


class Everything:
    """A parser that calls everything a face."""

    def labels(self, faces):
        return np.ones((len(faces), *faces.shape[-2:]), np.uint8)


MODELS = Models(GaussianPrior(), Unchanged(), torch.device("cpu"))


def settings(sampler=None, degradation=None, *, aligned=True):
    return RestorationSettings(
        sampler=SamplerSettings(**(sampler or {})),
        degradation=DegradationSettings(**({"scale": 4} | (degradation or {}))),
        faces=FaceSettings(aligned=aligned),
    )


def observed(frames=2, seed=0):
    return torch.randn(frames, 3, 12, 16, generator=torch.Generator().manual_seed(seed)).mul(0.3).clamp(-1, 1)


def restored(y, chosen, models=MODELS):
    *_, last = restore_window(y, chosen, models)
    return last


@pytest.mark.parametrize(
    "degradation", [{}, {"kernel": "gaussian", "blur_sigma": 1.5}, {"kernel": "motion", "angle": 30.0}]
)
def test_degrading_the_result_gives_the_footage_again(degradation):
    chosen = settings(degradation=degradation)
    A = build(chosen.degradation, (48, 64))
    y = A.forward(0.3 * torch.randn(1, 3, 48, 64, generator=torch.Generator().manual_seed(1)))
    error = A.forward(restored(y, chosen).x0) - y
    assert 10 * torch.log10(4 / error.square().mean()) >= 45


def test_gamma_0_lets_the_model_paint_freely():
    y = observed()
    assert restored(y, settings({"gamma": 0.0})).residual.abs().mean() > 0.01
    assert restored(y, settings({"gamma": 1.0})).residual.abs().mean() < 1e-3


def test_the_same_seed_gives_the_same_frames_and_another_seed_others():
    y = observed()
    first, again, other = (restored(y, settings({"seed": seed})).x0 for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_frame_comes_out_the_same_in_whatever_window_it_is():
    y = observed(frames=3)
    together = restored(y, settings()).x0
    assert_close(together[1:2], restored(y[1:2], settings()).x0, rtol=0, atol=1e-6)


def test_averaging_samples_is_the_mean_over_seeds():
    y = observed()
    alone = [restored(y, settings({"seed": 10 + number})).x0 for number in range(3)]
    assert_close(
        restored(y, settings({"seed": 10, "samples": 3})).x0, torch.stack(alone).mean(0), rtol=0, atol=1e-6
    )


def test_every_sample_has_an_enhancer_that_draws_with_its_own_seed():
    class Drawing(Unchanged):
        seen: list[int] = []  # noqa: RUF012 - of all copies

        def seeded(self, seed):
            self.seen.append(seed)
            return self

    restored(observed(), settings({"seed": 10, "samples": 3}), replace(MODELS, enhancer=Drawing()))
    assert Drawing.seen == [10, 11, 12]


def test_every_step_is_told_with_its_stages():
    states = list(restore_window(observed(), settings({"steps": 3, "samples": 2}), MODELS))
    assert [state.step for state in states] == [1, 2, 3, 4, 5, 6]
    assert all(state.steps == 6 and tuple(state.stages) == STAGES for state in states)


def test_the_enhancer_works_inside_the_mask_only():
    class White:
        size = None

        def __call__(self, faces):
            return torch.ones_like(faces)

    mask = torch.zeros(48, 64)
    mask[:, :32] = 1
    chosen = settings({"w_tau": 1.0, "gamma": 0.0})
    *_, last = restore_window(observed(), chosen, replace(MODELS, enhancer=White()), mask=lambda _: mask)
    *_, plain = restore_window(observed(), settings({"gamma": 0.0}), MODELS)
    assert_close(last.x0[..., :32], torch.ones_like(last.x0[..., :32]))
    assert_close(last.x0[..., 32:], plain.x0[..., 32:])


class Painter:
    """A network that invents colours."""

    size = None

    def __call__(self, faces):
        return (faces + torch.tensor((0.4, -0.3, 0.2)).view(3, 1, 1)).clamp(-1, 1)


def test_black_and_white_stays_so_whatever_is_invented():
    grey = observed().mean(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()
    models = replace(MODELS, enhancer=Painter())

    def colourfulness(y, monochrome):
        x0 = restored(y, settings({"w_tau": 1.0, "gamma": 0.5, "monochrome": monochrome}), models).x0
        return float((x0 - x0.mean(1, keepdim=True)).abs().mean())

    assert colourfulness(grey, "off") > 0.05
    assert colourfulness(grey, "auto") < 1e-5
    assert colourfulness(grey, "on") < 1e-5
    colour = observed()
    assert colourfulness(colour, "auto") == colourfulness(colour, "off") > 2 * colourfulness(colour, "on")


def test_the_null_space_lock_keeps_the_enhancer_to_what_the_footage_hides():
    y, models = observed(), replace(MODELS, enhancer=Painter())
    free = restored(y, settings({"w_tau": 1.0}), models).residual.abs().mean()
    locked = restored(y, settings({"w_tau": 1.0, "null_space_lock": True}), models).residual.abs().mean()
    assert free > 0.05
    assert locked < 1e-3


def test_cropped_faces_know_no_jpeg_grid():
    """JPEG blocks do not survive the resampling of a crop, so only whole frames are re-encoded."""
    x = torch.linspace(-1, 1, 3 * 48 * 64).view(1, 3, 48, 64).sin()
    cropped, whole, plain = (
        operator(chosen, (48, 64), torch.device("cpu")).forward(x)
        for chosen in (
            settings(degradation={"jpeg": 30}, aligned=False),
            settings(degradation={"jpeg": 30}),
            settings(),
        )
    )
    assert_close(cropped, plain)
    assert (whole - plain).abs().mean() > 1e-3


def test_what_jpeg_took_away_counts_as_noise():
    """Coarse steps are trusted less; without compression and noise y is followed to the last step."""
    schedule = MODELS.denoiser.schedule.respaced(4)
    gammas = [
        plan_for(
            settings(degradation={"jpeg": q}), schedule, MODELS.denoiser, (48, 64), MODELS.device
        ).mean_gamma
        for q in (None, 95, 60, 20)
    ]
    assert (gammas[0] == 1).all()
    assert all((a >= b).all() and a.sum() > b.sum() for a, b in pairwise(gammas))


def test_a_window_may_begin_with_frames_of_the_one_before():
    previous = torch.zeros(2, 3, 48, 64)
    chosen = settings({"policy": "released", "steps": 1})
    *_, free = restore_window(observed(3), chosen, MODELS)
    *_, joined = restore_window(observed(3), chosen, MODELS, previous=previous)
    assert_close(joined.x0, torch.cat([previous, free.x0[2:]]))


def test_the_released_policy_has_its_own_blur():
    chosen = settings({"policy": "released"}, {"kernel": "gaussian", "blur_sigma": 2.0})
    assert isinstance(operator(chosen, (48, 64), torch.device("cpu")), ReleasedBlur)
    assert restored(observed(), chosen).x0.shape == (2, 3, 48, 64)
    with pytest.raises(SettingsError, match="deblurs at scale 4 only"):
        operator(
            settings({"policy": "released"}, {"kernel": "motion", "scale": 2}), (48, 64), torch.device("cpu")
        )


def test_a_network_says_itself_what_it_is_told_and_the_chain_starts_there():
    denoiser, y = Annealing(), observed()
    restored(y, settings(), Models(denoiser, Unchanged(), torch.device("cpu"), released_parser=Everything()))
    assert denoiser.told.weight.min() == 1
    alpha_bar = float(denoiser.schedule.alpha_bar[-1])
    assert_close(denoiser.started.mean(), torch.tensor(0.25 * alpha_bar**0.5), atol=0.02, rtol=0)


@pytest.mark.parametrize(("parser", "said"), [(None, 1), (Everything(), 0)])
def test_a_missing_parser_of_a_released_network_is_said_once(parser, said):
    notes = []
    models = Models(Annealing(), Unchanged(), torch.device("cpu"), released_parser=parser)
    restorer = FaceRestorer(lambda _: models, None, notes)
    for first in (0, 2):
        restorer.restored(Face(first, observed(seed=first), (48, 64), None, settings({"steps": 1})))
    assert len(notes) == said
    assert all("flair models get parsenet" in note for note in notes)


def test_what_parses_the_background_is_part_of_what_a_result_depends_on():
    face, kept = Face(0, observed(), (48, 64), None, settings({"steps": 1})), set()
    for parser in (None, Everything()):
        models = Models(Annealing(), Unchanged(), torch.device("cpu"), released_parser=parser)
        kept.add(FaceRestorer(lambda _, models=models: models, None, [])._key(face, None))
    assert len(kept) == 2
