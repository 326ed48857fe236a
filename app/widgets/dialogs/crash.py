"""The report of a fault of the program itself."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QWidget,
)

from app.widgets.dialogs.parts import column_of, explained_buttons


class CrashDialog(QDialog):
    """Says that the program has a fault, and offers the report."""

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Something went wrong"))
        self.setMinimumWidth(560)
        words = self.tr(
            "FLAIR Studio met a fault of its own. Your work was kept aside and you can go on; "
            "if it happens again, please send the report."
        )
        details = QPlainTextEdit(report, readOnly=True)
        details.hide()
        details.setAccessibleName(self.tr("Report"))
        details.setMinimumHeight(220)
        copy, show = QPushButton(self.tr("Copy report")), QPushButton(self.tr("Show report"))
        show.setCheckable(True)
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(report))
        show.toggled.connect(details.setVisible)
        copy.setToolTip(self.tr("Put the report on the clipboard, to be pasted into a mail"))
        show.setToolTip(self.tr("See what is in it: the fault, versions, no file of yours"))
        details.setToolTip(show.toolTip())
        row = QHBoxLayout()
        row.addWidget(copy)
        row.addWidget(show)
        row.addStretch(1)
        row.addWidget(explained_buttons(self, QDialogButtonBox.StandardButton.Close))
        column = column_of(self)
        column.addWidget(QLabel(words, wordWrap=True))
        column.addWidget(details, 1)
        column.addLayout(row)
