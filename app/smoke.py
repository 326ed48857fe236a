"""The self-test behind --smoke: a user's first minute, without a user."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEventLoop, QTimer

from flair_core.jobs.request import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QApplication

    from app.main_window import MainWindow

FRAMES = 3
PATIENCE = 180
"""Seconds that each part may take on a slow computer."""


def walk(app: QApplication, window: MainWindow) -> int:
    """Open the sample, preview a frame, export a few, close; 0 when all of it worked."""
    try:
        _step("window", window.isVisible, window)
        window.files.on_open_demo()
        _step("sample clip", lambda: window.session.clip is not None, window)
        _step("faces", lambda: bool(window.session.tracks), window)
        _step(
            "preview", lambda: window.previews.result is not None and window.previews.result.complete, window
        )
        print(f"smoke: {window.status.preview}")
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "smoke.mp4"
            window.queue.add(_request(window, output))
            # The job writes next to its output until it has ended, and the folder goes then.
            _step("export", lambda: output.exists() and window.queue.running is None, window)
            print(f"smoke: wrote {FRAMES} frames, {output.stat().st_size} bytes")
    except RuntimeError as error:
        print(f"smoke: failed: {error}")
        return 1
    finally:
        window.close()
        app.processEvents()
    print("smoke: closed")
    return 0


def _request(window: MainWindow, output: Path) -> Request:
    clip = window.session.clip
    assert clip is not None  # it was waited for
    return Request(source=clip.path, output=output, look=window.session.filled_look, span=range(FRAMES))


def _step(name: str, done: Callable[[], bool], window: MainWindow) -> None:
    """Run the event loop until something has happened. Raises RuntimeError when the window complains."""
    begun = time.monotonic()
    loop, timer = QEventLoop(), QTimer(interval=10)
    timer.timeout.connect(lambda: loop.quit() if done() or window.banner.text or _late(begun) else None)
    timer.start()
    loop.exec()
    if not done():
        raise RuntimeError(f"{name}: {window.banner.text or 'nothing happened'}")
    print(f"smoke: {name} after {time.monotonic() - begun:.1f} s")


def _late(begun: float) -> bool:
    return time.monotonic() - begun > PATIENCE
