"""How many hard cuts between talking heads are found, and how many are that were none: one JSON line for each layout.

    python -m benchmarks.cuts ../shared/data/clips ../shared/data/clips_train

Clips follow each other without bars, with bars at the sides and with bars above and below, in colour and in
black-and-white. Each clip holds a disturbance that is no cut: a flash, a black frame, or a fade to black and back.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from flair_core import video
from flair_core.faces.shots import ShotDetector, as_uint8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

WIDTH, HEIGHT = 384, 288
LAYOUTS = ("full", "sides", "above")
FADE = 12


def laid_out(face: Picture, layout: str) -> Picture:
    """A frame of 4:3 with a square picture in it: cut to fit, or between bars."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    if layout == "sides":
        left = (WIDTH - HEIGHT) // 2
        frame[:, left : left + HEIGHT] = cv2.resize(face, (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA)
        return frame
    height = HEIGHT if layout == "full" else HEIGHT * 9 // 16
    large = cv2.resize(face, (WIDTH, WIDTH), interpolation=cv2.INTER_AREA)
    top, edge = (HEIGHT - height) // 2, (WIDTH - height) // 2
    frame[top : top + height] = large[edge : edge + height]
    return frame


def disturbed(frames: list[Picture], kind: int) -> list[Picture]:
    """Frames of a shot with something in the middle that is no cut."""
    middle, light = len(frames) // 2, np.ones(len(frames))
    if kind == 0:
        light[middle] = 2.5
    elif kind == 1:
        light[middle] = 0
    else:
        ramp = np.abs(np.arange(len(frames)) - middle) / FADE
        light = np.clip(ramp, 0, 1)
    return [np.clip(one * amount, 0, 255).astype(np.uint8) for one, amount in zip(frames, light, strict=True)]


def film(clips: list[Path], each: int, layout: str, *, grey: bool) -> Iterator[tuple[Picture, bool]]:
    """Some frames of one clip after the other, each with whether it is the first of a clip."""
    for number, path in enumerate(clips):
        with video.open_source(path) as source:
            frames = [laid_out(as_uint8(frame.rgb), layout) for frame in source.frames(0, each)]
        if grey:
            frames = [
                np.repeat(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY)[..., None], 3, 2).astype(np.uint8)
                for one in frames
            ]
        for index, picture in enumerate(disturbed(frames, number % 3)):
            yield picture, index == 0


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+", help="folders of clips")
    parser.add_argument("--clips", type=int, default=81)
    parser.add_argument("--frames", type=int, default=30, help="of each clip")
    arguments = parser.parse_args()
    clips = sorted(path for folder in arguments.folders for path in folder.glob("*.mp4"))
    clips = random.Random(0).sample(clips, arguments.clips)  # in turn they would often show the same scene
    for layout in LAYOUTS:
        for grey in (False, True):
            cuts, found, index = set[int](), set[int](), 0
            detector: ShotDetector[int] = ShotDetector()
            for index, (picture, first) in enumerate(film(clips, arguments.frames, layout, grey=grey)):
                cuts |= {index} if first else set()
                found |= {at for at, starts in detector.push(index, picture) if starts}
            found |= {at for at, starts in detector.rest() if starts}
            line = {
                "layout": layout,
                "colour": not grey,
                "cuts": len(cuts) - 1,
                "found": len(cuts & found) - 1,
                "false": len(found - cuts),
                "frames": index + 1,
                "missed": sorted(cuts - found)[:8],
                "wrong": sorted(found - cuts)[:8],
            }
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
