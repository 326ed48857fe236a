"""Working while a window is in use: nothing holds the interpreter's lock for long, or takes its processor."""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib.util
import os
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QThread

if TYPE_CHECKING:
    from collections.abc import Iterator

SWITCH = 0.001
"""Seconds after which a busy thread lets the window's thread on."""


NICENESS = 5
"""By how much the threads of `behind_the_window` stand back on Linux, of 19 at most."""


def behind_the_window() -> None:
    """Let this thread, and those that it starts, wait where the window's thread wants the same processor."""
    QThread.currentThread().setPriority(QThread.Priority.LowPriority)  # means nothing to Linux
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


@contextmanager
def while_window_in_use() -> Iterator[None]:
    """Import what is slow to import, in a thread of its own.

    The hundred thousands of objects that this makes stay for good. Looking through them for garbage stops all
    threads for a tenth of a second each time, so that is neither done meanwhile nor ever after.
    """
    _leave_sources_unread()
    _load_libraries()
    sys.setswitchinterval(SWITCH)
    collects = gc.isenabled()
    gc.disable()
    plots = threading.Thread(target=_load_plots, name="plots")
    plots.start()  # not before: what it loads would wait for those libraries, and hold the interpreter's lock
    try:
        yield
    finally:
        plots.join()
        gc.freeze()
        atexit.register(gc.unfreeze)  # at the end all of it is to go: libraries report what stays as leaked
        if collects:
            gc.enable()


def _leave_sources_unread() -> None:
    """Keep PySide from reading the source of every module that is imported.

    It looks there for its own name, for the sake of `from __feature__ import …`, which nothing here uses; what it
    reads stays in memory.
    """
    feature = sys.modules.get("shibokensupport.feature")
    if feature is not None and "_mod_uses_pyside" in vars(feature):
        vars(feature)["_mod_uses_pyside"] = lambda _: False  # there is no other switch


def _load_plots() -> None:
    """What the widgets plot with, once there is something to plot; half of what the window would have to wait for."""
    import pyqtgraph  # noqa: F401


def _load_libraries() -> None:
    """Load PyTorch's libraries without the interpreter's lock, which `import torch` holds while it does so."""
    torch = importlib.util.find_spec("torch")
    if os.name != "posix" or torch is None or torch.origin is None or "torch" in sys.modules:
        return
    load = ctypes.CDLL(None).dlopen  # a plain function of C: ctypes lets the lock go while it runs
    load.restype, load.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    suffix = "dylib" if sys.platform == "darwin" else "so"
    for name, visible in (("libtorch_global_deps", os.RTLD_GLOBAL), ("libtorch", os.RTLD_LOCAL)):
        path = Path(torch.origin).with_name("lib") / f"{name}.{suffix}"
        load(os.fsencode(path), os.RTLD_NOW | visible)  # what does not load is reported by the import
