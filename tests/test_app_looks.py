"""Shots, keyframes, scopes, A and B: what a user does with them, on a window whose core is a stand-in."""

from __future__ import annotations

from dataclasses import replace

import pytest
from app_fakes import LENGTH
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QDoubleSpinBox

from app.widgets import timeline_keys
from flair_core.settings.groups import UNTOLD
from flair_core.settings.look import CLIP, Key, Layer, Look, Scope, Shot
from flair_core.settings.project import read


def value(window, name="w_tau", index=None, face=None):
    index = window.session.index if index is None else index
    return getattr(window.session.look.resolve(index, face).sampler, name)


def done(window):
    result = window.previews.result
    return result is not None and result.complete and not window.previews.running


def at(point):
    return QPoint(round(point.x()), round(point.y()))


@pytest.fixture
def line(opened):
    """The timeline, wide enough to aim at single frames."""
    opened.resize(1400, 860)
    return opened.timeline


@pytest.fixture
def row(line):
    return line.keys["w_tau"]


def lane(window):
    return window.session.look.own(window.session.scope).lane("w_tau")


def test_shots_are_found_and_shown_and_not_an_edit(qtbot, window, clip, core):
    core.shots = (0, 9, 15)
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: [s.first for s in window.session.look.shots] == [0, 9, 15])
    assert [frames for _, frames, _ in window.timeline.shots.bands()] == [
        range(9),
        range(9, 15),
        range(15, LENGTH),
    ]
    assert not window.session.dirty
    assert window.session.project.look == Look()


def test_shots_that_were_found_are_saved_once_all_are(qtbot, window, clip, core, tmp_path):
    core.shots = (0, 9, 15)
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: window.session.shots_complete)
    assert window.files.save_to(tmp_path / "p.flair")
    assert read(tmp_path / "p.flair").look == window.session.look, (
        "what exports and the next session restore by"
    )
    assert [shot.first for shot in window.session.look.shots] == [0, 9, 15]


def test_a_cut_is_dragged_on_the_timeline_up_to_its_neighbours(qtbot, window, clip, core, line):
    core.shots = (0, 9, 15)
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: len(window.session.look.shots) == 3)
    left, y = Qt.MouseButton.LeftButton, line.shots.rect.center().y()
    for to, expected in ((12, [0, 12, 15]), (40, [0, 14, 15]), (-5, [0, 1, 15])):
        begun = window.session.look.shots[1].first
        qtbot.mousePress(line, left, pos=at(QPointF(line.x_of(begun), y)))
        assert window.session.look.shots[1].first == begun, "a press alone moves nothing"
        for x in (line.x_of((begun + to) / 2), line.x_of(to)):
            qtbot.mouseMove(line, at(QPointF(x, y)))
        qtbot.mouseRelease(line, left)
        assert [shot.first for shot in window.session.look.shots] == expected
        window.session.undo.undo()
        assert [shot.first for shot in window.session.look.shots] == [0, 9, 15], "a drag is one edit"


def test_a_shot_of_its_own_is_split_tuned_merged_and_undone(qtbot, opened):
    session, scopes = opened.session, opened.parameters.scopes
    session.seek(8)
    qtbot.keySequence(opened, QKeySequence("Ctrl+K"))
    assert session.project.look.shots == (Shot(0), Shot(8))
    scopes.scopes["shot"].click()
    assert scopes.scopes["shot"].text() == "Shot 2"
    control = opened.parameters.controls["sampler", "w_tau"]
    control._choose(0.4)
    assert [value(opened, index=frame) for frame in (7, 8, 23)] == [0.25, 0.4, 0.4]
    assert not control.reset.isHidden()
    control.reset.click()
    assert value(opened) == 0.25
    assert control.reset.isHidden()
    session.undo.undo()
    assert value(opened) == 0.4
    qtbot.keySequence(opened, QKeySequence("Ctrl+Shift+K"))
    assert session.project.look.shots == (Shot(0),)
    for _ in range(3):
        session.undo.undo()
    assert session.project.look == Look()
    assert not session.dirty


def test_the_panel_shows_what_the_scope_has_where_the_playhead_is(opened):
    session, panel = opened.session, opened.parameters
    session.edit_shots("split", lambda look: look.split_at(10))
    session.seek(12)
    session.set_scope("shot")
    session.edit_setting("sampler", "steps", 9, "K")
    control = panel.controls["sampler", "steps"]
    assert control._number.value() == 9
    session.seek(3)
    assert control._number.value() == 4
    session.seek(12)
    session.set_scope("clip")
    assert control._number.value() == 4
    assert "This shot has a value of its own" in control.toolTip()
    assert not panel.controls["faces", "upscale"].reset.isVisible()
    session.set_scope("face")
    assert not panel.controls["sampler", "model"].isEnabled()
    session.set_scope("shot")
    assert not panel.controls["faces", "upscale"].isEnabled()
    assert panel.controls["sampler", "model"].isEnabled()


def test_what_can_differ_nowhere_is_changed_for_the_clip(opened):
    opened.session.set_scope("face")
    opened.session.edit_settings("all", upscale=2, w_tau=0.5)
    assert opened.session.settings.faces.upscale == 2
    assert opened.session.project.look.tracks == ((0, Layer((("w_tau", 0.5),))),)


def test_a_face_of_its_own_restarts_the_preview_and_marks_nothing_else_stale(qtbot, opened, core):
    core.faces = 2
    opened.session.edit_shots("split", lambda look: look.split_at(12))
    for index in (0, 15):
        opened.session.seek(index)
        qtbot.waitUntil(lambda: done(opened))
    assert set(opened.timeline.marks.residual) == {0, 15}
    opened.session.set_scope("shot")
    opened.session.edit_setting("sampler", "seed", 5, "seed")
    qtbot.waitUntil(lambda: done(opened) and opened.previews.result.request.index == 15)
    opened.session.edit_setting("sampler", "seed", 6, "seed")
    assert set(opened.timeline.marks.residual) == {0}, "the other shot is as it was"
    assert opened.timeline.marks.stale == {15}
    qtbot.waitUntil(lambda: set(opened.timeline.marks.residual) == {0, 15})


def test_the_diamond_sets_and_removes_keys_and_sliders_then_move_the_key(qtbot, opened):
    panel, session = opened.parameters, opened.session
    panel.keys["w_tau"].click()
    session.seek(10)
    panel.controls["sampler", "w_tau"]._choose(0.0)
    assert [key.frame for key in lane(opened).keys] == [0, 10]
    assert value(opened, index=5) == pytest.approx(0.125)
    session.seek(5)
    assert panel.controls["sampler", "w_tau"]._number.value() == pytest.approx(0.125, abs=0.006)
    assert "Set a keyframe" in panel.keys["w_tau"].toolTip()
    qtbot.waitUntil(lambda: done(opened) and opened.previews.result.request.index == 5)
    assert opened.previews.result.preview.residual == pytest.approx(1.125), (
        "the preview follows the keyframes"
    )
    session.seek(10)
    assert "Remove the keyframe" in panel.keys["w_tau"].toolTip()
    panel.keys["w_tau"].click()
    assert lane(opened).keys == (Key(0, 0.25),)


def test_keys_are_added_dragged_typed_held_and_deleted_on_the_timeline(qtbot, opened, line, row):
    left = Qt.MouseButton.LeftButton
    place = QPointF(line.x_of(6.5), row.y_of(0.5))
    qtbot.mouseDClick(line, left, pos=at(place))
    (key,) = lane(opened).keys
    assert key.frame == 6
    assert key.value == pytest.approx(0.5, abs=0.05)
    qtbot.mousePress(line, left, pos=at(row.place(key)))
    for step in (0.3, 0.7, 1.0):
        x = line.x_of(6.5 + step * 4)
        qtbot.mouseMove(line, at(QPointF(x, row.y_of(key.value - step * 0.3))))
    qtbot.mouseRelease(line, left)
    (key,) = lane(opened).keys
    assert key.frame == 10
    assert key.value == pytest.approx(0.2, abs=0.1)
    opened.session.undo.undo()
    assert lane(opened).keys[0].frame == 6, "a drag is one edit"
    opened.session.undo.redo()

    qtbot.mouseDClick(line, left, pos=at(row.place(key)))
    box = line.findChild(QDoubleSpinBox)
    box.setValue(0.85)
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert lane(opened).keys == (Key(10, 0.85),)

    menu = row.menu(row.place(Key(10, 0.85)))
    next(action for action in menu.actions() if "Hold" in action.text()).trigger()
    assert lane(opened).keys == (Key(10, 0.85, held=True),)
    qtbot.mouseClick(line, left, pos=at(row.place(Key(10, 0.85))))
    qtbot.keyClick(line, Qt.Key.Key_Delete)
    assert lane(opened) is None
    assert value(opened) == 0.85, "the last key leaves its value behind"


def test_with_shift_a_key_moves_finely_and_stays_on_its_frame(opened, line, row, monkeypatch):
    held = Qt.KeyboardModifier.ShiftModifier
    monkeypatch.setattr(timeline_keys.QGuiApplication, "keyboardModifiers", lambda: held)
    opened.session.edit_look("key", lambda look: look.with_key(CLIP, "w_tau", Key(6, 0.5)))
    place = row.place(Key(6, 0.5))
    drag = row.press(place)
    drag(place + QPointF(line.x_of(9) - line.x_of(6), -8))
    (key,) = lane(opened).keys
    assert key.frame == 6
    assert 0.5 < key.value < 0.6, "eight pixels go as far as one"
    held = Qt.KeyboardModifier.NoModifier
    drag(place + QPointF(0, -12))
    assert lane(opened).keys[0].value > key.value + 0.15


def test_the_hint_about_a_goes_once_b_is_pressed_again(opened):
    opened.settings_commands.on_swap_settings()
    assert "kept as A" in opened.banner.text
    opened.settings_commands.on_swap_settings()
    assert opened.banner.text == ""
    opened.session.edit(opened.tr("none"), other=None)
    opened.settings_commands.on_swap_settings()
    opened.banner.say("The disk is full.")
    opened.settings_commands.on_swap_settings()
    assert opened.banner.text == "The disk is full.", "another sentence stays"


def test_escape_leaves_a_value_as_it_was(qtbot, opened, line, row):
    opened.session.edit_look("key", lambda look: look.with_key(CLIP, "w_tau", Key(6, 0.5)))
    qtbot.mouseDClick(line, Qt.MouseButton.LeftButton, pos=at(row.place(Key(6, 0.5))))
    box = line.findChild(QDoubleSpinBox)
    box.setValue(0.9)
    qtbot.keyClick(box, Qt.Key.Key_Escape)
    assert lane(opened).keys == (Key(6, 0.5),)


def test_a_key_cannot_be_dragged_over_its_neighbours(qtbot, opened, line, row):
    for frame in (4, 8, 12):
        opened.session.edit_look(
            "key", lambda look, frame=frame: look.with_key(CLIP, "w_tau", Key(frame, 0.5))
        )
    drag = row.press(row.place(Key(8, 0.5)))
    drag(QPointF(line.x_of(20), row.y_of(0.5)))
    assert [key.frame for key in lane(opened).keys] == [4, 11, 12]
    drag(QPointF(line.x_of(0), row.y_of(0.5)))
    assert [key.frame for key in lane(opened).keys] == [4, 5, 12]


def test_rows_of_keyed_settings_come_and_go(opened, line):
    height = line.height()
    opened.parameters.keys["noise"].click()
    assert line.keys["noise"] in line.rows
    assert line.height() > height
    opened.parameters.keys["noise"].click()
    assert line.keys["noise"] not in line.rows
    assert line.height() == height


def test_a_double_click_on_a_shot_or_a_face_makes_it_the_scope(qtbot, opened, line):
    opened.session.edit_shots("split", lambda look: look.split_at(12))
    qtbot.mouseDClick(
        line, Qt.MouseButton.LeftButton, pos=at(QPointF(line.x_of(15.5), line.shots.rect.center().y()))
    )
    assert opened.session.scope == Scope("shot", 12)
    qtbot.mouseDClick(
        line, Qt.MouseButton.LeftButton, pos=at(QPointF(line.x_of(15.5), line.faces.lane(0).center().y()))
    )
    assert opened.session.scope == Scope("face", 0)


def test_the_menu_of_a_shot(opened, line):
    opened.session.edit_shots("split", lambda look: look.split_at(12))
    menu = line.shots.menu(QPointF(line.x_of(15.5), line.shots.rect.center().y()))
    actions = {action.text(): action for action in menu.actions()}
    actions["Set in and out to this shot"].trigger()
    assert opened.session.span == range(12, LENGTH)
    actions["Merge with the shot before"].trigger()
    assert len(opened.session.look.shots) == 1


def test_the_flicker_between_rendered_frames_is_measured(qtbot, opened):
    opened.session.edit("span", span=(0, 3))
    opened.background.prerender()
    qtbot.waitUntil(lambda: set(opened.timeline.marks.warp) == {1, 2, 3})
    for name in (0, 1):
        strip = opened.timeline._strips[name]
        assert strip.tip(QPointF(opened.timeline.x_of(2.5), strip.rect.center().y()))


def test_settings_are_copied_from_one_shot_to_another(qtbot, opened):
    session = opened.session
    session.edit_shots("split", lambda look: look.split_at(8).split_at(16))
    session.set_scope("shot")
    session.edit_settings("tune", w_tau=0.4, seed=3)
    opened.settings_commands.on_copy_settings()
    session.seek(20)
    opened.settings_commands.on_paste_settings()
    assert session.look.own(session.scope).values == (("seed", 3), ("w_tau", 0.4))
    assert value(opened, index=10) == 0.25
    opened.settings_commands.on_reset_settings()
    assert session.look.own(session.scope) == Layer()
    assert value(opened, index=0) == 0.4


def test_presets_are_kept_and_offered(opened, config, monkeypatch):
    opened.session.edit_setting("sampler", "steps", 9, "K")
    monkeypatch.setattr("app.settings_commands.QInputDialog.getText", lambda *_: ("Old / tapes", True))
    opened.settings_commands.on_keep_preset()
    assert [path.name for path in (config / "presets").iterdir()] == ["Old  tapes.json"]
    opened.settings_commands.on_reset_settings()
    opened.settings_commands.menu.aboutToShow.emit()
    offered = {action.text(): action for action in opened.settings_commands.menu.actions()}
    assert {"flair-x8", "flair-jpeg"} < set(offered)
    offered["Old  tapes"].trigger()
    assert opened.session.settings.sampler.steps == 9
    offered["flair-x8"].trigger()
    assert opened.session.settings.degradation.scale == 8
    opened.session.edit_setting("degradation", "noise", 0.02, "noise")
    offered["starter-vivid"].trigger()
    settings = opened.session.settings
    assert (settings.sampler.model, settings.sampler.rho) == ("starter-vivid", 0.7)
    assert (settings.degradation.scale, settings.degradation.noise) == (8, 0.02), (
        "what is known of the footage stays"
    )


def test_b_is_held_against_a_and_shown_beside_it(qtbot, opened):
    session, scopes = opened.session, opened.parameters.scopes
    assert not scopes.hold.isEnabled()
    scopes.slots["B"].click()
    session.edit_setting("sampler", "w_tau", 1.0, "w")
    qtbot.waitUntil(lambda: done(opened))
    assert opened.previews.result.preview.residual == 2.0
    scopes.hold.pressed.emit()
    qtbot.waitUntil(lambda: done(opened) and opened.previews.result.preview.residual == 1.25)
    scopes.hold.released.emit()
    assert opened.previews.result.preview.residual == 2.0, "going back is instant"
    session.seek(3)
    opened.actions_["against_other"].setChecked(True)
    qtbot.waitUntil(lambda: opened.previews.other_result() is not None)
    assert opened.previews.other_result().preview.residual == 1.25
    qtbot.waitUntil(lambda: opened.viewer._captions[0] == "Settings A")
    scopes.slots["A"].click()
    assert value(opened) == 0.25
    assert session.project.other.settings.sampler.w_tau == 1.0


def test_everything_is_saved_and_reopened(qtbot, opened, tmp_path):
    session = opened.session
    session.edit_shots("split", lambda look: look.split_at(8))
    session.set_scope("shot")
    session.edit_settings("tune", noise=0.02)
    opened.parameters.keys["w_tau"].click()
    session.set_scope("face")
    session.edit_setting("sampler", "gamma", 0.5, "γ")
    session.swap_looks()
    session.edit("span", span=(2, 9))
    path = tmp_path / "deep" / "p.flair"
    assert opened.files.save_to(path)
    saved = session.project
    assert read(path) == saved
    session.edit_setting("sampler", "gamma", 0.7, "γ")
    session.undo.setClean()
    opened.files.open_path(path)
    qtbot.waitUntil(lambda: done(opened) and opened.session.path == path)
    assert session.project == saved
    assert session.scope == CLIP


def test_a_removed_drawn_face_takes_its_settings_along(opened):
    from flair_core.settings.drawn import DrawnFace

    session = opened.session
    drawn = tuple(DrawnFace((10.0 + 20 * n, 10, 25 + 20 * n, 30), 0, 9) for n in range(2))
    session.edit("draw", drawn=drawn)
    session.select(-2)
    session.set_scope("face")
    session.edit_setting("sampler", "seed", 5, "seed")
    session.select(-1)
    opened.mask_commands.on_remove_face()
    assert session.project.look.tracks == ((-1, Layer((("seed", 5),))),)
    assert replace(session.project.look, tracks=()) == Look()


def test_a_clip_of_which_nothing_is_told_opens_and_is_reset_as_unknown(qtbot, window, clip, monkeypatch):
    for module in ("app.files", "app.settings_commands"):
        monkeypatch.setattr(f"{module}.UNTOLD", UNTOLD)
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: window.session.clip is not None)
    assert window.session.look == Look(UNTOLD)
    assert not window.session.undo.canUndo()
    shown = {name for (_, name), control in window.parameters.controls.items() if not control.isHidden()}
    assert not shown & {"noise", "jpeg", "blur_sigma"}
    assert not window.parameters.controls["sampler", "gamma"].isEnabled()
    window.session.edit_setting("degradation", "kernel", "gaussian", "blur")
    assert window.parameters.controls["sampler", "gamma"].isEnabled()
    window.settings_commands.on_reset_settings()
    assert window.session.look == Look(UNTOLD)
