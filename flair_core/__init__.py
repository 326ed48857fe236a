"""FLAIR: conditional diffusion for face video restoration, without any user interface.

    import flair_core as flair

    flair.restore_clip("old.mp4", "new.mp4")

`open_clip` reads frames, `load_models` loads networks, `restore_window` restores some frames of one face step by step,
`restore_clip` a whole clip, and `estimate` tells what happened to one. `settings` and `degradations` are packages.
docs/architecture.md tells how a frame gets from file to file.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flair_core import degradations, settings
    from flair_core.api import estimate, load_models, open_clip, restore_clip, restore_window

__all__ = [
    "degradations",
    "estimate",
    "load_models",
    "open_clip",
    "restore_clip",
    "restore_window",
    "settings",
]

# OpenCV reads this when it is loaded: larger images are taken for damaged ones before memory is asked for.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 28))


def __getattr__(name: str) -> Any:
    """Load what is asked for when it is asked for: torch takes seconds."""
    if name in ("degradations", "settings"):
        return importlib.import_module(f"flair_core.{name}")
    if name in __all__:
        return getattr(importlib.import_module("flair_core.api"), name)
    raise AttributeError(f"module 'flair_core' has no attribute {name!r}")
