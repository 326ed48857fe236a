"""The application as a benchmark drives it: without a screen, its files in a folder that goes."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.runtime import openmp

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.update(openmp.SOON_ASLEEP)

from PySide6.QtWidgets import QApplication

from app import preferences, translations
from app.core import RestorationCore
from app.frame_loader import open_source
from app.main_window import MainWindow
from flair_core.jobs.queue import Jobs

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def window(language: str = translations.SOURCE) -> Iterator[tuple[MainWindow, Path]]:
    """A window that is not shown yet, and a folder to work in; both are closed without a question."""
    app = QApplication([])
    translations.apply(language)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        preferences.folder = lambda: folder / "config"
        jobs = Jobs(folder / "jobs.sqlite")
        shown = MainWindow(lambda: RestorationCore("auto", jobs), open_source, jobs)
        shown.apply_theme("dark")
        try:
            yield shown, folder
        finally:
            shown.session.undo.setClean()
            shown.close()
    app.processEvents()
