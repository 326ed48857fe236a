"""What the commands about settings do: presets, copy and paste, A and B, shots."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMenu, QMessageBox, QWidget

from app import preferences
from flair_core.errors import SettingsError
from flair_core.runtime import files
from flair_core.settings.groups import UNKNOWN, UNTOLD, bundled
from flair_core.settings.look import CLIP, GROUP_OF, Layer, Look, Scope, read_look
from flair_core.settings.looks import LOOKS, values_for

if TYPE_CHECKING:
    from app.preview import PreviewController
    from app.session import Session
    from flair_core.settings.groups import RestorationSettings, SamplerSettings

SUFFIX = ".json"
LEFT_TO_AUTO = {name: getattr(UNKNOWN, name) for name in ("kernel", "scale", "enlargement")}
"""Who sets one of these says what happened to the footage."""


def folder() -> Path:
    """Where the user's presets lie."""
    return preferences.folder() / "presets"


class SettingsCommands(QObject):
    """Handles the menus' entries about settings, and fills the menu of presets."""

    said = Signal(str, object)
    """A sentence, and choices by their words."""
    settled = Signal(str)
    """A sentence that was said need not stand any longer."""

    def __init__(self, session: Session, previews: PreviewController, window: QWidget) -> None:
        super().__init__(window)
        self._session, self._previews, self._window = session, previews, window
        self.menu = QMenu(window)
        self.menu.aboutToShow.connect(self._fill)

    def _say(self, text: str) -> None:
        self.said.emit(text, None)

    # --- presets --------------------------------------------------------------------------------

    def _fill(self) -> None:
        menu = self.menu
        menu.clear()
        menu.addAction(self.tr("Made for a model")).setEnabled(False)
        for file in sorted(path.name for path in (resources.files("resources") / "presets").iterdir()):
            name = file.removesuffix(SUFFIX)
            menu.addAction(name, partial(self._take_bundled, name))
        own = sorted(folder().glob(f"*{SUFFIX}"))
        if own:
            menu.addSeparator()
            menu.addAction(self.tr("Yours")).setEnabled(False)
        for path in own:
            menu.addAction(path.stem.replace("&", "&&"), partial(self.take_file, path))
        if own:
            forget = menu.addMenu(self.tr("Remove one of yours"))
            for path in own:
                forget.addAction(path.stem.replace("&", "&&"), partial(self._forget, path))
        menu.addSeparator()
        menu.addAction(self.tr("Keep these settings as…"), self.on_keep_preset)
        menu.addAction(self.tr("Open a file…"), self.on_open_preset)
        menu.addAction(self.tr("Save to a file…"), self.on_save_preset)
        menu.addSeparator()
        menu.addAction(self.tr("Copy"), self.on_copy_settings)
        menu.addAction(self.tr("Paste"), self.on_paste_settings)
        menu.addAction(self.tr("Reset"), self.on_reset_settings)

    def _take_bundled(self, name: str) -> None:
        self._take(Look(bundled(name, self._here())), name)

    def _here(self) -> RestorationSettings:
        """What is in force, and stays wherever a preset says nothing."""
        return self._session.look.seen_from(self._session.scope, self._session.index)

    def _take(self, look: Look, name: str) -> None:
        apply(self._session, look, self.tr("Take preset {0}").format(name))

    def take_file(self, path: Path) -> None:
        """Take the settings of a preset file."""
        try:
            self._take(read_look(path, self._here()), path.stem)
        except SettingsError as error:
            self._say(str(error))

    def on_open_preset(self) -> None:
        """Ask for a preset file and take its settings."""
        path, _ = QFileDialog.getOpenFileName(self._window, self.tr("Open preset"), "", self._preset_files())
        if path:
            self.take_file(Path(path))

    def on_save_preset(self) -> None:
        """Write the settings to a preset file."""
        path, _ = QFileDialog.getSaveFileName(
            self._window, self.tr("Save preset"), f"preset{SUFFIX}", self._preset_files()
        )
        if path:
            self._save(Path(path))

    def on_keep_preset(self) -> None:
        """Ask for a name, and offer the settings in the menu from now on."""
        name, wanted = QInputDialog.getText(self._window, self.tr("Keep settings"), self.tr("Name"))
        name = "".join(letter for letter in name.strip() if letter.isalnum() or letter in " -_.,()")
        if wanted and name.strip(". "):
            path = folder() / f"{name.strip('. ')}{SUFFIX}"
            if not path.exists() or self._agreed(self.tr("Replace your preset {0}?").format(path.stem)):
                self._save(path)

    def _forget(self, path: Path) -> None:
        if self._agreed(self.tr("Remove your preset {0}?").format(path.stem)):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                self._say(self.tr("The preset can't be removed: {0}.").format(error.strerror))

    def _agreed(self, question: str) -> bool:
        box = QMessageBox.StandardButton
        return QMessageBox.question(self._window, self.tr("Presets"), question, box.Yes | box.No) == box.Yes

    def _save(self, path: Path) -> None:
        try:
            files.write_text(path, copied(self._session).to_json())
        except OSError as error:
            self._say(self.tr("The preset can't be saved as {0}: {1}.").format(path, error.strerror))

    def _preset_files(self) -> str:
        return self.tr("Presets (*.json)")

    # --- copy and paste -------------------------------------------------------------------------

    def on_copy_settings(self) -> None:
        """Put the settings on the clipboard, as the text of a preset."""
        QGuiApplication.clipboard().setText(copied(self._session).to_json())

    def on_paste_settings(self) -> None:
        """Take settings from the clipboard."""
        try:
            look = Look.from_json(QGuiApplication.clipboard().text(), self._here())
        except SettingsError:
            self._say(self.tr("There are no settings on the clipboard. Copy some first."))
            return
        apply(self._session, look, self.tr("Paste settings"))

    def on_reset_settings(self) -> None:
        """Back to the defaults; a shot or a face back to what is around it."""
        session, scope = self._session, self._session.scope
        if scope == CLIP:
            session.edit(self.tr("Reset settings"), look=Look(UNTOLD))
        else:
            session.edit_look(self.tr("Reset settings"), lambda look: look.with_own(scope, Layer()))

    # --- A and B --------------------------------------------------------------------------------

    def on_swap_settings(self) -> None:
        """Compare two settings: the first time B is the same as A, and may then be changed."""
        hint = self.tr("These settings are kept as A. Change them, then press B to go to and fro.")
        if self._session.project.other is None:
            self._say(hint)
        else:
            self.settled.emit(hint)
        self._session.swap_looks()

    def on_against_other(self, on: bool) -> None:
        """Show the other one of A and B in place of the footage."""
        if on and self._session.project.other is None:
            self._say(self.tr("There is no B yet. Press B to keep these settings as A, then change some."))
        self._previews.compare_with_other(on)

    # --- looks and Auto ---------------------------------------------------------------------------

    def take_look(self, name: str) -> None:
        """Take the settings of a look by its name."""
        session = self._session
        values = values_for(name, session.look.seen_from(session.scope, session.index))
        label = QCoreApplication.translate("looks", LOOKS[name].label)
        session.edit_settings(self.tr("Take the look {0}").format(label), **values)

    def leave_to_auto(self) -> None:
        """What happened to the footage is found by Auto again: in the scope, and where the playhead is."""
        session = self._session
        session.edit_look(self.tr("Leave it to Auto"), partial(left_to_auto, session))

    # --- exploration ----------------------------------------------------------------------------

    def adopt(self, sampler: SamplerSettings) -> None:
        """Take K and w_τ of a point that was explored."""
        self._session.edit_settings(self.tr("Adopt a point"), steps=sampler.steps, w_tau=sampler.w_tau)

    # --- shots ----------------------------------------------------------------------------------

    def on_split_shot(self) -> None:
        """Let a shot begin at the playhead."""
        index = self._session.index
        self._session.edit_shots(self.tr("Split the shot"), lambda look: look.split_at(index))

    def on_merge_shot(self) -> None:
        """Let the shot under the playhead go on from the one before."""
        index = self._session.index
        self._session.edit_shots(self.tr("Merge shots"), lambda look: look.merged_at(index))


def copied(session: Session) -> Look:
    """What copying takes: all of the clip's look, or the settings of the shot or face at the playhead."""
    if session.scope == CLIP:
        return session.project.look
    return Look(session.look.seen_from(session.scope, session.index))


def apply(session: Session, look: Look, text: str) -> None:
    """Take a preset or copied settings into the scope, undoably.

    The clip's shots and faces keep what they have of their own, unless the look brings some itself. A shot
    or a face gets what differs from the wider scope.
    """
    scope, own = session.scope, session.project.look
    if scope == CLIP:
        whole = look.shots or look.tracks
        session.edit(text, look=look if whole else replace(own, settings=look.settings, lanes=look.lanes))
        return
    around = CLIP if scope.kind == "shot" else _shot(session)
    wider, layer = session.look.seen_from(around, session.index), Layer(lanes=look.lanes)
    for name, group in GROUP_OF.items():
        value = getattr(getattr(look.settings, group), name)
        differs = value != getattr(getattr(wider, group), name)
        if differs and name not in (*scope.fixed, *layer.names):
            layer = layer.with_value(name, value)
    session.edit_look(text, lambda now: now.with_own(scope, layer))


def left_to_auto(session: Session, look: Look) -> Look:
    """A look in which Auto decides about the shot, or the face, at the playhead."""
    scope = session.scope
    narrow = _shot(session) if scope == CLIP else scope
    own = look.own(narrow)
    for name in own.names.intersection(LEFT_TO_AUTO):
        own = own.without(name)
    if own != look.own(narrow):
        look = look.with_own(narrow, own)
    around = look.seen_from(narrow, session.index).degradation
    if around.known or around.enlargement is not None:
        for name, value in LEFT_TO_AUTO.items():
            look = look.with_value(scope, name, value)
    return look


def _shot(session: Session) -> Scope:
    """That of the shot under the playhead."""
    return Scope("shot", session.look.shot_at(session.index).start)
