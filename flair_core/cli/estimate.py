"""`flair estimate`: what happened to a clip, shot by shot."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flair_core.estimation import Estimate
    from flair_core.faces.track import Track
    from flair_core.settings.look import Look
    from flair_core.video import FrameSource


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The clip, and what is known of it."""
    parser = commands.add_parser("estimate", help="estimate scale, blur, noise and JPEG quality of a clip")
    parser.add_argument("input", type=options.path, help="video, image or folder of images")
    parser.add_argument("--aligned", action="store_true", help="a face fills the frame: don't look for it")
    parser.add_argument("--scale", type=int, choices=(1, 2, 4, 8, 16), help="the scale, when it is known")
    parser.add_argument(
        "--range", metavar="A:B", default=":", help="frames to look at, first and last included"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--write", action="store_true", help="write a side-car for flair restore (longest shot)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Print one line or JSON object for each shot."""
    from flair_core import video
    from flair_core.estimation import estimate_shots

    with video.open_source(arguments.input) as source:
        span = options.span(arguments.range, len(source))
        tracks = [] if arguments.aligned else _tracks(source, span)
        frames = source.frames(span.start, span.stop)
        shots = list(estimate_shots(frames, tracks=tracks, scale=arguments.scale))
    for shot in shots:
        print(json.dumps(as_dict(shot)) if arguments.json else sentence(shot))
    if arguments.write:
        _write(arguments.input, shots)


def as_dict(shot: Estimate) -> dict[str, object]:
    """An estimate as JSON: settings, confidence, how much it was enlarged, first and last frame."""
    return {
        "frames": [shot.frames.start, shot.frames.stop - 1],
        "degradation": dataclasses.asdict(shot.settings),
        "confidence": {name: round(value, 3) for name, value in shot.confidence.items()},
        "enlarged": shot.enlarged,
    }


def sentence(shot: Estimate) -> str:
    """An estimate in words, with how sure each part is."""
    d, sure = shot.settings, {name: f"({value:.0%})" for name, value in shot.confidence.items()}
    match d.kernel:
        case "gaussian":
            blur = f"Gaussian blur {d.blur_sigma:.2f} px {sure['blur']}"
            blur += f", {d.blur_ratio:.2f} across {d.angle:.0f}°" if d.blur_ratio < 1 else ""
        case "motion":
            blur = f"motion blur {d.motion_length:.1f} px along {d.angle:.0f}° {sure['blur']}"
        case _:
            blur = f"no blur but resizing {sure['kernel']}"
    jpeg = f"JPEG quality {d.jpeg}" if d.jpeg is not None else "no JPEG"
    parts = [
        f"scale {d.scale} {sure['scale']}",
        blur,
        f"noise {255 * d.noise:.1f} {sure['noise']}",
        f"{jpeg} {sure['jpeg']}",
    ]
    if shot.enlarged > 1:
        parts.append(f"enlarged {shot.enlarged} times before")
    return f"frames {shot.frames.start}-{shot.frames.stop - 1}: {'; '.join(parts)}"


def estimated(path: Path, look: Look) -> Look:
    """The look with the degradation of each shot as it is estimated; prints what is found to stderr.

    Whole frames that are faces all grow alike: there the scale is that of the longest shot.
    """
    from flair_core import video
    from flair_core.estimation import estimate_shots
    from flair_core.settings.look import Layer, Shot

    with video.open_source(path, look.settings.footage) as source:
        tracks = [] if look.settings.faces.aligned else _tracks(source, range(len(source)))
        shots = list(estimate_shots(source.frames(), tracks=tracks))
    for shot in shots:
        print(f"flair restore: estimated: {sentence(shot)}", file=sys.stderr)
    longest = max(shots, key=lambda shot: len(shot.frames)).settings
    layers = [
        Shot(
            0 if not at else shot.frames.start,
            Layer(tuple(sorted(dataclasses.asdict(shot.settings).items()))),
        )
        for at, shot in enumerate(shots)
    ]
    settings = dataclasses.replace(look.settings, degradation=longest)
    return dataclasses.replace(look, settings=settings, shots=tuple(layers) if len(shots) > 1 else ())


def _tracks(source: FrameSource, span: range) -> Sequence[Track]:
    """The faces of the clip; without any the whole frame is looked at."""
    from tqdm import tqdm

    from flair_core.faces.detect import load_detector
    from flair_core.faces.track import track_faces

    frames = tqdm(source.frames(span.start, span.stop), total=len(span), unit="frame", desc="find faces")
    return track_faces(frames, load_detector("embedded"))


def _write(path: Path, shots: Sequence[Estimate]) -> None:
    from flair_core.jobs.degrade import sidecar

    longest = max(shots, key=lambda shot: len(shot.frames))
    record = {**as_dict(longest), "source": "flair estimate"}
    sidecar(path).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(sidecar(path))
