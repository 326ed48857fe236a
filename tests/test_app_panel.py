"""The settings panel as people use it: looks, strength, Auto, groups that fold, and the search."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from app_fakes import LENGTH
from PySide6.QtCore import Qt
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QWidget

from app import preferences
from app.main_window import MainWindow
from app.session import Session
from app.widgets.auto import AutoBlock, LeaveSharp
from app.widgets.dialogs import ExportDialog
from app.widgets.parameters import Parameters
from flair_core.errors import MediaError
from flair_core.settings.fields import fields
from flair_core.settings.found import Found
from flair_core.settings.groups import UNKNOWN, UNTOLD, FaceSettings
from flair_core.settings.look import CLIP, GROUP_OF, Key, Look, Scope
from flair_core.settings.looks import LOOKS, look_of, values_for


@pytest.fixture
def untold(monkeypatch):
    """Clips open as in life: nobody says what happened to them."""
    for module in ("app.files", "app.settings_commands"):
        monkeypatch.setattr(f"{module}.UNTOLD", UNTOLD)


def settled(window):
    result = window.previews.result
    return result is not None and result.complete and not window.previews.running


def after(settings, name):
    """Settings after a look was chosen."""
    return Look(settings).everywhere(**values_for(name, settings)).settings


@pytest.fixture
def asking(qtbot, window, untold, clip):
    """The window with a clip that is left to Auto, of which something was found."""
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: bool(window.session.found) and bool(window.session.tracks) and settled(window))
    return window


def marked(window):
    return [name for name, button in window.parameters.looks.buttons.items() if button.isChecked()]


# --- looks ------------------------------------------------------------------------------------------


def test_a_look_is_in_force_once_it_is_chosen_and_leaves_nothing_behind():
    assert look_of(UNTOLD) == "natural", "what a clip begins with"
    for before in LOOKS:
        for name, look in LOOKS.items():
            settings = after(after(UNTOLD, before), name)
            assert look_of(settings) == name
            back = after(settings, "natural")
            assert back == UNTOLD
            kept = replace(settings, sampler=UNTOLD.sampler, faces=UNTOLD.faces)
            assert kept == UNTOLD or "enlargement" in look.values, "what it is not about stays"


def test_a_look_leaves_what_was_set_by_hand_and_it_is_not_about():
    own = replace(UNTOLD, degradation=replace(UNKNOWN, enlargement=3.0))
    assert after(own, "crisp").degradation.enlargement == 3.0
    assert look_of(replace(UNTOLD, sampler=replace(UNTOLD.sampler, w_tau=0.33))) is None


def test_a_look_is_chosen_in_one_step_and_taken_back(qtbot, asking):
    looks, session = asking.parameters.looks, asking.session
    assert marked(asking) == ["natural"]
    looks.buttons["crisp"].click()
    assert session.settings.sampler.w_tau == 0.6
    assert marked(asking) == ["crisp"]
    assert session.undo.undoText() == "Take the look Crisp"
    looks.buttons["crisp"].click()
    assert marked(asking) == ["crisp"], "once more changes nothing"
    assert session.undo.count() == 1
    looks.buttons["print"].click()
    assert session.settings.degradation.enlargement == 2.0
    looks.buttons["tape"].click()
    assert session.settings.degradation.enlargement is None
    assert session.settings.faces.match_colour
    asking.parameters.controls["sampler", "w_tau"]._choose(0.33)
    assert marked(asking) == []
    for _ in range(4):
        session.undo.undo()
    assert session.settings == UNTOLD
    assert marked(asking) == ["natural"]


def test_a_look_is_for_the_scope(asking):
    session, looks = asking.session, asking.parameters.looks
    session.edit_shots("split", lambda look: look.split_at(12))
    session.seek(15)
    session.set_scope("shot")
    looks.buttons["film"].click()
    assert [session.look.resolve(frame).sampler.w_tau for frame in (3, 15)] == [0.25, 0.4]
    session.set_scope("clip")
    assert marked(asking) == ["natural"]
    session.set_scope("face")
    looks.buttons["crisp"].click()
    assert session.look.resolve(15, 0).sampler.w_tau == 0.6
    assert session.look.resolve(15).sampler.w_tau == 0.4
    assert marked(asking) == ["crisp"]


# --- strength ---------------------------------------------------------------------------------------


def test_strength_is_shown_up_to_a_hundred_and_may_move(qtbot, asking):
    session, control = asking.session, asking.parameters.controls["faces", "strength"]
    assert control._number.value() == 100
    control._number.setValue(40)
    assert session.settings.faces.strength == pytest.approx(0.4)
    assert session.filled_look.resolve(0).faces.strength == pytest.approx(0.4), (
        "what is previewed and exported"
    )
    asking.parameters.keys["strength"].click()
    session.seek(10)
    control._slider.setValue(control._slider.maximum())
    assert session.look.own(CLIP).lane("strength").keys == (Key(0, pytest.approx(0.4)), Key(10, 1.0))
    assert session.look.resolve(5).faces.strength == pytest.approx(0.7)
    assert asking.timeline.keys["strength"] in asking.timeline.rows


# --- Auto -------------------------------------------------------------------------------------------


@pytest.fixture
def block(qtbot, dressed):
    block = AutoBlock(LeaveSharp(fields(FaceSettings)["leave_sharp"]))
    qtbot.addWidget(block)
    return block


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (None, "Looking at this shot…"),
        ({"gain": None}, "No face was found to judge by: nothing is assumed of the footage."),
        ({"sharp": True}, "Already sharp: left as filmed."),
        (
            {"enlargement": 2.0, "grain": 4.0},
            "Best at about half of the resolution, grain. Restored, it is very likely better.",
        ),
        ({"enlargement": 4.0, "grain": 9.0}, "Best at about a quarter of the resolution, strong grain."),
        ({"grain": 2.0}, "Best at full resolution, a little grain."),
        ({"certainty": 0.8}, "Best at full resolution. Restored, it is probably better."),
        ({"certainty": 0.6}, "may be better: compare with your eyes"),
        ({"certainty": 1.0}, "very likely"),
        ({"enlargement": 2.5}, "Best at about 40% of the resolution"),
    ],
)
def test_what_auto_found_is_said_in_plain_words(block, found, words):
    seen = None if found is None else Found(range(9), **{"gain": 1.0, "certainty": 0.97, **found})
    block.show_found(seen, by_hand=False, leave_sharp=True)
    assert words in block.words
    assert "100" not in block.words, "nothing is certain"
    assert block.words in block.accessibleName()
    assert block.leave_sharp.isHidden() == (found is None or not found.get("sharp"))
    assert block.back.isHidden()


def test_auto_says_what_it_found_of_the_shot_under_the_playhead(qtbot, window, untold, clip, core):
    core.shots = (0, 12)
    core.gate.clear()
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: window.session.clip is not None)
    assert window.parameters.auto.words == "Looking at this shot…"
    core.gate.set()
    qtbot.waitUntil(lambda: len(window.session.found) == 2)
    assert "Best at about half of the resolution, grain" in window.parameters.auto.words
    window.session.found = (window.session.found[0], Found(range(12, LENGTH)))
    window.session.seek(20)
    assert "No face was found" in window.parameters.auto.words


def test_what_is_sharp_already_is_restored_all_the_same(qtbot, window, untold, clip, core):
    core.found = {"sharp": True, "gain": -0.1, "certainty": 0.2}
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: bool(window.session.found))
    panel, session = window.parameters, window.session
    assert panel.auto.words == "Already sharp: left as filmed."
    assert session.filled_look.resolve(0).faces.strength == 0
    assert "left as filmed" in panel.controls["faces", "strength"].toolTip()
    switch = panel.auto.leave_sharp._switch
    switch.click()
    assert session.settings.faces.leave_sharp is False
    assert panel.auto.words == "Already sharp, and restored all the same."
    assert session.filled_look.resolve(0).faces.strength == 1
    assert "left as filmed" not in panel.controls["faces", "strength"].toolTip()
    session.undo.undo()
    assert not switch.isChecked()
    assert session.filled_look.resolve(0).faces.strength == 0


@pytest.mark.parametrize("values", [{"kernel": "gaussian", "scale": 8}, {"enlargement": 3.0}])
def test_what_was_set_by_hand_goes_back_to_auto(asking, values):
    session, auto = asking.session, asking.parameters.auto
    assert auto.back.isHidden()
    session.edit_settings("by hand", **values)
    assert auto.words == "Not asked: it is set under Degradation."
    assert not auto.back.isHidden()
    auto.back.click()
    assert session.settings == UNTOLD
    assert "about half" in auto.words
    session.undo.undo()
    assert auto.words == "Not asked: it is set under Degradation."


@pytest.mark.parametrize("kind", ["clip", "shot", "face"])
def test_a_shot_or_a_face_that_was_set_by_hand_goes_back_to_auto(asking, kind):
    session, auto = asking.session, asking.parameters.auto
    session.edit_shots("split", lambda look: look.split_at(12))
    session.seek(15)
    session.set_scope("face" if kind == "face" else "shot")
    session.edit_settings("by hand", kernel="motion", steps=3)
    session.set_scope(kind)
    assert "set under Degradation" in auto.words
    auto.back.click()
    assert "set under Degradation" not in auto.words
    own = session.look.own(Scope("face", 0) if kind == "face" else Scope("shot", 12))
    assert own.values == (("steps", 3),), "what is another matter stays"
    assert session.settings == UNTOLD


def test_a_look_that_decides_is_named(asking):
    asking.parameters.looks.buttons["print"].click()
    assert asking.parameters.auto.words == "Not asked: the look Print decides."
    asking.parameters.controls["degradation", "enlargement"]._number.setValue(3)
    assert asking.parameters.auto.words == "Not asked: it is set under Degradation."


def test_a_clip_that_vanishes_before_its_shots_are_known_is_not_looked_at_for_ever(
    qtbot, window, untold, clip, core, monkeypatch
):
    def gone(source, footage):
        yield (0,)
        raise MediaError("clip.avi can't be read: no such file.")

    monkeypatch.setattr(core, "find_shots", gone)
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: "can't be read" in window.parameters.auto.words)
    assert window.session.filled_look.resolve(0).faces.strength == 1


def test_an_export_records_what_auto_found(asking):
    notes = ExportDialog(asking.session, asking).request("cpu").notes
    last = LENGTH - 1
    assert notes == (
        f"Frames 0 to {last}: best at about half of the resolution, grain; restored, it is very likely better.",
    )
    asking.session.edit_settings("by hand", kernel="gaussian")
    assert ExportDialog(asking.session, asking).request("cpu").notes == ()


def test_the_window_fits_a_small_screen(asking):
    asking.resize(1024, 640)
    QApplication.processEvents()
    assert (asking.width(), asking.height()) == (1024, 640)
    extras = (*asking.transport.extras, *asking.top.extras)
    assert not any(extra.isVisible() for extra in extras), "menus have those, too"
    asking.resize(1280, 800)
    QApplication.processEvents()
    assert all(extra.isVisible() for extra in extras)


def test_a_single_shot_is_left_to_auto_in_a_clip_that_was_set_by_hand(asking):
    session, auto = asking.session, asking.parameters.auto
    session.edit_shots("split", lambda look: look.split_at(12))
    session.edit_settings("by hand", kernel="motion")
    session.seek(15)
    session.set_scope("shot")
    auto.back.click()
    assert [session.look.asks(frame) for frame in (3, 15)] == [False, True]
    assert session.settings.degradation.kernel == "motion"


def test_the_found_resolution_stands_greyed_where_it_would_be_set(asking):
    control = asking.parameters.controls["degradation", "enlargement"]
    assert control._switch.isChecked()
    assert control._switch.text() == "Auto"
    assert control._number.value() == 2.0
    assert not control._number.isEnabled()
    control._switch.click()
    assert asking.session.settings.degradation.enlargement == 2.0, "it begins with what was found"
    control._number.setValue(3)
    assert asking.session.settings.degradation.enlargement == 3.0
    control._switch.click()
    assert asking.session.settings.degradation.enlargement is None
    assert control._number.value() == 2.0
    asking.session.edit_settings("known", kernel="bicubic")
    assert control.isHidden(), "it means nothing where the blur is known"


# --- groups and search ------------------------------------------------------------------------------


def seen(panel):
    """Names of the settings that are on the screen."""
    return {name for (_, name), control in panel.controls.items() if control.isVisibleTo(panel)}


@pytest.fixture
def panel(qtbot, dressed):
    panel = Parameters(Session())
    qtbot.addWidget(panel)
    panel.show()
    return panel


def test_at_first_only_the_simple_part_is_open(panel):
    assert seen(panel) == {"strength"}
    panel.sections["Faces"].header.click()
    assert {"strength", "feather", "grain"} <= seen(panel)
    assert "steps" not in seen(panel)
    panel.sections["Faces"].header.click()
    assert seen(panel) == {"strength"}


def test_open_groups_are_remembered(qtbot, opened, core, jobs):
    for title in ("Sampler", "Footage"):
        opened.parameters.sections[title].header.click()
    opened.session.undo.setClean()
    opened.close()
    assert preferences.load().groups == ("Sampler", "Footage")
    again = MainWindow(lambda: core, core.open_source, jobs)
    qtbot.addWidget(again)
    assert again.parameters.opened == ("Sampler", "Footage")
    again.close()


@pytest.mark.parametrize("damaged", [None, 3, ["Sampler", 5], ["no such group"]])
def test_a_damaged_list_of_open_groups_hurts_nobody(qtbot, config, dressed, damaged):
    config.mkdir()
    (config / "preferences.json").write_text(json.dumps({"groups": damaged}), encoding="utf-8")
    panel = Parameters(Session(), preferences.load().groups)
    qtbot.addWidget(panel)
    assert set(panel.opened) <= {"Sampler"}


def test_a_search_shows_what_it_finds_in_closed_groups(qtbot, opened):
    panel = opened.parameters
    panel.sections["Footage"].open()
    qtbot.keySequence(opened, QKeySequence("Ctrl+F"))
    assert QApplication.focusWidget() is panel.search
    qtbot.keyClicks(panel.search, "w_tau")
    assert seen(panel) == {"w_tau"}, "by its key"
    for typed, expected in (
        ("σ_e", {"noise"}),  # by a symbol
        ("FEATHER", {"feather"}),  # by what it is called
        ("prefer nothing", set()),
        ("gaze filmed", {"w_eyes"}),  # by words of a tooltip
    ):
        panel.search.setText(typed)
        assert seen(panel) == expected
    panel.search.setText("occluders")
    assert seen(panel) == set()
    assert panel._nothing.isVisible()
    opened.session.edit_settings("parser", mask="parsenet")
    assert seen(panel) == {"occluders"}
    qtbot.keyClick(panel.search, Qt.Key.Key_Escape)
    assert panel.search.text() == ""
    assert not panel._nothing.isVisible()
    assert {"strength", "rate"} <= seen(panel)
    assert "occluders" not in seen(panel)
    assert panel.opened == ("Footage",)


def test_looks_and_auto_are_found_too(panel):
    panel.search.setText("crisp")
    assert panel.looks.isVisible()
    panel.search.setText("auto")
    assert panel.auto.isVisible()
    assert not panel.looks.isVisible()
    panel.search.setText("measure")
    assert panel.estimator.isVisible()


def test_the_search_comes_to_the_settings_when_the_queue_lies_over_them(qtbot, opened):
    opened.actions_["queue"].setChecked(True)
    opened.actions_["find_setting"].trigger()
    assert opened.side.currentWidget() is opened.parameters
    assert QApplication.focusWidget() is opened.parameters.search


def test_escape_cancels_the_preview_when_there_is_nothing_to_clear(qtbot, opened, core):
    opened.parameters.search.begin()
    core.gate.clear()
    opened.session.seek(5)
    assert opened.previews.running
    qtbot.keyClick(opened.parameters.search, Qt.Key.Key_Escape)
    assert not opened.previews.running
    core.gate.set()


def test_the_tab_key_goes_down_the_panel(panel):
    panel.sections["Sampler"].open()
    places = [
        *panel.looks.buttons.values(),
        panel.controls["faces", "strength"]._slider,
        panel.search,
        panel.sections["Sampler"].header,
        panel.controls["sampler", "steps"]._slider,
        panel.sections["Data consistency"].header,
        panel.sections["Footage"].header,
    ]
    chain, widget = [], places[0]
    while widget not in chain and isinstance(widget, QWidget):
        chain.append(widget)
        widget = widget.nextInFocusChain()
    assert sorted(places, key=chain.index) == places


# --- pictures of looks ------------------------------------------------------------------------------


def begin(window):
    """Let pictures of looks be made after a moment."""
    window.look_pictures._timer.setInterval(1)
    window.look_pictures._timer.start()


@pytest.fixture
def pictured(qtbot, asking):
    """The window with a picture of each look."""
    begin(asking)
    qtbot.waitUntil(lambda: with_picture(asking) == set(LOOKS))
    return asking


def pictured_with(window):
    """Settings that the pictures on the screen were made with."""
    return [request.settings for request, _ in window.look_pictures._pictures.values()]


def with_picture(window):
    return {name for name, button in window.parameters.looks.buttons.items() if not button.icon().isNull()}


def test_each_look_gets_a_picture_of_the_face(qtbot, asking, core):
    shown = len(core.previewed)
    begin(asking)
    qtbot.waitUntil(lambda: with_picture(asking) == set(LOOKS))
    tried = [settings for _, _, settings in core.previewed[shown:]]
    assert [one.sampler.w_tau for one in tried] == [0.6, 0.4, 0.4, 0.4], (
        "that on the screen is known, and so is Print, which comes to the same as Web video here"
    )
    assert {one.degradation.enlargement for one in tried} == {2.0}
    assert asking.previews.result.request.look == asking.session.filled_look
    colour = asking.parameters.looks.buttons["film"].icon().pixmap(68).toImage().pixelColor(34, 34)
    assert colour.red() > 200, "the restored face, and not the ground"


def test_pictures_are_made_anew_for_another_frame_and_not_for_another_look(qtbot, pictured, core):
    pictured.parameters.looks.buttons["crisp"].click()
    qtbot.waitUntil(
        lambda: settled(pictured) and pictured.previews.result.request.settings.sampler.w_tau == 0.6
    )
    made = len(core.previewed)
    qtbot.wait(50)
    assert with_picture(pictured) == set(LOOKS)
    assert len(core.previewed) == made
    pictured.session.seek(7)
    assert with_picture(pictured) == set(), "those of another frame would be wrong"
    qtbot.waitUntil(lambda: with_picture(pictured) == set(LOOKS))
    assert {index for index, _, _ in core.previewed[made:]} == {7}
    pictured.session.edit_settings("another seed", seed=5)
    qtbot.waitUntil(
        lambda: (
            [one.sampler.seed for one in pictured_with(pictured)] == [5] * len(LOOKS)
            and pictured.look_pictures._task is None
        )
    )


def test_a_picture_under_way_is_given_up_when_the_playhead_moves(qtbot, pictured, core):
    core.gate.clear()
    pictured.session.edit_settings("another seed", seed=5)
    core.gate.set()
    qtbot.waitUntil(lambda: pictured.look_pictures._task is not None)
    core.gate.clear()
    under_way = pictured.look_pictures._task
    ended = []
    pictured.worker.ended.connect(lambda task, outcome, _: ended.append((task, outcome.name)))
    pictured.look_pictures._timer.setInterval(10**6)
    pictured.session.seek(3)
    assert pictured.look_pictures._task is None
    core.gate.set()
    qtbot.waitUntil(lambda: (under_way, "CANCELLED") in ended)
    qtbot.waitUntil(lambda: settled(pictured))
    assert with_picture(pictured) == set()


def test_nothing_is_pictured_while_a_preview_runs(qtbot, pictured, core):
    core.gate.clear()
    pictured.session.seek(5)
    qtbot.waitUntil(lambda: not pictured.look_pictures._timer.isActive())
    assert pictured.look_pictures._task is None
    core.gate.set()
    qtbot.waitUntil(lambda: with_picture(pictured) == set(LOOKS))


def test_without_a_face_looks_have_no_pictures(qtbot, window, untold, clip, core):
    core.faces = 0
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: bool(window.session.found) and settled(window))
    begin(window)
    qtbot.waitUntil(lambda: len(window.look_pictures._pictures) == len(LOOKS))
    assert with_picture(window) == set()


def test_every_look_names_settings_that_exist():
    for look in LOOKS.values():
        assert set(look.values) <= set(GROUP_OF)


def test_nothing_jumps_when_pictures_come(qtbot, asking):
    heights = {button.height() for button in asking.parameters.looks.buttons.values()}
    begin(asking)
    qtbot.waitUntil(lambda: with_picture(asking) == set(LOOKS))
    QApplication.processEvents()
    assert {button.height() for button in asking.parameters.looks.buttons.values()} == heights
    assert len(heights) == 1


def test_what_was_found_of_shots_that_are_others_now_does_not_count(qtbot, asking):
    session = asking.session
    whole = session.found_here
    assert whole is not None
    session.edit_shots("split", lambda look: look.split_at(12))
    assert whole not in session.found_now
    qtbot.waitUntil(lambda: len(session.found_now) == 2)
    assert [one.frames.start for one in session.found_now] == [0, 12]
    session.edit_shots("merge", lambda look: look.merged_at(12))
    assert session.found_now == (whole,)
