"""Settings: limits, presets, and the options made from them."""

import argparse
import json
from dataclasses import replace

import pytest

from flair_core.cli import main, options
from flair_core.cli.restore import look_of
from flair_core.errors import SettingsError
from flair_core.settings.fields import Choice, Range, fields
from flair_core.settings.groups import (
    UNTOLD,
    DegradationSettings,
    FaceSettings,
    FootageSettings,
    RestorationSettings,
    SamplerSettings,
    bundled,
    changed,
)
from flair_core.settings.look import Look

GROUPS = (DegradationSettings, SamplerSettings, FaceSettings, FootageSettings)


@pytest.mark.parametrize(("group", "name"), [(g, n) for g in GROUPS for n in fields(g)])
def test_every_setting_refuses_what_lies_outside_of_its_limits(group, name):
    field = fields(group)[name]
    assert field.help.label
    assert field.help.text.endswith(".")
    match field.limit:
        case Range(low=low, high=high):
            wrong = [low - 1, high + 1, "text"]
        case Choice():
            wrong = ["nothing", -5]
        case _:
            wrong = [3.5]
    for value in wrong:
        with pytest.raises(SettingsError, match=name):
            group(**{name: value})


def test_a_preset_gives_the_same_settings_back():
    settings = RestorationSettings(
        sampler=SamplerSettings(steps=9, w_tau=0.5), degradation=DegradationSettings(jpeg=70, noise=0.02)
    )
    assert RestorationSettings.from_json(settings.to_json()) == settings


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "must be a JSON object"),
        ('{"version": 99}', "version 99"),
        ('{"sampler": {"stepz": 3}}', r"unknown key sampler\.stepz"),
        ('{"colour": {}}', "unknown group 'colour'"),
        ('{"sampler": {"steps": 0}}', "steps must lie between 1 and 1000"),
        ('{"sampler": {"steps": true}}', "steps must be of type int"),
    ],
)
def test_a_bad_preset_is_explained(text, message):
    with pytest.raises(SettingsError, match=message):
        RestorationSettings.from_json(text)


def parsed(*argv):
    parser = argparse.ArgumentParser()
    for group in GROUPS:
        options.add(parser, group)
    return parser.parse_args(argv)


def test_noise_is_given_in_8_bit_levels_and_kept_on_the_unit_scale():
    assert options.apply(DegradationSettings(), parsed("--noise", "12.75")).noise == pytest.approx(0.05)


def test_options_replace_only_what_they_name():
    base = SamplerSettings(steps=7, rho=0.5)
    assert options.apply(base, parsed("--steps", "9")) == changed(base, steps=9)


def arguments(*argv):
    from flair_core.cli import parser

    return parser().parse_args(["restore", "in.mp4", "-o", "out.mp4", *argv])


def test_options_win_over_the_preset_and_the_side_car_fills_the_rest(tmp_path):
    preset = tmp_path / "look.json"
    preset.write_text(json.dumps({"sampler": {"steps": 12, "gamma": 0.5}}))
    look = look_of(arguments("--preset", str(preset), "--steps", "3", "--blur-sigma", "2", "--aligned"))
    settings = look.settings
    assert (settings.sampler.steps, settings.sampler.gamma) == (3, 0.5)
    assert (settings.degradation.kernel, settings.degradation.blur_sigma) == ("gaussian", 2.0)
    assert settings.faces.aligned
    preset.write_text(json.dumps({"sampler": {"steps": 12}, "degradation": {"jpeg": 40}}))
    assert look_of(arguments("--preset", str(preset), "--jpeg", "off")).settings.degradation.jpeg is None
    assert look_of(arguments("--motion", "9,30")).settings.degradation == DegradationSettings(
        kernel="motion", motion_length=9.0, angle=30.0
    )


def test_a_released_model_comes_with_its_own_settings():
    """Demo values of the released program: its w = 0.85 weighs the face that is not enhanced."""
    settings = look_of(arguments("--model", "flair-x8", "--steps", "2")).settings
    assert (settings.sampler.policy, settings.sampler.steps, settings.sampler.tau) == ("released", 2, 5)
    assert settings.sampler.w_tau == pytest.approx(1 - 0.85)
    assert settings.degradation.scale == 8
    assert look_of(arguments("--model", "flair-jpeg")).settings.degradation.noise == pytest.approx(
        12.75 / 255
    )
    assert look_of(arguments()) == Look(UNTOLD)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--steps", "0"), "steps must lie between 1 and 1000"),
        (("--steps", "many"), "needs a number"),
        (("--scale", "3"), "scale must be one of 1, 2, 4, 8, 16"),
        (("--motion", "9"), "needs a length and an angle"),
    ],
)
def test_a_bad_option_ends_with_one_line_and_exit_code_2(argv, message, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["restore", "in.mp4", "-o", "out.mp4", *argv])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "frames"), [(":", range(10)), ("3", range(3, 4)), ("2:5", range(2, 6)), ("7:", range(7, 10))]
)
def test_ranges_include_both_ends(text, frames):
    assert options.span(text, 10) == frames


@pytest.mark.parametrize("text", ["5:2", "0:10", "-1:3", "a:b", ""])
def test_ranges_outside_of_the_clip_are_refused(text):
    with pytest.raises(SettingsError, match="--range"):
        options.span(text, 10)


def test_a_preset_leaves_groups_alone_that_it_does_not_name(tmp_path):
    """A preset that only tells steps must not tell what happened to the footage."""
    preset = tmp_path / "steps.json"
    preset.write_text(json.dumps({"sampler": {"steps": 12}}))
    look = look_of(arguments("--preset", str(preset)))
    assert look.settings == replace(UNTOLD, sampler=SamplerSettings(steps=12))
    assert look.asks(0)
    around = RestorationSettings(faces=FaceSettings(aligned=True), degradation=DegradationSettings(scale=8))
    read = RestorationSettings.from_json(preset.read_text(), around)
    assert read == replace(around, sampler=SamplerSettings(steps=12)), (
        "keys of a named group go to their defaults"
    )
    assert bundled("flair-x16", around).faces.aligned, (
        "what ships for a model does not tell how faces are found"
    )
    assert bundled("starter", around) == around


def test_what_may_have_no_value_has_a_word_for_it(tmp_path, capsys):
    preset = tmp_path / "print.json"
    preset.write_text(json.dumps({"degradation": {"kernel": "unknown", "scale": 1, "enlargement": 3.0}}))
    assert not look_of(arguments("--preset", str(preset))).asks(0)
    assert look_of(arguments("--preset", str(preset), "--enlargement", "auto")).asks(0)
    assert look_of(arguments("--jpeg", "off")).asks(0), "nothing is known by that"
    with pytest.raises(SystemExit):
        arguments("--enlargement", "often")
    assert "needs a number or auto, but got 'often'" in capsys.readouterr().err


def test_a_limit_is_told_in_the_unit_that_was_used(capsys):
    with pytest.raises(SettingsError, match="strength must lie between 0 and 1, but got 50"):
        FaceSettings(strength=50)
    with pytest.raises(SystemExit):
        arguments("--strength", "150")
    assert "strength must lie between 0 and 100, but got 150" in capsys.readouterr().err
