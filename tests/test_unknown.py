"""Footage of which nobody tells anything: a hint for the network, and no measurement."""

import json

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
    assert (free - plain).square().mean() < 0.95 * (y - plain).square().mean()
    assert_close(restored(y, UNKNOWN, gamma=0.0), free)


def test_an_unknown_degradation_can_not_be_applied(tmp_path, capsys):
    with pytest.raises(SettingsError, match="unknown blur"):
        degrade(torch.zeros(1, 3, 8, 8), UNKNOWN, torch.Generator())
    film = make_film(tmp_path / "film.mkv", 2)
    assert main(["degrade", str(film), "-o", str(tmp_path / "out.mkv"), "--kernel", "unknown"]) == 2
    assert "can't be applied" in capsys.readouterr().err


def test_a_clip_of_which_nothing_is_told_is_restored_as_unknown(tmp_path):
    film = make_film(tmp_path / "film.mkv", 2)

    def degradation(*options):
        assert (
            main(
                [
                    "restore",
                    str(film),
                    "-o",
                    str(tmp_path / "out.mkv"),
                    "--w-tau",
                    "0",
                    "--steps",
                    "1",
                    *options,
                ]
            )
            == 0
        )
        record = json.loads((tmp_path / "out.mkv.provenance.json").read_text(encoding="utf-8"))
        return record["settings"]["degradation"]

    untold = degradation()
    assert (untold["kernel"], untold["scale"]) == ("unknown", 1)
    assert degradation("--noise", "3")["kernel"] == "bicubic"
    assert degradation("--kernel", "unknown", "--scale", "2")["scale"] == 2
    assert main(["degrade", str(film), "-o", str(tmp_path / "told.mkv"), "--scale", "2"]) == 0
    film = tmp_path / "told.mkv"
    assert (degradation()["kernel"], degradation()["scale"]) == ("bicubic", 2)
