"""Plays the clip by the clock, and by that of its sound where it is heard: a late frame is dropped, nothing drifts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QElapsedTimer, QObject, Qt, QTimer, Signal

if TYPE_CHECKING:
    from app.session import Session
    from app.sound import Sound

FASTEST = 8
ROUNDING = 1e-6
"""Seconds by which times may be off through arithmetic."""


class Player(QObject):
    """Moves the session's playhead at the clip's rate, between the in and the out point."""

    changed = Signal()
    """Plays, stops, or at another speed."""
    silenced = Signal(str)
    """Why there is no sound: one sentence."""

    def __init__(self, session: Session, sound: Sound, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session, self._sound = session, sound
        self.speed = 0
        """Times the clip's rate; negative is backwards, 0 stands."""
        self._loop = True
        self._span = range(0)
        self._clock = QElapsedTimer()
        self._start = 0.0
        """Seconds of the clip at which it began to play."""
        self._timer = QTimer(self, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        sound.lost.connect(self._play_on)
        session.clip_changed.connect(self.stop)
        session.project_changed.connect(self._follow)

    @property
    def playing(self) -> bool:
        """Whether the playhead moves."""
        return self.speed != 0

    @property
    def loop(self) -> bool:
        """Whether the in point follows the out point."""
        return self._loop

    @loop.setter
    def loop(self, on: bool) -> None:
        self._loop = on
        self._restart()

    def play(self, speed: int = 1, *, silent: bool = False) -> None:
        """Play from the playhead; at an end of the span from the other one. Sound is heard at speed 1."""
        clip, span = self._session.clip, self._session.span
        if clip is None or len(span) < 2:
            return
        at = self._session.index
        end = span.stop - 1 if speed > 0 else span.start
        if at not in span or at == end:
            at = span.start if speed > 0 else span.stop - 1
        # Backwards a frame is left at its beginning, not at its end.
        self.speed, self._span, self._start = speed, span, clip.time(at if speed > 0 else at + 1)
        self._sound.stop()
        if speed == 1 and clip.info.has_audio and not silent:
            begin, end_time = clip.time(span.start), clip.time(span.stop)
            self._sound.play(clip.path, self._start, begin, end_time, loop=self._loop)
        self._clock.start()
        self._session.seek(at)
        self._timer.start(max(4, int(1000 / clip.info.rate / abs(speed) / 2)))
        self.changed.emit()

    def stop(self) -> None:
        """Stand still."""
        self._timer.stop()
        self._sound.stop()
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

    def position(self, seconds: float) -> int | None:
        """The frame that belongs on the screen so long after the start; None when the end was passed."""
        clip, span = self._session.clip, self._span
        assert clip is not None
        first, end = clip.time(span.start), clip.time(span.stop)
        at = self._start + self.speed * seconds + (ROUNDING if self.speed > 0 else -ROUNDING)
        if not first <= at < end:
            if not self._loop:
                return None
            at = first + (at - first) % (end - first)
        return min(max(clip.at(at), span.start), span.stop - 1)

    def _tick(self) -> None:
        heard = self._sound.elapsed()
        at = self.position(self._clock.nsecsElapsed() / 1e9 if heard is None else heard)
        if at is None:
            last = self._span.stop - 1 if self.speed > 0 else self._span.start
            self.stop()
            self._session.seek(last)
        else:
            self._session.seek(at)

    def _play_on(self, reason: str) -> None:
        """The sound has gone: go on without it from here."""
        if self.speed == 1:
            self.play(silent=True)
        self.silenced.emit(reason)

    def _follow(self) -> None:
        """Other in and out points."""
        if self.playing and self._span != self._session.span:
            self._restart()

    def _restart(self) -> None:
        if self.playing:
            self.play(self.speed)
