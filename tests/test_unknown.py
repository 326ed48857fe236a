"""Footage of which nobody tells anything: a hint for the network, and no measurement."""

import pytest
import torch
from cheap import make_film
from torch.testing import assert_close

from flair_core.cli import main
from flair_core.degradations import degrade
from flair_core.denoisers.compact import describe
from flair_core.errors import SettingsError
from flair_core.restoration.models import load_models
from flair_core.restoration.window import restore_window
from flair_core.settings.groups import (
    UNKNOWN,
    DegradationSettings,
    FaceSettings,
    RestorationSettings,
    SamplerSettings,
)


def restored(y, degradation, **sampler):
    settings = RestorationSettings(
        degradation=degradation,
        sampler=SamplerSettings(steps=1, w_tau=0, **sampler),
        faces=FaceSettings(aligned=True),
    )
    *_, last = restore_window(y, settings, load_models(settings, torch.device("cpu")))
    return last.x0


def noisy():
    generator = torch.Generator().manual_seed(0)
    plain = torch.linspace(-0.5, 0.5, 64).expand(1, 3, 64, 64)
    return plain, plain + 0.2 * torch.randn(1, 3, 64, 64, generator=generator)


def test_nothing_is_told_and_nothing_is_held_to():
    assert_close(describe(UNKNOWN), describe(None))
    plain, y = noisy()
    kept = restored(y, DegradationSettings(scale=1))
    free = restored(y, UNKNOWN)
    assert_close(kept.clamp(-1, 1), y.clamp(-1, 1), atol=0.02, rtol=0)  # A x0 = y keeps all noise
    assert (free - plain).square().mean() < 0.3 * (y - plain).square().mean()
    assert_close(restored(y, UNKNOWN, gamma=0.0), free)


def test_an_unknown_degradation_can_not_be_applied(tmp_path, capsys):
    with pytest.raises(SettingsError, match="unknown blur"):
        degrade(torch.zeros(1, 3, 8, 8), UNKNOWN, torch.Generator())
    film = make_film(tmp_path / "film.mkv", 2)
    assert main(["degrade", str(film), "-o", str(tmp_path / "out.mkv"), "--kernel", "unknown"]) == 2
    assert "can't be applied" in capsys.readouterr().err
