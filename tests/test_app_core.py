"""The window over the real core: sample clip, faces, preview, export."""

from __future__ import annotations

import functools
import importlib
import shutil
import threading
from dataclasses import replace
from importlib import resources

import numpy as np
import pytest

from app.core import RestorationCore
from app.main_window import MainWindow
from app.widgets.dialogs import ExportDialog
from flair_core.jobs.queue import State
from flair_core.jobs.request import Request
from flair_core.settings.output import OutputOptions

pytestmark = pytest.mark.skipif(
    not (resources.files("resources") / "starter.safetensors").is_file(),
    reason="the starter model is not here",
)
HEAVY = (
    ("av", "open"),
    ("cv2", "warpAffine"),
    ("torch.nn.functional", "conv2d"),
    ("flair_core.kept.cache", "Cache.get"),
    ("flair_core.kept.cache", "Cache.put"),
    ("flair_core.denoisers.compact", "load"),
    ("flair_core.faces.detect", "EmbeddedDetector.detect"),
    ("flair_core.kept.fingerprints", "fingerprint"),
    ("flair_core.jobs.record", "sha256_of"),
    ("flair_core.video.reader", "VideoSource._frame"),
    ("flair_core.video.reader", "kept_index"),
    ("flair_core.video.sink", "VideoSink._encode"),
)
"""Decoding, encoding, reading and hashing files, finding faces, the network, pasting."""


@pytest.fixture
def new_window(qtbot, dressed, config, jobs, tmp_path, monkeypatch):
    """Makes windows as a start of the program does: over one cache, one list of jobs."""
    from app.frame_loader import open_source

    monkeypatch.setattr("flair_core.kept.cache.default_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr("app.core.platformdirs.user_cache_path", lambda *_, **__: tmp_path / "demo")
    made = []

    def new():
        window = MainWindow(lambda: RestorationCore("cpu", jobs), open_source, jobs)
        qtbot.addWidget(window, before_close_func=lambda _: window.session.undo.setClean())
        window.show()
        made.append(window)
        return window

    yield new
    for window in made:
        window.session.undo.setClean()
        window.close()


@pytest.fixture
def window(new_window):
    return new_window()


@pytest.fixture
def threads_of(monkeypatch):
    """The threads in which each heavy function ran."""
    from flair_core.restoration import models

    for loaded in (models._models, models._denoiser):
        loaded.cache_clear()
    seen = {}
    for module, path in HEAVY:
        owner, name = importlib.import_module(module), path
        if "." in path:
            kind, name = path.split(".")
            owner = getattr(owner, kind)
        heavy, threads = getattr(owner, name), seen.setdefault(f"{module}.{path}", set())

        @functools.wraps(heavy)
        def noted(*args, heavy=heavy, threads=threads, **kwargs):
            threads.add(threading.current_thread() is threading.main_thread())
            return heavy(*args, **kwargs)

        monkeypatch.setattr(owner, name, noted)
    return seen


def restored(qtbot, window, index):
    """The finished preview of a frame."""
    window.session.seek(index)

    def there():
        result = window.previews.result
        return result is not None and result.complete and result.request.index == index

    qtbot.waitUntil(lambda: there() and not window.previews.running, timeout=60_000)
    return window.previews.result.preview.frame


def test_the_exported_frames_are_those_of_the_preview(qtbot, window, tmp_path):
    from flair_core import video

    window.files.on_open_demo()
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
            encoding=OutputOptions(codec="ffv1-rgb"),
        )
    )
    qtbot.waitUntil(output.exists, timeout=60_000)
    with video.open_source(output) as written:
        for at, index in enumerate((5, 6)):
            np.testing.assert_array_equal(written[at].rgb, shown[index].preview.frame)


def tune(qtbot, window):
    """Keyframes, a point of the explorer, a shot and a face of their own, in and out."""
    session, panel = window.session, window.parameters
    session.edit_setting("sampler", "steps", 2, "K")
    session.seek(5)
    panel.keys["w_tau"].click()
    session.seek(8)
    panel.controls["sampler", "w_tau"]._choose(1.0)
    window.explorer._button.click()
    qtbot.waitUntil(lambda: len(window.explorer._points) >= 2, timeout=120_000)
    window.explorer._button.click()
    point = min(window.explorer._points, key=lambda point: point.result.request.settings.sampler.steps)
    adopted = point.result.request.settings.sampler
    window.explorer._adopt(point)
    assert session.settings.sampler.steps == adopted.steps
    session.edit_shots("split", lambda look: look.split_at(7))
    session.set_scope("shot")
    session.edit_settings("grainier", noise=0.03, steps=3)
    session.set_scope("face")
    panel.controls["sampler", "gamma"]._choose(0.8)
    session.edit("span", span=(5, 8))


def test_from_a_clip_to_a_file_whose_frames_are_those_of_the_previews(
    qtbot, new_window, tmp_path, monkeypatch, threads_of
):
    """Open, find faces, tune, keyframe, explore, adopt, a shot of its own, undo, save, close, reopen, export.

    Nothing heavy happens on the thread of the window.
    """
    import platformdirs

    from flair_core import video
    from flair_core.cli import main

    window = new_window()
    window.files.on_open_demo()
    qtbot.waitUntil(lambda: bool(window.session.tracks), timeout=120_000)
    tune(qtbot, window)
    session = window.session
    project, edits = session.project, session.undo.count()
    while session.undo.canUndo():
        window.session.undo.undo()
    assert not session.project.look.lanes
    assert session.project.span is None
    for _ in range(edits):
        window.session.undo.redo()
    assert session.project == project
    before = {index: restored(qtbot, window, index) for index in range(5, 9)}
    assert len({frame.tobytes() for frame in before.values()}) == 4

    path = tmp_path / "film.flair"
    assert window.files.save_to(path)
    window.close()
    window = new_window()
    session = window.session
    window.files.open_path(path)
    qtbot.waitUntil(lambda: session.project == project and bool(session.tracks), timeout=60_000)
    qtbot.waitUntil(lambda: set(window.timeline.marks.residual) >= before.keys(), timeout=60_000)
    for index, frame in before.items():
        np.testing.assert_array_equal(restored(qtbot, window, index), frame)

    dialog = ExportDialog(session, window)
    dialog._path.setText(str(tmp_path / "out.mkv"))
    window.queue.add(replace(dialog.request("cpu"), encoding=OutputOptions(codec="ffv1-rgb")))
    qtbot.waitUntil((tmp_path / "out.mkv").exists, timeout=60_000)
    window.close()
    assert {name for name, threads in threads_of.items() if not threads} == set(), "nothing was recorded"
    assert {name for name, threads in threads_of.items() if True in threads} == set()

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

    window.files.on_open_demo()
    qtbot.waitUntil(lambda: bool(window.session.tracks), timeout=120_000)
    window.session.edit_setting("sampler", "steps", 1, "K")
    look, searched = window.session.look, window.session.searched
    clip, held, whole = window.session.project.clip, tmp_path / "held.mkv", tmp_path / "whole.mkv"
    request = Request(
        source=clip,
        output=held,
        look=look,
        span=range(14),
        searched=searched,
        device="cpu",
        encoding=OutputOptions(codec="ffv1-rgb"),
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
    again.export_commands.offer_queue()
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


@pytest.mark.parametrize("work", ["finding faces", "previewing", "exporting"])
def test_closing_during_work_leaves_no_thread_and_no_half_file(qtbot, new_window, tmp_path, work):
    before = set(threading.enumerate())
    window = new_window()
    window.files.on_open_demo()
    told = []
    window.worker.progressed.connect(lambda task, event: told.append((type(task).__name__, event)))
    if work == "finding faces":
        qtbot.waitUntil(lambda: "FindFaces" in [name for name, _ in told], timeout=120_000)
        assert not window.session.tracks
    else:
        qtbot.waitUntil(lambda: bool(window.session.tracks), timeout=120_000)
    window.session.edit_setting("sampler", "steps", 40, "K")
    if work == "previewing":
        qtbot.waitUntil(
            lambda: window.previews.running and window.previews.result is not None, timeout=60_000
        )
    elif work == "exporting":
        window.session.edit("span", span=(0, 7))
        window.queue.add(
            replace(ExportDialog(window.session, window).request("cpu"), output=tmp_path / "a.mkv")
        )
        qtbot.waitUntil(
            lambda: window.queue.running is not None and bool(list(tmp_path.glob("a.mkv*"))), timeout=60_000
        )
    window.session.undo.setClean()
    window.close()
    assert not any(thread.isRunning() for thread in (window.worker, window.loader, window.thumbnailer))
    left = [thread for thread in set(threading.enumerate()) - before if not thread.daemon]
    assert [thread.name for thread in left if "Dummy" not in thread.name] == []
    assert not list(tmp_path.rglob("*.partial*"))
    assert not list(tmp_path.glob("a.mkv*"))


def test_a_job_of_a_cluster_is_left_to_the_command_line(qtbot, window, jobs, tmp_path):
    """Ray ends the whole program when a cluster's head is lost."""
    from flair_core.settings.look import Look

    missing = tmp_path / "clip.mkv"
    window.queue.add(
        Request(source=missing, output=tmp_path / "out.mkv", look=Look(), cluster="127.0.0.1:6379")
    )
    qtbot.waitUntil(lambda: [job.state for job in jobs.list()] == [State.FAILED], timeout=60_000)
    (job,) = jobs.list()
    assert "127.0.0.1:6379" in job.error
    assert "flair restore" in job.error
