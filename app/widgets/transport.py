"""Buttons under the picture: play, step, in and out, timecode, zoom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QToolButton, QWidget

from app import theme
from app.timecode import parse, timecode
from app.widgets.giving_way import GivingWay
from app.widgets.named import named

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QAction, QKeyEvent

    from app.playback import Player
    from app.session import Session

    ActionOf = Callable[[str], QAction]
    """A command of the window by its name."""

BUTTONS = ("to_in", "step_back", "play", "step_forward", "to_out", "loop", "sound", "mark_in", "mark_out")


class Transport(GivingWay):
    """Moves the playhead; its buttons are the window's actions, so that each knows its shortcut."""

    def __init__(
        self, session: Session, player: Player, action_of: ActionOf, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._player, self._play = session, player, action_of("play")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for name in BUTTONS:
            drawn = not action_of(name).icon().isNull()
            self._add(row, action_of(name), "icon" if drawn else "narrow", drawn=drawn)
        self._time = _Time(session)
        row.addSpacing(6)
        row.addWidget(self._time)
        self._speed = named(QLabel(), "muted")
        row.addWidget(self._speed)
        row.addStretch(1)
        extras: list[QWidget] = [self._add(row, action_of("prerender"), "narrow")]
        row.addSpacing(6)
        self._percent = named(QLabel(), "muted")
        self._percent.setMinimumWidth(44)
        self._percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self._percent)
        extras += [self._add(row, action_of(name), "flat") for name in ("zoom_fit", "zoom_100", "zoom_200")]
        self.extras = (*extras, self._percent)
        player.changed.connect(self.refresh)
        session.index_changed.connect(self._show_time)
        session.clip_changed.connect(self.refresh)
        self.refresh()

    def _add(self, row: QHBoxLayout, action: QAction, style: str = "", *, drawn: bool = False) -> QToolButton:
        button = named(QToolButton(), style)
        button.setDefaultAction(action)
        look = Qt.ToolButtonStyle.ToolButtonIconOnly if drawn else Qt.ToolButtonStyle.ToolButtonTextOnly
        button.setToolButtonStyle(look)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row.addWidget(button)
        return button

    def show_zoom(self, zoom: float) -> None:
        """Write the zoom in per cent."""
        self._percent.setText(f"{100 * zoom:.0f} %")

    def refresh(self) -> None:
        """Follow the player and the clip."""
        self._play.setIcon(theme.icon("pause" if self._player.playing else "play"))
        self._time.setEnabled(self._session.clip is not None)
        speed = self._player.speed
        self._speed.setText(f"{speed} ×" if speed not in (0, 1) else "")
        self._show_time()

    def _show_time(self) -> None:
        clip = self._session.clip
        self._time.setText(timecode(self._session.index, clip.info.rate) if clip else "00:00:00:00")


class _Time(QLineEdit):
    """Shows the timecode; type one, or a frame number, to go there."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self.setFixedWidth(98)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAccessibleName(self.tr("Timecode"))
        self.setToolTip(self.tr("Type a timecode or a frame number and press Enter"))
        self.returnPressed.connect(self._go)

    def _go(self) -> None:
        if self._session.clip is not None:
            rate = self._session.clip.info.rate
            at = parse(self.text(), rate)
            if at is not None:
                self._session.seek(at)
            self.setText(timecode(self._session.index, rate))
            self.clearFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Escape gives up."""
        if event.key() == Qt.Key.Key_Escape and self._session.clip is not None:
            self.setText(timecode(self._session.index, self._session.clip.info.rate))
            self.clearFocus()
        else:
            super().keyPressEvent(event)
