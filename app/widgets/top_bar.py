"""The row at the top: menus, ways to compare, queue and export."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QWidget

from app.widgets.elided import Elided
from app.widgets.giving_way import GivingWay
from app.widgets.named import named

if TYPE_CHECKING:
    from app.actions import Actions

MODES = ("side_by_side", "wipe", "difference", "residual", "uncertainty", "mask")

RARE = ("residual", "uncertainty")
"""Those that give way first."""


class TopBar(GivingWay):
    """Its buttons are the window's actions."""

    def __init__(self, actions: Actions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        if not actions.bar.isNativeMenuBar():
            # As high as its sheet of style makes it, which comes later.
            actions.bar.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
            row.addWidget(actions.bar, 0, Qt.AlignmentFlag.AlignVCenter)
        self._tools = [self._add(row, actions, name, "icon") for name in ("undo", "redo")]
        self._name = Elided(style="muted")
        row.addSpacing(8)
        row.addWidget(self._name, 1)
        modes = {name: self._add(row, actions, name) for name in MODES}
        self.extras = tuple(modes.pop(name) for name in RARE)
        self._tools += modes.values()
        row.addSpacing(12)
        self._queue = self._add(row, actions, "queue")
        self._tools += [self._queue, self._add(row, actions, "export", "primary")]
        self.show_queue(0)

    def _add(self, row: QHBoxLayout, actions: Actions, name: str, style: str = "") -> QToolButton:
        button = named(QToolButton(), style)
        button.setDefaultAction(actions[name])
        button.setToolButtonStyle(
            Qt.ToolButtonStyle.ToolButtonIconOnly
            if style == "icon"
            else Qt.ToolButtonStyle.ToolButtonTextOnly
        )
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row.addWidget(button)
        return button

    def show_tools(self, shown: bool) -> None:
        """Nothing but the menus before a clip is open."""
        for button in self._tools:
            button.setVisible(shown)
        self.offer_extras(shown)

    def show_name(self, name: str) -> None:
        """What is open."""
        self._name.setText(name)
        self._name.setToolTip(name)

    def show_queue(self, waiting: int) -> None:
        """How many exports are not over."""
        text = self.tr("Queue")
        self._queue.setText(f"{text} ({waiting})" if waiting else text)
