"""Looks to choose from, each with a picture of the face under the playhead as it would become."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QSize, Qt, Signal
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from app.imaging import to_qimage
from app.widgets.named import named
from flair_core.settings.looks import LOOKS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS = 3
SIDE = 68
"""Of a picture, in points."""


class Looks(QWidget):
    """A button for each; the one whose values are in force is marked."""

    chosen = Signal(str)
    """The name of a look."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        self.buttons: dict[str, QToolButton] = {}
        for at, (name, look) in enumerate(LOOKS.items()):
            button = self.buttons[name] = named(QToolButton(), "look")
            button.setText(QCoreApplication.translate("looks", look.label))
            button.setToolTip(QCoreApplication.translate("looks", look.text))
            button.setAccessibleName(self.tr("Look: {0}").format(button.text()))
            button.setAccessibleDescription(button.toolTip())
            button.setCheckable(True)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextUnderIcon)
            button.setIconSize(QSize(SIDE, SIDE))
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.clicked.connect(lambda _, name=name: self._choose(name))
            grid.addWidget(button, at // COLUMNS, at % COLUMNS)
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)
        self._marked: str | None = None

    def _choose(self, name: str) -> None:
        self.mark(self._marked)  # a click alone marks nothing: the settings say what is in force
        self.chosen.emit(name)

    def mark(self, name: str | None) -> None:
        """Say which one is in force."""
        self._marked = name
        for each, button in self.buttons.items():
            button.setChecked(each == name)

    def show_picture(self, name: str, rgb: NDArray[np.uint8] | None) -> None:
        """Show what a look makes of the face, (S, S, 3); None: that is not known."""
        if rgb is None:
            self.buttons[name].setIcon(QIcon())
            return
        image = to_qimage(rgb)
        image.setDevicePixelRatio(image.width() / SIDE)
        self.buttons[name].setIcon(QIcon(QPixmap.fromImage(image)))
