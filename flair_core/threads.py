"""How many threads compute: frames side by side with one each, or one frame with all of them, to the same bits.

A sum depends in its last bits on how many threads share it, and a few steps on the last bits decide pixels. So what
sums runs in one thread (`narrow`), and only what gives each output to one thread is let out of it (`wide`). Then a
preview, which has all threads for one frame, and an export, which has one for each, agree exactly.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Local(threading.local):
    outside = 1
    """Threads that the narrow part around us has set aside."""


_local = _Local()


@contextmanager
def narrow() -> Iterator[None]:
    """PyTorch computes in the calling thread alone."""
    threads = torch.get_num_threads()
    if threads == 1:
        yield
        return
    torch.set_num_threads(1)
    _local.outside = threads
    try:
        yield
    finally:
        _local.outside = 1
        torch.set_num_threads(threads)


@contextmanager
def wide() -> Iterator[None]:
    """Inside `narrow`: all threads that there were outside of it."""
    threads = _local.outside
    if threads == 1:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(1)


def pool(workers: int) -> ThreadPoolExecutor:
    """Threads in each of which PyTorch computes alone; the caller's number of threads stays."""
    threads = torch.get_num_threads()
    gate = threading.Barrier(workers + 1)

    def begin() -> None:
        torch.set_num_threads(1)
        gate.wait()

    executor = ThreadPoolExecutor(workers, "frames", begin)
    for _ in range(workers):
        executor.submit(int)
    gate.wait()
    torch.set_num_threads(threads)  # it is also what threads begin with that PyTorch meets first
    return executor
