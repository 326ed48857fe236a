"""The sound of the clip while it plays, and the clock that the picture then follows.

Samples are decoded on a thread of their own; the window's thread hands them to the device in small bites. What
has been heard tells the time: the picture may drop frames, but sound and picture never drift apart.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QObject, QThread, QTimer, Signal

from app.mailbox import Mailbox
from flair_core.errors import FlairError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BYTES = 4
"""Of a sample: two channels of 16 bits."""
FEED_MS = 15
AHEAD = 24
"""Blocks decoded before they are needed: about half a second."""
PATIENCE = 3.0
"""Seconds without any progress after which a device counts as lost."""


class Output(Protocol):
    """What plays samples: the device, or a stand-in in tests."""

    rate: int
    """Samples a second."""

    @property
    def waiting(self) -> int:
        """Bytes that were taken and are not yet heard."""

    @property
    def room(self) -> int:
        """Bytes that it would take now."""

    def write(self, data: bytes) -> int:
        """Take what there is room for; how many bytes that was."""

    def set_volume(self, volume: float) -> None:
        """0 is silence, 1 is full."""

    def close(self) -> None:
        """Fall silent at once."""


class _Device:
    """The computer's own loudspeaker, by QtMultimedia. Raises OSError or ImportError where there is none."""

    def __init__(self) -> None:
        # Only in the window's thread: while it builds widgets, an import of Qt in another one may never end.
        from PySide6.QtMultimedia import (
            QAudioFormat,
            QAudioSink,
            QMediaDevices,
        )

        device = QMediaDevices.defaultAudioOutput()
        if device.isNull():
            raise OSError("no device")
        form = QAudioFormat()
        form.setSampleFormat(QAudioFormat.SampleFormat.Int16)
        form.setChannelCount(2)
        for rate in (48_000, device.preferredFormat().sampleRate()):
            form.setSampleRate(rate)
            if device.isFormatSupported(form):
                break
        else:
            raise OSError("no stereo sound of 16 bits")
        self.rate = form.sampleRate()
        self._sink = QAudioSink(device, form)
        self._sink.setBufferSize(self.rate * BYTES // 5)
        self._open = self._sink.start()
        if self._open is None:
            raise OSError("the device can't be opened")

    @property
    def waiting(self) -> int:
        return self._sink.bufferSize() - self._sink.bytesFree()

    @property
    def room(self) -> int:
        return self._sink.bytesFree()

    def write(self, data: bytes) -> int:
        return self._open.write(data)

    def set_volume(self, volume: float) -> None:
        self._sink.setVolume(volume)

    def close(self) -> None:
        self._sink.reset()


@dataclass(slots=True, eq=False)
class _Stream:
    """What is to be heard, and the blocks decoded for it."""

    path: Path | None
    """None asks the thread to end."""
    first: float = 0.0
    """Seconds of the file, as the file counts them: where to begin, and the part that is played."""
    begin: float = 0.0
    end: float = 0.0
    loop: bool = False
    rate: int = 0
    blocks: queue.Queue[bytes | None] = field(default_factory=lambda: queue.Queue(AHEAD))
    """None: it ends here."""
    ended: threading.Event = field(default_factory=threading.Event)
    """Nobody listens any more."""


class Sound(QObject):
    """Plays the sound of a part of a clip. `elapsed` is the clock of what is heard."""

    lost = Signal(str)
    """There is no sound after all: one sentence. From here on the picture goes by the wall clock."""

    def __init__(self, open_output: Callable[[], Output] = _Device, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open_output = open_output
        self._usable = True
        self._volume = 1.0
        self._output: Output | None = None
        self._stream: _Stream | None = None
        self._rest = b""
        self._written = 0
        self._heard, self._since = 0, 0.0
        """Bytes heard when that was last news, and when."""
        self._elapsed = 0.0
        self._over = False
        """Whether all that there is was written."""
        self._decoder = _Decoder(self)
        self._decoder.failed.connect(self._fail)
        self._timer = QTimer(self, interval=FEED_MS)
        self._timer.timeout.connect(self._feed)

    def start(self) -> None:
        """Let the thread get ready."""
        self._decoder.start()

    def play(self, path: Path, first: float, begin: float, end: float, *, loop: bool) -> None:
        """Play from `first` to `end`, and then from `begin` again; seconds as the file counts them."""
        self.stop()
        if not self._usable:
            return
        try:
            self._output = self._open_output()
        except (OSError, ImportError) as error:
            self.lost.emit(self.tr("The clip plays without sound: {0}.").format(error))
            return
        self._output.set_volume(self._volume)
        self._rest, self._written, self._over = b"", 0, False
        self._heard, self._since, self._elapsed = 0, time.monotonic(), 0.0
        self._stream = _Stream(path, first, begin, end, loop, self._output.rate)
        self._decoder.decode(self._stream)
        self._timer.start()

    def stop(self) -> None:
        """Be silent."""
        self._timer.stop()
        if self._stream is not None:
            self._stream.ended.set()
        if self._output is not None:
            self._output.close()
        self._stream = self._output = None

    def set_volume(self, volume: float) -> None:
        """0 is silence, 1 is full."""
        self._volume = volume
        if self._output is not None:
            self._output.set_volume(volume)

    def elapsed(self) -> float | None:
        """Seconds heard since `play`; None when there is no sound to go by."""
        if self._output is None:
            return None
        heard = max(self._written - self._output.waiting, 0)
        now, pace = time.monotonic(), self._output.rate * BYTES
        if heard > self._heard:
            self._heard, self._since = heard, now
        # Devices tell their progress in leaps of some 20 ms: in between, time goes on.
        run = heard + (now - self._since) * pace if heard else 0
        self._elapsed = max(self._elapsed, (run if self._over else min(run, self._written)) / pace)
        return self._elapsed

    def close(self) -> None:
        """End the thread."""
        self.stop()
        self._decoder.close()

    def _feed(self) -> None:
        """Give the device what it has room for."""
        output, stream = self._output, self._stream
        assert output is not None
        assert stream is not None
        while (room := output.room) >= BYTES and not self._over:
            try:
                data = self._rest or stream.blocks.get_nowait()
            except queue.Empty:
                break
            if data is None:
                self._over = True
                break
            taken = output.write(data[: room // BYTES * BYTES])
            self._written += taken
            self._rest = data[taken:]
        self.elapsed()
        if not self._over and time.monotonic() > self._since + PATIENCE:
            self._usable = False
            self.stop()
            self.lost.emit(self.tr("The sound device does not answer: the clip plays without sound."))

    def _fail(self, reason: str) -> None:
        if self._stream is not None:
            self.stop()
            self.lost.emit(reason)


class _Decoder(QThread):
    """Decodes what was asked for last."""

    failed = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._wanted: Mailbox[_Stream] = Mailbox()

    def decode(self, stream: _Stream) -> None:
        """Fill this stream's queue; the one before is ended."""
        self._wanted.put(stream)

    def close(self) -> None:
        """End the thread and wait for it."""
        self._wanted.put(_Stream(None))
        self.wait()

    def run(self) -> None:
        """Serve until closed."""
        while (stream := self._wanted.wait()).path is not None:
            try:
                for block in _blocks(stream):
                    if not _put(stream, block):
                        break
                else:
                    _put(stream, None)
            except FlairError as error:
                self.failed.emit(str(error))


def _put(stream: _Stream, block: bytes | None) -> bool:
    """Wait for room; False when nobody listens any more."""
    while not stream.ended.is_set():
        try:
            stream.blocks.put(block, timeout=0.05)
        except queue.Full:
            continue
        return True
    return False


def _blocks(stream: _Stream) -> Iterator[bytes]:
    from flair_core import video

    assert stream.path is not None
    first = stream.first
    while True:
        for samples in video.sound(stream.path, first, stream.end, stream.rate):
            yield samples.tobytes()
        if not stream.loop:
            return
        first = stream.begin
