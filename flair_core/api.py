"""What `import flair_core` offers: clips, networks, windows and estimates, for whoever writes Python.

Paths may be texts, and devices names. What goes wrong is a FlairError whose text tells what was found and what to do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from flair_core import video
from flair_core.estimation import estimate_shots
from flair_core.faces.detect import load_detector
from flair_core.faces.track import track_faces
from flair_core.jobs.degrade import read_sidecar
from flair_core.jobs.request import Request
from flair_core.jobs.run import render, span_of
from flair_core.kept.cache import Cache
from flair_core.restoration import models
from flair_core.restoration.window import restore_window
from flair_core.runtime import devices, files
from flair_core.settings.fields import check, demand, fields
from flair_core.settings.groups import UNTOLD, DegradationSettings, FootageSettings, RestorationSettings
from flair_core.settings.look import Look
from flair_core.settings.output import AS_USUAL, OutputOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from flair_core.estimation import Estimate
    from flair_core.frames import Progress
    from flair_core.restoration.models import Models
    from flair_core.video import FrameSource

__all__ = ["estimate", "load_models", "open_clip", "restore_clip", "restore_window"]

USUAL = RestorationSettings()
"""What the application starts with."""


def open_clip(path: str | Path, footage: FootageSettings = USUAL.footage) -> FrameSource:
    """A video, an image or a folder of images as frames: (H, W, 3), uint8, or uint16 above 8 bits.

    A context manager: leaving it closes the file. Raises MediaError when there is nothing to show.

    Example:
        >>> import flair_core as flair
        >>> with flair.open_clip(demo) as clip:
        ...     print(len(clip), clip[0].rgb.shape)
        48 (480, 640, 3)
    """
    demand("footage", footage, FootageSettings)
    return video.open_source(path, footage)


def load_models(settings: RestorationSettings = USUAL, device: str | torch.device = "auto") -> Models:
    """The networks that some settings name, ready on a device and kept for the next call.

    device: "auto" (CUDA, then MPS, then the processor), "cpu", "mps", "cuda", "cuda:1", or a torch.device.
    Raises WeightsError when a file is missing, DeviceError when the device is, and SettingsError when a network's name
    is unknown.

    Example:
        >>> import flair_core as flair
        >>> flair.load_models(device="cpu").denoiser.size
        256
    """
    demand("settings", settings, RestorationSettings)
    return models.load_models(settings, devices.pick(device))


def restore_clip(
    source: str | Path,
    output: str | Path,
    settings: RestorationSettings | Look | None = None,
    *,
    frames: range | None = None,
    device: str | torch.device = "auto",
    encoding: OutputOptions = AS_USUAL,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Find the faces of a clip, restore them and write it, with its sound; returns the path of the output.

    settings: for the whole clip, or a Look, which varies them over shots, keyframes and faces. None takes the
    application's, with what the side-car of `flair degrade` says of the footage. Without one each shot is looked at
    first, as wherever the degradation's kernel is "unknown" and its enlargement None.
    frames: which to restore, a range without a step; None for all.
    device: as in `load_models`; several share the work: "cuda:0,cuda:1", or "all".
    encoding: how the output is stored.
    progress: hears of every frame; what it raises ends the work, and the next call goes on there.
    What was restored before is taken from the cache. The output appears when it is complete, or not at all.
    Raises FlairError.

    Example:
        >>> import flair_core as flair
        >>> flair.restore_clip(demo, folder / "new.mp4", frames=range(2), device="cpu").name
        'new.mp4'
    """
    if settings is not None:
        demand("settings", settings, RestorationSettings, Look)
    demand("encoding", encoding, OutputOptions)
    source, output = (files.as_path(path).absolute() for path in (source, output))
    if settings is None:
        told = read_sidecar(source)
        settings = replace(USUAL, degradation=told) if told else UNTOLD
    look = settings if isinstance(settings, Look) else Look(settings)
    request = Request(
        source=source,
        output=output,
        look=look,
        span=frames,
        device=devices.named(device),
        encoding=encoding,
    )
    with open_clip(source, look.settings.footage) as clip:
        for step in render(request, clip, Cache()):
            if progress:
                progress(step)
    return output


def estimate(
    path: str | Path, *, aligned: bool = False, scale: int | None = None, frames: range | None = None
) -> list[Estimate]:
    """What probably happened to a clip, shot by shot: scale, blur, noise and compression, each with its certainty.

    aligned: the whole frame is one face; else faces are searched, and the largest one of each shot is looked at.
    scale: s, when it is known; then only the rest is estimated.
    frames: which to look at, a range without a step; None for all.
    Raises SettingsError when there are no such frames or there is no such scale, and MediaError when the clip can't be
    read or a face is too small.

    Example:
        >>> import flair_core as flair
        >>> [shot.settings.scale for shot in flair.estimate(demo, frames=range(8))]
        [4]
    """
    if scale is not None:
        check(fields(DegradationSettings)["scale"], scale)
    with open_clip(path) as clip:
        span = span_of(frames, len(clip))
        tracks = [] if aligned else track_faces(clip.frames(span.start, span.stop), load_detector("embedded"))
        return list(estimate_shots(clip.frames(span.start, span.stop), tracks=tracks, scale=scale))
