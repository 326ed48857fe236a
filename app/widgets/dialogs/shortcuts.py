"""An overview of all keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QGridLayout, QHBoxLayout, QLabel, QWidget

from app.widgets.dialogs.parts import column_of, explained_buttons
from app.widgets.named import named

if TYPE_CHECKING:
    from PySide6.QtGui import QAction


class ShortcutsDialog(QDialog):
    """Every action that has a key."""

    def __init__(self, groups: dict[str, list[QAction]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        columns = QHBoxLayout()
        columns.setSpacing(32)
        first, *others, last = (
            (title, [one for one in group if one.shortcuts()]) for title, group in groups.items()
        )
        most = max(len(group) for _, group in others)
        grid, row = None, 0
        for title, group in (first, last, *others):  # the short ones share a column
            if grid is None or row + len(group) >= most:
                grid, row = QGridLayout(), 0
                grid.setHorizontalSpacing(14)
                grid.setVerticalSpacing(7)
                columns.addLayout(grid)
                columns.setAlignment(grid, Qt.AlignmentFlag.AlignTop)
            elif row:
                grid.addWidget(QLabel(), row, 0)
                row += 1
            grid.addWidget(named(QLabel(title.upper()), "heading"), row, 0)
            for action in group:
                row += 1
                grid.addWidget(QLabel(action.text().replace("&", "").rstrip("…")), row, 0)
                keys = ", ".join(key.toString(key.SequenceFormat.NativeText) for key in action.shortcuts())
                grid.addWidget(named(QLabel(keys), "muted"), row, 1)
            row += 1
        column = column_of(self)
        column.addLayout(columns)
        column.addStretch(1)
        column.addWidget(explained_buttons(self, QDialogButtonBox.StandardButton.Close))
        self.adjustSize()
