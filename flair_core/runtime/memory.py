"""How much memory there is, and what the C library does with memory that was freed."""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def free(device: torch.device) -> int:
    """Bytes that a device can give without others being pushed out."""
    import psutil

    if device.type == "cuda":
        import torch

        available, _ = torch.cuda.mem_get_info(device)
        return available + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(psutil.virtual_memory().available)


TRIM_THRESHOLD, MMAP_MAX, ARENA_MAX = -1, -4, -8
"""Parameters of glibc's mallopt."""


def keep() -> None:
    """From now on, memory that was freed is kept for what comes next; call it before threads begin.

    PyTorch asks for large buffers at every layer. glibc would fetch each from the system, which clears it page by
    page, and hand it back right after: a third of the time of a layer at 512×512. Only the main arena can keep
    what is large, so all threads share it.
    """
    if (libc := glibc()) is not None:
        libc.mallopt(ARENA_MAX, 1)
        libc.mallopt(MMAP_MAX, 0)
        libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)


def give_back() -> None:
    """Hand what is free back to the system, when a piece of work has ended."""
    if (libc := glibc()) is not None:
        libc.malloc_trim(0)


def glibc() -> ctypes.CDLL | None:
    """The C library, if it is glibc."""
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "malloc_trim") else None  # musl has none
