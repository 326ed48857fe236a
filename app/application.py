"""Starts the application: command line, libraries, faults, and the walk of --smoke."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from app import preflight
from app.preferences import DEVICES
from flair_core.runtime import memory, openmp

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from PySide6.QtWidgets import QApplication

    from app.main_window import MainWindow


def main(argv: Sequence[str] | None = None) -> int:
    """Open the window; returns the exit status: 0 when it was closed, 2 when it can't open."""
    arguments = _parser().parse_args(argv)
    if arguments.smoke:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    openmp.choose()
    memory.keep()
    problem = preflight.missing()
    if problem is None:
        try:
            from PySide6.QtWidgets import QApplication
        except ImportError as error:
            problem = preflight.remedy(str(error))
    if problem is not None:
        print(problem, file=sys.stderr)
        return 2
    return _run(QApplication(sys.argv[:1]), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="flair-studio", description="Restore faces in old footage.")
    parser.add_argument("file", type=Path, nargs="?", help="clip, folder of images or project to open")
    parser.add_argument("--demo", action="store_true", help="open a sample clip")
    parser.add_argument(
        "--smoke", action="store_true", help="open the sample, preview, export, close: a self-test"
    )
    parser.add_argument("--device", choices=DEVICES, help="what computes, this time")
    return parser


def _run(app: QApplication, arguments: argparse.Namespace) -> int:
    from PySide6.QtCore import QByteArray, QLoggingCategory

    from app import preferences, smoke, theme, translations
    from app.core import RestorationCore
    from app.frame_loader import open_source
    from app.main_window import MainWindow
    from flair_core.errors import JobError
    from flair_core.jobs.queue import Jobs

    QLoggingCategory.setFilterRules("qt.multimedia.*=false")  # the window says itself when there is no sound
    app.setApplicationName("FLAIR Studio")
    app.setWindowIcon(theme.app_icon())
    kept = preferences.load()
    device = arguments.device or kept.device
    translations.apply(kept.language)
    try:
        jobs = Jobs()
    except JobError as error:
        print(error, file=sys.stderr)
        return 2
    window = MainWindow(lambda: RestorationCore(device, jobs), open_source, jobs, device)
    sys.excepthook = lambda kind, error, trace: _report(window, kind, error, trace)
    # Earlier, every widget would be dressed anew at each move to another parent.
    window.apply_theme(kept.theme)
    window.restoreGeometry(QByteArray.fromHex(kept.window.encode()))
    window.show()
    if arguments.smoke:
        return smoke.walk(app, window)
    if arguments.demo:
        window.files.on_open_demo()
    elif arguments.file:
        window.files.open_path(arguments.file)
    else:
        window.files.offer_recovery()
    window.export_commands.offer_queue()
    return app.exec()


def _report(
    window: MainWindow, kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """A fault of the program: on stderr for whoever started it there, and in a dialog."""
    if issubclass(kind, KeyboardInterrupt):
        window.close()
        return
    report = "".join(traceback.format_exception(kind, error, trace))
    print(report, file=sys.stderr)
    window.report_crash(report)
