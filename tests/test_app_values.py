"""The parts of the window that are values and small machines: no window needed."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app import preferences, preflight, timecode
from app.imaging import Heat, Picture, contour, heatmap, to_qimage
from app.mailbox import Mailbox
from flair_core.errors import SettingsError
from flair_core.settings import project
from flair_core.settings.drawn import DrawnFace, Stroke
from flair_core.settings.groups import RestorationSettings, SamplerSettings
from flair_core.settings.look import Look
from flair_core.settings.project import Project, ProjectError


def test_a_mailbox_holds_the_newest_value_and_wakes_its_reader_once():
    box = Mailbox()
    assert box.put(1)
    assert not box.put(2)
    assert box.take() == 2
    assert box.take() is None
    threading.Timer(0.01, box.put, [3]).start()
    assert box.wait() == 3


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30000, 1001), Fraction(12, 5)])
@given(index=st.integers(0, 10**7))
def test_timecode_and_back(rate, index):
    assert timecode.parse(timecode.timecode(index, rate), rate) == index


@pytest.mark.parametrize(
    ("text", "index"),
    [("12", 12), ("1:02", 26), ("2:00:00", 2880), ("00:00:01;05", 29), ("", None), ("a:b", None)],
)
def test_what_people_type_as_a_timecode(text, index):
    assert timecode.parse(text, Fraction(24)) == index


def example(folder: Path) -> Project:
    return Project(
        clip=folder / "film" / "clip.mp4",
        span=(3, 9),
        look=Look(RestorationSettings(sampler=SamplerSettings(steps=7, w_tau=0.4))),
        drawn=(DrawnFace((1.0, 2.0, 3.5, 4.0), 0, 12),),
        left_out=frozenset({2}),
        strokes=(Stroke(2, ((0.5, 0.25), (0.75, 0.5)), 0.06, erases=True),),
    )


def test_a_project_survives_its_file(tmp_path):
    path = tmp_path / "projects" / "a.flair"
    project.write(example(tmp_path), path)
    assert project.read(path) == example(tmp_path)
    assert not list(path.parent.glob("*.partial"))


def test_a_project_moves_together_with_its_clip(tmp_path):
    project.write(example(tmp_path / "old"), tmp_path / "old" / "a.flair")
    (tmp_path / "old").rename(tmp_path / "new")
    assert project.read(tmp_path / "new" / "a.flair").clip == tmp_path / "new" / "film" / "clip.mp4"


def test_what_a_later_version_added_is_kept(tmp_path):
    data = json.loads(project.dump(example(tmp_path), tmp_path)) | {"grading": {"warmth": 3}}
    again = project.dump(project.parse(json.dumps(data), tmp_path), tmp_path)
    assert json.loads(again)["grading"] == {"warmth": 3}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 99}, "newer version"),
        ({"span": ["a", 2]}, "damaged"),
        ({"clip": 3}, "damaged"),
        ({"drawn": [{"box": [1]}]}, "damaged"),
    ],
)
def test_a_project_that_cannot_be_read_says_why(tmp_path, change, words):
    data = json.loads(project.dump(example(tmp_path), tmp_path)) | change
    with pytest.raises(ProjectError, match=words):
        project.parse(json.dumps(data), tmp_path)


def test_a_project_with_an_unknown_setting_names_it(tmp_path):
    data = json.loads(project.dump(example(tmp_path), tmp_path))
    data["settings"]["sampler"]["speed"] = 3
    with pytest.raises(SettingsError, match=r"sampler\.speed"):
        project.parse(json.dumps(data), tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "null", "{}"])
def test_a_file_that_is_no_project(tmp_path, text):
    path = tmp_path / "a.flair"
    path.write_text(text)
    with pytest.raises(ProjectError):
        project.read(path)


def test_a_crash_while_saving_leaves_the_old_project(tmp_path, monkeypatch):
    path = tmp_path / "a.flair"
    project.write(example(tmp_path), path)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flair_core.settings.project.os.fsync", full)
    with pytest.raises(ProjectError, match="No space left"):
        project.write(replace(example(tmp_path), span=None), path)
    assert project.read(path).span == (3, 9)
    assert list(tmp_path.iterdir()) == [path]


def test_preferences_survive_and_damage_means_defaults(config):
    kept = preferences.Preferences(theme="light").opened(Path("a")).opened(Path("b")).opened(Path("a"))
    preferences.save(kept)
    assert preferences.load() == kept
    assert preferences.load().recent == ("a", "b")
    for text in ("", "[]", '{"theme": "pink", "unknown": 1}'):
        (config / "preferences.json").write_text(text)
        assert preferences.load().theme == "dark"


def test_pixels_are_copied_to_qt():
    rgb = np.full((4, 6, 3), (10, 20, 30), np.uint8)
    image = to_qimage(rgb[:, ::2])
    rgb[:] = 0
    assert image.size().toTuple() == (3, 4)
    assert image.pixelColor(1, 1).getRgb()[:3] == (10, 20, 30)


def test_sixteen_bits_are_shown_as_eight():
    image = to_qimage(np.full((2, 2, 3), 0x80FF, np.uint16))
    assert image.pixelColor(0, 0).red() == 0x80


def test_a_picture_is_made_smaller_by_averaging_and_keeps_its_pixels():
    stripes = np.zeros((8, 8, 3), np.uint16)
    stripes[:, ::2] = 0xFFFF
    picture = Picture(stripes)
    assert picture.size.toTuple() == (8, 8)
    assert [picture.whole().pixelColor(x, 0).red() for x in (0, 1)] == [255, 0]
    small = picture.shrunk(4, 2)
    assert small.size().toTuple() == (4, 2)
    assert {small.pixelColor(x, y).red() for x in range(4) for y in range(2)} <= {127, 128}
    assert picture.shrunk(4, 2) is small


def test_heat_is_coloured_at_the_size_that_is_seen():
    heat = Heat(np.full((6, 6), 8, np.float32), peak=16)
    assert heat.whole().pixelColor(0, 0) == heat.shrunk(2, 2).pixelColor(1, 1)


def test_heat_grows_brighter_and_is_clipped():
    heat = heatmap(np.array([[0.0, 4, 8, 16, 99]], np.float32), peak=16).astype(int).sum(axis=-1)[0]
    assert (np.diff(heat[:4]) > 0).all()
    assert heat[3] == heat[4]


def test_a_contour_runs_around_the_mask():
    y, x = np.mgrid[:80, :80]
    mask = (np.hypot(x - 40, y - 40) < 25).astype(np.float32)
    box = contour(mask, 0.5).boundingRect()
    assert box.center().x() == pytest.approx(40.5, abs=1)
    assert box.width() == pytest.approx(50, abs=3)
    assert contour(np.zeros((9, 9), np.float32), 0.5).isEmpty()


@pytest.mark.parametrize(
    ("error", "package"),
    [
        ("libGL.so.1: cannot open shared object file: No such file or directory", "libgl1"),
        ("libxcb-cursor.so.0: cannot open shared object file", "libxcb-cursor0"),
        ("libstrange.so.7: cannot open shared object file", "libstrange.so.7"),
    ],
)
def test_a_missing_library_is_one_line_with_the_remedy(error, package):
    line = preflight.remedy(error)
    assert package in line
    assert "\n" not in line


def test_no_display_is_said_in_one_line(monkeypatch):
    for name in ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("app.preflight.sys.platform", "linux")
    assert "no display" in preflight.missing()
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    assert preflight.missing() is None
