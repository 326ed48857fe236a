"""`flair interpolate`: a clip with more frames a second."""

from __future__ import annotations

import argparse
import sys

from flair_core.cli import options
from flair_core.interpolation.factory import NAMES


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """From where, to where, how many times, and by what."""
    parser = commands.add_parser(
        "interpolate",
        help="make a clip with more frames a second",
        epilog="Scene cuts are not blended. AMT needs the file that you fetch (flair models list).",
    )
    parser.add_argument("input", type=options.path, help="video or folder of images")
    parser.add_argument(
        "-o", "--output", type=options.path, required=True, help="video file, or a folder for PNGs"
    )
    parser.add_argument("--factor", type=int, default=2, help="how many times the frames (default 2)")
    add_interpolator(parser)
    parser.add_argument("--codec", default=None, help="how to encode; default: by the output's name")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.set_defaults(run=run)


def add_interpolator(parser: argparse.ArgumentParser, where: str = "") -> None:
    """What makes the frames; `where` says when that matters."""
    parser.add_argument(
        "--interpolator",
        choices=NAMES,
        default="flow",
        help=f"{where}flow: along the motion, embedded; amt: the network AMT-G (default flow)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Interpolate; progress on stderr, the output's path on stdout."""
    from tqdm import tqdm

    from flair_core.interpolation.clip import interpolate_clip
    from flair_core.interpolation.factory import load_interpolator
    from flair_core.runtime import devices

    interpolator = load_interpolator(arguments.interpolator, devices.pick(arguments.device))
    run = interpolate_clip(
        arguments.input, arguments.output, arguments.factor, interpolator, codec=arguments.codec
    )
    with tqdm(unit="frame", desc="interpolate") as bar:
        for progress in run:
            bar.total = progress.total
            bar.update(progress.done - bar.n)
            for note in progress.notes:
                bar.write(f"flair interpolate: note: {note}", file=sys.stderr)
    print(arguments.output)
