"""`flair restore`: restore the faces of a clip."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.cli import degrade, options
from flair_core.settings import (
    DegradationSettings,
    FaceSettings,
    RestorationSettings,
    SamplerSettings,
    read_preset,
)

if TYPE_CHECKING:
    from flair_core.faces.track import Track
    from flair_core.video import FrameSource


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """All settings as options, beside where from and where to."""
    parser = commands.add_parser("restore", help="restore the faces of a clip")
    parser.add_argument("input", type=Path, help="video, image or folder of images")
    parser.add_argument("-o", "--output", type=Path, required=True, help="video file, or a folder for PNGs")
    parser.add_argument("--preset", type=Path, metavar="FILE", help="settings saved by the application")
    parser.add_argument("--range", metavar="A:B", default=":", help="frames to restore, first and last included")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--codec", default=None, help="how to encode; default: by the output's name")
    parser.add_argument("--motion", type=degrade._motion, metavar="L,ANGLE", help="motion blur in the footage")
    for settings in (DegradationSettings, SamplerSettings, FaceSettings):
        options.add(parser, settings)
    parser.set_defaults(run=run)


def settings_of(arguments: argparse.Namespace) -> RestorationSettings:
    """Defaults, then the preset, then the side-car of `flair degrade` (without a preset), then the options."""
    from flair_core.degrade import read_sidecar  # noqa: PLC0415

    if arguments.preset:
        base = read_preset(arguments.preset)
    else:
        base = RestorationSettings(degradation=read_sidecar(arguments.input) or DegradationSettings())
    return RestorationSettings(
        degradation=degrade.degradation(arguments, base.degradation),
        sampler=options.apply(base.sampler, arguments),
        faces=options.apply(base.faces, arguments),
    )


def run(arguments: argparse.Namespace) -> None:
    """Find faces, restore, write; progress on stderr, the output's path on stdout."""
    from tqdm import tqdm  # noqa: PLC0415

    from flair_core import devices, video  # noqa: PLC0415
    from flair_core.restore import load_models, open_output, restore  # noqa: PLC0415

    settings = settings_of(arguments)
    with video.open_source(arguments.input) as source:
        span = options.span(arguments.range, len(source))
        models = load_models(settings, devices.pick(arguments.device))
        tracks = _tracks(source, settings, span)
        with open_output(arguments.output, source, settings, span, codec=arguments.codec) as sink:
            for _ in tqdm(
                restore(source, sink, tracks=tracks, settings=settings, models=models, span=span),
                total=len(span),
                unit="frame",
                desc="restore",
            ):
                pass
            sink.commit()
    for note in source.notes:
        print(f"flair restore: note: {note}", file=sys.stderr)
    print(arguments.output)


def _tracks(source: FrameSource, settings: RestorationSettings, span: range) -> list[Track]:
    from tqdm import tqdm  # noqa: PLC0415

    from flair_core.restore import find_tracks  # noqa: PLC0415

    tracks: list[Track] = []
    if settings.faces.aligned:
        return tracks
    with tqdm(total=len(span), unit="frame", desc="find faces") as bar:
        for found in find_tracks(source, settings, span=span):
            if isinstance(found, list):
                tracks = found
            else:
                bar.update(found.done - bar.n)
    if not tracks:
        print("flair restore: no face was found; the clip is copied unchanged. If the whole frame "
              "is one face, add --aligned.", file=sys.stderr)  # fmt: skip
    return tracks
