"""The public API, as a stranger uses it: the examples in docstrings, the scripts of examples/, README's Python."""

import doctest
import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import flair_core as flair
from flair_core.errors import DeviceError, MediaError, SettingsError, ShapeError
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
    with pytest.raises(ShapeError, match=r"\(1, 3, 9, 9\).*\(1, 3, 8, 8\)"):
        list(flair.restore_window(torch.zeros(1, 3, 8, 8), SETTINGS, models, A=Cut()))


class Cut(flair.degradations.Degradation):
    scale = 1

    def forward(self, x):
        return torch.nn.functional.pad(x, (0, 1, 0, 1))

    def pinv(self, y):
        return y[..., :-1, :-1]


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
    with pytest.raises(DeviceError, match="There is no device 'gpu'"):
        flair.load_models(device="gpu")
    with pytest.raises(MediaError, match=r"nothing\.mp4"):
        flair.open_clip("nothing.mp4")
    for frames in (range(100, 200), range(5, 5), range(0, 4, 2)):
        with pytest.raises(SettingsError, match=r"clip has frames 0 to 47|leaves some out"):
            flair.restore_clip(demo, demo.with_name("never.mp4"), frames=frames, device="cpu")
    with pytest.raises(SettingsError, match="clip has frames 0 to 47"):
        flair.estimate(demo, frames=range(100, 200))
    with pytest.raises(AttributeError, match="restore_everything"):
        _ = flair.restore_everything
