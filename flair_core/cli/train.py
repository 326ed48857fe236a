"""`flair train`: the stages of training the compact model."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The stages and their options."""
    parser = commands.add_parser("train", help="train the compact model on aligned faces")
    stages = parser.add_subparsers(dest="stage", required=True, metavar="STAGE")
    image = stages.add_parser("image", help="the image stage: single faces, eq. (6)")
    image.add_argument("--data", type=Path, required=True, help="folder of tar shards with an index.csv")
    image.add_argument(
        "--out", type=Path, required=True, help="folder of the run; a run that is there goes on"
    )
    image.add_argument("--sources", type=_tags, help="comma-separated source tags of index.csv; default all")
    image.add_argument("--steps", type=int, default=20_000, help="the learning rate reaches zero here")
    image.add_argument("--cooldown", type=float, default=0.2, help="share of the steps over which it falls")
    image.add_argument("--batch", type=int, default=16)
    image.add_argument("--group", type=int, default=4, help="crops that share one degradation")
    image.add_argument("--crop", type=int, default=128, help="side of the crops, a multiple of 32")
    image.add_argument("--learning-rate", type=float, default=4e-4)
    image.add_argument("--seed", type=int, default=0)
    image.add_argument("--init", type=Path, help="safetensors to start a new run from")
    image.add_argument(
        "--max-minutes", type=float, help="save and stop after this long; the same command goes on"
    )
    image.set_defaults(run=run_image)


def run_image(arguments: argparse.Namespace) -> None:
    """Train, with a progress bar; prints the last mean loss."""
    import dataclasses  # noqa: PLC0415

    from tqdm import tqdm  # noqa: PLC0415

    from flair_core.training.image import ImageTraining, Log, train  # noqa: PLC0415

    names = {field.name for field in dataclasses.fields(ImageTraining)}
    run = ImageTraining(**{name: value for name, value in vars(arguments).items() if name in names})
    log = Log(run.out / "log.csv")
    with tqdm(total=run.steps, unit="step", smoothing=0.05) as bar:
        for logged in train(run):
            bar.update(logged.step - bar.n)
            if (mean := log.add(logged)) is not None:
                bar.set_postfix(loss=f"{mean:.4f}")
    print(run.out / "weights.safetensors")


def _tags(text: str) -> tuple[str, ...]:
    return tuple(tag.strip() for tag in text.split(",") if tag.strip())
