"""`flair train`: the stages of training the compact model."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from flair_core.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flair_core.training.loop import Logged, Run

Told = TypeVar("Told", bound=Any)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The stages and their options."""
    parser = commands.add_parser("train", help="train the compact model on aligned faces")
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    image = stages.add_parser("image", help="the image stage: single faces, eq. (6)")
    _common(image)
    _damaged(image)
    image.add_argument("--batch", type=int, default=16)
    image.add_argument("--group", type=int, default=4, help="crops that share one degradation")
    image.set_defaults(run=run_image)
    temporal = stages.add_parser("temporal", help="the temporal stage: windows of frames, θ frozen")
    _common(temporal)
    temporal.add_argument("--clips", type=options.path, required=True, help="folder of .mp4 clips of faces")
    temporal.add_argument("--frames", type=int, default=5, help="of a window in training")
    temporal.add_argument("--windows", type=int, default=4, help="in a batch")
    temporal.set_defaults(run=run_temporal)
    enhancer = stages.add_parser("enhancer", help="an enhancer G: draws what θ leaves open")
    _common(enhancer)
    _damaged(enhancer)
    enhancer.add_argument(
        "--theta",
        type=options.path,
        help="θ, whose estimates it learns from and whose weights it begins with; default starter",
    )
    enhancer.add_argument("--batch", type=int, default=4, help="crops in a step, each drawn on twice")
    enhancer.set_defaults(run=run_enhancer, crop=192, learning_rate=1e-4)
    locator = stages.add_parser("locator", help="the network of the embedded face detector: minutes on a CPU")
    locator.add_argument(
        "--data", type=options.path, required=True, help="folder of tar shards with an index.csv"
    )
    locator.add_argument("--out", type=options.path, required=True, help="safetensors to write")
    locator.add_argument(
        "--sources", type=_tags, help="comma-separated source tags; default those free for any use"
    )
    locator.add_argument("--steps", type=int, default=2500)
    locator.add_argument("--seed", type=int, default=0)
    locator.set_defaults(run=run_locator)
    judge = stages.add_parser("judge", help="what Auto asks which resolution restores footage best")
    judge.add_argument(
        "--data", type=options.path, required=True, help="folder of tar shards with an index.csv"
    )
    judge.add_argument("--out", type=options.path, required=True, help="safetensors to write")
    judge.add_argument("--sources", type=_tags, help="comma-separated source tags of index.csv; default all")
    judge.add_argument(
        "--leave-out", type=_tags, metavar="KINDS", help="comma-separated kinds of damage not to learn from"
    )
    judge.add_argument("--examples", type=int, default=2400, help="faces that are damaged and restored")
    judge.add_argument("--seed", type=int, default=0)
    judge.set_defaults(run=run_judge)


def _common(stage: argparse.ArgumentParser) -> None:
    stage.add_argument(
        "--data", type=options.path, required=True, help="folder of tar shards with an index.csv"
    )
    stage.add_argument(
        "--out", type=options.path, required=True, help="folder of the run; a run that is there goes on"
    )
    stage.add_argument("--sources", type=_tags, help="comma-separated source tags of index.csv; default all")
    stage.add_argument("--steps", type=int, default=20_000, help="the learning rate reaches zero here")
    stage.add_argument("--cooldown", type=float, default=0.2, help="share of the steps over which it falls")
    stage.add_argument("--crop", type=int, default=128, help="side of the crops, a multiple of 32")
    stage.add_argument("--learning-rate", type=float, default=4e-4)
    stage.add_argument("--seed", type=int, default=0)
    stage.add_argument(
        "--init", type=options.path, help="safetensors to start a new run from; θ of the temporal stage"
    )
    stage.add_argument(
        "--validate", type=options.path, help="folder like the training data's, measured at every checkpoint"
    )
    stage.add_argument(
        "--max-minutes", type=float, help="save and stop after this long; the same command goes on"
    )


def _damaged(stage: argparse.ArgumentParser) -> None:
    stage.add_argument("--clips", type=options.path, help="folder of .mp4 clips of faces to learn from, too")
    stage.add_argument(
        "--leave-out", type=_tags, metavar="KINDS", help="comma-separated kinds of damage not to learn from"
    )


def run_image(arguments: argparse.Namespace) -> None:
    """Train θ, with a progress bar."""
    from flair_core.training.image import ImageTraining, train

    run = _told(ImageTraining, arguments)
    _follow(run, train(run))


def run_temporal(arguments: argparse.Namespace) -> None:
    """Train φ, with a progress bar."""
    from flair_core.training.temporal import TemporalTraining, train

    run = _told(TemporalTraining, arguments)
    _follow(run, train(run))


def run_enhancer(arguments: argparse.Namespace) -> None:
    """Train G, with a progress bar."""
    from flair_core.training.enhancer import EnhancerTraining, train

    run = _told(EnhancerTraining, arguments)
    _follow(run, train(run))


def run_locator(arguments: argparse.Namespace) -> None:
    """Train the face locator, with a progress bar."""
    from flair_core.training.locator import LocatorTraining, train

    run = _told(LocatorTraining, arguments)
    _watch(train(run), run.steps, "loss")
    print(run.out)


def run_judge(arguments: argparse.Namespace) -> None:
    """Train the judge, with a progress bar."""
    from flair_core.training.judge import JudgeTraining, train

    run = _told(JudgeTraining, arguments)
    _watch(train(run), run.examples, "gain")
    print(run.out)


def _watch(steps: Iterator[float], total: int, called: str) -> None:
    """Show a number that every step tells."""
    from tqdm import tqdm

    bar = tqdm(steps, total=total, unit="step")
    for value in bar:
        bar.set_postfix({called: f"{value:.4f}"})


def _told(kind: type[Told], arguments: argparse.Namespace) -> Told:
    names = {field.name for field in dataclasses.fields(kind)}
    given = {name: value for name, value in vars(arguments).items() if value is not None}
    told: Told = kind(**{name: value for name, value in given.items() if name in names})
    return told


def _follow(run: Run, steps: Iterator[Logged]) -> None:
    """Show what training tells; prints where the weights are."""
    from tqdm import tqdm

    from flair_core.training.loop import Log, is_main

    log = Log(run.out / "log.csv")
    with tqdm(total=run.steps, unit="step", smoothing=0.05, disable=not is_main()) as bar:
        for logged in steps:
            if not is_main():
                continue
            bar.update(logged.step - bar.n)
            if (mean := log.add(logged)) is not None:
                bar.set_postfix(loss=f"{mean:.4f}")
    if is_main():
        print(run.out / "weights.safetensors")


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in text.split(",") if tag.strip())
