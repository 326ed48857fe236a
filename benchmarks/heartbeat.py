"""How long the window's thread is held up, and how soon a preview shows: one JSON line for each part.

    python -m benchmarks.heartbeat

`longest_ms` is by the clock, with all that other threads and programs take. `held_ms` leaves out the time in which
the window's thread could have run but had no processor (Linux tells), as when other programs are busy. `busy_ms` is
what it computed itself between two beats at most.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from PySide6.QtCore import QEventLoop, Qt, QTimer

from app.main_window import MainWindow
from benchmarks import started
from flair_core.jobs.request import Request

BEAT_MS = 5
PATIENCE = 60.0


class Heartbeat:
    """A timer on the window's thread; what comes late was held up."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.held: list[float] = []
        self.busy: list[float] = []
        self._last, self._computed, self._queued = time.perf_counter(), time.thread_time(), queued_ms()
        self._timer = QTimer(interval=BEAT_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)
        self._timer.start()

    def _beat(self) -> None:
        now, computed, queued = time.perf_counter(), time.thread_time(), queued_ms()
        self.late.append(1000 * (now - self._last) - BEAT_MS)
        self.held.append(self.late[-1] - (queued - self._queued))
        self.busy.append(1000 * (computed - self._computed))
        self._last, self._computed, self._queued = now, computed, queued

    def report(self, part: str, **more: float) -> None:
        """Print what was measured since the last report."""
        late = sorted(self.late)
        worst = {"longest_ms": round(late[-1], 1), "p99_ms": round(late[int(0.99 * (len(late) - 1))], 1)}
        over = sum(each > 50 for each in late)
        own = {"held_ms": round(max(self.held), 1), "busy_ms": round(max(self.busy), 1)}
        counts = {"over_50_ms": over, "beats": len(late), **own}
        print(json.dumps({"part": part, **worst, **counts, **more}), flush=True)
        self.clear()

    def clear(self) -> None:
        """Forget what was measured."""
        self.late.clear()
        self.held.clear()
        self.busy.clear()


def queued_ms() -> float:
    """For how long, so far, this thread has waited for a processor; 0 where the system does not tell."""
    told = Path("/proc/thread-self/schedstat")
    return int(told.read_text().split()[1]) / 1e6 if told.exists() else 0.0


def wait(done) -> float:
    """Run the event loop until something has happened; how many milliseconds that took."""
    begun = time.perf_counter()
    loop, timer = QEventLoop(), QTimer(interval=2)
    timer.timeout.connect(lambda: loop.quit() if done() or time.perf_counter() > begun + PATIENCE else None)
    timer.start()
    loop.exec()
    assert done(), "nothing happened"
    return round(1000 * (time.perf_counter() - begun), 1)


def main() -> None:
    with started.window() as (window, folder):
        ready = []
        window.worker.ready.connect(ready.append)
        window.show()
        beat = Heartbeat()
        beat.report("loading the core", took_ms=wait(lambda: ready))
        walk(window, beat, folder)


def walk(window: MainWindow, beat: Heartbeat, folder: Path) -> None:
    """Open, find faces, tune, export."""
    window.files.on_open_demo()
    beat.report("opening", took_ms=wait(lambda: window.session.clip is not None))
    beat.report("finding faces", took_ms=wait(lambda: window.session.tracks))
    wait(lambda: window.previews.result is not None and window.previews.result.complete)
    window.session.edit_setting("sampler", "steps", 5, "K")
    wait(lambda: finished(window))
    beat.clear()
    first, whole = [], []
    for seed in range(1, 11):
        window.session.edit_setting("sampler", "seed", seed, "seed")
        begun = time.perf_counter()
        wait(lambda seed=seed: window.previews.result.request.settings.sampler.seed == seed)
        first.append(1000 * (time.perf_counter() - begun))
        wait(lambda: finished(window))
        whole.append(1000 * (time.perf_counter() - begun))
    beat.report("previewing, K = 5", first_pixels_ms=round(max(first), 1), whole_ms=round(max(whole), 1))
    output = folder / "out.mp4"
    project = window.session.project
    window.queue.add(Request(source=project.clip, output=output, look=project.look, span=range(8)))
    beat.report("exporting 8 frames", took_ms=wait(output.exists))


def finished(window: MainWindow) -> bool:
    """Whether the preview of the current settings is complete."""
    result = window.previews.result
    return not window.previews.running and result is not None and result.complete


if __name__ == "__main__":
    main()
