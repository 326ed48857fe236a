"""A row of buttons, some of which go where there is no room for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSize
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from PySide6.QtGui import QResizeEvent


class GivingWay(QWidget):
    """A widget with a row in it; what menus have, too, is hidden as long as the window is too narrow for it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.extras: tuple[QWidget, ...] = ()
        """What may go."""
        self._offered = True

    def offer_extras(self, offered: bool) -> None:
        """Whether there is any use in them at all."""
        self._offered = offered
        self._fit()

    def minimumSizeHint(self) -> QSize:
        """Without the extras."""
        least = super().minimumSizeHint()
        return QSize(least.width() - sum(map(self._room, self._seen())), least.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Shows the extras, or hides them."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        fits = self.width() >= self.minimumSizeHint().width() + sum(map(self._room, self.extras))
        for extra in self.extras:
            extra.setVisible(fits and self._offered)

    def _seen(self) -> list[QWidget]:
        return [extra for extra in self.extras if not extra.isHidden()]

    def _room(self, extra: QWidget) -> int:
        row = self.layout()
        spacing = 0 if row is None else row.spacing()
        return extra.minimumSizeHint().expandedTo(extra.minimumSize()).width() + spacing
