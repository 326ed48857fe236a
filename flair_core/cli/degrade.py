"""`flair degrade`: make a test clip, by eq. (10) with a side-car that `flair restore` reads, or as life damages it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from flair_core.cli import options
from flair_core.errors import SettingsError
from flair_core.settings.fields import fields
from flair_core.settings.groups import DegradationSettings, changed

if TYPE_CHECKING:
    from flair_core.degradations.damage import Damage

STRENGTH = 0.5
"""Of a damage, when none is asked for."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The degradation's options."""
    parser = commands.add_parser("degrade", help="degrade a clean clip, by eq. (10) or as in life")
    parser.add_argument("input", type=options.path, help="video, image or folder of images")
    parser.add_argument(
        "-o", "--output", type=options.path, required=True, help=".mkv (lossless FFV1) or a folder of PNGs"
    )
    options.add(parser, DegradationSettings)
    parser.add_argument(
        "--motion", type=_motion, metavar="L,ANGLE", help="motion blur of this length and direction"
    )
    group = parser.add_argument_group("damage, instead of the degradation above")
    group.add_argument(
        "--damage",
        metavar="KIND",
        help="film, tape, broadcast, web, print or phone: blur, resizing, noise and the kind's own marks, drawn at "
        "random; the size stays, and restoration is not told",
    )
    group.add_argument("--strength", type=float, metavar="S", help=f"0 to 1 (default {STRENGTH})")
    group.add_argument(
        "--kernels",
        type=options.path,
        metavar="FILE",
        help="curved blur kernels: .npy or .npz (n × m, k × n × m), .png",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise, and of the damage")
    parser.set_defaults(run=run)


def degradation(arguments: argparse.Namespace, base: DegradationSettings) -> DegradationSettings:
    """The options over `base`; --blur-sigma alone means a Gaussian kernel, --motion a motion kernel."""
    settings = options.apply(base, arguments)
    if not base.known and (settings.noise != base.noise or settings.jpeg != base.jpeg):
        settings = changed(settings, kernel="bicubic")
    if arguments.kernel is None and arguments.blur_sigma is not None:
        settings = changed(settings, kernel="gaussian")
    if arguments.motion is not None:
        length, angle = arguments.motion
        settings = changed(settings, kernel="motion", motion_length=length, angle=angle)
    return settings


def run(arguments: argparse.Namespace) -> None:
    """Degrade frame by frame; prints the output's path."""
    from tqdm import tqdm

    from flair_core.jobs.degrade import damage_clip, degrade_clip

    damage = _damage(arguments)
    if damage is not None:
        progress = damage_clip(arguments.input, arguments.output, damage)
    else:
        settings = degradation(arguments, DegradationSettings())
        progress = degrade_clip(arguments.input, arguments.output, settings, seed=arguments.seed)
    for _ in tqdm(progress, unit="frame", desc="degrade"):
        pass
    print(arguments.output)


def _damage(arguments: argparse.Namespace) -> Damage | None:
    """The damage that was asked for; None without one. Raises SettingsError where options contradict each other."""
    own = [name for name in ("strength", "kernels") if getattr(arguments, name) is not None]
    if arguments.damage is None:
        if own:
            raise SettingsError(f"--{own[0]} belongs to --damage: name a kind, such as --damage film.")
        return None
    from flair_core.degradations.damage import draw, read_kernels

    told = [name for name in (*fields(DegradationSettings), "motion") if getattr(arguments, name) is not None]
    if told:
        raise SettingsError(f"--damage draws its own parameters: leave out --{told[0].replace('_', '-')}.")
    kernels = read_kernels(arguments.kernels) if arguments.kernels else ()
    strength = STRENGTH if arguments.strength is None else arguments.strength
    return draw(arguments.damage, strength, arguments.seed, kernels)


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
