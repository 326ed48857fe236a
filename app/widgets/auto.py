"""What Auto found in the shot under the playhead and does about it, in an editor's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.widgets.controls import Control
from app.widgets.icon_button import IconButton
from app.widgets.named import named

if TYPE_CHECKING:
    from flair_core.settings.fields import Field
    from flair_core.settings.found import Found


class AutoBlock(QWidget):
    """Says what was found; lets what is sharp be restored all the same; takes back what was set by hand."""

    wanted = Signal()
    """The shot is to be left to Auto again."""

    def __init__(self, leave_sharp: LeaveSharp, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.leave_sharp = leave_sharp
        self._words = QLabel(wordWrap=True)
        self._words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._words.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.MinimumExpanding)
        words = self.tr("Leave it to Auto again what happened to the footage")
        self.back = IconButton("undo", words, style="tiny")
        self.back.clicked.connect(self.wanted)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(named(QLabel(self.tr("Auto").upper()), "heading"), 1)
        row.addWidget(self.back)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(row)
        column.addWidget(self._words)
        column.addWidget(leave_sharp)

    @property
    def words(self) -> str:
        """What is said."""
        return self._words.text()

    def show_found(
        self, found: Found | None, *, by_hand: bool, leave_sharp: bool, look: str | None = None
    ) -> None:
        """What Auto found, None as long as it looks; or that it was not asked, because of a `look` by its label."""
        self.back.setVisible(by_hand)
        asked_about = found is not None and found.sharp and not by_hand
        self.leave_sharp.setVisible(asked_about)
        if by_hand and look is not None:
            words = self.tr("Not asked: the look {0} decides.").format(look)
        elif by_hand:
            words = self.tr("Not asked: it is set under Degradation.")
        elif found is None:
            words = self.tr("Looking at this shot…")
        elif found.failed:
            words = self.tr("This shot can't be read: nothing is assumed of the footage.")
        elif found.gain is None:
            words = self.tr("No face was found to judge by: nothing is assumed of the footage.")
        elif found.sharp and leave_sharp:
            words = self.tr("Already sharp: left as filmed.")
        elif found.sharp:
            words = self.tr("Already sharp, and restored all the same.")
        else:
            words = self._seen(found)
        self._words.setText(words)
        self.setAccessibleName(self.tr("Auto: {0}").format(words))

    def _seen(self, found: Found) -> str:
        sizes = {
            1.0: self.tr("Best at full resolution"),
            1.5: self.tr("Best at about two thirds of the resolution"),
            2.0: self.tr("Best at about half of the resolution"),
            3.0: self.tr("Best at about a third of the resolution"),
            4.0: self.tr("Best at about a quarter of the resolution"),
        }
        other = self.tr("Best at about {0:.0%} of the resolution").format(1 / found.enlargement)
        seen = [sizes.get(found.enlargement, other)]
        if found.grainy:
            grain = self.tr("a little grain"), self.tr("grain"), self.tr("strong grain")
            seen.append(grain[found.grainy - 1])
        endings = (
            self.tr("Restored, it may be better: compare with your eyes."),
            self.tr("Restored, it is probably better."),
            self.tr("Restored, it is very likely better."),
        )
        return ", ".join(seen) + ". " + endings[found.likely]


class LeaveSharp(Control):
    """Asked the other way round, since it is asked where something is left: shall it be restored all the same?"""

    def __init__(self, field: Field, parent: QWidget | None = None) -> None:
        super().__init__(field, parent)
        self._label.hide()
        self._switch = QCheckBox(self.tr("Restore all the same"))
        self._switch.toggled.connect(lambda on: self.changed.emit(not on))
        self.row.insertWidget(0, self._switch, 1)
        self._switch.setAccessibleDescription(self.toolTip())

    def set_value(self, value: Any) -> None:
        """See Control."""
        with QSignalBlocker(self._switch):
            self._switch.setChecked(not value)
