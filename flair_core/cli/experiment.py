"""`flair experiment`: the paper's figures and tables, on any clips; and what `flair compare` shares with it."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flair_core.cli import interpolate, options
from flair_core.settings.groups import FaceSettings, RestorationSettings, SamplerSettings, bundled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flair_core.experiments.record import Illustration, Record
    from flair_core.experiments.trials import Clip, Outcome, Trial
    from flair_core.interpolation.base import Interpolator
    from flair_core.restoration.models import Models

NAMES = ("fig7a", "fig7b", "table1", "table2", "table3", "table4")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Which experiment, on what, and where to."""
    parser = commands.add_parser(
        "experiment",
        help="a figure or table of the paper on your clips",
        epilog="Writes record.json, record.md, figures, frames and side-by-side videos; see also flair report.",
    )
    parser.add_argument("name", choices=NAMES, help="which one")
    add_common(parser)
    parser.add_argument("--tasks", help="comma-separated; default: the paper's")
    parser.add_argument("--metrics", help="comma-separated, or all; default: the paper's")
    interpolate.add_interpolator(parser, "table 4: ")
    parser.set_defaults(run=run)


def add_common(parser: argparse.ArgumentParser) -> None:
    """The clips, how much of them, the output, the device and the sampler."""
    parser.add_argument(
        "input", type=options.path, help="clean clip of one aligned face, or a folder of such clips"
    )
    parser.add_argument("-o", "--output", type=options.path, required=True, help="folder for what is found")
    parser.add_argument("--frames", type=int, default=16, help="at most so many of each clip (default 16)")
    parser.add_argument("--size", type=int, help="resize frames to this square first; a multiple of 16")
    parser.add_argument("--fetch", action="store_true", help="download networks of metrics (about 370 MB)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    options.add(parser, SamplerSettings)


def run(arguments: argparse.Namespace) -> None:
    """Do it; prints the findings and where the record is."""
    from flair_core.experiments import draw, trials
    from flair_core.experiments.paper import EXPERIMENTS
    from flair_core.experiments.record import Record
    from flair_core.interpolation.factory import load_interpolator
    from flair_core.metrics.suite import chosen

    draw.require()
    experiment = EXPERIMENTS[arguments.name]
    settings, models = prepared(arguments, experiment.sampler)
    tasks = arguments.tasks.split(",") if arguments.tasks else list(experiment.tasks)
    metrics = chosen(arguments.metrics) if arguments.metrics else list(experiment.metrics)
    plan = experiment.plan(tasks, settings, models)
    clips = read(arguments)
    interpolator = None
    if any(trial.slowed for trial in plan):
        interpolator = load_interpolator(arguments.interpolator, models.device)
    outcomes = done(arguments, clips, plan, metrics, interpolator)
    found = experiment.conclude(outcomes)
    record = Record(
        title=experiment.title,
        text=experiment.text,
        tables=found.tables,
        plots=found.plots,
        findings=found.findings,
        pictures=shown(arguments.output, clips[0], outcomes),
        notes=trials.skipped(outcomes),
        made=made(clips, settings, models)
        | ({"interpolator": arguments.interpolator} if interpolator else {}),
    )
    finish(record, arguments.output)


def prepared(
    arguments: argparse.Namespace, sampler: dict[str, Any] | None = None
) -> tuple[RestorationSettings, Models]:
    """Settings and networks: the model's own settings, the experiment's, then the options."""
    from flair_core.errors import SettingsError
    from flair_core.experiments.trials import MULTIPLE
    from flair_core.restoration.models import load_models
    from flair_core.runtime import devices
    from flair_core.settings.groups import changed

    if arguments.frames < 1:
        raise SettingsError(f"--frames must be 1 or more, but got {arguments.frames}.")
    if arguments.size is not None and (arguments.size < MULTIPLE or arguments.size % MULTIPLE):
        raise SettingsError(f"--size must be a multiple of {MULTIPLE}, but got {arguments.size}.")
    base = changed(bundled(arguments.model).sampler, **(sampler or {}))
    chosen = options.apply(base, arguments)
    settings = RestorationSettings(sampler=chosen, faces=FaceSettings(aligned=True))
    # The enhancer is loaded for the trials that need it, whatever w_τ and τ the others have.
    needed = RestorationSettings(sampler=changed(chosen, w_tau=max(chosen.w_tau, 0.01), tau=0))
    return settings, load_models(needed, devices.pick(arguments.device))


def read(arguments: argparse.Namespace) -> list[Clip]:
    """The clips."""
    from flair_core.experiments.trials import read_clips

    return read_clips(arguments.input, frames=arguments.frames, size=arguments.size)


def done(
    arguments: argparse.Namespace,
    clips: Sequence[Clip],
    plan: Sequence[Trial],
    metrics: Sequence[str],
    interpolator: Interpolator | None = None,
) -> list[Outcome]:
    """The outcomes of all trials, with a progress bar."""
    from tqdm import tqdm

    from flair_core.experiments import trials

    outcomes = []
    with tqdm(total=len(clips) * len(plan), unit="clip") as bar:
        for outcome in trials.run(clips, plan, metrics, fetch=arguments.fetch, interpolator=interpolator):
            if outcome is None:
                bar.update()
            else:
                outcomes.append(outcome)
    return outcomes


def shown(folder: Path, clip: Clip, outcomes: Sequence[Outcome]) -> list[Illustration]:
    """For each task the first clip's middle frame as a picture, side by side, and all of them as a video."""
    from fractions import Fraction

    from flair_core import video
    from flair_core.experiments.compare import by_task
    from flair_core.experiments.record import Illustration
    from flair_core.experiments.trials import side_by_side
    from flair_core.frames import Frame, VideoInfo
    from flair_core.video.images import write_png

    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for task, rows in by_task(outcomes).items():
        count = min(len(row.restored) for row in rows)
        wide = [side_by_side(clip, rows, index) for index in range(count)]
        height, width = wide[0].shape[:2]
        write_png(folder / f"{task}.png", wide[len(wide) // 2])
        pictures.append(Illustration(f"{task}.png", f"{task}: {clip.name}, frame {len(wide) // 2}"))
        if len(wide) == 1:
            continue
        info = VideoInfo(width, height, clip.rate, Fraction(1, 1) / clip.rate, len(wide))
        with video.open_sink(folder / f"{task}.mp4", like=info, width=width, height=height) as sink:
            for index, rgb in enumerate(wide):
                sink.write(Frame(rgb, index, index, 1))
            sink.commit()
        pictures.append(Illustration(f"{task}.mp4", f"{task}: {clip.name}"))
    return pictures


def made(clips: Sequence[Clip], settings: RestorationSettings, models: Models) -> dict[str, Any]:
    """What makes the record again."""
    from flair_core.runtime import devices

    return {
        "clips": {clip.name: list(clip.frames.shape[:3]) for clip in clips},
        "settings": dataclasses.asdict(settings.sampler),
        "weights": dict(models.weights),
        "device": devices.describe(models.device),
    }


def finish(record: Record, folder: Path) -> None:
    """Write a record with its figures, and print what it says."""
    from flair_core.experiments import draw
    from flair_core.experiments.record import plot_file, write

    write(record, folder, {plot_file(plot): draw.svg(plot) for plot in record.plots})
    print(record.markdown())
    print(folder / "record.md")
