"""The export queue: a card for each job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app import theme
from app.export_queue import OPEN, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from app.export_queue import ExportQueue, Job


def clock(seconds: float) -> str:
    """A duration as m:ss or h:mm:ss."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


class QueuePanel(QFrame):
    """Shows every job with its progress and what can be done with it."""

    def __init__(self, queue: ExportQueue, parent: QWidget | None = None) -> None:
        super().__init__(parent, objectName="panel")
        self._queue = queue
        self._cards: dict[Job, _Card] = {}
        inner = QWidget(objectName="inner")
        self._column = QVBoxLayout(inner)
        self._column.setContentsMargins(10, 10, 10, 10)
        self._column.setSpacing(8)
        self._column.addWidget(QLabel(self.tr("Export queue").upper(), objectName="heading"))
        self._empty = QLabel(self.tr("Nothing to export yet. Use Export… to add a clip."), wordWrap=True)
        self._empty.setObjectName("muted")
        self._column.addWidget(self._empty)
        self._column.addStretch(1)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(inner)
        frame = QVBoxLayout(self)
        frame.setContentsMargins(1, 1, 1, 1)
        frame.addWidget(scroll)
        queue.changed.connect(self._fill)
        queue.advanced.connect(lambda job: self._cards[job].refresh() if job in self._cards else None)

    def _fill(self) -> None:
        for job in [job for job in self._cards if job not in self._queue.jobs]:
            self._cards.pop(job).deleteLater()
        for at, job in enumerate(self._queue.jobs):
            if job not in self._cards:
                self._cards[job] = _Card(self._queue, job)
            self._column.insertWidget(2 + at, self._cards[job])
            self._cards[job].refresh()
        self._empty.setVisible(not self._queue.jobs)


class _Card(QFrame):
    def __init__(self, queue: ExportQueue, job: Job) -> None:
        super().__init__(objectName="job")
        self._queue, self._job = queue, job
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 8, 8)
        column.setSpacing(5)
        top = QHBoxLayout()
        self._name = QLabel(job.task.output.name, objectName="name", toolTip=str(job.task.output))
        top.addWidget(self._name, 1)
        self._up = self._button(top, "up", self.tr("Run earlier"), lambda: queue.move_up(job))
        self._pause = self._button(top, "pause", self.tr("Pause"), lambda: queue.pause(job))
        self._resume = self._button(top, "play", self.tr("Go on"), lambda: queue.resume(job))
        self._retry = self._button(top, "retry", self.tr("Again"), lambda: queue.resume(job))
        self._close = self._button(top, "close", self.tr("Remove"), lambda: queue.remove(job))
        column.addLayout(top)
        self._bar = QProgressBar(textVisible=False)
        column.addWidget(self._bar)
        self._text = QLabel(objectName="muted", wordWrap=True, openExternalLinks=False)
        self._text.linkActivated.connect(lambda link: QDesktopServices.openUrl(QUrl(link)))
        column.addWidget(self._text)

    def _button(self, row: QHBoxLayout, icon: str, words: str, act: Callable[[], object]) -> QToolButton:
        button = QToolButton(objectName="flat", icon=theme.icon(icon), toolTip=words)
        button.setAccessibleName(words)
        button.clicked.connect(act)
        row.addWidget(button)
        return button

    def refresh(self) -> None:
        """Follow the job."""
        job, now = self._job, self._job.progress
        self._bar.setMaximum(now.total if now else 1)
        self._bar.setValue(now.total if now and job.state is State.DONE else now.done if now else 0)
        self._bar.setVisible(job.state in OPEN)
        self._text.setText(self.describe())
        self._up.setVisible(job.state is State.WAITING and self._queue.jobs[0] is not job)
        self._pause.setVisible(job.state in (State.RUNNING, State.WAITING))
        self._resume.setVisible(job.state is State.PAUSED)
        self._retry.setVisible(job.state in (State.FAILED, State.CANCELLED))

    def describe(self) -> str:
        """The state in words."""
        job, now = self._job, self._job.progress
        words = {
            State.WAITING: self.tr("Waiting"),
            State.PAUSED: self.tr("Paused"),
            State.CANCELLED: self.tr("Cancelled; nothing was written"),
            State.FAILED: job.message,
            State.DONE: '<a href="{}">{}</a>'.format(
                QUrl.fromLocalFile(str(job.task.output.parent)).toString(), self.tr("Done. Show the folder")
            ),
        }
        if job.state is not State.RUNNING or now is None:
            return words.get(job.state, self.tr("Starting…"))
        text = self.tr("Finding faces {0}/{1}") if now.stage == "faces" else self.tr("Frame {0}/{1}")
        left = job.seconds_left()
        return text.format(now.done, now.total) + (
            "" if left is None else self.tr(" · {0} left").format(clock(left))
        )
