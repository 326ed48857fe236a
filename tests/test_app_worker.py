"""The background thread: previews first, newest wins, a cancelled task cleans up."""

from __future__ import annotations

import pytest
from app_fakes import FakeTrack

from app.requests import PreviewRequest
from app.tasks import Prerender
from app.worker import Outcome, Worker
from flair_core.errors import MediaError
from flair_core.settings.groups import RestorationSettings, SamplerSettings
from flair_core.settings.look import Look

FACE = FakeTrack(0, 0, 24)


@pytest.fixture
def worker(qtbot, core):
    worker = Worker(lambda: core)
    worker.start()
    yield worker
    core.gate.set()
    worker.close()
    assert not worker.isRunning(), "the worker outlived its test"


def request(clip, index=0, steps=4):
    settings = RestorationSettings(sampler=SamplerSettings(steps=steps))
    return PreviewRequest(clip, index, (FACE,), (), Look(settings))


class Steps:
    """A task that counts, and notes when it is closed."""

    order = 1

    def __init__(self, count, order=1, error=None):
        self.count, self.order, self.error = count, order, error
        self.closed = False

    def run(self, core):
        try:
            for step in range(self.count):
                core.gate.wait()
                yield step
            if self.error:
                raise self.error
        finally:
            self.closed = True


def test_every_step_is_told_and_the_last_one_is_complete(qtbot, worker, clip):
    seen = []
    worker.previewed.connect(lambda: seen.append(worker.previews.take()))
    worker.preview(request(clip))
    qtbot.waitUntil(lambda: bool(seen) and seen[-1].complete)
    assert [stages.step for stages in seen[-1].stages] == [1, 2, 3, 4]
    assert seen[-1].nbytes > seen[-1].preview.frame.nbytes


def test_of_many_steps_only_some_are_kept(qtbot, worker, clip):
    seen = []
    worker.previewed.connect(lambda: seen.append(worker.previews.take()))
    worker.preview(request(clip, steps=250))
    qtbot.waitUntil(lambda: bool(seen) and seen[-1].complete)
    kept = [stages.step for stages in seen[-1].stages]
    assert len(kept) <= 60
    assert kept[-1] == 250


def test_a_newer_request_replaces_the_one_at_work(qtbot, worker, core, clip):
    core.gate.clear()
    worker.preview(request(clip, 1, steps=900))
    for index in range(2, 9):
        worker.preview(request(clip, index))
    core.gate.set()
    qtbot.waitUntil(lambda: (8, 4) in {(index, step) for index, step, _ in core.previewed})
    assert len([index for index, _, _ in core.previewed if index == 1]) <= 1
    assert {index for index, _, _ in core.previewed} <= {1, 8}


def test_a_preview_goes_before_tasks(qtbot, worker, core, clip):
    core.gate.clear()
    task, events = Steps(50), []
    worker.progressed.connect(lambda _, event: events.append(event))
    worker.submit(task)
    worker.preview(request(clip))
    done = []
    worker.previewed.connect(lambda: done.append((worker.previews.take().preview.step, len(events))))
    with qtbot.waitSignal(worker.ended):
        core.gate.set()
    assert done[-1][0] == 4
    assert done[-1][1] <= 1, "the task went on while a preview was wanted"


def test_cancel_stops_after_the_current_step_and_cleans_up(qtbot, worker):
    # Connected once for all: PySide crashes when a connection goes while another thread emits.
    task, events, ended = Steps(10**6), [], []
    worker.progressed.connect(lambda *event: events.append(event))
    worker.ended.connect(lambda *end: ended.append(end))
    worker.submit(task)
    qtbot.waitUntil(lambda: bool(events))
    worker.cancel(task)
    qtbot.waitUntil(lambda: bool(ended))
    assert ended[0][:2] == (task, Outcome.CANCELLED)
    assert task.closed


def test_a_held_task_rests_until_it_is_submitted_again(qtbot, worker, core):
    task, events = Steps(4), []
    worker.progressed.connect(lambda _, event: events.append(event))
    core.gate.clear()
    worker.submit(task)
    worker.hold(task)
    core.gate.set()
    other = Steps(1)
    with qtbot.waitSignal(worker.ended) as end:
        worker.submit(other)
    assert end.args[0] is other
    with qtbot.waitSignal(worker.ended) as end:
        worker.submit(task)
    assert (end.args[0], end.args[1]) == (task, Outcome.DONE)
    assert sorted(events) == [0, 0, 1, 2, 3]


def test_urgent_tasks_go_first(qtbot, worker, core):
    core.gate.clear()
    slow, urgent, ended = Steps(2, order=3), Steps(2, order=0), []
    worker.ended.connect(lambda task, *_: ended.append(task))
    worker.submit(slow)
    worker.submit(urgent)
    core.gate.set()
    qtbot.waitUntil(lambda: len(ended) == 2)
    assert ended == [urgent, slow]


@pytest.mark.parametrize("error", [MediaError("The disk is full."), ZeroDivisionError("a fault")])
def test_a_task_that_fails_says_why_and_others_go_on(qtbot, worker, error):
    crashes = []
    worker.crashed.connect(crashes.append)
    with qtbot.waitSignal(worker.ended) as end:
        worker.submit(Steps(1, error=error))
    assert end.args[1] is Outcome.FAILED
    if isinstance(error, MediaError):
        assert end.args[2] == "The disk is full."
        assert not crashes
    else:
        qtbot.waitUntil(lambda: bool(crashes))
        assert "a fault" in crashes[0]
    with qtbot.waitSignal(worker.ended) as end:
        worker.submit(Steps(1))
    assert end.args[1] is Outcome.DONE


def test_frames_restored_ahead_are_complete_and_light(qtbot, worker, clip):
    events = []
    worker.progressed.connect(lambda _, event: events.append(event))
    with qtbot.waitSignal(worker.ended):
        worker.submit(Prerender((request(clip, 0), request(clip, 1))))
    assert [(event.request.index, event.complete, event.stages) for event in events] == [
        (0, True, ()),
        (1, True, ()),
    ]


def test_closing_ends_whatever_runs(qtbot, core, clip):
    worker, task, events = Worker(lambda: core), Steps(10**6), []
    worker.progressed.connect(lambda *event: events.append(event))
    worker.start()
    worker.submit(task)
    qtbot.waitUntil(lambda: bool(events))
    worker.preview(request(clip, steps=900))
    worker.close()
    assert not worker.isRunning()
    assert task.closed
