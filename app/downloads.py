"""Fetching published networks, each on a thread of its own, so that previews and exports go on."""

from __future__ import annotations

import queue
import threading
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from flair_core import importing
from flair_core.errors import FlairError

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_MS = 50
PATIENCE = 5.0
"""Seconds that closing waits for a download to notice."""


class _Cancelled(Exception):
    pass


class Downloads(QObject):
    """What is being fetched. Threads only fill a queue; all signals are sent by the window's thread."""

    advanced = Signal(str, int, int)
    """Name of the network, bytes that are here, bytes in all."""
    ended = Signal(str, str)
    """Name of the network, and one sentence if it is not here now."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._threads: dict[str, threading.Thread] = {}
        self._stops: dict[str, threading.Event] = {}
        self._news: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._timer = QTimer(self, interval=POLL_MS)
        self._timer.timeout.connect(self._tell)

    def running(self, name: str) -> bool:
        """Whether this network is being fetched."""
        return name in self._threads

    def start(self, name: str) -> None:
        """Fetch a network, check it and keep it."""
        if name not in self._threads:
            stop = self._stops[name] = threading.Event()
            self._threads[name] = threading.Thread(target=self._fetch, args=(name, stop), daemon=True)
            self._threads[name].start()
            self._timer.start()

    def cancel(self, name: str) -> None:
        """Stop; nothing of it is kept."""
        if name in self._stops:
            self._stops[name].set()

    def close(self) -> None:
        """Stop all, and let each put its half file away."""
        self._timer.stop()
        for stop in self._stops.values():
            stop.set()
        for thread in self._threads.values():
            thread.join(PATIENCE)

    def _fetch(self, name: str, stop: threading.Event) -> None:
        def progress(here: int, total: int) -> None:
            if stop.is_set():
                raise _Cancelled
            self._news.put(partial(self.advanced.emit, name, here, total))

        message = ""
        try:
            importing.download(name, progress)
        except _Cancelled:
            message = self.tr("Cancelled; nothing was kept.")
        except FlairError as error:
            message = str(error)
        except Exception as error:  # whatever it was, the card must not stand there for ever
            message = self.tr("The download failed ({0}). Try again.").format(error)
        self._news.put(partial(self._end, name, message))

    def _tell(self) -> None:
        while not self._news.empty():
            self._news.get()()

    def _end(self, name: str, message: str) -> None:
        self._threads.pop(name).join()
        del self._stops[name]
        if not self._threads:
            self._timer.stop()
        self.ended.emit(name, message)
