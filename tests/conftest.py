"""What tests of the window share: no screen, no traces in the user's folders, no thread left behind."""

from __future__ import annotations

import os

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Before torch is loaded: on a busy computer, threads that spin while they wait slow each other down fiftyfold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def config(tmp_path, monkeypatch):
    """An empty folder for preferences, queue and recovery."""
    from app import preferences

    folder = tmp_path / "config"
    monkeypatch.setattr(preferences, "folder", lambda: folder)
    return folder


@pytest.fixture
def film(tmp_path):
    """A short lossless film, really encoded."""
    from cheap import make_film

    return make_film(tmp_path / "film.mkv")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's data and cache folders, empty."""
    import platformdirs

    monkeypatch.setattr(platformdirs, "user_data_path", lambda *_, **__: tmp_path / "home")
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "home")
    return tmp_path / "home"


@pytest.fixture
def core():
    """The stand-in that the window's worker restores with."""
    from app_fakes import FakeCore

    return FakeCore()


@pytest.fixture
def clip(tmp_path):
    """A clip that the stand-in can open."""
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"")
    return path


@pytest.fixture(scope="session")
def dressed(qapp):
    """The application in its theme."""
    from app import theme

    theme.apply("dark")


@pytest.fixture
def jobs(tmp_path):
    """An empty list of jobs."""
    from flair_core.jobs.queue import Jobs

    return Jobs(tmp_path / "jobs.sqlite")


@pytest.fixture
def window(qtbot, qapp, config, core, jobs, monkeypatch):
    """A window over the stand-in; closed in the end, and its threads with it.

    Clips begin with the settings of a restoration in several steps, so that there is something to see of each.
    Pictures of looks are not made: they would mingle with what a test previews.
    """
    from app.main_window import MainWindow
    from flair_core.settings import RestorationSettings

    for module in ("app.files", "app.settings_commands"):
        monkeypatch.setattr(f"{module}.UNTOLD", RestorationSettings())

    monkeypatch.setattr("app.look_pictures.REST_MS", 10**8)
    qapp.setStyleSheet("")  # the application dresses its window when that stands, too
    window = MainWindow(lambda: core, core.open_source, jobs)
    window.apply_theme("dark")

    def leave(_):
        core.gate.set()
        window.session.undo.setClean()

    qtbot.addWidget(window, before_close_func=leave)
    window.show()
    yield window
    leave(window)
    window.close()
    threads = (window.worker, window.loader, window.thumbnailer)
    assert not any(thread.isRunning() for thread in threads), "a thread outlived its test"


@pytest.fixture
def opened(qtbot, window, clip):
    """The window with a clip whose first frame is restored."""
    window.files.open_path(clip)
    qtbot.waitUntil(lambda: window.session.clip is not None and bool(window.session.tracks))
    qtbot.waitUntil(lambda: window.previews.result is not None and window.previews.result.complete)
    return window
