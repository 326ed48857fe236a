"""What a user does, on a window whose core is a stand-in."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from app_fakes import HEIGHT, LENGTH, WIDTH
from PySide6.QtCore import QByteArray, QMimeData, QPoint, QPointF, QStandardPaths, Qt, QUrl
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QApplication, QMessageBox, QPushButton

from app import preferences, settings_commands, theme
from app.files import Files
from app.main_window import MainWindow
from app.recovery import Recovery
from app.tasks import ImportModel
from app.widgets.dialogs import CrashDialog, ExportDialog, PreferencesDialog
from app.widgets.viewer import ViewMode
from flair_core.errors import MediaError, WeightsError
from flair_core.jobs.queue import State
from flair_core.jobs.request import Request
from flair_core.settings.groups import DegradationSettings, RestorationSettings
from flair_core.settings.look import Look, read_look
from flair_core.settings.project import SUFFIX, read


def preview_is(window, **sampler):
    """Whether the finished preview of the current frame was made with these settings."""
    result = window.previews.result
    if result is None or not result.complete or window.previews.running:
        return False
    used = result.request
    return used.index == window.session.index and all(
        getattr(used.settings.sampler, name) == value for name, value in sampler.items()
    )


def test_a_dropped_clip_is_previewed(qtbot, window, clip):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(clip))])
    drop = QDropEvent(
        QPointF(9, 9),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    window.dropEvent(drop)
    qtbot.waitUntil(lambda: preview_is(window))
    assert window.session.clip.path == clip
    assert window.pages.currentIndex() == 1
    assert "clip.mp4" in window.windowTitle()


def test_an_open_clip_shows_its_zoom_and_lets_one_draw(qtbot, window, clip, core):
    core.faces = 0
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: preview_is(window))
    assert window.faces._draw.isEnabled()
    assert window.transport._percent.text() == f"{100 * window.viewer.zoom:.0f} %"


def test_the_faces_of_a_long_clip_are_searched_between_in_and_out(qtbot, window, clip, core, monkeypatch):
    monkeypatch.setattr("app.background.LONG", 10)
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: preview_is(window))
    assert window.previews.result.faces, "the frame on the screen was not searched"
    assert not window.session.searched
    assert "long clip" in window.faces._state.text()
    window.session.edit("span", span=(4, 9))
    qtbot.waitUntil(lambda: window.session.searched == range(4, 10))
    assert window.faces._state.isHidden()


def test_the_first_frame_shows_faces_steps_and_numbers(opened):
    assert len(opened.session.tracks) == 1
    assert [stages.step for stages in opened.previews.result.stages] == [1, 2, 3, 4]
    assert "step 4/4" in opened.status.preview
    assert opened.timeline.marks.residual == {0: 1.25}


def test_a_moved_slider_restarts_the_preview_which_sharpens_step_by_step(qtbot, opened, core):
    core.gate.clear()
    control = opened.parameters.controls["sampler", "w_tau"]
    control._slider.setValue(control._slider.maximum() // 2)
    qtbot.waitUntil(lambda: opened.previews.running)
    steps = []
    opened.previews.shown.connect(lambda result: steps.append(result.preview.step))
    core.gate.set()
    qtbot.waitUntil(lambda: preview_is(opened, w_tau=0.5))
    assert steps[-1] == 4
    assert steps == sorted(steps)


def test_dragging_a_slider_shows_the_last_value_only(qtbot, opened, core):
    core.gate.clear()
    control = opened.parameters.controls["sampler", "gamma"]
    for position in range(control._slider.maximum(), 20, -1):
        control._slider.setValue(position)
    core.gate.set()
    qtbot.waitUntil(lambda: preview_is(opened, gamma=opened.session.settings.sampler.gamma))
    assert opened.session.settings.sampler.gamma == pytest.approx(0.21)
    assert len({settings for _, _, settings in core.previewed}) < 10


def test_escape_cancels_after_the_current_step(qtbot, opened, core):
    before = len(core.previewed)
    opened.session.edit_setting("sampler", "steps", 50, "steps")
    core.gate.clear()
    qtbot.waitUntil(lambda: opened.previews.running)
    qtbot.wait(80)
    qtbot.keyClick(opened, Qt.Key.Key_Escape)
    core.gate.set()
    qtbot.wait(100)
    assert not opened.previews.running
    done = [step for _, step, settings in core.previewed[before:] if settings.sampler.steps == 50]
    assert len(done) < 50


def test_going_back_is_instant(qtbot, opened, core):
    opened.session.edit_setting("sampler", "seed", 7, "seed")
    qtbot.waitUntil(lambda: preview_is(opened, seed=7))
    count = len(core.previewed)
    opened.session.undo.undo()
    assert preview_is(opened, seed=0)
    qtbot.wait(80)
    assert len(core.previewed) == count


def test_scrubbing_shows_the_frame_under_the_playhead(qtbot, opened):
    opened.session.seek(11)
    qtbot.waitUntil(lambda: preview_is(opened))
    row = opened.previews.result.preview.observed[30]
    assert np.flatnonzero(row[:, 0] == 200)[0] == 31
    assert opened.transport._time.text() == "00:00:00:11"


def test_in_and_out_points(qtbot, opened):
    opened.session.seek(5)
    qtbot.keyClick(opened, Qt.Key.Key_I)
    opened.session.seek(9)
    qtbot.keyClick(opened, Qt.Key.Key_O)
    assert opened.session.span == range(5, 10)
    qtbot.keyClick(opened, Qt.Key.Key_Home)
    assert opened.session.index == 5
    qtbot.keyClick(opened, Qt.Key.Key_X)
    assert opened.session.span == range(LENGTH)


def export(window, output, span=None, **values):
    """Queue an export as the dialog does, and return its card."""
    dialog = ExportDialog(window.session, window)
    dialog._path.setText(str(output))
    window.queue.add(replace(dialog.request("cpu"), span=span or window.session.span, **values))
    return window.queue.jobs[-1].id


def state(window, job):
    """Of a job, as the list has it."""
    return next(each.state for each in window.queue.jobs if each.id == job)


def test_export_writes_the_file_and_cancel_leaves_nothing(qtbot, opened, core, tmp_path):
    job = export(opened, tmp_path / "out.mp4")
    qtbot.waitUntil(lambda: opened.banner.text == "out.mp4 is ready. The sound was copied.")
    assert state(opened, job) is State.DONE
    assert "started" in opened.queue.log(opened.queue.jobs[0])
    assert "The sound was copied." in opened.queue.log(opened.queue.jobs[0])
    assert (tmp_path / "out.mp4").exists()
    core.gate.clear()
    job = export(opened, tmp_path / "second.mp4")
    qtbot.waitUntil((tmp_path / "second.mp4.partial").exists)
    opened.queue.cancel(opened.queue.running)
    core.gate.set()
    qtbot.waitUntil(lambda: not list(tmp_path.glob("second.mp4*")))
    assert state(opened, job) is State.CANCELLED


def test_the_export_dialog_asks_for_what_the_project_says(opened, tmp_path):
    opened.session.edit("span", span=(2, 5), left_out=frozenset({0}))
    opened.session.edit_setting("sampler", "steps", 9, "K")
    dialog = ExportDialog(opened.session, opened)
    dialog._path.setText(str(tmp_path / "a.mp4"))
    dialog._format.setCurrentIndex(dialog._format.findText("mkv", Qt.MatchFlag.MatchContains))
    dialog._matte.setChecked(True)
    dialog._burn_in.setChecked(True)
    dialog._streams.setChecked(False)
    request = dialog.request("cpu")
    assert (request.span, request.left_out, request.look.settings.sampler.steps) == (range(2, 6), {0}, 9)
    assert request.searched == range(LENGTH)
    assert request.output == tmp_path / "a.mkv"
    assert (request.burn_in, request.with_streams) == (True, False)
    assert not ExportDialog(opened.session, opened).request("cpu").burn_in
    assert request.matte == tmp_path / "a-matte.mkv"
    assert (
        request.encoding.bits,
        request.encoding.quality,
        request.encoding.hardware,
        request.credentials,
    ) == (
        None,
        None,
        False,
        False,
    )


def test_the_export_dialog_remembers_what_was_chosen_but_not_the_burn_in(opened, monkeypatch):
    def choose(dialog):
        dialog._format.setCurrentIndex(dialog._format.findText("PNG", Qt.MatchFlag.MatchStartsWith))
        dialog._matte.setChecked(True)
        dialog._record.setChecked(False)
        dialog._burn_in.setChecked(True)
        return True

    monkeypatch.setattr(ExportDialog, "exec", choose)
    monkeypatch.setattr(opened.queue, "add", lambda request: None)
    opened.export_commands.on_export()
    seen = []
    monkeypatch.setattr(ExportDialog, "exec", lambda dialog: seen.append(dialog.request("cpu")))
    opened.export_commands.on_export()
    assert (seen[0].encoding.codec, seen[0].sidecar, seen[0].burn_in) == ("png", False, False)
    assert seen[0].matte is not None


def test_the_export_dialog_warns_of_a_full_disk_and_spares_earlier_exports(opened, clip, monkeypatch):
    earlier = clip.with_name("clip-restored.mp4")
    earlier.write_bytes(b"")
    dialog = ExportDialog(opened.session, opened)
    assert dialog.request("cpu").output == clip.with_name("clip-restored-2.mp4")
    assert dialog._space.isHidden()
    monkeypatch.setattr(
        "app.widgets.dialogs.export.shutil.disk_usage", lambda _: SimpleNamespace(free=2 * 10**4)
    )
    dialog._path.editingFinished.emit()
    assert dialog._space.isHidden(), "a small H.264 file has room"
    dialog._format.setCurrentIndex(dialog._format.findText("PNG", Qt.MatchFlag.MatchStartsWith))
    assert not dialog._space.isHidden()


def test_the_sample_clip_is_not_exported_into_the_cache(opened, clip, home, tmp_path, monkeypatch):
    home.mkdir(exist_ok=True)
    monkeypatch.setattr("app.widgets.dialogs.export.Path.home", lambda: tmp_path)
    monkeypatch.setattr(QStandardPaths, "writableLocation", lambda _: str(tmp_path / "no such folder"))
    opened.session.clip = replace(opened.session.clip, path=home / "flair-demo.mp4")
    assert ExportDialog(opened.session, opened).request("cpu").output == tmp_path / "flair-demo-restored.mp4"
    opened.session.clip = replace(opened.session.clip, path=clip)
    assert ExportDialog(opened.session, opened).request("cpu").output.parent == clip.parent


@pytest.mark.parametrize(("state", "title"), [(State.DONE, "Export ready"), (State.FAILED, "Export failed")])
def test_the_end_of_an_export_is_told_on_the_desktop(opened, clip, monkeypatch, state, title):
    told = []
    tray = "app.export_commands.QSystemTrayIcon"
    monkeypatch.setattr(f"{tray}.isSystemTrayAvailable", lambda: True)
    monkeypatch.setattr(f"{tray}.showMessage", lambda _, *message: told.append(message))
    monkeypatch.setattr(opened, "isActiveWindow", lambda: False)
    request = Request(source=clip, output=clip.with_name("out.mp4"), look=opened.session.look)
    opened.queue.ended.emit(SimpleNamespace(state=state, error="Full.", notes=(), request=request))
    assert told[0][:2] == (title, "out.mp4")


def test_the_export_dialog_offers_what_a_format_can_be_told(opened):
    dialog = ExportDialog(opened.session, opened)
    dialog._depth.setCurrentIndex(2)
    dialog._quality.setValue(20)
    for box in (dialog._hardware, dialog._credentials):
        box.setChecked(True)
    request = dialog.request("cpu")
    assert (
        request.encoding.bits,
        request.encoding.quality,
        request.encoding.hardware,
        request.credentials,
    ) == (10, 20, True, True)
    dialog._format.setCurrentIndex(dialog._format.findText("FFV1", Qt.MatchFlag.MatchContains))
    request = dialog.request("cpu")
    assert (
        request.encoding.bits,
        request.encoding.quality,
        request.encoding.hardware,
        request.credentials,
    ) == (None, None, False, True)
    dialog._format.setCurrentIndex(dialog._format.count() - 1)
    assert not dialog.request("cpu").credentials


def test_deinterlacing_reads_the_clip_anew_and_stays_at_the_frame(qtbot, opened):
    session = opened.session
    session.seek(5)
    assert session.clip.info.interlaced
    session.edit_setting("footage", "deinterlace", True, "Deinterlace")
    qtbot.waitUntil(lambda: not session.clip.info.interlaced)
    qtbot.waitUntil(lambda: preview_is(opened) and len(session.tracks) == 1)
    assert session.index == 5
    assert opened.previews.result.request.settings.footage.deinterlace
    session.undo.undo()
    qtbot.waitUntil(lambda: session.clip.info.interlaced)


def test_jobs_are_paused_reordered_and_go_on(qtbot, opened, core, tmp_path):
    core.gate.clear()
    first, second, third = (export(opened, tmp_path / f"{name}.mp4") for name in "abc")
    cards = opened.side.widget(1).cards
    cards[third].up.click()
    assert [job.id for job in opened.queue.jobs] == [first, third, second]
    cards[third].down.click()
    assert [job.id for job in opened.queue.jobs] == [first, second, third]
    cards[third].up.click()
    cards[first].pause.click()
    core.gate.set()
    qtbot.waitUntil(lambda: state(opened, second) is State.DONE)
    assert state(opened, first) is State.PAUSED
    assert not (tmp_path / "a.mp4").exists()
    cards[first].resume.click()
    qtbot.waitUntil((tmp_path / "a.mp4").exists)
    qtbot.waitUntil(lambda: not opened.queue.open)
    opened.queue.clear()
    assert not cards


def test_what_was_not_finished_is_offered_at_the_next_start(qtbot, opened, core, jobs, tmp_path):
    core.gate.clear()
    export(opened, tmp_path / "out.mp4")
    qtbot.waitUntil((tmp_path / "out.mp4.partial").exists)
    threading.Timer(0.3, core.gate.set).start()  # once closing waits, or a quick worker would be done before
    opened.close()
    again = MainWindow(lambda: core, core.open_source, jobs)
    qtbot.addWidget(again)
    again.export_commands.offer_queue()
    assert again.banner.text.startswith("Not finished from last time: 1")
    again.banner._buttons[0].click()
    qtbot.waitUntil((tmp_path / "out.mp4").exists)
    again.close()


def test_closing_during_work_leaves_no_thread_and_no_half_file(qtbot, opened, core, tmp_path):
    core.gate.clear()
    export(opened, tmp_path / "out.mp4")
    qtbot.waitUntil((tmp_path / "out.mp4.partial").exists)
    opened.session.seek(3)
    core.gate.set()
    opened.close()
    assert not any(thread.isRunning() for thread in (opened.worker, opened.loader, opened.thumbnailer))
    assert not (tmp_path / "out.mp4.partial").exists()  # whole, or not there at all


def test_export_into_a_missing_folder_is_one_calm_sentence(qtbot, opened, tmp_path):
    job = export(opened, tmp_path / "nowhere" / "out.mp4")
    qtbot.waitUntil(lambda: "no folder" in opened.banner.text)
    assert state(opened, job) is State.FAILED


def test_a_clip_that_cannot_be_opened_leaves_the_present_one(qtbot, opened, clip):
    opened.files.open_path(clip.with_name("missing.mp4"))
    qtbot.waitUntil(lambda: "missing.mp4" in opened.banner.text)
    assert opened.session.clip.path == clip
    opened.session.seek(4)
    qtbot.waitUntil(lambda: preview_is(opened))


def test_a_failing_preview_says_why(qtbot, opened, core):
    core.error = WeightsError("The model is missing. Download it.")
    opened.session.seek(2)
    qtbot.waitUntil(lambda: opened.banner.text == "The model is missing. Download it.")
    core.error = None
    opened.session.seek(3)
    qtbot.waitUntil(lambda: preview_is(opened))


def test_a_crash_keeps_the_work_and_offers_a_report_to_copy(qtbot, opened, config):
    opened.session.edit_setting("sampler", "steps", 9, "K")
    for _ in range(2):
        opened.report_crash("Traceback: a fault")
    (dialog,) = opened.findChildren(CrashDialog)
    (kept,) = (config / "recovery").glob("*.flair")
    assert read(kept).look.settings.sampler.steps == 9
    next(button for button in dialog.findChildren(QPushButton) if "Copy" in button.text()).click()
    text = QApplication.clipboard().text()
    assert "FLAIR Studio" in text
    assert "Traceback: a fault" in text
    dialog.reject()


def test_preferences_take_effect_and_are_kept(opened):
    dialog = PreferencesDialog(preferences.load(), opened)
    dialog._boxes["amplified"].setCurrentText("× 32")
    dialog._boxes["autosave"].setCurrentIndex(0)
    chosen = dialog.chosen
    preferences.save(chosen)
    opened._take_effect(preferences.load())
    assert opened.viewer._doublings == 5
    assert opened.files._timer.interval() == 5000


def test_another_language_is_announced_and_the_system_theme_followed(opened, monkeypatch):
    def choose(dialog):
        for name, value in (("language", "de"), ("theme", "system")):
            dialog._boxes[name].setCurrentIndex(dialog._boxes[name].findData(value))
        return True

    monkeypatch.setattr(PreferencesDialog, "exec", choose)
    opened.on_preferences()
    assert preferences.load().language == "de"
    assert "next" in opened.status.preview
    theme.apply("light")
    QApplication.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme.current() is theme.DARK
    preferences.save(replace(preferences.load(), theme="light"))
    theme.apply("light")
    QApplication.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme.current() is theme.LIGHT
    theme.apply("dark")


def test_the_window_comes_back_where_it_was(qtbot, opened, core, jobs):
    opened.resize(opened.width(), 640)
    opened.session.undo.setClean()
    opened.close()
    again = MainWindow(lambda: core, core.open_source, jobs)
    qtbot.addWidget(again)
    assert again.restoreGeometry(QByteArray.fromHex(preferences.load().window.encode()))
    assert again.height() == 640


def test_files_opened_before_are_listed_by_their_names_and_can_be_forgotten(qtbot, opened, tmp_path, clip):
    clip = clip.rename(tmp_path / "Laurel & Hardy.mp4")
    opened.files.open_path(clip)
    qtbot.waitUntil(lambda: opened.session.clip.path == clip)
    menu = opened.actions_.recent
    assert menu.actions()[0].text() == str(clip).replace("&", "&&")
    (button,) = (one for one in opened.welcome.findChildren(QPushButton) if "Hardy" in one.text())
    assert button.text() == "Laurel && Hardy.mp4"
    assert preferences.load().usual_folder == str(tmp_path)
    menu.actions()[-1].trigger()
    assert preferences.load().recent == ()
    assert not menu.isEnabled()


def test_a_folder_of_images_can_be_asked_for(qtbot, opened, tmp_path, monkeypatch):
    folder = tmp_path / "images"
    folder.mkdir()
    monkeypatch.setattr("app.files.QFileDialog.getExistingDirectory", lambda *_: str(folder))
    opened.actions_["open_folder"].trigger()
    qtbot.waitUntil(lambda: opened.session.clip.path == folder)


def test_undo_tells_what_it_takes_back(opened):
    opened.session.edit_setting("sampler", "steps", 9, "Change Steps")
    assert opened.actions_["undo"].toolTip().startswith("Undo: Change Steps  (Ctrl")
    opened.session.undo.undo()
    assert opened.actions_["redo"].toolTip().startswith("Redo: Change Steps")
    assert opened.actions_["undo"].toolTip().startswith("Undo  (Ctrl")


def test_an_own_preset_is_neither_replaced_nor_removed_unasked(opened, monkeypatch):
    asked, answer = [], [QMessageBox.StandardButton.No]

    def ask(_, __, question, ___):
        asked.append(question)
        return answer[0]

    def kept():
        return read_look(
            settings_commands.folder() / "Mine.json", RestorationSettings()
        ).settings.sampler.steps

    monkeypatch.setattr(QMessageBox, "question", ask)
    monkeypatch.setattr("app.settings_commands.QInputDialog.getText", lambda *_: ("Mine", True))
    opened.session.edit_setting("sampler", "steps", 9, "K")
    opened.settings_commands.on_keep_preset()
    assert not asked
    opened.session.edit_setting("sampler", "steps", 11, "K")
    opened.settings_commands.on_keep_preset()
    assert kept() == 9
    answer[0] = QMessageBox.StandardButton.Yes
    opened.settings_commands.on_keep_preset()
    assert kept() == 11
    opened.settings_commands._fill()
    forget = next(one.menu() for one in opened.settings_commands.menu.actions() if one.menu())
    forget.actions()[0].trigger()
    assert not (settings_commands.folder() / "Mine.json").exists()
    assert len(asked) == 3


def test_a_difference_is_amplified_as_much_as_it_says(qtbot, opened):
    opened.viewer.set_mode(ViewMode.DIFFERENCE)
    opened.viewer.set_zoom(4.0)
    result = opened.previews.result.preview
    spot = opened.viewer.target(opened.viewer.panes()[0]).topLeft() + QPointF(40, 40) * 4
    difference = int(result.frame[40, 40, 0]) - int(result.observed[40, 40, 0])
    for times in (2, 4, 8):
        opened.viewer.amplify(times)
        pixel = opened.viewer.grab().toImage().pixelColor(spot.toPoint() + QPoint(1, 1))
        assert pixel.red() == min(times * difference, 255)


def test_a_fault_of_the_program_is_reported_and_survived(qtbot, opened, core):
    core.error = ZeroDivisionError("a fault")
    with qtbot.waitSignal(opened.worker.crashed) as crash:
        opened.session.seek(2)
    assert "ZeroDivisionError" in crash.args[0]
    core.error = None
    opened.session.seek(3)
    qtbot.waitUntil(lambda: preview_is(opened))


def test_no_face_is_offered_two_ways_out(qtbot, window, clip, core):
    core.faces = 0
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: "No face" in window.banner.text)
    window.banner._buttons[1].click()
    assert window.session.settings.faces.aligned


def test_a_face_drawn_by_hand_is_restored_and_can_be_removed(qtbot, window, clip, core):
    core.faces = 0
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: preview_is(window) and window.session.searched == range(LENGTH))
    window.mask_commands.on_draw_face()
    start, end = (_at(window.viewer, *point) for point in ((24, 18), (72, 54)))
    qtbot.mousePress(window.viewer, Qt.MouseButton.LeftButton, pos=start)
    qtbot.mouseMove(window.viewer, end)
    qtbot.mouseRelease(window.viewer, Qt.MouseButton.LeftButton, pos=end)
    (face,) = window.session.project.drawn
    assert np.allclose(face.box, (24, 18, 72, 54), atol=1)
    assert (face.first, face.last) == (0, LENGTH - 1)
    qtbot.waitUntil(lambda: preview_is(window) and window.previews.result.preview.mask.any())
    window.mask_commands.on_remove_face()
    assert window.session.project.drawn == ()


def _at(viewer, x, y):
    """Where a pixel of the picture lies in the viewer."""
    target = viewer.target(viewer.panes()[0])
    scale = target.width() / viewer.picture_size.width()
    return QPoint(round(target.left() + x * scale), round(target.top() + y * scale))


def drag(qtbot, viewer, *spots, button=Qt.MouseButton.LeftButton):
    """Drag the mouse over pixels of the picture."""
    places = [_at(viewer, *spot) for spot in spots]
    qtbot.mousePress(viewer, button, pos=places[0])
    for place in places[1:]:
        qtbot.mouseMove(viewer, place)
    qtbot.mouseRelease(viewer, button, pos=places[-1])


def test_a_brush_paints_on_the_face_and_moves_along_with_it(qtbot, opened, core):
    viewer = opened.viewer
    qtbot.keyClick(opened, Qt.Key.Key_P)
    drag(qtbot, viewer, (20, 20), (35, 35), (50, 50))  # the face's box is (20, 20, 50, 50) here
    (stroke,) = opened.session.project.strokes
    assert (stroke.face, stroke.erases) == (0, False)
    assert np.allclose(stroke.points[0], (0, 0), atol=0.05)
    assert np.allclose(stroke.points[-1], (1, 1), atol=0.05)
    qtbot.waitUntil(lambda: preview_is(opened) and bool(opened.previews.result.faces[0].strokes))
    qtbot.keyClick(opened, Qt.Key.Key_E)
    drag(qtbot, viewer, (35, 35), (36, 36))
    drag(qtbot, viewer, (35, 35), (36, 36), button=Qt.MouseButton.RightButton)
    assert [each.erases for each in opened.session.project.strokes] == [False, True, False]
    assert not viewer.grab().isNull()
    opened.session.seek(10)  # where the face is ten pixels further to the right
    qtbot.waitUntil(lambda: preview_is(opened))
    drag(qtbot, viewer, (30, 20), (31, 20))
    assert np.allclose(opened.session.project.strokes[-1].points[0], (0, 0), atol=0.05)
    opened.session.undo.undo()
    assert len(opened.session.project.strokes) == 3
    opened.mask_commands.on_reset_mask()
    assert not opened.session.project.strokes
    qtbot.keyClick(opened, Qt.Key.Key_Escape)
    drag(qtbot, viewer, (35, 35), (45, 40))
    assert not opened.session.project.strokes, "the brush was put away"


def test_brushes_grow_and_painting_is_saved_and_exported(qtbot, opened, tmp_path):
    opened.brush_tools._size.setValue(10)
    qtbot.keyClick(opened, Qt.Key.Key_BracketRight)
    opened.mask_commands.on_erase_mask(opened.actions_["erase_mask"].setChecked(True))
    drag(qtbot, opened.viewer, (30, 30), (40, 30))
    assert opened.session.project.strokes[0].radius == 0.11
    project = opened.session.project
    assert ExportDialog(opened.session, opened).request("cpu").strokes == project.strokes
    opened.files.save_to(tmp_path / f"work{SUFFIX}")
    assert read(tmp_path / f"work{SUFFIX}").strokes == project.strokes


def test_a_clicked_face_is_selected_and_can_be_left_out(qtbot, opened, core):
    qtbot.mouseClick(opened.viewer, Qt.MouseButton.LeftButton, pos=_at(opened.viewer, 40, 40))
    assert opened.session.selected == 0
    opened.faces._list.item(0).setCheckState(Qt.CheckState.Unchecked)
    assert opened.session.project.left_out == {0}
    qtbot.waitUntil(lambda: preview_is(opened) and not opened.previews.result.preview.mask.any())


def test_the_wipe_follows_the_mouse(qtbot, opened):
    viewer = opened.viewer
    middle, quarter = QPoint(viewer.width() // 2, 40), QPoint(viewer.width() // 4, 40)
    qtbot.mousePress(viewer, Qt.MouseButton.LeftButton, pos=middle)
    qtbot.mouseMove(viewer, quarter)
    qtbot.mouseRelease(viewer, Qt.MouseButton.LeftButton, pos=quarter)
    assert viewer._wipe == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize(("key", "mode"), list(zip("12345", ViewMode, strict=True)))
def test_every_way_to_compare_paints(qtbot, opened, key, mode):
    qtbot.keyClick(opened, key)
    assert opened.viewer.mode is mode
    assert not opened.viewer.grab().isNull()


def test_side_by_side_shows_both_versions_at_the_same_place(opened):
    opened.viewer.set_mode(ViewMode.SIDE_BY_SIDE)
    opened.viewer.set_zoom(4.0)
    image = opened.viewer.grab().toImage()
    left, right = opened.viewer.panes()
    for pane, column in ((left, 0), (right, 1)):
        spot = opened.viewer.target(pane).topLeft() + QPointF(40, 40) * 4
        result = opened.previews.result.preview
        expected = (result.observed, result.frame)[column][40, 40]
        pixel = image.pixelColor(spot.toPoint() + QPoint(1, 1))
        assert (pixel.red(), pixel.green(), pixel.blue()) == tuple(expected)


def test_a_step_opens_its_stages(qtbot, opened):
    opened.steps.choose(2)
    assert opened.pictures.currentWidget() is opened.stage_view
    assert opened.stage_view.columns() == 3
    qtbot.keyClick(opened, Qt.Key.Key_Escape)
    assert opened.pictures.currentWidget() is opened.viewer


def test_undo_takes_back_one_drag_at_a_time(opened):
    for value in (0.9, 0.8, 0.7):
        opened.session.edit_setting("sampler", "gamma", value, "γ")
    opened.session.edit_setting("sampler", "rho", 0.5, "ρ")
    assert opened.session.undo.count() == 2
    opened.session.undo.undo()
    opened.session.undo.undo()
    assert opened.session.settings == RestorationSettings()
    opened.session.undo.redo()
    assert opened.session.settings.sampler.gamma == 0.7


def test_save_reopen_gives_the_same_project(qtbot, opened, tmp_path, clip):
    opened.session.edit_setting("sampler", "steps", 9, "K")
    opened.session.edit("span", span=(2, 8))
    path = tmp_path / "projects" / f"work{SUFFIX}"
    assert opened.files.save_to(path)
    assert not opened.isWindowModified()
    assert json.loads(path.read_text())["clip"] == "../clip.mp4"
    project = opened.session.project
    opened.files.open_path(path)
    qtbot.waitUntil(lambda: opened.session.path == path and preview_is(opened, steps=9))
    assert opened.session.project == project
    assert opened.session.index == 2


def test_a_moved_clip_can_be_found_again(qtbot, opened, tmp_path, clip, monkeypatch):
    path = tmp_path / f"work{SUFFIX}"
    opened.files.save_to(path)
    moved = clip.rename(tmp_path / "elsewhere.mp4")
    opened.files.open_path(path)
    qtbot.waitUntil(lambda: bool(opened.banner._buttons) and "clip.mp4" in opened.banner.text)
    monkeypatch.setattr("app.files.QFileDialog.getOpenFileName", lambda *_: (str(moved), ""))
    opened.banner._buttons[0].click()
    qtbot.waitUntil(lambda: opened.session.clip is not None and opened.session.clip.path == moved)


def test_unsaved_work_survives_a_crash(qtbot, opened, clip, config, tmp_path):
    saved = tmp_path / "saved.flair"
    opened.files.save_to(saved)
    opened.session.edit_setting("sampler", "steps", 9, "K")
    opened.files.autosave(settled=True)
    (kept,) = (config / "recovery").glob("*.flair")
    assert read(kept).look.settings.sampler.steps == 9
    Files(opened.session, opened.loader, opened).offer_recovery()
    assert not opened.banner.text, "the program that is at work still has it"
    opened.files._recovery = Recovery()  # the lock goes with the program
    opened.session.undo.setClean()
    opened.files.open_path(clip)
    qtbot.waitUntil(lambda: preview_is(opened, steps=4))
    opened.files.offer_recovery()
    opened.banner._buttons[0].click()
    qtbot.waitUntil(lambda: preview_is(opened, steps=9))
    assert opened.session.dirty
    assert opened.files.on_save()
    assert opened.session.path == saved
    assert read(saved).look.settings.sampler.steps == 9
    assert not read(saved).unknown
    assert not kept.exists()


def test_what_a_crash_left_stays_until_someone_decides(qtbot, opened, clip, config, monkeypatch):
    def left():
        return sorted(
            read(file).look.settings.sampler.steps for file in (config / "recovery").glob("*.flair")
        )

    opened.session.edit_setting("sampler", "steps", 9, "K")
    opened.files.autosave(settled=True)
    opened.files._recovery = Recovery()  # the lock goes with the program
    opened.session.undo.setClean()
    opened.files.open_path(clip)
    qtbot.waitUntil(lambda: preview_is(opened, steps=4))
    opened.files.offer_recovery()
    opened.queue.jobs = (SimpleNamespace(state=State.PAUSED),)
    monkeypatch.setattr(opened.export_commands, "_open_queue", lambda: None)
    opened.export_commands.offer_queue()
    assert "unexpectedly" in opened.banner.text, "the queue's question does not hide this one"
    opened.session.edit_setting("sampler", "steps", 7, "K")
    opened.files.autosave(settled=True)
    assert left() == [7, 9]

    monkeypatch.setattr(QMessageBox, "exec", lambda _: QMessageBox.StandardButton.Cancel)
    opened.banner._buttons[0].click()
    assert "unexpectedly" in opened.banner.text, "the present work was to stay, the offer stands"
    away = clip.rename(clip.with_name("away.mp4"))
    monkeypatch.setattr(QMessageBox, "exec", lambda _: QMessageBox.StandardButton.Discard)
    opened.banner._buttons[0].click()
    qtbot.waitUntil(lambda: "clip.mp4" in opened.banner.text)
    assert left() == [9], "what can't be opened is not lost"
    monkeypatch.setattr("app.files.QFileDialog.getOpenFileName", lambda *_: (str(away), ""))
    opened.banner._buttons[0].click()
    qtbot.waitUntil(lambda: preview_is(opened, steps=9))
    opened.session.edit_setting("sampler", "steps", 11, "K")
    opened.files.autosave(settled=True)
    assert left() == [11]


def test_a_clip_that_moved_with_its_project_is_found_and_one_that_did_not_is_asked_for(
    qtbot, opened, clip, tmp_path, monkeypatch
):
    opened.session.edit_setting("sampler", "steps", 9, "K")
    opened.files.save_to(tmp_path / "p.flair")
    moved = tmp_path / "moved"
    moved.mkdir()
    (tmp_path / "p.flair").rename(moved / "p.flair")
    clip.rename(moved / clip.name)
    opened.files.open_path(moved / "p.flair")
    qtbot.waitUntil(lambda: opened.session.path == moved / "p.flair" and preview_is(opened, steps=9))
    assert opened.session.clip.path == moved / clip.name
    opened.session.undo.setClean()
    elsewhere = tmp_path / "elsewhere.mp4"
    (moved / clip.name).rename(elsewhere)
    opened.files.open_path(moved / "p.flair")
    qtbot.waitUntil(lambda: bool(opened.banner.text))
    monkeypatch.setattr("app.files.QFileDialog.getOpenFileName", lambda *_: (str(elsewhere), ""))
    opened.banner._buttons[0].click()
    qtbot.waitUntil(lambda: opened.session.clip is not None and opened.session.clip.path == elsewhere)
    assert opened.session.dirty, "the project does not know the new place until it is saved"
    opened.files.on_save()
    assert read(moved / "p.flair").clip == elsewhere


@pytest.mark.parametrize(
    ("answer", "closed"),
    [(QMessageBox.StandardButton.Cancel, False), (QMessageBox.StandardButton.Discard, True)],
)
def test_closing_asks_about_unsaved_work(opened, monkeypatch, answer, closed):
    opened.session.edit_setting("sampler", "steps", 9, "K")
    monkeypatch.setattr(QMessageBox, "exec", lambda _: answer)
    assert opened.close() is closed


def test_presets_and_the_clipboard_carry_settings(opened, tmp_path, monkeypatch):
    opened.session.edit_setting("sampler", "steps", 9, "K")
    monkeypatch.setattr(
        "app.settings_commands.QFileDialog.getSaveFileName", lambda *_: (str(tmp_path / "p.json"), "")
    )
    opened.settings_commands.on_save_preset()
    opened.settings_commands.on_copy_settings()
    opened.settings_commands.on_reset_settings()
    opened.settings_commands.on_paste_settings()
    assert opened.session.settings.sampler.steps == 9
    (tmp_path / "p.json").write_text('{"sampler": {"speed": 3}}')
    monkeypatch.setattr(
        "app.settings_commands.QFileDialog.getOpenFileName", lambda *_: (str(tmp_path / "p.json"), "")
    )
    opened.settings_commands.on_open_preset()
    assert "sampler.speed" in opened.banner.text
    assert opened.session.settings.sampler.steps == 9


def test_exploring_fills_the_plot_and_a_point_can_be_adopted(qtbot, opened):
    opened.background.explore()
    qtbot.waitUntil(lambda: opened.background._exploration is None)
    assert len(opened.explorer._points) >= 25, "every K and w_τ at least once"
    point = next(p for p in opened.explorer._points if p.result.request.settings.sampler.steps == 16)
    opened.explorer._adopt(point)
    assert opened.session.settings.sampler.steps == 16
    # Fidelity falls as w_τ rises, because the stand-in's residual grows with it.
    strong, weak = (
        next(p for p in opened.explorer._points if p.result.request.settings.sampler.w_tau == w)
        for w in (1, 0)
    )
    assert strong.goodness[0] < weak.goodness[0]


def test_with_a_reference_points_are_measured_against_it(qtbot, opened, core, clip, monkeypatch):
    """The stand-in's squares are grey enough that brightening them is wrong: the more, the farther."""
    truth = clip.with_name("truth.mp4")
    truth.write_bytes(b"")
    monkeypatch.setattr("app.files.QFileDialog.getOpenFileName", lambda *_: (str(truth), ""))
    core.reference_length = 23
    opened.actions_["load_reference"].trigger()
    qtbot.waitUntil(lambda: "truth.mp4 has 23 frames, but clip.mp4 24" in opened.banner.text)
    assert opened.session.project.reference is None

    core.reference_length = LENGTH
    opened.explorer._load.click()
    qtbot.waitUntil(lambda: opened.session.project.reference == truth)
    assert "alexnet.pth" in opened.explorer._hint.text()
    opened.explorer._button.click()
    qtbot.waitUntil(lambda: opened.background._exploration is None and len(opened.explorer._points) > 20)
    assert {point.measures for point in opened.explorer._points} == {("psnr", "sharpness")}
    # Inside of the face, the ellipse, the stand-in adds 40 to all pixels.
    assert opened.explorer._points[0].values[0] == pytest.approx(20 * np.log10(255 / 40), abs=0.3)

    core.lpips = lambda pair: float(np.abs(pair.restored.astype(float) - pair.clean)[pair.mask].mean() / 255)
    opened.files.on_remove_reference()
    assert not opened.explorer._points
    opened.explorer._load.click()
    qtbot.waitUntil(lambda: opened.session.project.reference == truth)
    assert "alexnet" not in opened.explorer._hint.text()
    opened.explorer._button.click()
    qtbot.waitUntil(lambda: opened.background._exploration is None and len(opened.explorer._points) > 20)
    point = opened.explorer._points[-1]
    assert point.measures == ("psnr", "lpips")
    assert point.goodness == (point.values[0], -point.values[1])
    assert "LPIPS" in opened.explorer._plot.accessibleName()
    opened.session.undo.undo()
    opened.session.undo.undo()
    assert opened.explorer.reference == truth
    opened.session.undo.undo()
    assert opened.explorer.reference is None


def test_the_degradation_is_estimated_in_one_undoable_step_with_its_certainty(qtbot, opened):
    estimator = opened.parameters.estimator
    before = opened.session.settings
    estimator.button.click()
    assert not estimator.button.isEnabled()
    qtbot.waitUntil(estimator.button.isEnabled)
    assert opened.session.settings.degradation.blur_sigma == 2.5
    assert opened.session.settings.sampler == before.sampler
    assert "scale 95%" in estimator.words
    assert "A guess: noise" in estimator.words
    assert opened.session.undo.count() == 1
    opened.session.undo.undo()
    assert opened.session.settings == before


def test_an_estimate_without_a_face_says_what_to_do(qtbot, window, clip, core):
    core.faces = 0
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: preview_is(window) and window.session.searched == range(LENGTH))
    window.parameters.estimator.button.click()
    qtbot.waitUntil(lambda: window.banner.text == "There is no face here.")
    assert window.parameters.estimator.button.isEnabled()


def test_rendering_in_to_out_fills_the_timeline_and_plays(qtbot, opened):
    opened.session.edit("span", span=(0, 5))
    opened.background.prerender()
    qtbot.waitUntil(lambda: set(opened.timeline.marks.residual) == set(range(6)))
    seen = set()
    opened.previews.shown.connect(lambda result: seen.add(result and result.request.index))
    opened.player.toggle()
    qtbot.waitUntil(lambda: seen >= set(range(6)))
    opened.player.stop()


def test_what_earlier_runs_restored_is_marked(qtbot, window, clip, core):
    look = Look(RestorationSettings())
    core.earlier = {3: look, 4: look, 9: look.everywhere(seed=5)}
    window.files.open_path(clip)
    qtbot.waitUntil(
        lambda: set(window.timeline.marks.residual) >= {3, 4} and 9 in window.timeline.marks.stale
    )
    assert not window.timeline.marks.stale & {3, 4}
    window.session.edit_setting("sampler", "seed", 5, "seed")
    assert window.timeline.marks.stale >= {3, 4}
    count = len(core.previewed)
    window.session.undo.undo()
    window.session.seek(4)
    qtbot.waitUntil(lambda: preview_is(window))
    assert 4 not in [index for index, *_ in core.previewed[count:]], "it was restored again"


def test_doubt_is_measured_over_seeds_as_long_as_someone_looks(qtbot, opened, core):
    qtbot.keyClick(opened, "5")
    qtbot.waitUntil(lambda: opened.viewer._spread is not None and opened.viewer._spread.seeds == 8)
    assert {settings.sampler.seed for _, _, settings in core.previewed} == set(range(8))
    count = len(core.previewed)
    opened.session.seek(4)
    qtbot.keyClick(opened, "2")
    qtbot.waitUntil(lambda: preview_is(opened))
    assert opened.viewer._spread is None
    assert len(core.previewed) <= count + 8


def test_a_and_b_are_two_settings(qtbot, opened):
    qtbot.keyClick(opened, "B")
    opened.session.edit_setting("sampler", "steps", 9, "K")
    qtbot.keyClick(opened, "B")
    assert opened.session.settings.sampler.steps == 4
    qtbot.keyClick(opened, "B")
    assert opened.session.settings.sampler.steps == 9


def test_an_imported_model_is_offered(qtbot, opened):
    box = opened.parameters.controls["sampler", "model"]._box
    opened.worker.submit(ImportModel(Path("notes.txt"), "flair-x8"))
    qtbot.waitUntil(lambda: "notes.txt is no checkpoint" in opened.banner.text)
    assert box.count() == 1
    opened.worker.submit(ImportModel(Path("flair_x8.pth"), "flair-x8"))
    qtbot.waitUntil(lambda: box.count() == 2)
    box.setCurrentIndex(1)
    assert opened.session.settings.sampler.model == "flair-x8"


def test_a_model_that_is_not_here_is_grey_and_tells_how_to_get_it(opened):
    box = opened.parameters.controls["sampler", "enhancer"]._box
    item = box.model().item(box.findData("gfpgan"))
    assert not item.isEnabled()
    assert item.text() == "gfpgan – to be fetched"
    assert "GFPGANv1.4.pth is not on this computer. To get it, run “flair models get" in item.toolTip()
    assert box.model().item(box.findData("detail")).isEnabled()
    opened.session.edit_setting("sampler", "enhancer", "gfpgan", "of a project from elsewhere")
    assert box.currentData() == "gfpgan"


def test_what_is_to_be_known_of_a_preview_is_said_once(qtbot, opened, core):
    core.notes = ("The parser is missing.",)
    opened.session.edit_setting("sampler", "steps", 2, "K")
    qtbot.waitUntil(lambda: opened.banner.text == "The parser is missing.")
    opened.banner.hide()
    opened.session.edit_setting("sampler", "steps", 3, "K")
    qtbot.waitUntil(lambda: preview_is(opened) and opened.previews.result.preview.steps == 3)
    assert opened.banner.text == ""


def test_a_side_car_sets_the_degradation(qtbot, window, clip, core, monkeypatch):
    monkeypatch.setattr(core, "read_sidecar", lambda path: DegradationSettings(scale=8))
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: window.session.settings.degradation.scale == 8)


def test_the_picture_has_the_size_of_what_will_be_written(qtbot, opened):
    opened.session.edit_setting("faces", "upscale", 2, "size")
    qtbot.waitUntil(
        lambda: preview_is(opened) and opened.previews.result.preview.frame.shape[0] == 2 * HEIGHT
    )
    assert opened.viewer.picture_size.toTuple() == (2 * WIDTH, 2 * HEIGHT)


def test_the_demo_that_fails_says_so(qtbot, window):
    window.files.on_open_demo()
    qtbot.waitUntil(lambda: window.banner.text == "There is no sample clip here.")


def test_a_core_that_cannot_load_leaves_a_usable_window(qtbot, config, clip, core, jobs):
    def broken():
        raise MediaError("The core is broken. Install it again.")

    window = MainWindow(broken, core.open_source, jobs)
    qtbot.addWidget(window)
    qtbot.waitUntil(lambda: window.banner.text == "The core is broken. Install it again.")
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: window.session.clip is not None and not window.previews.running)
    window.banner.hide()
    window.files.on_open_demo()
    qtbot.waitUntil(lambda: window.banner.text == "The core is broken. Install it again.")
    assert window.status._task.isHidden()
    window.close()
    assert not window.worker.isRunning()


def test_another_theme_dresses_everything_that_is_open(opened):
    dice = opened.parameters.controls["sampler", "seed"].aside
    dark = dice.icon().pixmap(16).toImage()
    try:
        theme.apply("light")
        assert dice.icon().pixmap(16).toImage() != dark
    finally:
        theme.apply("dark")
    assert dice.icon().pixmap(16).toImage() == dark
