"""Work side by side: order, how far it runs ahead, what is done again, and how it ends."""

import threading
import time
from functools import partial

import pytest
import torch

from flair_core.runtime import threads


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_wide_opens_narrow_and_nothing_else(three_threads):
    seen = []
    with threads.wide():
        seen.append(torch.get_num_threads())
    with threads.narrow():
        seen.append(torch.get_num_threads())
        with threads.wide():
            seen.append(torch.get_num_threads())
        with threads.narrow(), threads.wide():
            seen.append(torch.get_num_threads())
        seen.append(torch.get_num_threads())
    assert [*seen, torch.get_num_threads()] == [3, 1, 3, 3, 1, 3]


def test_workers_compute_alone_and_the_caller_keeps_its_threads(three_threads):
    def inside():
        with threads.narrow(), threads.wide():
            return torch.get_num_threads()

    assert list(threads.ahead([inside] * 4, 2, KeyError)) == [1] * 4
    assert torch.get_num_threads() == 3
    found = []
    late = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    late.start()
    late.join()
    assert found == [3]


def test_results_come_in_order_and_not_too_many_are_begun():
    begun = []

    def task(number):
        time.sleep(0.003 * (number % 3))
        return number

    def tasks():
        for number in range(20):
            begun.append(number)
            yield partial(task, number)

    for place, result in enumerate(threads.ahead(tasks(), 3, KeyError)):
        assert result == place
        assert len(begun) <= place + 4


def test_what_memory_was_too_short_for_is_done_again_alone():
    at_work, most, caller = [], [], threading.get_ident()
    lock = threading.Lock()

    def task(number):
        with lock:
            at_work.append(number)
            most.append(len(at_work))
        try:
            time.sleep(0.005)
            if number == 2 and threading.get_ident() != caller:
                raise MemoryError
            assert number != 2 or at_work == [2]
            return number
        finally:
            with lock:
                at_work.remove(number)

    assert list(threads.ahead((partial(task, n) for n in range(12)), 4, MemoryError)) == list(range(12))
    assert max(most[-6:]) <= 2


def test_a_failure_comes_in_its_place_and_ends_the_rest():
    begun = []

    def task(number):
        begun.append(number)
        if number == 3:
            raise ValueError("number 3")
        return number

    results, seen = threads.ahead((partial(task, n) for n in range(1000)), 2, KeyError), []
    with pytest.raises(ValueError, match="number 3"):
        seen.extend(results)
    assert max(begun) < 10


def test_closing_waits_for_what_has_begun():
    ended = []

    def task(number):
        time.sleep(0.01)
        ended.append(number)

    results = threads.ahead((partial(task, n) for n in range(1000)), 2, KeyError)
    next(results)
    results.close()
    count = len(ended)
    time.sleep(0.05)
    assert len(ended) == count < 6
