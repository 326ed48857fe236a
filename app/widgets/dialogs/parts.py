"""What all dialogs have: their buttons, and the room around what they hold."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout

translate = QCoreApplication.translate


def explained_buttons(dialog: QDialog, which: QDialogButtonBox.StandardButton) -> QDialogButtonBox:
    """The dialog's usual buttons, connected and explained."""
    buttons = QDialogButtonBox(which)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    tips = {
        QDialogButtonBox.StandardButton.Ok: translate("Dialogs", "Take this over  (Enter)"),
        QDialogButtonBox.StandardButton.Cancel: translate("Dialogs", "Leave everything as it was  (Esc)"),
        QDialogButtonBox.StandardButton.Close: translate("Dialogs", "Back to the window  (Esc)"),
    }
    for name, tip in tips.items():
        if (button := buttons.button(name)) is not None:
            button.setToolTip(tip)
    return buttons


def column_of(dialog: QDialog) -> QVBoxLayout:
    """An empty column that fills the dialog, with its margins."""
    column = QVBoxLayout(dialog)
    column.setContentsMargins(18, 18, 18, 14)
    column.setSpacing(16)
    return column
