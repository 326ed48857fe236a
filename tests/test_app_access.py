"""Every control tells a screen reader its name, and whoever points at it what it does."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QMenuBar,
    QPlainTextEdit,
    QScrollBar,
    QToolButton,
    QWidget,
)

from app import preferences
from app.widgets.canvas import Canvas
from app.widgets.dialogs import CrashDialog, ExportDialog, JobLog, PreferencesDialog, ShortcutsDialog
from app.widgets.models import ModelsDialog
from app.widgets.timeline import Timeline
from flair_core.jobs.request import Request
from flair_core.settings.look import Look

CONTROLS = (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    Canvas,
    Timeline,
)


def controls(root):
    """What a user can operate, without the parts that Qt makes such things of."""
    for widget in [root, *root.findChildren(QWidget)]:
        inner = isinstance(widget.parent(), QAbstractSpinBox | QMenuBar) or any(
            isinstance(above, QComboBox) for above in ancestors(widget)
        )
        if isinstance(widget, CONTROLS) and not isinstance(widget, QScrollBar) and not inner:
            yield widget


def ancestors(widget):
    while (widget := widget.parent()) is not None:
        yield widget


def named(widget):
    text = widget.text() if isinstance(widget, QAbstractButton) else ""
    return bool(widget.accessibleName() or text)


def explained(widget):
    if isinstance(widget, Canvas | Timeline):  # a tip would pop up over the picture that one looks at
        return bool(widget.accessibleDescription())
    return bool(widget.toolTip()) or any(
        isinstance(above, QWidget) and above.toolTip() for above in ancestors(widget)
    )


def described(widget):
    chain = " in ".join(type(each).__name__ for each in (widget, *ancestors(widget)))
    text = widget.text() if isinstance(widget, QAbstractButton | QLineEdit) else ""
    return f"{chain} {widget.accessibleName() or text!r}"


@pytest.fixture
def everything(qtbot, opened, tmp_path):
    """The window and all its dialogs, by name."""
    request = Request(source=opened.session.clip.path, output=tmp_path / "out.mp4", look=Look())
    opened.queue.add(request)
    qtbot.waitUntil(lambda: not opened.queue.open)
    opened.welcome.show_recent([str(opened.session.clip.path)])
    dialogs = (
        ExportDialog(opened.session, opened),
        PreferencesDialog(preferences.load(), opened),
        ShortcutsDialog(opened.actions_.groups, opened),
        CrashDialog("a report", opened),
        JobLog(opened.queue.jobs[0], "a log", opened),
        ModelsDialog(opened.downloads, opened),
    )
    return {"window": opened, **{type(dialog).__name__: dialog for dialog in dialogs}}


@pytest.mark.parametrize("what", [named, explained])
def test_every_control_is_named_and_explained(everything, what):
    found = {name: list(controls(root)) for name, root in everything.items()}
    assert all(found.values()), "every page has controls"
    assert not [described(widget) for some in found.values() for widget in some if not what(widget)]


def test_all_menus_are_there(window):
    bar = window.actions_.bar
    more = bar.findChild(QToolButton, "qt_menubar_ext_button")
    assert more is None or not more.isVisible(), "menus that find no room go behind a button"
    assert all(bar.actionGeometry(action).height() <= bar.height() for action in bar.actions())
    assert all(bar.rect().contains(bar.actionGeometry(action)) for action in bar.actions())
