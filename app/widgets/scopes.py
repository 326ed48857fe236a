"""What settings are for, and which of two: the head of the parameter panel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from collections.abc import Iterable

    from app.session import Session


class Scopes(QWidget):
    """Clip, shot or face; A or B, held against each other; and the menu of presets."""

    peeked = Signal(bool)
    """The other one of A and B is to be seen, as long as the button is held."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 10, 10, 6)
        column.setSpacing(6)
        self.scopes = {
            "clip": self._button(self.tr("Settings are for the whole clip")),
            "shot": self._button(self.tr("Settings are for the shot under the playhead only")),
            "face": self._button(self.tr("Settings are for the selected face only")),
        }
        self._add_row(column, self.scopes.values(), exclusive=True)
        for kind, button in self.scopes.items():
            button.clicked.connect(lambda _, kind=kind: session.set_scope(kind))
        self.slots = {
            "A": self._button(self.tr("Work on settings A; B is kept  (B swaps them)")),
            "B": self._button(self.tr("Work on settings B; A is kept  (B swaps them)")),
        }
        for slot, button in self.slots.items():
            button.setText(slot)
            button.clicked.connect(lambda _, slot=slot: self._choose(slot))
        self.hold = self._button(self.tr("Hold to see the other one of A and B"))
        self.hold.setText(self.tr("Hold A | B"))
        self.hold.setCheckable(False)
        self.hold.pressed.connect(lambda: self.peeked.emit(True))
        self.hold.released.connect(lambda: self.peeked.emit(False))
        self.presets = self._button(self.tr("Settings to take over, and those to keep for other clips"))
        self.presets.setText(self.tr("Presets"))
        self.presets.setCheckable(False)
        self.presets.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._add_row(column, [*self.slots.values(), self.hold, self.presets], exclusive=False)
        for signal in (
            session.project_changed,
            session.scope_changed,
            session.index_changed,
            session.faces_changed,
            session.selection_changed,
            session.shots_changed,
            session.clip_changed,
        ):
            signal.connect(self.refresh)
        self.refresh()

    def _button(self, words: str) -> QToolButton:
        button = QToolButton()
        button.setCheckable(True)
        button.setToolTip(words)
        button.setAccessibleName(words)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return button

    def _add_row(self, column: QVBoxLayout, buttons: Iterable[QToolButton], *, exclusive: bool) -> None:
        row = QHBoxLayout()
        row.setSpacing(4)
        group = QButtonGroup(self)
        for button in buttons:
            row.addWidget(button)
            if exclusive:
                group.addButton(button)
        column.addLayout(row)

    def _choose(self, slot: str) -> None:
        if slot != self._session.project.slot:
            self._session.swap_looks()
        self.refresh()

    def refresh(self) -> None:
        """Follow the session."""
        session = self._session
        shots = [shot.first for shot in session.look.shots] or [0]
        shot = session.look.shot_at(session.index).start
        here = session.faces_here
        face = session.selected if session.selected is not None else next(iter(here), None)
        self.scopes["clip"].setText(self.tr("Clip"))
        self.scopes["shot"].setText(self.tr("Shot {0}").format(shots.index(shot) + 1))
        words = (
            self.tr("Face")
            if face is None
            else self.tr("Face {0}").format(face + 1)
            if face >= 0
            else self.tr("Drawn {0}").format(-face)
        )
        self.scopes["face"].setText(words)
        self.scopes["face"].setEnabled(face is not None and not session.settings.faces.aligned)
        self.scopes[session.scope.kind].setChecked(True)
        for slot, button in self.slots.items():
            button.setChecked(slot == session.project.slot)
            button.setEnabled(session.clip is not None)
        self.hold.setEnabled(session.project.other is not None)
