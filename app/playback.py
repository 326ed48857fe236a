"""Plays the clip by the clock: a late frame is dropped, so that nothing drifts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal

if TYPE_CHECKING:
    from app.session import Session

FASTEST = 8


class Player(QObject):
    """Moves the session's playhead at the clip's rate, between the in and the out point."""

    changed = Signal()
    """Plays, stops, or at another speed."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.speed = 0
        """Times the clip's rate; negative is backwards, 0 stands."""
        self.loop = True
        self._clock = QElapsedTimer()
        self._start = 0
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        session.clip_changed.connect(self.stop)

    @property
    def playing(self) -> bool:
        """Whether the playhead moves."""
        return self.speed != 0

    def play(self, speed: int = 1) -> None:
        """Play from the playhead; at an end of the span from the other one."""
        clip, span = self._session.clip, self._session.span
        if clip is None or len(span) < 2:
            return
        at = self._session.index
        end = span.stop - 1 if speed > 0 else span.start
        if at not in span or at == end:
            at = span.start if speed > 0 else span.stop - 1
        self.speed, self._start = speed, at
        self._clock.start()
        self._session.seek(at)
        self._timer.start(max(4, int(1000 / clip.info.rate / abs(speed) / 2)))
        self.changed.emit()

    def stop(self) -> None:
        """Stand still."""
        self._timer.stop()
        if self.speed:
            self.speed = 0
            self.changed.emit()

    def toggle(self) -> None:
        """Play or stop."""
        if self.playing:
            self.stop()
        else:
            self.play()

    def shuttle(self, direction: int) -> None:
        """Each call in the same direction doubles the speed; one in the other starts at normal speed."""
        same = self.speed * direction > 0
        self.play(direction * min(2 * abs(self.speed), FASTEST) if same else direction)

    def position(self, milliseconds: int) -> int | None:
        """The frame that belongs on the screen so long after the start; None when the end was passed."""
        clip, span = self._session.clip, self._session.span
        assert clip is not None
        moved = int(milliseconds * clip.info.rate * abs(self.speed) / 1000)
        at = self._start + moved if self.speed > 0 else self._start - moved
        if at in span:
            return at
        return span.start + (at - span.start) % len(span) if self.loop else None

    def _tick(self) -> None:
        at = self.position(self._clock.elapsed())
        if at is None:
            self.stop()
        else:
            self._session.seek(at)
