"""How long after its start the window is painted, and `flair --help` has spoken: one JSON line each.

    python -m benchmarks.starting

Each is started a few times as a process of its own; the first start, which reads the disk, does not count.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time

TIMES = 5
WINDOW = """
import sys
from PySide6.QtCore import QEvent, QTimer
from PySide6.QtWidgets import QMainWindow
from app import application, main_window
from os import _exit

whole = main_window.MainWindow.event

def event(self, what):
    done = whole(self, what)
    if what.type() == QEvent.Type.Paint:
        QTimer.singleShot(0, lambda: _exit(0))
    return done

main_window.MainWindow.event = event
sys.exit(application.main([]) or 1)
"""
STARTS = {
    "window": [sys.executable, "-c", WINDOW],
    "flair --help": [
        sys.executable,
        "-c",
        "import sys; from flair_core.cli import main; sys.exit(main(['--help']))",
    ],
    "python alone": [sys.executable, "-c", ""],
}


def seconds(command: list[str]) -> float:
    """From the start of a process to its end."""
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def main() -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    for name, command in STARTS.items():
        _, *taken = [seconds(command) for _ in range(TIMES + 1)]
        times = {"median_s": round(statistics.median(taken), 2), "least_s": round(min(taken), 2)}
        print(json.dumps({"start": name, **times}), flush=True)


if __name__ == "__main__":
    main()
