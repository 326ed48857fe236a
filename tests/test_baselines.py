"""Every sampler on every task, and the closed forms behind them."""

import pytest
import torch
from torch.testing import assert_close

from flair_core.degradations import build, degrade
from flair_core.denoisers.compact import Compact, CompactConfig, CompactNetwork
from flair_core.enhancers.base import Unchanged
from flair_core.experiments.baselines import BASELINES, LowPass, ObservedWindow, Proximal
from flair_core.experiments.trials import TASKS
from flair_core.restoration.models import Models
from flair_core.settings.groups import DegradationSettings, FaceSettings, RestorationSettings, SamplerSettings

CPU = torch.device("cpu")
SMALL = CompactConfig(channels=(16, 16, 16, 16), blocks=(1, 1, 1, 1), embedding=32, chain=50)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def observed(degradation: DegradationSettings, **sampler: float) -> tuple[ObservedWindow, torch.Tensor]:
    torch.manual_seed(0)
    models = Models(Compact(CompactNetwork(SMALL), CPU), Unchanged(), CPU)
    x = (0.3 * noise(2, 3, 64, 64)).clamp(-1, 1)
    y = degrade(x, degradation, torch.Generator().manual_seed(1))
    settings = RestorationSettings(
        degradation=degradation,
        sampler=SamplerSettings(steps=4, **sampler),
        faces=FaceSettings(aligned=True),
    )
    return ObservedWindow(y, (64, 64), settings, models), x


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", BASELINES)
def test_every_sampler_runs_on_every_task(name, task):
    work, _ = observed(TASKS[task])
    restored = BASELINES[name].restore(work)
    assert restored.shape == (2, 3, 64, 64)
    assert torch.isfinite(restored).all()


@pytest.mark.parametrize("name", ["pinv", "ddnm", "ddnm-noisy", "flair"])
def test_without_noise_data_consistency_is_exact(name):
    work, _ = observed(DegradationSettings(scale=4))
    restored = BASELINES[name].restore(work)
    assert_close(work.operator.forward(restored), work.y, rtol=0, atol=1e-4)


def test_without_data_consistency_the_measurement_is_missed():
    work, _ = observed(DegradationSettings(scale=4))
    for name in ("sr3", "flair-no-dc"):
        error = work.operator.forward(BASELINES[name].restore(work)) - work.y
        assert error.abs().max() > 1e-2


def test_ddnm_plus_trusts_noisy_footage_less():
    """DDNM copies the noise of y into its result; DDNM+ leaves most of it out."""
    work, _ = observed(DegradationSettings(scale=1, noise=0.15))
    plain, careful = (BASELINES[name].restore(work) for name in ("ddnm", "ddnm-noisy"))
    assert_close(plain, work.y.clamp(-10, 10), rtol=0, atol=1e-4)
    assert (careful - work.y).square().mean() > 1e-4


def test_the_proximal_step_is_the_minimum():
    """Its gradient vanishes: Aᵀ(A x − y) + ρ (x − x0) = 0."""
    A = build(TASKS["blur"], (32, 32))
    x0, y = noise(1, 3, 32, 32).double(), noise(1, 3, 8, 8, seed=1).double()
    step = Proximal(A, y, torch.tensor([0.1]))
    x = step(x0, 0)
    gradient = step._adjoint(A.forward(x) - y, x) + 0.1 * (x - x0)
    assert gradient.abs().max() < 1e-4 * step._adjoint(A.forward(x0) - y, x0).abs().max()


def test_the_adjoint_is_one():
    A = build(TASKS["motion"], (32, 32))
    x, u = noise(1, 3, 32, 32).double(), noise(1, 3, 8, 8, seed=1).double()
    step = Proximal(A, u, torch.tensor([0.1]))
    assert_close((A.forward(x) * u).sum(), (x * step._adjoint(u, x)).sum())


def test_ilvr_takes_low_frequencies_only():
    reference, x0 = torch.full((1, 3, 32, 32), 0.5), noise(1, 3, 32, 32)
    refined = LowPass(reference, 4)(x0, 0)
    assert_close(refined.mean(), reference.mean(), rtol=0, atol=0.01)
    assert (refined - refined.mean()).std() > 0.8 * x0.std()


def test_averaging_samples_lowers_the_error():
    work, x = observed(DegradationSettings(scale=8), rho=1.0)
    one, many = ((BASELINES[name].restore(work) - x).square().mean() for name in ("flair", "flair-sa"))
    assert many <= one
