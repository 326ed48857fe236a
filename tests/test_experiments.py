"""Experiments: what they run, what they conclude, and what they leave on the disk."""

from __future__ import annotations

import dataclasses
import json
from fractions import Fraction

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage.data import astronaut

from flair_core import cli, video
from flair_core.denoisers.compact import Compact, CompactConfig, CompactNetwork, metadata
from flair_core.enhancers.base import Unchanged
from flair_core.errors import MediaError, SettingsError
from flair_core.experiments import compare, draw, paper, record, trials
from flair_core.experiments.baselines import BASELINES
from flair_core.experiments.record import Column, Finding, Illustration, Line, Plot, Record, Table
from flair_core.experiments.trials import Outcome, Trial
from flair_core.frames import Frame, VideoInfo
from flair_core.restoration.models import Models
from flair_core.settings.groups import FaceSettings, RestorationSettings
from flair_core.settings.output import OutputOptions

CPU = torch.device("cpu")
SMALL = CompactConfig(channels=(16, 16, 16, 16), blocks=(1, 1, 1, 1), embedding=32, chain=50)


@pytest.fixture(scope="module")
def models():
    torch.manual_seed(0)
    return Models(Compact(CompactNetwork(SMALL), CPU), Unchanged(), CPU)


@pytest.fixture
def settings():
    return RestorationSettings(faces=FaceSettings(aligned=True))


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "small.safetensors"
    save_file(CompactNetwork(SMALL).state_dict(), path, metadata(SMALL))
    return path


def write_clip(path, *, side=66, count=3):
    info = VideoInfo(side, side, Fraction(25), Fraction(1, 25), count)
    with video.open_sink(
        path, like=info, width=side, height=side, options=OutputOptions(codec="lossless")
    ) as sink:
        for i in range(count):
            sink.write(
                Frame(np.ascontiguousarray(astronaut()[60 : 60 + side, 190 + i : 190 + i + side]), i, i, 1)
            )
        sink.commit()
    return path


def outcome(task, label, trial=None, **scores):
    pixels = np.zeros((1, 16, 16, 3), np.uint8)
    trial = trial or Trial(task, label, BASELINES["flair"].restore, RestorationSettings(), None)
    return Outcome(trial, scores, {}, pixels, pixels)


RECORD = Record(
    title="A title",
    text="What was done.",
    tables=[
        Table(
            "bicubic8",
            [Column("Sampler"), Column("PSNR dB", True), Column("E_warp", False), Column("Sharpness")],
            [("one", (30.123, 4.0, 0.5)), ("two", (29.0, 3.0, 0.9)), ("three", (None, 5.0, 1.0))],
        )
    ],
    plots=[Plot("PSNR against K", "K", "PSNR dB ↑", [Line("with", (5, 10), (30.0, 31.0))], log=True)],
    findings=[Finding("DC raises PSNR", True, "+0.3"), Finding("SA raises PSNR", False, "-0.1")],
    pictures=[Illustration("bicubic8.png", "a frame")],
    notes=["LPIPS was skipped: no file."],
    made={"clips": {"a": [3, 64, 64]}},
)


def test_a_record_survives_its_file(tmp_path):
    record.write(RECORD, tmp_path / "out", {"a.svg": "<svg/>"})
    assert record.read(tmp_path / "out").to_json() == RECORD.to_json()
    assert (tmp_path / "out/a.svg").read_text() == "<svg/>"


def test_a_record_reads_well():
    text = RECORD.markdown()
    assert "| Sampler | PSNR dB ↑ | E_warp ↓ | Sharpness |" in text
    assert "| one | **30.12** | 4.000 | 0.500 |" in text
    assert "| two | 29.00 | **3.000** | 0.900 |" in text
    assert "| three | – |" in text
    assert "- ✔ DC raises PSNR: +0.3" in text
    assert "- ✘ SA raises PSNR: -0.1" in text


@pytest.mark.parametrize("content", ["", "{}", '{"version": 9}', '{"version": 1, "tables": [{}]}'])
def test_what_is_no_record_is_refused_by_name(tmp_path, content):
    (tmp_path / record.FILE).write_text(content)
    with pytest.raises(MediaError, match=str(tmp_path)):
        record.read(tmp_path)


def test_the_same_plot_gives_the_same_svg():
    pytest.importorskip("matplotlib")
    plot = RECORD.plots[0]
    assert draw.svg(plot) == draw.svg(dataclasses.replace(plot))
    assert draw.svg(plot).lstrip().startswith("<?xml")


def test_clips_are_fitted(tmp_path):
    write_clip(tmp_path / "b.mkv", side=66)
    write_clip(tmp_path / "a.mkv", side=40, count=5)
    first, second = trials.read_clips(tmp_path, frames=4)
    assert (first.name, first.frames.shape) == ("a", (4, 32, 32, 3))
    assert (second.name, second.frames.shape) == ("b", (3, 64, 64, 3))
    (small,) = trials.read_clips(tmp_path / "b.mkv", frames=1, size=48)
    assert small.frames.shape == (1, 48, 48, 3)


def test_unknown_names_are_refused(models, settings):
    with pytest.raises(SettingsError, match="no task 'rain'"):
        compare.comparison(["rain"], ["flair"], settings, models)
    with pytest.raises(SettingsError, match="no sampler 'best'"):
        compare.comparison(["blur"], ["best"], settings, models)


def test_a_trial_is_what_restore_does(models, settings, tmp_path):
    """The trial "flair" gives the frames that the recipe gives for the same observation."""
    from flair_core.frames import to_float, to_uint8
    from flair_core.restoration.window import restore_window

    (clip,) = trials.read_clips(write_clip(tmp_path / "a.mkv"), frames=2)
    (trial,) = compare.comparison(["bicubic4"], ["flair"], settings, models)
    y = trials.observe(clip, trial.settings.degradation)
    *_, last = restore_window(to_float(y), trial.settings, models)
    np.testing.assert_array_equal(trials.restored(y, trial), to_uint8(last.x0))


class Video(Compact):
    """Pretends to be a video network with two kinds of temporal layers, which do nothing."""

    def __init__(self):
        torch.manual_seed(0)
        super().__init__(CompactNetwork(SMALL), CPU)
        self.window, self.temporal, self.asked = 4, ("attention", "flow"), []

    def without(self, kinds):
        self.asked.append(tuple(kinds))
        return Compact(self.network, CPU)


def test_video_models_are_also_tried_without_their_layers(settings, tmp_path):
    denoiser = Video()
    video_models = Models(denoiser, Unchanged(), CPU)
    plan = paper.EXPERIMENTS["table3"].plan(["bicubic4"], settings, video_models)
    labels = [trial.label for trial in plan]
    assert labels == [
        "Bicubic", "FLAIR without attention", "FLAIR without flow", "FLAIR image model", "FLAIR", "FLAIR + G"
    ]  # fmt: skip
    (clip,) = trials.read_clips(write_clip(tmp_path / "a.mkv", count=6), frames=6, size=32)
    outcomes = [found for found in trials.run([clip], plan, ["psnr", "e_warp"]) if found]
    assert (
        denoiser.asked == [("attention",)] * 2 + [("flow",)] * 2 + [("attention", "flow")] * 2
    )  # two windows
    found = paper.EXPERIMENTS["table3"].conclude(outcomes)
    assert "The video model lowers E_warp" in [finding.claim for finding in found.findings]
    assert len(found.tables[0].rows) == 6


def test_tables_1_and_2_show_flair_with_and_without_its_enhancer(models, settings):
    tasks = paper.EXPERIMENTS["table1"].tasks
    plan = paper.EXPERIMENTS["table1"].plan(tasks, settings, models)
    assert [trial.task for trial in plan] == [task for task in tasks for _ in range(len(plan) // len(tasks))]
    weights = {trial.label: trial.settings.sampler.w_tau for trial in plan}
    assert {label for label, w in weights.items() if w > 0} == {"FLAIR + G"}
    own = dataclasses.replace(settings, sampler=dataclasses.replace(settings.sampler, w_tau=0.8))
    plan = paper.EXPERIMENTS["table2"].plan(["blur"], own, models)
    assert {t.settings.sampler.w_tau for t in plan if t.label == "FLAIR + G"} == {0.8}


@pytest.mark.parametrize(("count", "shape"), [(2, (1, 4)), (4, (1, 6)), (5, (2, 4)), (12, (3, 5))])
def test_many_results_stand_in_rows(count, shape):
    frames = np.full((1, 16, 32, 3), 200, np.uint8)
    clip = trials.Clip("a", frames, Fraction(25))
    rows = [dataclasses.replace(outcome("t", f"A⁺ number {i}"), restored=frames) for i in range(count)]
    picture = trials.side_by_side(clip, rows, 0)
    assert picture.shape == (16 * shape[0], 32 * shape[1], 3)
    assert (picture[-1, 32 * ((count + 1) % shape[1])] == 200).all(), "the truth comes last"


def test_table_3_wants_a_video_model(models, settings):
    with pytest.raises(SettingsError, match="no temporal layers"):
        paper.EXPERIMENTS["table3"].plan(["bicubic8"], settings, models)


class Halfway:
    """Says which frames it was asked to lie between, by their first pixel."""

    def __init__(self):
        self.asked = []

    def between(self, before, after, moments):
        self.asked.append((int(before[0, 0, 0]), int(after[0, 0, 0]), before.shape[0], tuple(moments)))
        return [np.full_like(before, round((1 - t) * before[0, 0, 0] + t * after[0, 0, 0])) for t in moments]


@pytest.mark.parametrize("first", [True, False])
def test_slowed_footage_is_made_whole_before_or_after_restoring(models, settings, first):
    """Every fourth frame is seen; what no two seen frames enclose is left out."""
    levels = np.arange(100, 111, dtype=np.uint8)
    y = np.broadcast_to(levels[:, None, None, None], (11, 8, 8, 3))
    seen = []

    def restore(job):
        seen.append(len(job.y))
        return job.y.repeat_interleave(2, -1).repeat_interleave(2, -2)

    (trial,) = compare.comparison(["bicubic4"], ["flair"], settings, models)
    degradation = dataclasses.replace(trial.settings.degradation, scale=2)
    trial = dataclasses.replace(
        trial,
        restore=restore,
        settings=dataclasses.replace(trial.settings, degradation=degradation),
        slowed=trials.Slowed(4, first),
    )
    halfway = Halfway()
    made = trials.remade(y, trial, halfway)
    assert made.shape == (9, 16, 16, 3)
    np.testing.assert_array_equal(made[:, 0, 0, 0], levels[:9])
    side = 8 if first else 16
    assert halfway.asked == [(100, 104, side, (0.25, 0.5, 0.75)), (104, 108, side, (0.25, 0.5, 0.75))]
    assert sum(seen) == (9 if first else 3)
    with pytest.raises(SettingsError, match="more --frames"):
        trials.remade(y[:4], trial, halfway)


def test_table_4_compares_both_orders(tmp_path, capsys, weights):
    clip, out = write_clip(tmp_path / "x.mkv", count=6), tmp_path / "out"
    arguments = ["experiment", "table4", str(clip), "-o", str(out), "--model", str(weights), "--steps", "2"]
    arguments += ["--metrics", "psnr,e_warp"]
    assert cli.main(arguments) == 0
    (table,) = record.read(out).tables
    assert [label for label, _ in table.rows] == [
        f"interpolated, then {label}" for label in ("Bicubic", "DDNM+", "DR2 + G", "SR3-style", "FLAIR")
    ] + [f"{label}, then interpolated" for label in ("Bicubic", "DDNM+", "DR2 + G", "SR3-style", "FLAIR")]
    assert [finding.claim for finding in record.read(out).findings] == [
        "bicubic8: restoring first is better in PSNR (FLAIR)",
        "bicubic8: interpolated, then FLAIR, is above DDNM+ in PSNR",
        "bicubic8: FLAIR, then interpolated, is above DDNM+ in PSNR",
    ]
    assert record.read(out).made["interpolator"] == "flow"
    with video.open_source(out / "bicubic8.mp4") as made:
        assert len(made) == 5
    capsys.readouterr()
    assert cli.main([*arguments, "--frames", "4"]) == 2
    assert "Give more --frames" in capsys.readouterr().err


def test_table_4_wants_the_file_of_amt(tmp_path, capsys, weights, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "empty"))
    clip = write_clip(tmp_path / "x.mkv", count=6)
    arguments = ["experiment", "table4", str(clip), "-o", str(tmp_path / "out"), "--model", str(weights)]
    assert cli.main([*arguments, "--interpolator", "amt"]) == 2
    assert "amt" in capsys.readouterr().err.lower()


def test_figure_7a_says_whether_the_trade_is_there(models, settings):
    plan = paper.EXPERIMENTS["fig7a"].plan(["bicubic4"], settings, models)
    assert [trial.settings.sampler.w_tau for trial in plan] == list(paper.W_TAUS)
    psnr, gmsd = (30.0, 29.9, 29.5, 29.0, 28.0), (0.20, 0.19, 0.17, 0.18, 0.2)
    outcomes = [outcome("", "", t, psnr=p, gmsd=g) for t, p, g in zip(plan, psnr, gmsd, strict=True)]
    found = paper.EXPERIMENTS["fig7a"].conclude(outcomes)
    assert [finding.holds for finding in found.findings] == [True, True]
    assert "0.170 at w_τ = 0.5" in found.findings[1].seen
    assert [plot.title for plot in found.plots] == ["PSNR against w_τ", "GMSD against w_τ"]
    assert found.plots[0].lines[0].y == psnr
    flat = [outcome("", "", t, psnr=p, gmsd=0.2) for t, p in zip(plan, psnr[::-1], strict=True)]
    assert [finding.holds for finding in paper.EXPERIMENTS["fig7a"].conclude(flat).findings] == [False, False]


def test_figure_7b_compares_at_every_step_count(models, settings):
    plan = paper.EXPERIMENTS["fig7b"].plan(["jpeg"], settings, models)
    assert {trial.settings.sampler.gamma for trial in plan} == {1.0, 0.0}
    scores = [30.0 if trial.settings.sampler.gamma else 29.5 for trial in plan]
    outcomes = [outcome("", "", trial, psnr=p) for trial, p in zip(plan, scores, strict=True)]
    found = paper.EXPERIMENTS["fig7b"].conclude(outcomes)
    assert found.findings[0].holds
    assert found.findings[0].seen.count("+0.50 dB") == len(paper.STEPS)
    assert [line.label for line in found.plots[0].lines] == ["jpeg with DC", "jpeg without DC"]
    outcomes[3] = outcome("", "", plan[3], psnr=29.0)
    assert not paper.EXPERIMENTS["fig7b"].conclude(outcomes).findings[0].holds


def test_claims_need_both_samplers_and_every_task():
    rows = [
        outcome("a", "FLAIR", psnr=30.0),
        outcome("a", "FLAIR-SA", psnr=30.2),
        outcome("b", "FLAIR", psnr=30.0),
        outcome("b", "FLAIR-SA", psnr=29.9),
    ]
    (finding,) = compare.findings(rows)
    assert finding.claim.startswith("The mean of samples")
    assert not finding.holds
    assert finding.seen == "a +0.200, b -0.100"


def test_compare_writes_tables_pictures_and_video(tmp_path, capsys, weights):
    clip, out = write_clip(tmp_path / "x.mkv"), tmp_path / "out"
    arguments = ["compare", str(clip), "-o", str(out), "--model", str(weights), "--steps", "2"]
    arguments += ["--samplers", "bicubic,flair", "--tasks", "bicubic4,blur", "--metrics", "psnr,ssim,lpips"]
    assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "## blur" in printed
    assert "LPIPS was skipped" in printed
    assert (out / "record.md").read_text(encoding="utf-8") in printed
    with video.open_source(out / "blur.mp4") as made:
        assert (len(made), made.info.width, made.info.height) == (3, 4 * 64, 64)
    scores = json.loads((out / record.FILE).read_text())["tables"]
    assert [table["title"] for table in scores] == ["bicubic4", "blur"]
    assert (out / "bicubic4.png").is_file()
    assert cli.main([*arguments, "--tasks", "rain"]) == 2
    assert "no task 'rain'" in capsys.readouterr().err


def test_an_experiment_draws_its_figures(tmp_path, capsys, weights, monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(paper, "STEPS", (1, 2))
    clips = tmp_path / "clips"
    clips.mkdir()
    write_clip(clips / "x.mkv")
    out = tmp_path / "out"
    arguments = ["experiment", "fig7b", str(clips), "-o", str(out), "--model", str(weights)]
    assert cli.main([*arguments, "--frames", "1", "--size", "32", "--metrics", "psnr,gmsd"]) == 0
    assert "data consistency raises PSNR at every K" in capsys.readouterr().out
    assert (out / "psnr_against_k.svg").is_file()
    assert record.read(out).made["clips"] == {"x": [1, 32, 32]}
    assert [picture.file for picture in record.read(out).pictures] == ["jpeg-clean.png"], (
        "one frame is no video"
    )
    assert cli.main([*arguments, "--size", "33"]) == 2
    assert "multiple of 16" in capsys.readouterr().err


def test_the_compact_model_without_its_temporal_layers_is_the_image_model():
    """Each kind matters, and without all of them frames no longer see each other."""
    from flair_core.denoisers.base import Condition

    torch.manual_seed(0)
    network = CompactNetwork(dataclasses.replace(SMALL, channels=(32, 32, 32, 32), window=3))
    with torch.no_grad():  # layers that start at zero get to matter
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    denoiser = Compact(network, CPU)
    x, c = torch.randn(3, 3, 64, 64), torch.rand(3, 3, 64, 64) * 2 - 1
    whole = denoiser.predict_noise(x, 30, Condition(c))
    for kind in denoiser.temporal:
        assert not torch.equal(denoiser.without([kind]).predict_noise(x, 30, Condition(c)), whole)
    image = denoiser.without(denoiser.temporal).predict_noise(x, 30, Condition(c))
    alone = torch.cat([denoiser.predict_noise(x[i : i + 1], 30, Condition(c[i : i + 1])) for i in range(3)])
    torch.testing.assert_close(image, alone, rtol=0, atol=0.05)
    assert torch.equal(denoiser.predict_noise(x, 30, Condition(c)), whole)
