"""The export queue: a card for each job."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.widgets.dialogs import JobLog
from app.widgets.elided import Elided
from app.widgets.icon_button import IconButton
from app.widgets.named import named
from flair_core.jobs.queue import FINISHED, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.export_queue import ExportQueue, Pace
    from flair_core.jobs.queue import Job


def clock(seconds: float) -> str:
    """A duration as m:ss or h:mm:ss."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class QueuePanel(QFrame):
    """Shows every job with its progress and what can be done with it."""

    def __init__(self, queue: ExportQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("panel")
        self._queue = queue
        self.cards: dict[int, Card] = {}
        inner = named(QWidget(), "inner")
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(10, 10, 10, 10)
        self._column.setSpacing(8)
        self._column.addWidget(named(QLabel(self.tr("Export queue").upper()), "heading"))
        self._empty = QLabel(self.tr("Nothing to export yet. Use Export to add a clip."), wordWrap=True)
        self._empty.setObjectName("muted")
        self._column.addWidget(self._empty)
        self._clear = QPushButton(self.tr("Clear what is over"))
        self._clear.setToolTip(self.tr("Forget exports that are done or cancelled; their files stay"))
        self._clear.clicked.connect(queue.clear)
        self._column.addWidget(self._clear)
        self._column.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(inner)
        frame = QVBoxLayout(self)
        frame.setContentsMargins(1, 1, 1, 1)
        frame.addWidget(scroll)
        queue.changed.connect(self.fill)
        queue.advanced.connect(self._advance)
        self.fill()

    def fill(self) -> None:
        """Follow the list."""
        there = {job.id for job in self._queue.jobs}
        for id in self.cards.keys() - there:
            self.cards.pop(id).deleteLater()
        for at, job in enumerate(self._queue.jobs):
            if job.id not in self.cards:
                self.cards[job.id] = Card(self._queue)
            self._column.insertWidget(2 + at, self.cards[job.id])
            running = self._queue.running
            ours = running is not None and running.id == job.id
            first, last = at == 0, at == len(self._queue.jobs) - 1
            self.cards[job.id].show_job(job, self._queue.pace if ours else None, first=first, last=last)
        self._empty.setVisible(not there)
        self._clear.setVisible(any(job.state in FINISHED for job in self._queue.jobs))

    def _advance(self) -> None:
        running = self._queue.running
        if running is not None and running.id in self.cards and self._queue.pace is not None:
            self.cards[running.id].show_pace(self._queue.pace)


class Card(QFrame):
    """One job."""

    def __init__(self, queue: ExportQueue) -> None:
        super().__init__()
        self.setObjectName("job")
        self._queue = queue
        self._job: Job | None = None
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 8, 8)
        column.setSpacing(5)
        top = QHBoxLayout()
        self._name = Elided(style="name")
        top.addWidget(self._name, 1)
        self.up = self._button(top, "up", self.tr("Run earlier"), queue.move_up)
        self.down = self._button(top, "down", self.tr("Run later"), queue.move_down)
        self.pause = self._button(top, "pause", self.tr("Pause"), queue.pause)
        self.resume = self._button(top, "play", self.tr("Go on"), queue.resume)
        self.retry = self._button(top, "retry", self.tr("Again"), queue.resume)
        self.cancel = self._button(top, "close", self.tr("Cancel"), queue.cancel)
        self.log = self._button(top, "log", self.tr("What happened to this job"), self._show_log)
        column.addLayout(top)
        self._bar = QProgressBar(textVisible=False)
        self._bar.setAccessibleName(self.tr("Progress"))
        column.addWidget(self._bar)
        self.text = named(QLabel(wordWrap=True), "muted")
        self.text.linkActivated.connect(lambda link: QDesktopServices.openUrl(QUrl(link)))
        column.addWidget(self.text)

    def _button(self, row: QHBoxLayout, icon: str, words: str, act: Callable[[Job], object]) -> IconButton:
        button = IconButton(icon, words)
        button.clicked.connect(lambda: None if self._job is None else act(self._job))
        row.addWidget(button)
        return button

    def _show_log(self, job: Job) -> None:
        JobLog(job, self._queue.log(job), self.window()).open()

    def show_job(self, job: Job, pace: Pace | None, *, first: bool, last: bool) -> None:
        """Follow the job."""
        self._job = job
        self._name.setText(job.request.output.name)
        self._name.setToolTip(str(job.request.output))
        waiting, running = job.state is State.QUEUED, job.state is State.RUNNING
        self.up.setVisible(waiting and not first)
        self.down.setVisible(waiting and not last)
        self.pause.setVisible(waiting or running)
        self.resume.setVisible(job.state is State.PAUSED)
        self.retry.setVisible(job.state in (State.FAILED, State.CANCELLED))
        self.cancel.setVisible(job.state not in FINISHED)
        self._bar.setVisible(waiting or running or job.state is State.PAUSED)
        self._show_progress(job.done, job.total)
        self.text.setText(self._words(job))
        if pace is not None:
            self.show_pace(pace)

    def show_pace(self, pace: Pace) -> None:
        """How far it is."""
        now, left = pace.now, pace.seconds_left()
        words = {"find faces": self.tr("Finding faces {0}/{1}"), "record": self.tr("Finishing…")}.get(
            now.stage, self.tr("Frame {0}/{1}")
        )
        self._show_progress(now.done, now.total)
        rest = "" if left is None else self.tr(" · {0} left").format(clock(left))
        self.text.setText(words.format(now.done, now.total) + rest)

    def _show_progress(self, done: int, total: int) -> None:
        self._bar.setRange(0, max(total, 1))
        self._bar.setValue(done)

    def _words(self, job: Job) -> str:
        match job.state:
            case State.QUEUED:
                return self.tr("Waiting")
            case State.RUNNING:
                return self.tr("Starting…")
            case State.PAUSED:
                return self.tr("Paused. {0}").format(job.error)
            case State.CANCELLED:
                return self.tr("Cancelled; nothing was written")
            case State.FAILED:
                return job.error
            case State.DONE:
                folder = QUrl.fromLocalFile(str(job.request.output.parent)).toString()
                link = self.tr("Show the folder").join((f'<a href="{folder}">', "</a>"))
                return "<br>".join([self.tr("Done.") + " " + link, *map(escape, job.notes)])
