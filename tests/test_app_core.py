"""The window over the real core: sample clip, faces, preview, export."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from app.main_window import MainWindow
from app.worker import RestorationCore
from flair_core.jobs import Request

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
