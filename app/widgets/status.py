"""The line at the bottom: what the preview, the search and the export are doing, and on what device."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QProgressBar, QWidget

from app.widgets.named import named

NOTED_MS = 8000


class Status(QWidget):
    """Words on the left for the preview; on the right for the background, and the device."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._preview, self._task, self._device = (named(QLabel(), "muted") for _ in range(3))
        self._bar = QProgressBar(textVisible=False)
        self._bar.setFixedWidth(160)
        self._bar.setAccessibleName(self.tr("Progress"))
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 0)
        row.setSpacing(10)
        row.addWidget(self._preview, 1)
        row.addWidget(self._task)
        row.addWidget(self._bar)
        row.addWidget(self._device)
        self.setFixedHeight(20)
        self._words = ""
        self._noted = QTimer(self, singleShot=True, interval=NOTED_MS)
        self._noted.timeout.connect(lambda: self._preview.setText(self._words))
        self.show_task("", 0, 0)

    @property
    def preview(self) -> str:
        """What is said on the left."""
        return self._preview.text()

    def show_preview(self, text: str) -> None:
        """What the preview does."""
        self._words = text
        if not self._noted.isActive():
            self._preview.setText(text)

    def note(self, text: str) -> None:
        """Something worth knowing, for a few seconds."""
        self._preview.setText(text)
        self._noted.start()

    def show_device(self, text: str) -> None:
        """What computes."""
        self._device.setText(text)

    def show_task(self, text: str, done: int, total: int) -> None:
        """What goes on in the background; nothing, if the text is empty."""
        self._task.setText(f"{text}  {done}/{total}" if total else text)
        self._task.setVisible(bool(text))
        self._bar.setRange(0, total)
        self._bar.setValue(done)
        self._bar.setVisible(bool(text))
