"""The window over the real core: sample clip, faces, preview, export."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from app.main_window import MainWindow
from app.widgets.dialogs import ExportDialog
from app.worker import RestorationCore
from flair_core.jobs import Request, State

pytestmark = pytest.mark.skipif(
    not (resources.files("resources") / "starter.safetensors").is_file(),
    reason="the starter model is not here",
)


@pytest.fixture
def window(qtbot, dressed, config, jobs, tmp_path, monkeypatch):
    from app.frame_loader import open_source

    monkeypatch.setattr("flair_core.cache.default_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr("app.worker.platformdirs.user_cache_path", lambda *_, **__: tmp_path / "demo")
    window = MainWindow(lambda: RestorationCore("cpu", jobs), open_source, jobs)
    qtbot.addWidget(window, before_close_func=lambda _: window.session.undo.setClean())
    yield window
    window.session.undo.setClean()
    window.close()


def test_the_exported_frames_are_those_of_the_preview(qtbot, window, tmp_path):
    from flair_core import video

    window.open_demo()
    qtbot.waitUntil(lambda: bool(window.session.tracks), timeout=120_000)
    window.session.edit_setting("sampler", "steps", 2, "K")
    shown = {}

    def keep(result):
        if result is not None and result.complete and result.request.settings.sampler.steps == 2:
            shown[result.request.index] = result

    window.previews.shown.connect(keep)
    for index in (5, 6):
        window.session.seek(index)
        qtbot.waitUntil(lambda index=index: index in shown, timeout=60_000)
    result = shown[5]
    assert [sorted(stages.images) for stages in result.stages] == [sorted(("x0", "after DC", "after G"))] * 2
    assert result.preview.residual_map.shape == result.preview.mask.shape
    assert result.preview.residual_map[result.preview.mask == 0].max() < 1
    assert len(result.schedules.gamma) == 2

    project, output = window.session.project, tmp_path / "out.mkv"
    window.queue.add(
        Request(
            source=project.clip,
            output=output,
            look=project.look,
            span=range(5, 7),
            searched=window.session.searched,
            codec="ffv1-rgb",
        )
    )
    qtbot.waitUntil(output.exists, timeout=60_000)
    with video.open_source(output) as written:
        for at, index in enumerate((5, 6)):
            np.testing.assert_array_equal(written[at].rgb, shown[index].preview.frame)


def test_from_a_clip_over_keyframes_and_a_saved_project_to_a_file_whose_frames_are_the_previews(
    qtbot, window, tmp_path, monkeypatch
):
    """Open, find faces, tune, keyframe, a shot of its own, save, reopen, export, and restore the project again."""
    import platformdirs

    from flair_core import video
    from flair_core.cli import main

    def restored(index):
        window.session.seek(index)

        def there():
            result = window.previews.result
            return result is not None and result.complete and result.request.index == index

        qtbot.waitUntil(lambda: there() and not window.previews.running, timeout=60_000)
        return window.previews.result.preview.frame

    window.open_demo()
    qtbot.waitUntil(lambda: bool(window.session.tracks), timeout=120_000)
    session, panel = window.session, window.parameters
    session.edit_setting("sampler", "steps", 2, "K")
    session.seek(5)
    panel.keys["w_tau"].click()
    session.seek(8)
    panel.controls["sampler", "w_tau"]._choose(1.0)
    session.edit_shots("split", lambda look: look.split_at(7))
    session.set_scope("shot")
    session.edit_settings("grainier", noise=0.03, steps=3)
    session.set_scope("face")
    panel.controls["sampler", "gamma"]._choose(0.8)
    session.edit("span", span=(5, 8))
    before = {index: restored(index) for index in range(5, 9)}
    assert len({frame.tobytes() for frame in before.values()}) == 4

    path = tmp_path / "film.flair"
    assert window.files.save_to(path)
    project = session.project
    session.edit_setting("sampler", "seed", 9, "seed")
    session.undo.setClean()
    window.files.open_path(path)
    qtbot.waitUntil(lambda: session.project == project and bool(session.tracks), timeout=60_000)
    for index, frame in before.items():
        np.testing.assert_array_equal(restored(index), frame)

    dialog = ExportDialog(session, window)
    dialog._path.setText(str(tmp_path / "out.mkv"))
    window.queue.add(replace(dialog.request("cpu"), codec="ffv1-rgb"))
    qtbot.waitUntil((tmp_path / "out.mkv").exists, timeout=60_000)

    for name in ("user_data_path", "user_cache_path"):
        monkeypatch.setattr(platformdirs, name, lambda *_, **__: tmp_path / "home")
    again = tmp_path / "again.mkv"
    assert main(["restore", str(path), "-o", str(again), "--codec", "ffv1-rgb", "--device", "cpu"]) == 0
    for output in (tmp_path / "out.mkv", again):
        with video.open_source(output) as written:
            assert len(written) == len(before)
            for at, frame in enumerate(before.values()):
                np.testing.assert_array_equal(written[at].rgb, frame)


def test_a_real_export_is_paused_goes_on_survives_a_restart_and_is_tried_again(
    qtbot, window, jobs, config, tmp_path
):
    from app.frame_loader import open_source
    from flair_core import video

    def panel(shown):
        return shown.side.widget(1)

    def job(shown, output):
        return next(job for job in shown.queue.jobs if job.request.output == output)

    def add(shown, output, request):
        shown.queue.add(replace(request, output=output))
        return panel(shown).cards[job(shown, output).id]

    def written(shown, frames):
        pace = shown.queue.pace
        return pace is not None and pace.now.stage == "restore" and pace.now.done >= frames

    window.open_demo()
    qtbot.waitUntil(lambda: bool(window.session.tracks), timeout=120_000)
    window.session.edit_setting("sampler", "steps", 1, "K")
    look, searched = window.session.look, window.session.searched
    clip, held, whole = window.session.project.clip, tmp_path / "held.mkv", tmp_path / "whole.mkv"
    request = Request(
        source=clip, output=held, look=look, span=range(14), searched=searched, codec="ffv1-rgb", device="cpu"
    )
    card = add(window, held, request)
    qtbot.waitUntil(lambda: written(window, 2), timeout=60_000)
    assert "left" in card.text.text()
    card.pause.click()
    qtbot.waitUntil(lambda: job(window, held).state is State.PAUSED, timeout=60_000)
    assert not held.exists()
    card.resume.click()
    done = job(window, held).done
    assert 0 < done < 14
    qtbot.waitUntil(lambda: written(window, done + 1), timeout=60_000)
    window.session.undo.setClean()
    window.close()
    assert not held.exists()

    again = MainWindow(lambda: RestorationCore("cpu", jobs), open_source, jobs)
    qtbot.addWidget(again)
    again.offer_queue()
    again.banner._buttons[0].click()
    qtbot.waitUntil(held.exists, timeout=60_000)
    qtbot.waitUntil(lambda: not again.queue.open)
    assert again.banner.text.startswith("held.mkv is ready")
    log = again.queue.log(job(again, held))
    assert [log.count(word) for word in ("  started", "  paused", "  done")] == [3, 2, 1]

    lacking = tmp_path / "later" / "again.mkv"
    card = add(again, lacking, replace(request, span=range(2)))
    qtbot.waitUntil(lambda: job(again, lacking).state is State.FAILED, timeout=60_000)
    assert str(lacking) in card.text.text()
    lacking.parent.mkdir()
    card.retry.click()
    qtbot.waitUntil(lambda: job(again, lacking).state is State.DONE, timeout=60_000)

    shutil.rmtree(tmp_path / "cache")  # nothing to go on from
    add(again, whole, request)
    qtbot.waitUntil(lambda: job(again, whole).state is State.DONE, timeout=60_000)
    again.close()
    with video.open_source(held) as one, video.open_source(whole) as other:
        assert len(one) == len(other) == 14
        for index in range(14):
            np.testing.assert_array_equal(one[index].rgb, other[index].rgb)
