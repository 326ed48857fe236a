"""A group of settings under a header that opens and closes it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QToolButton, QVBoxLayout, QWidget

from app import theme
from app.widgets.named import named


class Section(QWidget):
    """Closed at first. A search shows what it finds in closed groups, too, as long as it goes on."""

    toggled = Signal()
    """The user has opened or closed it."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.header = _Header(title)
        self.header.setToolTip(self.tr("Show or hide the settings of this group"))
        self._body = QWidget()
        self.column = QVBoxLayout(self._body)
        self.column.setContentsMargins(0, 2, 0, 4)
        self.column.setSpacing(3)
        self._body.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self._body)
        self.header.toggled.connect(self._body.setVisible)
        self.header.clicked.connect(self.toggled)

    @property
    def is_open(self) -> bool:
        """Whether the settings are to be seen, a search aside."""
        return self.header.isChecked()

    def open(self, is_open: bool = True) -> None:
        """Show the settings, or hide them."""
        self.header.setChecked(is_open)

    def search(self, found: bool | None) -> None:
        """Show the group only if something was found in it; None: nobody searches."""
        self.setVisible(found is not False)
        self.header.setEnabled(found is None)
        self.header.point(down=self.is_open if found is None else found)
        self._body.setVisible(self.is_open if found is None else found)


class _Header(QToolButton):
    """The arrow and the title, as wide as the panel."""

    def __init__(self, title: str) -> None:
        super().__init__()
        named(self, "section").setText(title)
        self.setCheckable(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setIconSize(QSize(12, 12))
        self._down = False
        self.toggled.connect(lambda on: self.point(down=on))
        self._redraw()

    def point(self, *, down: bool) -> None:
        """Down where the settings are to be seen, else aside."""
        self._down = down
        self._redraw()

    def _redraw(self) -> None:
        icon = theme.icon("opened" if self._down else "closed")
        if icon.cacheKey() != self.icon().cacheKey():
            self.setIcon(icon)

    def changeEvent(self, event: QEvent) -> None:
        """Draw the arrow anew in another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._redraw()
