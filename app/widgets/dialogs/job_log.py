"""The log of an export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QLabel, QPlainTextEdit, QWidget

from app.widgets.dialogs.parts import column_of, explained_buttons
from app.widgets.named import named

if TYPE_CHECKING:
    from flair_core.jobs.queue import Job


class JobLog(QDialog):
    """What happened to an export, line by line."""

    def __init__(self, job: Job, log: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Log of {0}").format(job.request.output.name))
        self.resize(620, 320)
        lines = QPlainTextEdit(log or self.tr("Nothing has happened yet."), readOnly=True)
        lines.setAccessibleName(self.tr("Log"))
        lines.setToolTip(self.tr("When it was started, what it said, and how it ended"))
        buttons = explained_buttons(self, QDialogButtonBox.StandardButton.Close)
        copy = buttons.addButton(self.tr("Copy"), QDialogButtonBox.ButtonRole.ActionRole)
        copy.setToolTip(self.tr("Put the log on the clipboard"))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(log))
        column = column_of(self)
        column.addWidget(named(QLabel(str(job.request.output), wordWrap=True), "muted"))
        column.addWidget(lines, 1)
        column.addWidget(buttons)
