"""The networks: which there are, under which licence, where to get them; and taking in a file."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.widgets.dialogs import explained_buttons
from flair_core import weights


class ModelsDialog(QDialog):
    """A card for each network."""

    import_wanted = Signal(object, str)
    """File, and the name of the network that it holds."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Models"))
        self.resize(640, 560)
        inner = QWidget(objectName="inner")
        self._cards = QVBoxLayout(inner)
        self._cards.setContentsMargins(0, 0, 6, 0)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(inner)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        where = QLabel(self.tr("Imported models lie in {0}").format(weights.folder()), wordWrap=True)
        where.setObjectName("muted")
        buttons = explained_buttons(self, QDialogButtonBox.StandardButton.Close)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 18, 18, 14)
        column.setSpacing(12)
        column.addWidget(scroll, 1)
        column.addWidget(where)
        column.addWidget(buttons)
        self.refresh()

    def refresh(self) -> None:
        """Look again at what is here."""
        while (item := self._cards.takeAt(0)) is not None:
            if item.widget():
                item.widget().deleteLater()
        for status in weights.listing():
            self._cards.addWidget(self._card(status))
        self._cards.addStretch(1)

    def _card(self, status: weights.Status) -> QFrame:
        entry = status.checkpoint
        card = QFrame(objectName="job")
        column = QVBoxLayout(card)
        column.setContentsMargins(12, 9, 10, 9)
        column.setSpacing(3)
        top = QHBoxLayout()
        top.addWidget(QLabel(entry.name, objectName="name"))
        top.addStretch(1)
        if status.path:
            top.addWidget(QLabel(self.tr("ready"), objectName="good"))
        else:
            fetch = QPushButton(self.tr("Import a file…"))
            fetch.setAccessibleName(self.tr("Import {0}").format(entry.name))
            fetch.setToolTip(self.tr("Choose the file that you fetched; it is checked before it is taken in"))
            fetch.clicked.connect(lambda: self._ask(entry))
            top.addWidget(fetch)
        column.addLayout(top)
        column.addWidget(QLabel(entry.purpose, wordWrap=True))
        column.addWidget(
            QLabel(self.tr("Licence: {0}").format(entry.licence), objectName="muted", wordWrap=True)
        )
        if not status.path:
            how = self.tr("To get {0}: {1}.").format(entry.file, entry.source)
            text = QLabel(how, objectName="muted", wordWrap=True)
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(text)
        return card

    def _ask(self, entry: weights.Checkpoint) -> None:
        title, kinds = (
            self.tr("Where is {0}?").format(entry.file),
            self.tr("Checkpoints (*.pt *.pth *.ckpt *.safetensors *.onnx)"),
        )
        path, _ = QFileDialog.getOpenFileName(self, title, "", kinds)
        if path:
            self.import_wanted.emit(Path(path), entry.name)
