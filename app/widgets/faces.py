"""The faces of the clip: which ones there are, and which are restored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QLabel, QListWidget, QListWidgetItem, QPushButton, QVBoxLayout, QWidget

from app.imaging import to_qimage
from app.widgets.named import named

if TYPE_CHECKING:
    from app.imaging import Pixels
    from app.session import Session

ICON = 34
ROWS = 3


class Faces(QWidget):
    """A list with a tick for every face that is restored; one row for each face drawn by hand."""

    draw_wanted = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._icons: dict[int, QIcon] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(named(QLabel(self.tr("Faces").upper()), "heading"))
        self._state = named(QLabel(wordWrap=True), "muted")
        column.addWidget(self._state)
        self._list = QListWidget()
        self._list.setIconSize(QSize(ICON, ICON))
        self._list.setAccessibleName(self.tr("Faces"))
        self._list.setToolTip(self.tr("The faces of this clip; untick one to leave it as it was filmed"))
        self._list.itemChanged.connect(self._toggled)
        self._list.currentRowChanged.connect(self._chosen)
        column.addWidget(self._list)
        self._draw = QPushButton(self.tr("Draw a face…"))
        self._draw.setToolTip(self.tr("Where no face was found: drag an ellipse from forehead to chin"))
        self._draw.clicked.connect(self.draw_wanted)
        column.addWidget(self._draw)
        session.faces_changed.connect(self._fill)
        session.project_changed.connect(self._fill)
        session.clip_changed.connect(self._clip_changed)
        session.selection_changed.connect(self._mark)
        self.set_state("")
        self._fill()

    def set_state(self, text: str) -> None:
        """What the search is doing; empty when there is nothing to say."""
        self._state.setText(text)
        self._state.setVisible(bool(text))

    def show_frame(self, rgb: Pixels, index: int) -> None:
        """Cut the pictures of faces that have none yet out of a frame."""
        missing = [t for t in self._session.tracks if t.id not in self._icons and t.covers(index)]
        if missing:
            for track in missing:
                box = track.boxes[index - track.first]
                self._icons[track.id] = _cut(rgb, box.tolist())
            self._fill()

    def _clip_changed(self) -> None:
        self._icons.clear()
        self._fill()

    def _fill(self) -> None:
        session = self._session
        with QSignalBlocker(self._list):
            self._list.clear()
            for track in session.tracks:
                last = track.first + len(track) - 1
                item = self._add(track.id, self.tr("Face {0}").format(track.id + 1), track.first, last)
                item.setCheckState(_ticked(track.id not in session.project.left_out))
                if track.id in self._icons:
                    item.setIcon(self._icons[track.id])
            for at, face in enumerate(session.project.drawn):
                self._add(-1 - at, self.tr("Drawn face {0}").format(at + 1), face.first, face.last)
            rows = min(self._list.count(), ROWS)
            self._list.setFixedHeight(rows * max(self._list.sizeHintForRow(0), 20) + 6)
            self._list.setVisible(rows > 0)
        self._draw.setEnabled(session.clip is not None and not session.settings.faces.aligned)
        self._mark()

    def _add(self, number: int, name: str, first: int, last: int) -> QListWidgetItem:
        item = QListWidgetItem(self.tr("{0}\nframes {1}–{2}").format(name, first, last), self._list)
        item.setData(Qt.ItemDataRole.UserRole, number)
        item.setToolTip(self.tr("Untick a face to leave it as it was filmed. Delete removes a drawn one."))
        return item

    def _mark(self) -> None:
        with QSignalBlocker(self._list):
            for row in range(self._list.count()):
                if self._number(row) == self._session.selected:
                    self._list.setCurrentRow(row)
                    return
            self._list.setCurrentRow(-1)

    def _number(self, row: int) -> int:
        return int(self._list.item(row).data(Qt.ItemDataRole.UserRole))

    def _chosen(self, row: int) -> None:
        self._session.select(self._number(row) if row >= 0 else None)

    def _toggled(self, item: QListWidgetItem) -> None:
        number, left_out = item.data(Qt.ItemDataRole.UserRole), self._session.project.left_out
        restored = item.checkState() == Qt.CheckState.Checked
        chosen = left_out - {number} if restored else left_out | {number}
        self._session.edit(self.tr("Choose faces"), left_out=chosen)


def _ticked(on: bool) -> Qt.CheckState:
    return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked


def _cut(rgb: Pixels, box: list[float]) -> QIcon:
    left, top, right, bottom = (max(round(edge), 0) for edge in box)
    face = to_qimage(rgb[top:bottom, left:right])
    side = 2 * ICON
    aspect, smooth = Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation
    picture = QPixmap.fromImage(face.scaled(side, side, aspect, smooth))
    icon = QIcon(picture)
    icon.addPixmap(picture, QIcon.Mode.Selected)  # not tinted
    return icon
