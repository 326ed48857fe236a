"""Every command of the window with its words, key and menu: one table for menus, buttons and the overview."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QMenuBar

from app import theme

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from PySide6.QtWidgets import QWidget


class Entry(NamedTuple):
    """One command, by the name that `Actions.connect_to` knows it by."""

    name: str
    words: str
    keys: str = ""
    icon: str = ""
    checkable: bool = False
    short: str = ""
    """Words on a button, where there is less room than in a menu."""


SEPARATOR = Entry("", "")
MENUS: dict[str, tuple[Entry, ...]] = {
    "&File": (
        Entry("open", "&Open…", "Ctrl+O"),
        Entry("open_folder", "Open a fol&der of images…"),
        Entry("open_demo", "Open the sample &clip"),
        SEPARATOR,
        Entry("save", "&Save project", "Ctrl+S"),
        Entry("save_as", "Save project &as…", "Ctrl+Shift+S"),
        SEPARATOR,
        Entry("open_preset", "Open &preset…"),
        Entry("save_preset", "Sa&ve preset…"),
        SEPARATOR,
        Entry("load_reference", "Load a re&ference clip…"),
        Entry("remove_reference", "Re&move the reference"),
        SEPARATOR,
        Entry("export", "&Export…", "Ctrl+E"),
        SEPARATOR,
        Entry("quit", "&Quit", "Ctrl+Q"),
    ),
    "&Edit": (
        Entry("undo", "&Undo", "Ctrl+Z", "undo"),
        Entry("redo", "&Redo", "Ctrl+Shift+Z", "redo"),
        SEPARATOR,
        Entry("copy_settings", "&Copy settings", "Ctrl+Shift+C"),
        Entry("paste_settings", "&Paste settings", "Ctrl+Shift+V"),
        Entry("reset_settings", "Reset &all settings"),
        Entry("swap_settings", "S&wap settings A and B", "B"),
        Entry("find_setting", "Find a &setting…", "Ctrl+F"),
        SEPARATOR,
        Entry("split_shot", "Sp&lit the shot here", "Ctrl+K"),
        Entry("merge_shot", "Mer&ge with the shot before", "Ctrl+Shift+K"),
        SEPARATOR,
        Entry("draw_face", "&Draw a face…", "F"),
        Entry("remove_face", "Re&move drawn face", "Del"),
        SEPARATOR,
        Entry("paint_mask", "Pa&int the mask", "P", checkable=True, short="Paint"),
        Entry("erase_mask", "&Erase from the mask", "E", checkable=True, short="Erase"),
        Entry("reset_mask", "Undo all painting of this &face's mask", short="Reset"),
        Entry("brush_smaller", "Smaller &brush", "["),
        Entry("brush_larger", "Larger brus&h", "]"),
        SEPARATOR,
        Entry("models", "M&odels…"),
        Entry("preferences", "Prefere&nces…", "Ctrl+,"),
    ),
    "&View": (
        Entry("side_by_side", "&Side by side", "1", checkable=True, short="Side by side"),
        Entry("wipe", "&Wipe", "2", checkable=True),
        Entry("difference", "&Difference", "3", checkable=True),
        Entry("residual", "&Residual", "4", checkable=True),
        Entry("uncertainty", "&Uncertainty", "5", checkable=True),
        SEPARATOR,
        Entry("mask", "&Mask", "M", checkable=True),
        Entry("against_other", "A a&gainst B, not the footage", "Shift+B", checkable=True),
        SEPARATOR,
        Entry("zoom_fit", "&Fit to the window", "Ctrl+0", short="Fit"),
        Entry("zoom_100", "&100 %", "Ctrl+1", short="1:1"),
        Entry("zoom_200", "&200 %", "Ctrl+2", short="2:1"),
        SEPARATOR,
        Entry("queue", "Export &queue", "Ctrl+J", checkable=True, short="Queue"),
    ),
    "&Play": (
        Entry("play", "&Play or pause", "Space", "play"),
        Entry("shuttle_back", "Play &backwards, faster", "J"),
        Entry("stop", "&Stop", "K"),
        Entry("shuttle_forward", "Play &forwards, faster", "L"),
        SEPARATOR,
        Entry("step_back", "One fr&ame back", "Left", "step-back"),
        Entry("step_forward", "O&ne frame on", "Right", "step-forward"),
        Entry("to_in", "To the in point", "Home", "to-start"),
        Entry("to_out", "To the out point", "End", "to-end"),
        SEPARATOR,
        Entry("mark_in", "Set &in point", "I", short="[ In"),
        Entry("mark_out", "Set &out point", "O", short="Out ]"),
        Entry("clear_span", "&Clear in and out", "X"),
        Entry("loop", "&Loop", "", "loop", checkable=True),
        Entry("sound", "So&und", "U", "sound", checkable=True),
        SEPARATOR,
        Entry("cancel", "Cancel the previe&w", "Escape"),
        Entry("prerender", "&Render from in to out", "Ctrl+Return", short="Render"),
    ),
    "&Help": (Entry("shortcuts", "&Keyboard shortcuts", "F1"), Entry("about", "&About FLAIR Studio")),
}
EXCLUSIVE = ("side_by_side", "wipe", "difference", "residual", "uncertainty")
BRUSHES = ("paint_mask", "erase_mask")
NEEDS_CLIP = (
    *BRUSHES,
    *("reset_mask", "brush_smaller", "brush_larger"),
    *(
        "save",
        "save_as",
        "export",
        "load_reference",
        "draw_face",
        "copy_settings",
        "swap_settings",
        "find_setting",
        "split_shot",
        "merge_shot",
        "against_other",
        "zoom_fit",
        "zoom_100",
        "zoom_200",
    ),
    *("play", "shuttle_back", "stop", "shuttle_forward", "step_back", "step_forward", "to_in", "to_out"),
    *("mark_in", "mark_out", "clear_span", "prerender"),
)


class Actions:
    """The window's QActions by name, and its menu bar."""

    def __init__(self, window: QWidget) -> None:
        self._by_name: dict[str, QAction] = {}
        self.groups: dict[str, list[QAction]] = {}
        self.bar = QMenuBar()
        self.recent = QMenu(QCoreApplication.translate("Actions", "Open &recent"))
        for title, entries in MENUS.items():
            menu = self.bar.addMenu(_tr(title))
            actions = self.groups[_tr(title).replace("&", "")] = []
            for entry in entries:
                if entry is SEPARATOR:
                    menu.addSeparator()
                    continue
                action = self._make(entry, window)
                menu.addAction(action)
                actions.append(action)
                if entry.name == "open":
                    menu.addMenu(self.recent)
        for names, policy in (
            (EXCLUSIVE, QActionGroup.ExclusionPolicy.Exclusive),
            (BRUSHES, QActionGroup.ExclusionPolicy.ExclusiveOptional),
        ):
            group = QActionGroup(window)
            group.setExclusionPolicy(policy)
            for name in names:
                group.addAction(self[name])

    def __getitem__(self, name: str) -> QAction:
        return self._by_name[name]

    def _make(self, entry: Entry, window: QWidget) -> QAction:
        action = QAction(_tr(entry.words), window)
        action.setCheckable(entry.checkable)
        if entry.keys:
            action.setShortcut(QKeySequence(entry.keys))
        if entry.short:
            action.setIconText(_tr(entry.short))
        if entry.icon:
            action.setIcon(theme.icon(entry.icon))
            action.setIconVisibleInMenu(False)
            action.setProperty("drawing", entry.icon)
        action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
        window.addAction(action)
        self._by_name[entry.name] = action
        self.explain(entry.name)
        return action

    def connect_to(self, handlers: Sequence[object], direct: Mapping[str, Callable[..., object]]) -> None:
        """Let each command call `direct[name]`, or else the method `on_<name>` of the handler that has one.

        What can be ticked passes on whether it is; all others call without an argument.
        """
        for name, action in self._by_name.items():
            method = f"on_{name}"
            slot = direct.get(name) or next(getattr(one, method) for one in handlers if hasattr(one, method))
            if action.isCheckable():
                action.toggled.connect(slot)
            else:
                action.triggered.connect(partial(slot))

    def explain(self, name: str, what: str = "") -> None:
        """Let the tooltip say the command and its key, and what it would be about."""
        action = self[name]
        words = action.text().replace("&", "").rstrip("…") + (f": {what}" if what else "")
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{words}  ({keys})" if keys else words)

    def clip_is_open(self, is_open: bool) -> None:
        """Enable what needs a clip."""
        for name in NEEDS_CLIP:
            self[name].setEnabled(is_open)

    def redraw_icons(self) -> None:
        """Draw the icons again after the theme has changed."""
        for action in self._by_name.values():
            if action.property("drawing"):
                action.setIcon(theme.icon(action.property("drawing")))


def _tr(words: str) -> str:
    return QCoreApplication.translate("Actions", words)
