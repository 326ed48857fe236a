"""The networks: which there are, under which licence, where to get them; fetching one, and taking in a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from app.widgets.dialogs.parts import explained_buttons
from app.widgets.named import named
from flair_core.checkpoints import catalogue, store

if TYPE_CHECKING:
    from PySide6.QtGui import QDragEnterEvent, QDropEvent

    from app.downloads import Downloads

MB = 10**6
translate = QCoreApplication.translate


class ModelsDialog(QDialog):
    """A card for each network."""

    import_wanted = Signal(object, str)
    """File, and the name of the network that it holds."""

    def __init__(self, downloads: Downloads, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._downloads = downloads
        self._bars: dict[str, QProgressBar] = {}
        self.setAcceptDrops(True)
        self.setWindowTitle(self.tr("Models"))
        self.resize(640, 560)
        inner = named(QWidget(), "inner")
        self._cards = QVBoxLayout(inner)
        self._cards.setContentsMargins(0, 0, 6, 0)
        scroll = QScrollArea(widgetResizable=True)
        scroll.setWidget(inner)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._said = QLabel(wordWrap=True)
        self._said.hide()
        where = QLabel(
            self.tr("Imported models lie in {0}. A fetched file can be dropped here, too.").format(
                store.folder()
            ),
            wordWrap=True,
        )
        where.setObjectName("muted")
        buttons = explained_buttons(self, QDialogButtonBox.StandardButton.Close)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 18, 18, 14)
        column.setSpacing(12)
        column.addWidget(scroll, 1)
        column.addWidget(self._said)
        column.addWidget(where)
        column.addWidget(buttons)
        downloads.advanced.connect(self._show_progress)
        downloads.ended.connect(self._download_ended)
        self.refresh()

    def say(self, text: str) -> None:
        """What went wrong, or what to do."""
        self._said.setText(text)
        self._said.setVisible(bool(text))

    def refresh(self) -> None:
        """Look again at what is here."""
        self._bars.clear()
        while (item := self._cards.takeAt(0)) is not None:
            if (card := item.widget()) is not None:
                card.deleteLater()
        for status in store.listing():
            self._cards.addWidget(self._card(status))
        self._cards.addStretch(1)

    def _card(self, status: store.Status) -> QFrame:
        entry = status.checkpoint
        card = named(QFrame(), "job")
        column = QVBoxLayout(card)
        column.setContentsMargins(12, 9, 10, 9)
        column.setSpacing(3)
        top = QHBoxLayout()
        top.addWidget(named(QLabel(entry.name), "name"))
        top.addStretch(1)
        if status.path:
            top.addWidget(named(QLabel(self.tr("ready")), "good"))
        else:
            self._add_buttons(top, entry)
        column.addLayout(top)
        column.addWidget(QLabel(translate("weights", entry.purpose), wordWrap=True))
        column.addWidget(
            named(
                QLabel(self.tr("Licence: {0}").format(translate("weights", entry.licence)), wordWrap=True),
                "muted",
            )
        )
        if not status.path and entry.url and entry.size and entry.sha256:
            known = self.tr("{0} MB · SHA-256 {1}…").format(f"{entry.size / MB:.1f}", entry.sha256[:16])
            line = named(QLabel(known), "muted")
            line.setToolTip(entry.sha256)
            column.addWidget(line)
        elif not status.path:
            how = self.tr("To get {0}: {1}.").format(entry.file, translate("weights", entry.source))
            text = named(QLabel(how, wordWrap=True), "muted")
            text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            column.addWidget(text)
        if self._downloads.running(entry.name):
            bar = self._bars[entry.name] = QProgressBar(textVisible=False, maximum=0)
            bar.setAccessibleName(self.tr("Progress"))
            column.addWidget(bar)
        return card

    def _add_buttons(self, row: QHBoxLayout, entry: catalogue.Checkpoint) -> None:
        if self._downloads.running(entry.name):
            stop = QPushButton(self.tr("Cancel"))
            stop.setAccessibleName(self.tr("Cancel the download of {0}").format(entry.name))
            stop.setToolTip(self.tr("Stop the download; nothing of it is kept"))
            stop.clicked.connect(lambda: self._downloads.cancel(entry.name))
            row.addWidget(stop)
            return
        if entry.url:
            get = QPushButton(self.tr("Download…"))
            get.setAccessibleName(self.tr("Download {0}").format(entry.name))
            get.setToolTip(self.tr("Shows licence and size first; the file is checked before it is taken in"))
            get.clicked.connect(lambda: self._offer(entry))
            row.addWidget(get)
        fetch = QPushButton(self.tr("Import a file…"))
        fetch.setAccessibleName(self.tr("Import {0}").format(entry.name))
        fetch.setToolTip(self.tr("Choose the file that you fetched; it is checked before it is taken in"))
        fetch.clicked.connect(lambda: self._ask(entry))
        row.addWidget(fetch)

    def _offer(self, entry: catalogue.Checkpoint) -> None:
        """Download, if the user agrees to what it is."""
        box = QMessageBox(self)
        box.setWindowTitle(self.tr("Download {0}").format(entry.name))
        box.setText(self.tr("Download {0} under this licence?").format(entry.file))
        rows = (
            translate("weights", entry.purpose),
            self.tr("Licence: {0}").format(translate("weights", entry.licence)),
            self.tr("{0} MB from {1}").format(f"{(entry.size or 0) / MB:.1f}", entry.url),
            f"SHA-256 {entry.sha256}",
        )
        box.setInformativeText("\n\n".join(rows))
        go = box.addButton(self.tr("Download"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        if box.clickedButton() == go:
            self.download(entry.name)

    def download(self, name: str) -> None:
        """Fetch a network whose terms the user knows."""
        self.say("")
        self._downloads.start(name)
        self.refresh()

    def _show_progress(self, name: str, here: int, total: int) -> None:
        if (bar := self._bars.get(name)) is not None:
            bar.setRange(0, total // 1024)  # in an int of Qt's there is no room for the bytes of a large file
            bar.setValue(here // 1024)

    def _download_ended(self, name: str, message: str) -> None:
        self.say(message and f"{name}: {message}")
        self.refresh()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files are welcome."""
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take in those that are known by their names."""
        files = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
        by_file = {entry.file.lower(): entry.name for entry in catalogue.CHECKPOINTS.values()}
        self.say("")
        for file in files:
            if (name := by_file.get(file.name.lower())) is not None:
                self.import_wanted.emit(file, name)
            else:
                self.say(
                    self.tr(
                        "No model is published as {0}. Use “Import a file…” of the one that it holds."
                    ).format(file.name)
                )
        event.acceptProposedAction()

    def _ask(self, entry: catalogue.Checkpoint) -> None:
        title, kinds = (
            self.tr("Where is {0}?").format(entry.file),
            self.tr("Checkpoints (*.pt *.pth *.ckpt *.safetensors *.onnx)"),
        )
        path, _ = QFileDialog.getOpenFileName(self, title, "", kinds)
        if path:
            self.import_wanted.emit(Path(path), entry.name)
