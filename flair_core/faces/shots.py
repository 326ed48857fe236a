"""Where a film cuts from one shot to the next."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

import cv2
import numpy as np

from flair_core.motion import dense_flow, pull

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from flair_core.frames import Frame
    from flair_core.video import FrameSource

Item = TypeVar("Item")

SMALL = (160, 90)
"""Width and height of what is compared."""
AROUND = 2
"""Frames on either side with which the change at a frame is compared: at a cut it is so much larger."""
RATIO = 3.0
"""How much larger."""
LEAST_CHANGE = 8.0
"""Mean change of brightness at a cut, in levels."""
FLASH = 5
"""Frames that a flash, a dropped frame or any other disturbance may last without making a shot."""
SAME = 0.5
"""Two frames, a few apart, show the same when they differ by less than this share of what changed between."""
MOVED = 0.42
"""A change of which optical flow leaves less than this share was movement."""
BAR = 8
"""Levels by which pixels of a bar may differ."""
LEAST_AREA = 16
"""Pixels of SMALL that a picture between bars has at least."""
CLOCK = 25.0


class ShotDetector(Generic[Item]):
    """Told one frame after the other, gives each back, a few frames later, with whether it starts a shot.

    PySceneDetect's adaptive detector compares the brightness of what lies between bars. What is the same again
    after a few frames is no cut, nor is what optical flow explains: movement, or a jerk where frames are missing.
    """

    def __init__(self) -> None:
        from scenedetect import AdaptiveDetector  # a sixth of a second, for those who need no shots, too

        self._detector = AdaptiveDetector(
            adaptive_threshold=RATIO,
            min_scene_len=0,
            window_width=AROUND,
            min_content_val=LEAST_CHANGE,
            luma_only=True,
        )
        self._told = 0
        self._bars = _Bars()
        self._waiting: deque[tuple[int, Item]] = deque()
        self._seen: deque[NDArray[np.uint8]] = deque(maxlen=2 * FLASH + AROUND + 2)
        """The last frames, the newest one being number told − 1."""
        self._changes: set[int] = {0}
        """Frames at which something changed that may be cuts."""

    def push(self, item: Item, rgb: NDArray[np.uint8]) -> list[tuple[Item, bool]]:
        """Take the next frame, (H, W, 3); returns those of which enough is known by now. The first starts a shot."""
        grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), SMALL, interpolation=cv2.INTER_AREA)
        small = np.asarray(grey, np.uint8)
        self._bars.see(small)
        if not self._told:
            for early in range(-AROUND, 0):  # as if the film had stood still before
                self._tell(early, small)
        self._tell(self._told, small)
        self._seen.append(small)
        self._waiting.append((self._told, item))
        self._told += 1
        return self._known(self._told - AROUND - FLASH)

    def rest(self) -> list[tuple[Item, bool]]:
        """What is left when the film has ended."""
        for late in range(AROUND if self._seen else 0):
            self._tell(self._told + late, self._seen[-1])
        return self._known(self._told)

    def _tell(self, at: int, small: NDArray[np.uint8]) -> None:
        from scenedetect import FrameTimecode

        for change in self._detector.process_frame(FrameTimecode(at + AROUND, CLOCK), self._picture(small)):
            self._changes.add(change.frame_num - AROUND)

    def _known(self, stop: int) -> list[tuple[Item, bool]]:
        known = []
        while self._waiting and self._waiting[0][0] < stop:
            at, item = self._waiting.popleft()
            known.append((item, at in self._changes and self._is_cut(at)))
        return known

    def _is_cut(self, at: int) -> bool:
        """Whether a change is more than movement, and stays."""
        if at == 0:
            return True
        frames = dict(enumerate(self._seen, self._told - len(self._seen)))
        before, after = self._picture(frames[at - 1]), self._picture(frames[at])
        changed = _difference(before, after)
        if _difference(pull(before, dense_flow(after, before)), after) < MOVED * changed:
            return False
        return not any(
            _difference(self._picture(frames[one]), self._picture(frames[other])) < SAME * changed
            for one in range(at - FLASH, at)
            for other in range(at, one + FLASH + 2)
            if one in frames and other in frames
        )

    def _picture(self, small: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """What lies between bars, in the size of SMALL."""
        picture = cv2.resize(self._bars.within(small), SMALL, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)


class _Bars:
    """Finds what lies between the bars of a film: where anything was ever seen."""

    def __init__(self) -> None:
        self._area: tuple[int, int, int, int] | None = None
        """Left, top, right, bottom."""

    def see(self, small: NDArray[np.uint8]) -> None:
        """Take the next frame."""
        rows, columns = (np.flatnonzero(np.ptp(small, axis=axis) > BAR) for axis in (1, 0))
        if len(rows) >= LEAST_AREA and len(columns) >= LEAST_AREA:
            area = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
            old = self._area or area
            self._area = (
                min(old[0], area[0]),
                min(old[1], area[1]),
                max(old[2], area[2]),
                max(old[3], area[3]),
            )

    def within(self, small: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A frame without bars."""
        if self._area is None:
            return small
        left, top, right, bottom = self._area
        return small[top:bottom, left:right]


def marked(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Every frame of a film, with whether it starts a shot; holds a few of them."""
    detector: ShotDetector[Frame] = ShotDetector()
    for frame in frames:
        yield from detector.push(frame, as_uint8(frame.rgb))
    yield from detector.rest()


def shot_around(source: FrameSource, index: int, reach: int) -> list[Frame]:
    """Frame `index` with its neighbours of the same shot, at most `reach` on either side."""
    shot: list[Frame] = []
    for frame, starts in marked(source.frames(max(index - reach, 0), min(index + reach + 1, len(source)))):
        if starts:
            if frame.index > index:
                break
            shot.clear()
        shot.append(frame)
    return shot


def as_uint8(rgb: NDArray[np.uint8] | NDArray[np.uint16]) -> NDArray[np.uint8]:
    """The upper eight bits."""
    return np.asarray(rgb >> 8 if rgb.dtype == np.uint16 else rgb, np.uint8)


def _difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return float(cv2.absdiff(a, b).mean())
