"""What must be on the computer before a window can open; missing parts are named with their remedy."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import sys
from pathlib import Path

DEBIAN = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgthread-2.0.so.0": "libglib2.0-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


def remedy(error: str) -> str:
    """One line about a library that the system's loader could not find."""
    found = re.search(r"(lib[\w.+-]+\.so[\w.]*)", error)
    library = found[1] if found else "a system library"
    package = DEBIAN.get(library)
    how = (
        f"apt-get install {package}"
        if package
        else f"install the package of your system that holds {library}"
    )
    return f"FLAIR Studio needs {library}, which is missing here. On Debian or Ubuntu: {how}"


def missing() -> str | None:
    """What keeps Qt from opening a window on this Linux computer, in one line; None if nothing does."""
    if not sys.platform.startswith("linux"):
        return None
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    if not platform and not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        return "FLAIR Studio found no display. Start it on a desktop, or set QT_QPA_PLATFORM=offscreen."
    if platform.partition(":")[0] not in ("", "xcb") or os.environ.get("WAYLAND_DISPLAY"):
        return None
    pyside = importlib.util.find_spec("PySide6")
    if pyside is None or pyside.origin is None:
        return None  # the import will say so
    plugin = Path(pyside.origin).parent / "Qt" / "plugins" / "platforms" / "libqxcb.so"
    try:
        # Qt itself would only abort; loading its plugin ourselves tells which library it lacks.
        ctypes.CDLL(str(plugin))
    except OSError as error:
        return remedy(str(error))
    return None
