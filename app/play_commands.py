"""What the commands of the Play menu do: playing, stepping, in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

if TYPE_CHECKING:
    from app.playback import Player
    from app.session import Session
    from app.sound import Sound
    from app.widgets.status import Status


class PlayCommands(QObject):
    """Moves the playhead and the in and the out point."""

    def __init__(
        self, session: Session, player: Player, sound: Sound, status: Status, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session, self._player, self._sound, self._status = session, player, sound, status
        self._silent_because = ""

    def on_step_back(self) -> None:
        """One frame back."""
        self._jump(self._session.index - 1)

    def on_step_forward(self) -> None:
        """One frame on."""
        self._jump(self._session.index + 1)

    def on_to_in(self) -> None:
        """To the first frame that counts."""
        self._jump(self._session.span.start)

    def on_to_out(self) -> None:
        """To the last one."""
        self._jump(self._session.span.stop - 1)

    def _jump(self, index: int) -> None:
        self._player.stop()
        self._session.seek(index)

    def on_loop(self, on: bool) -> None:
        """Play between in and out again and again."""
        self._player.loop = on

    def on_sound(self, on: bool) -> None:
        """Hear the clip, or mute it."""
        self._sound.set_volume(float(on))

    def note_silence(self, reason: str) -> None:
        """Say why there is no sound, once: that a computer has no loudspeaker is no news the second time."""
        if reason != self._silent_because:
            self._silent_because = reason
            self._status.note(reason)

    def on_mark_in(self) -> None:
        """The span begins here."""
        last = self._session.span.stop - 1
        self.set_span(self._session.index, max(last, self._session.index))

    def on_mark_out(self) -> None:
        """The span ends here."""
        first = self._session.span.start
        self.set_span(min(first, self._session.index), self._session.index)

    def set_span(self, first: int, last: int) -> None:
        """Let these frames count, and those between them."""
        self._session.edit(self.tr("Set in and out"), subject="span", span=(first, last))

    def on_clear_span(self) -> None:
        """All frames count."""
        self._session.edit(self.tr("Clear in and out"), span=None)
