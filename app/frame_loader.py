"""Decode threads: one for the frame under the playhead, one for thumbnails. The newest request wins."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QThread, Signal

from app.imaging import to_qimage
from app.loading import behind_the_window
from app.mailbox import Mailbox
from app.session import Clip
from flair_core.errors import FlairError
from flair_core.settings.groups import FootageSettings

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from flair_core.frames import Frame
    from flair_core.video import FrameSource

    OpenSource = Callable[[Path, FootageSettings], AbstractContextManager[FrameSource]]

READ_AHEAD = 4
"""Frames decoded before anyone asks, so that playing and stepping find them."""
THUMBNAIL_HEIGHT = 72
AS_IT_IS = FootageSettings()


def open_source(path: Path, footage: FootageSettings) -> AbstractContextManager[FrameSource]:
    """A reader of a clip."""
    import cv2  # noqa: F401 - the picture will be drawn with it

    from flair_core import video

    return video.open_source(path, footage)


@dataclass(frozen=True, slots=True)
class _Wanted:
    path: Path | None
    """None asks the thread to end."""
    index: int = 0
    footage: FootageSettings = AS_IT_IS
    anew: bool = False
    """Whether to open the file even if it is open already."""


class FrameLoader(QThread):
    """Decodes the frame that was asked for last, and the next few."""

    opened = Signal(object)
    """Clip."""
    failed = Signal(object, str)
    """Path, and one sentence."""
    arrived = Signal()
    """`frames` holds (path, Frame)."""

    def __init__(self, open_source: OpenSource = open_source, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.frames: Mailbox[tuple[Path, Frame]] = Mailbox()
        self._open_source = open_source
        self._wanted: Mailbox[_Wanted] = Mailbox()

    def open(self, path: Path, index: int, footage: FootageSettings) -> None:
        """Open a clip, and decode this frame of it; `opened` or `failed` answers."""
        self._wanted.put(_Wanted(path, index, footage, anew=True))

    def load(self, path: Path, index: int, footage: FootageSettings) -> None:
        """Decode this frame next; opens the clip first when it is another one, or to be read in another way."""
        self._wanted.put(_Wanted(path, index, footage))

    def close(self) -> None:
        """End the thread and wait for it."""
        self._wanted.put(_Wanted(None))
        self.wait()

    def run(self) -> None:
        """Serve until closed."""
        path, footage = None, AS_IT_IS
        with contextlib.ExitStack() as reading:
            source = None
            while (wanted := self._wanted.wait()).path is not None:
                try:
                    if source is None or wanted.anew or (wanted.path, wanted.footage) != (path, footage):
                        reading.close()
                        source, path, footage = None, wanted.path, wanted.footage
                        source = reading.enter_context(self._open_source(path, footage))
                        length = len(source)
                        info = replace(source.info, length=length)
                        self.opened.emit(Clip(path, info, source.notes, source.pts))
                    self._serve(source, wanted)
                except FlairError as error:
                    self.failed.emit(wanted.path, str(error))

    def _serve(self, source: FrameSource, wanted: _Wanted) -> None:
        assert wanted.path is not None
        at = min(wanted.index, len(source) - 1)
        if self.frames.put((wanted.path, source[at])):
            self.arrived.emit()
        # The source keeps what it has read last.
        for index in range(at + 1, min(at + 1 + READ_AHEAD, len(source))):
            if self._wanted.filled:
                return
            with contextlib.suppress(FlairError):  # whoever asks for that frame will hear of it
                source[index]


class Thumbnailer(QThread):
    """Decodes small pictures in the order asked for, until asked for others."""

    arrived = Signal(object, int, object)
    """Path, index, QImage."""

    def __init__(self, open_source: OpenSource = open_source, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._open_source = open_source
        self._wanted: Mailbox[tuple[Path | None, tuple[int, ...]]] = Mailbox()
        """None in place of the path asks the thread to end."""

    def load(self, path: Path, indices: tuple[int, ...]) -> None:
        """Make these next, and drop what was asked for before."""
        self._wanted.put((path, indices))

    def close(self) -> None:
        """End the thread and wait for it."""
        self._wanted.put((None, ()))
        self.wait()

    def run(self) -> None:
        """Serve until closed."""
        behind_the_window()
        open_path = None
        with contextlib.ExitStack() as reading:
            source = None
            while True:
                path, indices = self._wanted.wait()
                if path is None:
                    return
                # A clip that can't be read has no thumbnails; the frame loader tells the user why.
                with contextlib.suppress(FlairError):
                    if source is None or path != open_path:
                        reading.close()
                        source, open_path = None, path
                        source = reading.enter_context(self._open_source(path, AS_IT_IS))
                    self._serve(source, path, indices)

    def _serve(self, source: FrameSource, path: Path, indices: tuple[int, ...]) -> None:
        for index, rgb in source.thumbnails(indices, THUMBNAIL_HEIGHT):
            self.arrived.emit(path, index, to_qimage(rgb))
            if self._wanted.filled:
                return
