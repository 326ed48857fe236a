"""`flair autopsy`: what a restoration did over time."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.cli import experiment, options

if TYPE_CHECKING:
    from flair_core.experiments.autopsy import Describe
    from flair_core.video import FrameSource


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The clip, its restoration, and where to."""
    parser = commands.add_parser(
        "autopsy",
        help="flicker, identity and window joins of a restoration over time",
        epilog="Joins are read from the restoration's provenance record.",
    )
    parser.add_argument("footage", type=options.path, help="the clip as it was")
    parser.add_argument("restored", type=options.path, help="its restoration")
    parser.add_argument("-o", "--output", type=options.path, required=True, help="folder for what is found")
    parser.add_argument("--region", choices=("frame", "face", "aligned"), default="face", help="what counts")
    parser.add_argument(
        "--fetch", action="store_true", help="download the network that knows identities (37 MB)"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Examine; prints the findings and where the record is."""
    from tqdm import tqdm

    from flair_core import video
    from flair_core.errors import WeightsError
    from flair_core.experiments import draw
    from flair_core.experiments.autopsy import autopsy, examine

    draw.require()
    notes: list[str] = []
    describe = None
    try:
        describe = _describe(arguments.fetch)
    except WeightsError as error:
        notes.append(f"Identity was skipped: {str(error).rstrip('.')}.")
    with video.open_source(arguments.footage) as footage, video.open_source(arguments.restored) as restored:
        joins = _joins(arguments.restored, footage)
        moments = examine(footage, restored, where=arguments.region, describe=describe)
        found = autopsy(list(tqdm(moments, total=len(footage), unit="frame", desc="examine")), joins)
    if not joins:
        notes.append("No window joins are known: the model looks at single frames, or there is no record.")
    made = {
        "footage": arguments.footage.name,
        "restored": arguments.restored.name,
        "region": arguments.region,
    }
    experiment.finish(replace(found, notes=notes, made=made), arguments.output)


def _describe(fetch: bool) -> Describe:
    from flair_core.metrics import identity
    from flair_core.metrics.meters import Pair

    similarity = identity.identity_similarity(identity.detector(), identity.SFACE.path(fetch=fetch))
    return lambda before, now: similarity(Pair(before, now))


def _joins(restored: Path, footage: FrameSource) -> set[int]:
    """First frames of the windows after the first one of each shot, as the provenance record tells them."""
    import json

    import torch

    from flair_core.denoisers.factory import load_denoiser
    from flair_core.jobs import record
    from flair_core.restoration.windows import overlap, windows
    from flair_core.settings.look import Look

    path = record.sidecar(restored)
    if not path.is_file():
        return set()
    data = json.loads(path.read_text(encoding="utf-8"))
    look, first = Look.from_dict(data["settings"]), data["frames"]["first"]
    length = load_denoiser(look.settings.sampler.model, torch.device("cpu")).window
    if length == 1:
        return set()
    span = range(first, first + len(footage))
    return {
        window.first_new - first
        for part in look.parts(span)
        for window in windows(part.start, part.stop, length, overlap(length))
        if window.overlap or window.first > part.start
    }
