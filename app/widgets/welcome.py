"""What is there before anything is open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app import theme
from app.widgets.named import named

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 5


class Welcome(QWidget):
    """Open a clip, try the sample, or go on with a recent file."""

    open_wanted = Signal()
    demo_wanted = Signal()
    recent_wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("page")
        centre = Qt.AlignmentFlag.AlignHCenter
        column = QVBoxLayout(self)
        column.addStretch(2)
        mark = QLabel(pixmap=theme.app_icon().pixmap(72, 72))
        column.addWidget(mark, 0, centre)
        column.addSpacing(14)
        column.addWidget(
            named(QLabel(self.tr("Bring faces in old footage back to life")), "title"), 0, centre
        )
        column.addSpacing(6)
        hint = self.tr("Drop a video, a folder of images or a project anywhere in this window.")
        column.addWidget(named(QLabel(hint), "muted"), 0, centre)
        column.addSpacing(18)
        row = QHBoxLayout()
        row.addStretch(1)
        opener = named(QPushButton(self.tr("Open a clip…")), "primary")
        opener.setToolTip(self.tr("A video, one image, or a project saved before  (Ctrl+O)"))
        opener.clicked.connect(self.open_wanted)
        self._demo = QPushButton(self.tr("Try the sample clip"))
        self._demo.setToolTip(
            self.tr("Two seconds of degraded footage, made on the spot, with settings that fit")
        )
        self._demo.clicked.connect(self.demo_wanted)
        row.addWidget(opener)
        row.addWidget(self._demo)
        row.addStretch(1)
        column.addLayout(row)
        column.addSpacing(26)
        self._heading = named(QLabel(self.tr("Recent").upper()), "heading")
        column.addWidget(self._heading, 0, centre)
        self._recent = QVBoxLayout()
        column.addLayout(self._recent)
        column.addStretch(3)
        self.show_recent(())

    def show_recent(self, paths: Sequence[str]) -> None:
        """List the files opened last, those that are still there."""
        while (item := self._recent.takeAt(0)) is not None:
            if (former := item.widget()) is not None:
                former.deleteLater()
        there = [path for path in paths if Path(path).exists()][:SHOWN]
        for path in there:
            button = named(QPushButton(Path(path).name.replace("&", "&&")), "flat")
            button.setToolTip(path)
            button.clicked.connect(lambda _=False, path=path: self.recent_wanted.emit(path))
            self._recent.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        self._heading.setVisible(bool(there))
