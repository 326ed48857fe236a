"""`flair eval`: how good a restoration is, against the clean clip."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from flair_core.cli import options

CLIPS = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Two clips, or two folders of clips with the same names."""
    parser = commands.add_parser(
        "eval",
        help="measure a restoration against the clean clip",
        epilog="A metric whose network is missing is skipped, and the output says why.",
    )
    parser.add_argument("reference", type=options.path, nargs="?", help="clean clip, or a folder of clips")
    parser.add_argument(
        "restored", type=options.path, nargs="?", help="restored clip, or a folder of clips named alike"
    )
    parser.add_argument("--metrics", default="all", help="comma-separated, or all (the default)")
    parser.add_argument(
        "--observation", type=options.path, help="degraded clip with its side-car, for the residual"
    )
    parser.add_argument(
        "--region", choices=("frame", "face", "aligned"), default="frame",
        help="what counts: the whole frame, its faces, or the ellipse of an aligned face",
    )  # fmt: skip
    parser.add_argument("--fetch", action="store_true", help="download missing networks (about 370 MB)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--json", action="store_true", help="print JSON with the values of every frame")
    parser.add_argument("--definitions", action="store_true", help="print how metrics are defined, and stop")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Measure frame by frame; a table or JSON on stdout."""
    from tqdm import tqdm

    from flair_core import video
    from flair_core.errors import SettingsError
    from flair_core.jobs.degrade import read_sidecar
    from flair_core.metrics.suite import METRICS, Evaluation, Setup, chosen, pairs
    from flair_core.runtime import devices

    if arguments.definitions:
        for name, metric in METRICS.items():
            better = {True: "more is better", False: "less is better", None: "best as the truth has it"}[
                metric.rises
            ]
            print(f"{name:17} {metric.text} ({better})")
        return
    if arguments.restored is None:
        raise SettingsError("Name the reference and the restored clip.")
    observation = arguments.observation
    degradation = read_sidecar(observation) if observation is not None else None
    if observation is not None and degradation is None:
        raise SettingsError(f"{observation} has no side-car of its degradation; make it with flair degrade.")
    setup = Setup(devices.pick(arguments.device), degradation, arguments.fetch)
    evaluation = Evaluation(chosen(arguments.metrics), setup)
    frames: dict[str, list[dict[str, float]]] = {}
    for reference, restored in matching(arguments.reference, arguments.restored):
        with video.open_source(reference) as clean, video.open_source(restored) as other:
            seen = video.open_source(observation) if observation is not None else None
            frames[restored.name] = [
                evaluation.add(pair)
                for pair in tqdm(
                    pairs(clean, other, seen, arguments.region), total=len(clean), unit="frame", desc="eval"
                )
            ]
        evaluation.cut()
    scores = evaluation.scores()
    if arguments.json:
        report = {"scores": scores, "skipped": evaluation.skipped, "frames": frames}
        print(json.dumps({"region": arguments.region, **report}))
        return
    for name, value in scores.items():
        print(f"{METRICS[name].label:10} {value:10.4f} {METRICS[name].unit}")
    for name, reason in evaluation.skipped.items():
        print(f"{METRICS[name].label:10} skipped: {reason}")


def matching(reference: Path, restored: Path) -> list[tuple[Path, Path]]:
    """The two clips given, or those of two folders by name. Raises MediaError when one is missing."""
    from flair_core.errors import MediaError

    clips = _clips(reference)
    if not clips:
        return [(reference, restored)]
    others = {path.stem: path for path in _clips(restored)}
    if missing := [path.name for path in clips if path.stem not in others]:
        raise MediaError(f"{restored} has no clip for {missing[0]} of {reference}.")
    return [(path, others[path.stem]) for path in clips]


def _clips(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in CLIPS)
