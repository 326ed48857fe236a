"""`flair degrade`: make a test clip by eq. (10), with a side-car that `flair restore` reads."""

from __future__ import annotations

import argparse
from pathlib import Path

from flair_core.cli import options
from flair_core.errors import SettingsError
from flair_core.settings.groups import DegradationSettings, changed


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The degradation's options."""
    parser = commands.add_parser("degrade", help="degrade a clean clip by known parameters, eq. (10)")
    parser.add_argument("input", type=Path, help="video, image or folder of images")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help=".mkv (lossless FFV1) or a folder of PNGs"
    )
    options.add(parser, DegradationSettings)
    parser.add_argument(
        "--motion", type=_motion, metavar="L,ANGLE", help="motion blur of this length and direction"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    parser.set_defaults(run=run)


def degradation(arguments: argparse.Namespace, base: DegradationSettings) -> DegradationSettings:
    """The options over `base`; --blur-sigma alone means a Gaussian kernel, --motion a motion kernel."""
    settings = options.apply(base, arguments)
    if arguments.kernel is None and arguments.blur_sigma is not None:
        settings = changed(settings, kernel="gaussian")
    if arguments.motion is not None:
        length, angle = arguments.motion
        settings = changed(settings, kernel="motion", motion_length=length, angle=angle)
    return settings


def run(arguments: argparse.Namespace) -> None:
    """Degrade frame by frame; prints the output's path."""
    from tqdm import tqdm

    from flair_core.jobs.degrade import degrade_clip

    settings = degradation(arguments, DegradationSettings())
    progress = degrade_clip(arguments.input, arguments.output, settings, seed=arguments.seed)
    for _ in tqdm(progress, unit="frame", desc="degrade"):
        pass
    print(arguments.output)


def _motion(text: str) -> tuple[float, float]:
    try:
        length, angle = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"needs a length and an angle like 9,30, but got {text!r}") from None
    try:
        changed(DegradationSettings(), motion_length=length, angle=angle)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return length, angle
