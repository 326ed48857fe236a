"""Windows cover every frame once, in order."""

import pytest
from hypothesis import given
from hypothesis.strategies import integers

from flair_core.restoration.windows import Window, windows


@given(first=integers(0, 50), count=integers(0, 100), length=integers(1, 12), overlap=integers(0, 11))
def test_every_frame_is_fresh_once(first, count, length, overlap):
    overlap = min(overlap, length - 1)
    found = list(windows(first, first + count, length, overlap))
    assert [i for window in found for i in range(window.first_new, window.last)] == list(
        range(first, first + count)
    )
    assert all(window.last - window.first <= length for window in found)
    assert all(window.overlap == overlap for window in found[1:])


def test_the_papers_windows():
    assert [(w.first, w.first_new, w.last) for w in windows(0, 25, 10, 3)] == [
        (0, 0, 10),
        (7, 10, 17),
        (14, 17, 24),
        (21, 24, 25),
    ]


@given(
    first=integers(0, 50),
    count=integers(1, 100),
    length=integers(1, 12),
    overlap=integers(0, 11),
    start=integers(0, 99),
    some=integers(1, 30),
)
def test_a_part_of_the_grid_holds_what_it_is_asked_for(first, count, length, overlap, start, some):
    overlap, start = min(overlap, length - 1), first + min(start, count - 1)
    span = range(start, min(start + some, first + count))
    every = windows(first, first + count, length, overlap)
    wanted = [window for window in every if window.first < span.stop and span.start < window.last]
    assert list(windows(first, first + count, length, overlap, span)) == wanted


def test_shares_rise_over_the_overlap():
    window = Window(7, 10, 17)
    assert [window.share(index) for index in range(7, 13)] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1])
    assert Window(0, 0, 10).share(0) == 1


@pytest.mark.parametrize("length", [1, 5])
def test_no_frames_no_windows(length):
    assert list(windows(7, 7, length)) == []
