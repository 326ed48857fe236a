"""Degrading whole clips, by eq. (10) or as life does, and the side-cars that tell how it was done."""

from __future__ import annotations

import dataclasses
import json
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from flair_core import video
from flair_core.degradations import degrade
from flair_core.degradations.damage import Damage, damage_frames
from flair_core.errors import MediaError, SettingsError
from flair_core.frames import Frame, of_depth, to_float, to_uint8
from flair_core.runtime import files
from flair_core.settings.groups import DegradationSettings, read_group
from flair_core.settings.output import OutputOptions
from flair_core.video.recoded import recode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    T = TypeVar("T")


def sidecar(path: Path) -> Path:
    """Where the parameters of a degraded clip lie: beside it."""
    return _beside(path, "degradation")


def read_sidecar(path: Path) -> DegradationSettings | None:
    """The parameters beside a clip; None when there are none. Raises SettingsError when they are damaged."""
    read = partial(read_group, "degradation", what="side-car")
    return _told(f"side-car {sidecar(path)}", sidecar(path), "degradation", read)


def _beside(path: Path, key: str) -> Path:
    """A folder may be called by a dot."""
    return Path(f"{path if path.name else path.resolve()}.{key}.json")


def _told(what: str, file: Path, key: str, read: Callable[[Any], T]) -> T | None:
    """What a file beside a clip holds under a key; None without a file. Raises SettingsError when it is damaged."""
    try:
        data = file.read_bytes()
    except OSError:
        return None
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        record = None
    try:
        if not isinstance(record, dict) or key not in record:
            raise SettingsError(f"It must be a JSON object with the key {key}.")
        return read(record[key])
    except SettingsError as error:
        raise SettingsError(f"The {what} is damaged. {error} Delete the file or degrade again.") from None


def degrade_clip(
    source: Path, target: Path, settings: DegradationSettings, *, seed: int = 0
) -> Iterator[Frame]:
    """Degrade every frame; y is written without loss (FFV1 in RGB, or a folder of PNGs) and yielded.

    Frames are first cut to multiples of the scale. The noise of a frame depends on (seed, frame index) only.
    """
    _demand_lossless(target)
    with video.open_source(source) as clip:
        width, height = (extent // settings.scale for extent in (clip.info.width, clip.info.height))
        if not width or not height:
            raise MediaError(
                f"{source.name} is smaller than {settings.scale} pixels; choose a smaller --scale."
            )
        with video.open_sink(
            target,
            like=clip.info,
            width=width,
            height=height,
            options=OutputOptions(codec="lossless"),
            source=source,
        ) as sink:
            for frame in clip.frames(0, len(clip)):
                y = degrade_frame(frame.rgb, settings, (seed, frame.index))
                degraded = dataclasses.replace(frame, rgb=y)
                sink.write(degraded)
                yield degraded
            sink.commit()
    record = {"degradation": dataclasses.asdict(settings), "seed": seed, "source": source.name}
    files.write_text(sidecar(target), json.dumps(record, indent=2) + "\n")
    damage_record(target).unlink(missing_ok=True)


def degrade_frame(rgb: np.ndarray, settings: DegradationSettings, key: tuple[int, ...]) -> np.ndarray:
    """y of one frame, uint8: (H, W, 3) → (H // s, W // s, 3); `key` seeds the noise."""
    height, width = (extent // settings.scale * settings.scale for extent in rgb.shape[:2])
    seed = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
    generator = torch.Generator().manual_seed(seed)
    return to_uint8(degrade(to_float(rgb[:height, :width])[None], settings, generator)[0])


def damage_record(path: Path) -> Path:
    """Where the damage of a clip is told: beside it, in a file of its own that restoration does not read."""
    return _beside(path, "damage")


def read_damage(path: Path) -> Damage | None:
    """What was done to a clip by `damage_clip`; None when nothing is told. Raises SettingsError if it is unreadable."""
    return _told(f"record {damage_record(path)}", damage_record(path), "damage", Damage.from_dict)


def damage_clip(source: Path, target: Path, damage: Damage) -> Iterator[Frame]:
    """Damage every frame; the result is as large, written without loss like that of `degrade_clip`, and yielded.

    Frames have 8 bits, dithered where the source has more. A side-car of eq. (10) that lies there goes away: it
    would tell restoration something else.
    """
    _demand_lossless(target)
    with video.open_source(source) as clip:
        info = clip.info
        waiting: deque[Frame] = deque()

        def pictures() -> Iterator[NDArray[np.uint8]]:
            for frame in clip.frames(0, len(clip)):
                rgb = of_depth(frame.rgb, 8).astype(np.uint8, copy=False)
                waiting.append(dataclasses.replace(frame, rgb=rgb))
                yield rgb

        width, height = info.width, info.height
        with video.open_sink(
            target,
            like=info,
            width=width,
            height=height,
            options=OutputOptions(codec="lossless"),
            source=source,
        ) as sink:
            for rgb in damage_frames(pictures(), damage, recode):
                damaged = dataclasses.replace(waiting.popleft(), rgb=rgb)
                sink.write(damaged)
                yield damaged
            sink.commit()
    record = {"damage": damage.as_dict(), "source": source.name}
    files.write_text(damage_record(target), json.dumps(record, indent=2) + "\n")
    sidecar(target).unlink(missing_ok=True)


def _demand_lossless(target: Path) -> None:
    if target.suffix.lower() not in ("", ".mkv"):
        raise MediaError(f"{target.name} can't hold lossless frames: name a .mkv file or a folder.")
