"""How many threads compute: frames side by side with one each, or one frame with all of them, to the same bits.

A sum depends in its last bits on how many threads share it, and a few steps on the last bits decide pixels. So what
sums runs in one thread (`narrow`), and only what gives each output to one thread is let out of it (`wide`). Then a
preview, which has all threads for one frame, and an export, which has one for each, agree exactly.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator


Result = TypeVar("Result")


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


def ahead(tasks: Iterable[Callable[[], Result]], workers: int, again: type[Exception]) -> Generator[Result]:
    """The results of tasks in order; `workers` more are at work, or waiting for that, while the caller has one.

    `tasks` is walked by the caller. A task that raises `again` is repeated by the caller alone when those at work
    have ended, and from then on half as many are begun. Closing drops what has not begun and waits for what has.
    """
    at_work: deque[tuple[Callable[[], Result], Future[Result]]] = deque()
    most = workers

    def next_result() -> Result:
        nonlocal most
        task, future = at_work.popleft()
        try:
            return future.result()
        except again:
            most = max(0, (most + 1) // 2 - 1)
        wait([other for _, other in at_work])
        return task()

    with _pool(workers) as executor:
        try:
            for task in tasks:
                at_work.append((task, executor.submit(task)))
                while len(at_work) > most:
                    yield next_result()
            while at_work:
                yield next_result()
        finally:
            for _, future in at_work:
                future.cancel()


def _pool(workers: int) -> ThreadPoolExecutor:
    """Threads in each of which PyTorch computes alone; the caller's number of threads stays."""
    threads = torch.get_num_threads()
    gate = threading.Barrier(workers + 1)

    def begin() -> None:
        # A new thread adopts the process-wide number when it first asks for its number. It must ask before 1 is set,
        # or its later question would undo that.
        torch.get_num_threads()
        torch.set_num_threads(1)
        gate.wait()

    executor = ThreadPoolExecutor(workers, "frames", begin)
    for _ in range(workers):
        executor.submit(int)
    gate.wait()
    # The workers' calls have set the process-wide number to 1 as well, with which every new thread would begin.
    torch.set_num_threads(threads)
    return executor
