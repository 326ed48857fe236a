"""`flair restore`: restore the faces of a clip."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.cli import degrade, estimate, interpolate, options
from flair_core.errors import JobError
from flair_core.settings.groups import (
    UNKNOWN,
    UNTOLD,
    DegradationSettings,
    FaceSettings,
    FootageSettings,
    RestorationSettings,
    SamplerSettings,
    bundled,
)
from flair_core.settings.look import GROUP_OF, Look, read_look
from flair_core.settings.output import OutputOptions
from flair_core.settings.project import LONG, SUFFIX, Project, ProjectError, read

if TYPE_CHECKING:
    from flair_core.jobs.queue import Job, Jobs


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """All settings as options, beside where from and where to."""
    parser = commands.add_parser(
        "restore",
        help="restore the faces of a clip",
        epilog="An interrupted run goes on where it was when it is started again. See also: flair jobs.",
    )
    parser.add_argument(
        "input", type=options.path, help="video, image, folder of images, or project of the application"
    )
    parser.add_argument(
        "-o", "--output", type=options.path, required=True, help="video file, or a folder for PNGs"
    )
    parser.add_argument(
        "--preset", type=options.path, metavar="FILE", help="settings saved by the application"
    )
    parser.add_argument("--range", metavar="A:B", default=":", help="frames to restore, both ends included")
    parser.add_argument(
        "--device",
        default="auto",
        help="auto, cpu, cuda or mps; several share the work: cuda:0,cuda:1, or all",
    )
    parser.add_argument(
        "--cluster",
        default="",
        metavar="HOST:PORT",
        help="let the nodes of a Ray cluster restore, to the same result; this machine must belong to it",
    )
    parser.add_argument(
        "--codec",
        default=None,
        help="h264, h265, av1, prores, ffv1 (as the source is stored), ffv1-rgb; default: by the output's name",
    )
    parser.add_argument(
        "--bits", type=int, choices=(8, 10), help="depth of the output; default: the source's"
    )
    parser.add_argument(
        "--quality", type=int, metavar="N", help="the encoder's constant quality (CRF): smaller is better"
    )
    parser.add_argument(
        "--hardware",
        action="store_true",
        help="encode on the graphics card, or without it where there is none",
    )
    parser.add_argument(
        "--credentials",
        action="store_true",
        help="say in the file itself that faces were restored, and how (in the way of content credentials, unsigned)",
    )
    parser.add_argument("--motion", type=degrade._motion, metavar="L,ANGLE", help="the footage's motion blur")
    parser.add_argument(
        "--sidecar",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write OUTPUT.provenance.json, which tells how the output was made (default: yes)",
    )
    parser.add_argument(
        "--matte",
        type=options.path,
        metavar="PATH",
        help="also write a video that is white where pixels were generated",
    )
    parser.add_argument(
        "--fps-factor",
        type=int,
        default=1,
        metavar="N",
        help="make N times the frames a second after the restoration (to do it before: flair interpolate)",
    )
    interpolate.add_interpolator(parser)
    options.add(parser, FootageSettings)
    automatic = (
        "estimates it with the blur, noise and JPEG quality of each shot; other options override those"
    )
    options.add(parser, DegradationSettings, auto={"scale": automatic})
    for settings in (SamplerSettings, FaceSettings):
        options.add(parser, settings)
    parser.set_defaults(run=run)


def look_of(arguments: argparse.Namespace, project: Project | None = None) -> Look:
    """The project's, or else the model's own and the side-car of `flair degrade`; the preset; then the options.

    Of a clip of which none of these tells anything the degradation is unknown.
    With --scale auto each shot has its own degradation, as it is estimated from the footage.
    """
    from flair_core.jobs.degrade import read_sidecar

    if project:
        look = project.look
    else:
        base = bundled(arguments.model)
        sidecar = read_sidecar(arguments.input)
        look = Look(settings=replace(base, degradation=sidecar) if sidecar else _untold(arguments, base))
    if arguments.preset:
        look = read_look(arguments.preset, look.settings)
    if arguments.scale == options.AUTO:
        arguments = argparse.Namespace(**{**vars(arguments), "scale": None})
        faces = options.apply(look.settings.faces, arguments)
        clip = project.clip if project and project.clip else arguments.input
        look = estimate.estimated(clip, replace(look, settings=replace(look.settings, faces=faces)))
    settings = look.settings
    groups = {
        "degradation": degrade.degradation(arguments, settings.degradation),
        "sampler": options.apply(settings.sampler, arguments),
        "faces": options.apply(settings.faces, arguments),
        "footage": options.apply(settings.footage, arguments),
    }
    values = {name: getattr(groups[group], name) for name, group in GROUP_OF.items()}
    asked = {
        name: value
        for name, value in values.items()
        if getattr(arguments, name) is not None or value != getattr(getattr(settings, GROUP_OF[name]), name)
    }
    return look.everywhere(**asked)


def _untold(arguments: argparse.Namespace, base: RestorationSettings) -> RestorationSettings:
    """Settings for a clip without side-car: nothing is known, unless an option or the preset of the model tells it."""
    told = ("scale", "kernel", "blur_sigma", "motion", "noise", "jpeg")
    given = {name for name in told if getattr(arguments, name) not in (None, options.NONE)}
    if arguments.kernel == UNKNOWN.kernel:
        given -= {"kernel"}
    if base.degradation != DegradationSettings() or given:
        return base
    return UNTOLD if base == RestorationSettings() else replace(base, degradation=UNKNOWN)


def run(arguments: argparse.Namespace) -> None:
    """Find faces, restore, write; progress on stderr, the output's path on stdout."""
    from flair_core import video
    from flair_core.interpolation.base import times
    from flair_core.jobs.queue import Jobs
    from flair_core.jobs.request import Request

    project = _project(arguments.input) if arguments.input.suffix == SUFFIX else None
    look, clip = look_of(arguments, project), project.clip if project and project.clip else arguments.input
    with video.open_source(clip, look.settings.footage) as source:
        length = len(source)
        span = None if arguments.range == ":" else options.span(arguments.range, length)
    if project and project.span and span is None:
        span = range(project.span[0], min(project.span[1] + 1, length))
    request = Request(
        source=clip.resolve(),
        output=arguments.output.resolve(),
        look=look,
        span=span,
        credentials=arguments.credentials,
        device=arguments.device,
        cluster=arguments.cluster,
        sidecar=arguments.sidecar,
        matte=arguments.matte and arguments.matte.resolve(),
        searched=range(length) if project and length <= LONG else None,
        left_out=project.left_out if project else frozenset(),
        drawn=project.drawn if project else (),
        strokes=project.strokes if project else (),
        fps_factor=len(times(arguments.fps_factor)) + 1,
        interpolator=arguments.interpolator,
        encoding=OutputOptions(
            codec=arguments.codec, bits=arguments.bits, quality=arguments.quality, hardware=arguments.hardware
        ),
    )
    jobs = Jobs()
    follow(jobs, jobs.add(request))


def _project(path: Path) -> Project:
    project = read(path)
    if project.clip is None:
        raise ProjectError(f"{path} has no clip yet. Open one in the application and save it again.")
    return project


def follow(jobs: Jobs, job: Job) -> None:
    """Do a job, with progress on stderr, and print the output's path. Raises JobError if it was stopped."""
    from tqdm import tqdm

    from flair_core.jobs.run import run
    from flair_core.kept.cache import Cache

    cache = Cache(keep_since=jobs.kept_since())
    with tqdm(unit="frame") as bar:
        for progress in run(jobs, job, cache):
            if bar.desc != f"{progress.stage}: ":
                bar.reset(progress.total)
                bar.set_description(progress.stage)
            bar.update(progress.done - bar.n)
            for note in progress.notes:
                bar.write(f"flair restore: note: {note}", file=sys.stderr)
    state = jobs.state(job.id)
    if state != "done":
        raise JobError(f"Job {job.id} was {state}; `flair jobs resume {job.id}` goes on with it.")
    print(job.request.output)
