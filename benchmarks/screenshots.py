"""Pictures of every page and mode of the window, on the sample clip: for docs/ and for looking at.

python -m benchmarks.screenshots FOLDER [--size 1280x800] [--language en]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from PySide6.QtCore import QEventLoop, QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QScrollArea, QWidget

from app import preferences
from app.main_window import MainWindow, about
from app.widgets.dialogs import CrashDialog, ExportDialog, JobLog, PreferencesDialog, ShortcutsDialog
from app.widgets.models import ModelsDialog
from benchmarks import started
from flair_core.jobs.request import Request

PATIENCE = 120.0
POINTS = 12
"""Of the exploration that are waited for."""


class Camera:
    """Walks through the window and takes a picture of each place."""

    def __init__(self, window: MainWindow, folder: Path) -> None:
        self.window, self._folder = window, folder

    def take(self, name: str, widget: QWidget | None = None) -> None:
        rest(150)
        # What shows a photograph is small as JPEG only.
        suffix = "jpg" if widget is None else "png"
        (widget or self.window).grab().save(
            str(self._folder / f"{name}.{suffix}"), quality=80 if widget is None else -1
        )
        print(name, flush=True)

    def walk(self, work: Path) -> None:
        window = self.window
        rest(300)
        self.take("welcome")
        window.files.on_open_demo()
        wait(lambda: window.session.tracks)
        self.settled()
        rest(800)  # thumbnails
        looks = window.parameters.looks.buttons.values()
        wait(lambda: all(not button.icon().isNull() for button in looks))
        for name in ("wipe", "side_by_side", "difference", "residual", "uncertainty"):
            window.actions_[name].trigger()
            if name == "uncertainty":
                wait(lambda: window.viewer._spread is not None and window.viewer._spread.seeds == 8)
            self.take(name)
        window.actions_["wipe"].trigger()
        window.steps.choose(2)
        self.take("steps")
        window.steps.choose(None)
        self.brush()
        window.background.explore()
        wait(lambda: len(window.explorer._points) >= POINTS)
        self.take("explorer")
        window.background.explore()
        self.estimate()
        self.queue(work)
        self.dialogs()
        window.apply_theme("light")
        self.take("light")
        window.apply_theme("dark")

    def settled(self) -> None:
        previews = self.window.previews
        wait(lambda: previews.result is not None and previews.result.complete and not previews.running)

    def brush(self) -> None:
        """Erase a stroke from the mask, and paint one."""
        window, viewer = self.window, self.window.viewer
        window.session.select(0)
        box = next(face.box for face in viewer._faces)
        target = viewer.target(viewer.panes()[0])
        scale = target.width() / viewer.picture_size.width()

        def place(across: float, down: float) -> QPoint:
            spot = QPoint(round(box.width() * across), round(box.height() * down)) + box.topLeft().toPoint()
            return QPoint(round(target.left() + spot.x() * scale), round(target.top() + spot.y() * scale))

        for name, path in (
            ("erase_mask", ((0.1, 0.9), (0.3, 1.1))),
            ("paint_mask", ((0.2, -0.3), (0.8, -0.3))),
        ):
            window.actions_[name].setChecked(True)
            QTest.mousePress(viewer, Qt.MouseButton.LeftButton, pos=place(*path[0]))
            QTest.mouseMove(viewer, place(*path[1]))
            QTest.mouseRelease(viewer, Qt.MouseButton.LeftButton, pos=place(*path[1]))
        self.settled()
        rest(200)
        self.settled()
        self.take("brush")
        window.view_commands.on_cancel()
        window.mask_commands.on_reset_mask()
        window.session.select(None)
        self.settled()

    def estimate(self) -> None:
        window = self.window
        window.parameters.sections["Degradation"].open()
        window.parameters.estimator.button.click()
        wait(window.parameters.estimator.button.isEnabled)
        self.settled()
        area = window.parameters.findChild(QScrollArea)
        area.ensureWidgetVisible(window.parameters.estimator)
        self.take("estimate")
        window.session.undo.undo()
        window.parameters.sections["Degradation"].open(False)
        area.verticalScrollBar().setValue(0)
        self.settled()

    def queue(self, work: Path) -> None:
        window = self.window
        for name in ("first", "second"):
            window.queue.add(
                Request(
                    source=window.session.clip.path,
                    output=work / f"{name}.mp4",
                    look=window.session.project.look,
                    span=range(24),
                )
            )
        window.actions_["queue"].setChecked(True)
        wait(lambda: window.queue.pace is not None and window.queue.pace.seconds_left() is not None)
        self.take("queue")
        window.actions_["queue"].setChecked(False)

    def dialogs(self) -> None:
        window = self.window
        job = window.queue.jobs[0]
        report = f"{about()}\n\nTraceback (most recent call last):\n  …\nZeroDivisionError: division by zero"
        for dialog in (
            ExportDialog(window.session, window),
            PreferencesDialog(preferences.load(), window),
            ShortcutsDialog(window.actions_.groups, window),
            JobLog(job, window.queue.log(job), window),
            CrashDialog(report, window),
            ModelsDialog(window.downloads, window),
        ):
            dialog.show()
            self.take(type(dialog).__name__.removesuffix("Dialog").lower(), dialog)
            dialog.close()
        for job in window.queue.open:
            window.queue.cancel(job)


def rest(milliseconds: int) -> None:
    """Let the window live for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait(done) -> None:
    """Run the event loop until something has happened."""
    begun = time.monotonic()
    while not done():
        assert time.monotonic() < begun + PATIENCE, "nothing happened"
        rest(10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="1280x800", help="of the window, as WIDTHxHEIGHT")
    parser.add_argument("--language", default="en", choices=preferences.LANGUAGES)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with started.window(arguments.language) as (window, work):
        window.resize(*map(int, arguments.size.split("x")))
        window.show()
        Camera(window, arguments.folder).walk(work)


if __name__ == "__main__":
    main()
