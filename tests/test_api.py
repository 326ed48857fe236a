"""The public API, as a stranger uses it: the examples in docstrings, the scripts of examples/, README's Python.

What a stranger gets wrong ends in a sentence.
"""

import doctest
import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import flair_core as flair
from flair_core.cli import main
from flair_core.degradations.damage import draw
from flair_core.errors import DeviceError, MediaError, SettingsError, ShapeError, WeightsError
from flair_core.jobs.degrade import damage_record, read_damage, read_sidecar, sidecar
from flair_core.jobs.demo import make_demo

ROOT = Path(__file__).parents[1]
SETTINGS = flair.settings.RestorationSettings(
    degradation=flair.settings.DegradationSettings(scale=4),
    sampler=flair.settings.SamplerSettings(steps=1, w_tau=0),
    faces=flair.settings.FaceSettings(aligned=True),
)


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    return make_demo(tmp_path_factory.mktemp("demo"))


def with_examples():
    sources = [*ROOT.glob("flair_core/**/*.py"), *ROOT.glob("app/**/*.py")]
    return sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sources
        if ">>> " in path.read_text("utf-8")
    )


@pytest.mark.parametrize("name", with_examples())
def test_examples_in_docstrings_are_true(name, demo, tmp_path):
    names = {"demo": demo, "folder": tmp_path}
    found = doctest.testmod(importlib.import_module(name), extraglobs=names, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 0
    assert found.failed == 0


def test_every_public_function_has_an_example():
    functions = [getattr(flair, name) for name in flair.__all__ if callable(getattr(flair, name))]
    assert len(functions) == 5
    assert [function.__name__ for function in functions if ">>> " not in function.__doc__] == []


@pytest.mark.parametrize(
    ("script", "arguments", "said"),
    [
        ("restore_a_clip.py", ("{demo}", "{folder}/new.mp4", "0", "1"), "restore: 2 of 2"),
        ("own_operator.py", ("{folder}/rows.png",), "rows.png"),
        ("compare_samplers.py", (), "K 10, ρ 1.0"),
    ],
)
def test_the_scripts_run(script, arguments, said, demo, tmp_path):
    command = [sys.executable, f"examples/{script}"]
    command += [word.format(demo=demo, folder=tmp_path) for word in arguments]
    kept = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_DATA_HOME": str(tmp_path / "data")}
    paths = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        command,
        check=False,
        cwd=ROOT,
        env=os.environ | kept | paths,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout


def test_the_readme_runs_as_written(demo, tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.mp4").write_bytes(demo.read_bytes())
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "new.mp4").exists()


def test_a_window_must_be_frames_in_three_colours():
    models = flair.load_models(SETTINGS, "cpu")
    for shape in ((3, 8, 8), (1, 1, 8, 8), (1, 2, 3, 8, 8), (0, 3, 8, 8)):
        with pytest.raises(ShapeError, match=re.escape(f"but got {shape}")):
            next(flair.restore_window(torch.zeros(shape), SETTINGS, models))
    for whole in (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), np.zeros((1, 3, 8, 8)), [[1]]):
        with pytest.raises(ShapeError, match="tensor of floats"):
            next(flair.restore_window(whole, SETTINGS, models))


class Plain:
    """No more than docs/architecture.md asks for."""

    scale = 1

    def forward(self, x):
        return x

    def pinv(self, y):
        return y


def with_own(**members):
    return type("Own", (Plain,), members)()


def window(y=None, settings=SETTINGS, models=None, **others):
    y = torch.zeros(2, 3, 8, 8) if y is None else y
    models = flair.load_models(SETTINGS, "cpu") if models is None else models
    return list(flair.restore_window(y, settings, models, **others))


@pytest.mark.parametrize("lock", [False, True])
def test_an_operator_needs_no_more_than_forward_pinv_and_scale(lock):
    sampler = replace(SETTINGS.sampler, w_tau=0.5, enhancer="detail", null_space_lock=lock)
    settings = replace(SETTINGS, sampler=sampler)
    y = torch.rand(1, 3, 8, 8) - 0.5
    *_, last = window(y, settings, flair.load_models(settings, "cpu"), A=Plain())
    assert last.x0.shape == y.shape


@pytest.mark.parametrize(
    ("A", "error", "said"),
    [
        (object(), SettingsError, "object lacks forward, pinv, scale"),
        (with_own(pinv=None), SettingsError, "Own lacks pinv"),
        (Plain, SettingsError, "got the class Plain itself"),
        *((with_own(scale=scale), SettingsError, "whole number") for scale in (0, -1, 2.0, "2", None, True)),
        (with_own(scale=2), ShapeError, r"pinv must make \(2, 3, 16, 16\) of .* but made \(2, 3, 8, 8\)"),
        (with_own(forward=lambda _, x: x[..., 1:]), ShapeError, r"forward .* but made \(2, 3, 8, 7\)"),
        (with_own(forward=lambda _, x: x[:1]), ShapeError, r"forward .* but made \(1, 3, 8, 8\)"),
        (with_own(pinv=lambda _, y: y.numpy()), ShapeError, "but made ndarray"),
        (with_own(pinv=lambda _, y: y + 0j), ShapeError, "floats, but made torch.complex64"),
        (with_own(pinv=lambda _, y: y.view(7)), ShapeError, r"pinv can't take \(2, 3, 8, 8\)"),
        (
            flair.degradations.build(SETTINGS.degradation, (64, 64), torch.device("cpu")),
            ShapeError,
            "Check the size that A is made for",
        ),
    ],
)
def test_an_operator_that_is_none_is_told(A, error, said):
    with pytest.raises(error, match=said):
        window(A=A)


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"previous": torch.zeros(1, 3, 8, 8)}, ShapeError, r"\(n, 3, 32, 32\) with n up to 2"),
        ({"previous": torch.zeros(3, 3, 32, 32)}, ShapeError, r"n up to 2, .* but got \(3, 3, 32, 32\)"),
        ({"previous": torch.zeros(3, 32, 32)}, ShapeError, r"previous must be \(N, 3, h, w\)"),
        ({"previous": np.zeros((1, 3, 32, 32))}, ShapeError, "previous must be a tensor of floats"),
        ({"previous": torch.full((1, 3, 32, 32), torch.nan)}, MediaError, "previous holds NaN"),
        ({"y": torch.full((1, 3, 8, 8), torch.nan)}, MediaError, "y holds NaN or infinity"),
        ({"y": torch.full((1, 3, 8, 8), -torch.inf)}, MediaError, "y holds NaN or infinity"),
        ({"mask": torch.ones(2, 1, 32, 32)}, SettingsError, "mask must be a function"),
        ({"settings": {"steps": 3}}, SettingsError, "settings must be of type RestorationSettings"),
        ({"models": "starter"}, SettingsError, "models must come from load_models"),
    ],
)
def test_what_does_not_fit_a_window_is_told(given, error, said):
    with pytest.raises(error, match=said):
        window(**given)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (torch.ones(2, 1, 8, 8), r"made \(2, 1, 8, 8\)"),
        (torch.ones(2, 3, 32, 32), r"made \(2, 3, 32, 32\)"),
        (None, "made NoneType"),
    ],
)
def test_a_mask_is_one_weight_for_a_pixel(made, said):
    settings = replace(SETTINGS, sampler=replace(SETTINGS.sampler, w_tau=0.5, enhancer="detail"))
    models = flair.load_models(settings, "cpu")
    with pytest.raises(ShapeError, match=r"mask must make \(2, 1, 32, 32\).*" + said):
        window(settings=settings, models=models, mask=lambda _: made)


def test_an_operator_of_ones_own_is_obeyed():
    class Halved(flair.degradations.Degradation):
        scale = 2

        def forward(self, x):
            return torch.nn.functional.avg_pool2d(x, 2)

        def pinv(self, y):
            return y.repeat_interleave(2, -1).repeat_interleave(2, -2)

    y = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)) - 0.5
    *_, last = flair.restore_window(y, SETTINGS, flair.load_models(SETTINGS, "cpu"), A=Halved())
    assert last.x0.shape == (1, 3, 32, 32)
    np.testing.assert_allclose(Halved().forward(last.x0), y, atol=1e-5)


def test_paths_may_be_texts_and_devices_names(demo):
    with flair.open_clip(str(demo)) as clip:
        assert clip[0].rgb.shape == (480, 640, 3)
    assert flair.load_models(SETTINGS, torch.device("cpu")) is flair.load_models(SETTINGS, "cpu")
    assert flair.load_models(SETTINGS, torch.device("cpu", 0)) is flair.load_models(SETTINGS, "cpu")
    with pytest.raises(MediaError, match=r"nothing\.mp4"):
        flair.open_clip("nothing.mp4")
    with pytest.raises(AttributeError, match="restore_everything"):
        _ = flair.restore_everything


def test_a_clip_is_restored_on_a_device_of_torch(demo, tmp_path):
    out = flair.restore_clip(demo, tmp_path / "new.mp4", frames=range(1), device=torch.device("cpu"))
    assert out.exists()


@pytest.mark.parametrize(
    "device",
    [torch.device("xpu"), torch.device("meta"), "meta", "gpu", "", None, 0, torch.device("cpu", 1)],
    ids=repr,
)
def test_a_device_that_is_not_here_is_told(device, demo, tmp_path):
    with pytest.raises(DeviceError, match="device"):
        flair.load_models(SETTINGS, device)
    with pytest.raises(DeviceError, match="device"):
        flair.restore_clip(demo, tmp_path / "never.mp4", SETTINGS, frames=range(1), device=device)


@pytest.mark.parametrize("device", [torch.device("cuda"), torch.device("cuda", 0), "cuda:00"], ids=repr)
def test_a_card_that_is_not_here_is_told(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="offers PyTorch no cuda"):
        flair.load_models(SETTINGS, device)


@pytest.mark.parametrize("scale", [-2, 0, 3, "4", 3.5, True])
def test_a_scale_that_is_none_is_told(scale, demo):
    with pytest.raises(SettingsError, match="scale must be"):
        flair.estimate(demo, aligned=True, scale=scale, frames=range(2))


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (range(100, 200), "clip has frames 0 to 47"),
        (range(-3, 2), "clip has frames 0 to 47"),
        (range(5, 5), "holds no frame; the clip has frames 0 to 47"),
        (range(0, 4, 2), "leaves some out"),
        (range(4, 0, -1), "turns back"),
        ([0, 1], "must be a range such as .* of type list"),
        ((0, 1), "must be a range such as .* of type tuple"),
        (slice(0, 2), "must be a range such as .* of type slice"),
        (3, "must be a range such as .* of type int"),
    ],
    ids=str,
)
def test_frames_that_are_none_are_told(frames, said, demo, tmp_path):
    with pytest.raises(SettingsError, match=said):
        flair.estimate(demo, aligned=True, frames=frames)
    with pytest.raises(SettingsError, match=said):
        flair.restore_clip(demo, tmp_path / "never.mp4", frames=frames, device="cpu")
    assert list(tmp_path.iterdir()) == []


NO_PATHS = {
    "": "path is empty",
    "a" * 5000: "can't be used as a path",
    "a/" * 3000: "can't be used as a path",
}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        *NO_PATHS.items(),
        ("a\0b", "can't be used as a path"),
        *((path, "path must be a text") for path in (5, None, b"old.mp4")),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_a_path_that_is_none_is_told(path, said, demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_picture(tmp_path / "0.png")  # an empty path is not the folder that one stands in
    for call in (
        lambda: flair.open_clip(path),
        lambda: flair.estimate(path),
        lambda: flair.restore_clip(path, "new.mp4"),
        lambda: flair.restore_clip(demo, path),
    ):
        with pytest.raises(MediaError, match=said) as told:
            call()
        assert len(str(told.value)) < 250


def make_picture(path):
    import cv2

    cv2.imwrite(str(path), np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize(("path", "said"), NO_PATHS.items(), ids=["empty", "long", "deep"])
@pytest.mark.parametrize(
    "argv",
    [
        ("restore", "{}", "-o", "new.mp4"),
        ("restore", "old.mp4", "-o", "{}"),
        ("restore", "old.mp4", "-o", "new.mp4", "--preset", "{}"),
        ("estimate", "{}"),
        ("degrade", "old.mp4", "-o", "{}"),
        ("interpolate", "{}", "-o", "new.mp4"),
        ("eval", "{}", "old.mp4"),
        ("report", "{}", "-o", "report.html"),
        ("models", "import", "{}"),
    ],
    ids=lambda argv: "-".join(argv).replace("{}", "here"),
)
def test_the_command_line_tells_a_path_that_is_none(argv, path, said, capsys):
    with pytest.raises(SystemExit) as left:
        main([word.format(path) for word in argv])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize("argv", [("restore", ".", "-o", "new.mp4"), ("degrade", "{demo}", "-o", ".")])
def test_a_dot_is_a_folder_like_any_other(argv, demo, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([word.format(demo=demo) for word in argv]) == 2
    assert "folder" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["nothing", "", "parsenet", "a\0b", "a" * 5000], ids=lambda name: name[:9])
def test_an_unknown_network_lists_the_known(name):
    for setting, known in (("model", "starter, starter-video"), ("enhancer", "none, detail")):
        sampler = flair.settings.SamplerSettings(**{setting: name})
        with pytest.raises(SettingsError, match=f"choose one of {known}") as told:
            flair.load_models(flair.settings.RestorationSettings(sampler=sampler), "cpu")
        assert "einstall" not in str(told.value)


def test_a_network_of_ones_own_that_is_missing_is_named():
    sampler = flair.settings.SamplerSettings(model="mine.safetensors")
    with pytest.raises(WeightsError, match=r"mine\.safetensors.*Name another file"):
        flair.load_models(flair.settings.RestorationSettings(sampler=sampler), "cpu")


@pytest.mark.parametrize("value", [{}, {"scale": 4}, "fast", "", 0], ids=repr)
def test_what_are_no_settings_is_told(value, demo, tmp_path):
    new = tmp_path / "new.mp4"
    for said, call in (
        ("settings .* RestorationSettings", lambda: flair.load_models(value, "cpu")),
        ("settings .* RestorationSettings or Look", lambda: flair.restore_clip(demo, new, value)),
        ("encoding .* OutputOptions", lambda: flair.restore_clip(demo, new, encoding=value)),
        ("footage .* FootageSettings", lambda: flair.open_clip(demo, value)),
        ("sampler .* SamplerSettings", lambda: flair.settings.RestorationSettings(sampler=value)),
        ("settings .* RestorationSettings", lambda: flair.settings.Look(value)),
    ):
        with pytest.raises(SettingsError, match=f"{said}, but got a value of type {type(value).__name__}"):
            call()


@pytest.mark.parametrize("options", [{"codec": 5}, {"quality": "high"}, {"bits": "8"}, {"hardware": "yes"}])
def test_options_of_the_output_have_their_types(options):
    with pytest.raises(SettingsError, match=f"{next(iter(options))} must be of type"):
        flair.settings.OutputOptions(**options)


NO_RECORDS = (b"", b"{", b"null", b"[]", b"{}", b"3", b"\xff\xfe\x00", b"[" * 100_000)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        *((data, "JSON object with the key degradation") for data in NO_RECORDS),
        ({"degradation": None}, "degradation must be an object"),
        ({"degradation": []}, "degradation must be an object"),
        ({"degradation": {"blur": 1}}, "degradation.blur; it may hold scale, kernel"),
        ({"degradation": {"scale": None}}, "scale must be"),
        ({"degradation": {"scale": "4"}}, "scale must be"),
        ({"degradation": {"scale": 3}}, "scale must be one of 1, 2, 4"),
        ({"degradation": {"noise": float("nan")}}, "noise must lie between"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_damaged_side_car_is_named(data, said, tmp_path):
    clip = tmp_path / "y.mkv"
    told_of(sidecar(clip), data, said, lambda: read_sidecar(clip))
    told_of(sidecar(clip), data, said, lambda: flair.restore_clip(clip, tmp_path / "new.mp4"))


def told_of(file, data, said, read):
    file.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    with pytest.raises(SettingsError) as told:
        read()
    sentence = str(told.value)
    assert str(file) in sentence
    assert said in sentence
    assert not any(
        word in sentence for word in ("argument", "attribute", "codec can't", "subscript", "Error")
    )


DAMAGE = json.loads(json.dumps(draw("film", 0.6, 7).as_dict()))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        *((data, "JSON object with the key damage") for data in NO_RECORDS),
        ({"damage": None}, "damage must be an object"),
        ({"damage": {}}, "damage.kind is missing"),
        *(
            ({"damage": {**DAMAGE, name: value}}, said)
            for name, value, said in (
                ("blur", 1, "no key damage.blur"),
                ("kind", None, "damage.kind must be a text, but got null"),
                ("kind", "vhs", "damage.kind must be one of film, tape"),
                ("kind", "web", "damage.marks must be null"),
                ("strength", 7, "damage.strength must be from 0 to 1"),
                ("strength", float("nan"), "damage.strength must be a finite number"),
                ("seed", -1, "damage.seed must be from 0 up"),
                ("seed", True, "damage.seed must be a whole number"),
                ("rounds", DAMAGE["rounds"][:1], "damage.rounds must be a list of 2"),
                ("rounds", [DAMAGE["rounds"][0], 5], "damage.rounds[1] must be an object"),
                ("marks", {**DAMAGE["marks"], "weave": "x"}, "damage.marks.weave must be a number"),
                ("coding", {"codec": "h264"}, "damage.coding.quality is missing"),
                ("coding", {"codec": "vp9", "quality": 3}, "damage.coding.codec must be one of mpeg2"),
            )
        ),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_a_damaged_record_of_damage_is_named(data, said, tmp_path):
    clip = tmp_path / "y.mkv"
    told_of(damage_record(clip), data, said, lambda: read_damage(clip))
