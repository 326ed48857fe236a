"""Training on a graphics card that is lent for half an hour: θ on damage, then G, then φ, eight minutes each.

    python -m benchmarks.gpu_training pack ../shared/data packed                 # once: at most 60 MiB to carry
    python -m benchmarks.gpu_training theta packed $OUT
    python -m benchmarks.gpu_training enhancer packed $OUT --parts parts         # what the stage before wrote
    python -m benchmarks.gpu_training temporal packed $OUT --parts parts
    python -m benchmarks.gpu_training join parts theta.safetensors

A stage runs for --minutes in all. Its first part tells how many steps a minute has; the learning rate then falls to
zero where the time ends. It goes on from the parts of its own kind, if they are in --parts, and takes the θ that lies
there, or the one that ships. Into the output folder go weights in parts of at most 16 MiB, the log, what validation
measured and its sheets. On a processor the same commands take as long and come less far.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from flair_core.runtime.files import replacing
from flair_core.training import enhancer, image, temporal
from flair_core.training.loop import Log, Logged, Run

BUDGET = 60 << 20
"""Bytes that a pack holds at most."""
PART = 16 << 20
"""Bytes of a part of weights."""
VALIDATED = 24
"""Faces for validation in a pack."""
PROBE = 0.15
"""Share of the time after which the number of steps is settled."""
COOLDOWN = 0.35
"""Share of all steps over which the learning rate falls."""
CLIPS, FACES, UNTOUCHED = "clips", "faces", "faces_val"
LEFT_OUT = ("print",)
"""Kinds of damage that are kept for judging."""


def pack(data: Path, out: Path, seed: int = 0) -> int:
    """Clips, held-out faces and as many training faces as fit, of all sources alike; returns how many those are."""
    out.mkdir(parents=True)
    shutil.copytree(data / "clips_train", out / CLIPS)
    held = _shard(data / "faces_val", out / UNTOUCHED, VALIDATED, 1 << 40, seed)
    assert held, "no held-out faces"
    used = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return _shard(data / "faces_train", out / FACES, 1 << 30, BUDGET - used, seed)


def _shard(source: Path, target: Path, most: int, room: int, seed: int) -> int:
    """Copy some faces of a folder, chosen at random, into one of a single shard."""
    target.mkdir()
    with (source / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = {row["file"]: row["source"] for row in csv.DictReader(file)}
    wanted = set(np.random.default_rng(seed).permutation(sorted(rows))[:most].tolist())
    order = np.random.default_rng(seed + 1).permutation(sorted(wanted)).tolist()
    stored: dict[str, bytes] = {}
    for shard in sorted(source.glob("*.tar")):
        with tarfile.open(shard) as archive:
            for member in archive:
                if member.name in wanted and (opened := archive.extractfile(member)):
                    stored[member.name] = opened.read()
    taken = []
    with tarfile.open(target / "0.tar", "w") as archive:
        for name in order:
            # A file of a tar has a head of 512 bytes and is filled up to as many; the index has a line.
            room -= 1024 + len(stored[name]) // 512 * 512 + 80
            if room < 0:
                break
            member = tarfile.TarInfo(name)
            member.size = len(stored[name])
            archive.addfile(member, io.BytesIO(stored[name]))
            taken.append(name)
    with (target / "index.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "source"))
        writer.writerows((name, rows[name]) for name in taken)
    return len(taken)


class Stage(NamedTuple):
    """How a stage is run."""

    kind: Callable[..., Run]
    train: Callable[[Any], Iterator[Logged]]
    rate: float
    on_card: dict[str, Any]
    """A batch as a graphics card likes it."""
    on_processor: dict[str, Any]
    validate: str = UNTOUCHED


STAGES = {
    "theta": Stage(
        image.ImageTraining,
        image.train,
        2e-4,
        {"batch": 48, "group": 4, "crop": 192, "leave_out": LEFT_OUT},
        {"batch": 4, "group": 2, "crop": 64, "leave_out": LEFT_OUT},
    ),
    "enhancer": Stage(
        enhancer.EnhancerTraining,
        enhancer.train,
        1e-4,
        {"batch": 16, "crop": 192, "leave_out": LEFT_OUT},
        {"batch": 2, "crop": 64, "leave_out": LEFT_OUT},
    ),
    "temporal": Stage(
        temporal.TemporalTraining,
        temporal.train,
        4e-4,
        {"windows": 12, "crop": 160},
        {"windows": 1, "crop": 64},
        CLIPS,
    ),
}


def prepared(name: str, packed: Path, out: Path, theta: Path | None, own: Path | None) -> Run:
    """A run of a stage; theta and own: weights of θ, and of its own kind to go on from."""
    stage = STAGES[name]
    begin: dict[str, Any] = {"theta": theta, "init": own} if name == "enhancer" else {"init": own or theta}
    batch = stage.on_card if torch.cuda.is_available() else stage.on_processor
    return stage.kind(
        data=packed / FACES,
        clips=packed / CLIPS,
        validate=packed / stage.validate,
        out=out,
        learning_rate=stage.rate,
        **begin,
        **batch,
    )


def train(name: str, packed: Path, out: Path, parts: Path | None, minutes: float) -> None:
    """Run a stage, and leave in `out` what there is to take home."""
    stage = STAGES[name]
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        theta, own = (_joined(parts, kind, here) for kind in ("theta", name))
        run = prepared(name, packed, here / "run", theta, own)
        log = Log(here / "run" / "log.csv")
        changes = {"steps": 1 << 30, "cooldown": 1e-9, "max_minutes": PROBE * minutes, "save_minutes": 1e9}
        told = _followed(stage.train(_changed(run, **changes, validate=None)), log)
        left = (1 - PROBE) * minutes
        steps = told.step + max(1, round(told.step / told.seconds * 60 * left))
        _followed(
            stage.train(
                _changed(run, steps=steps, cooldown=COOLDOWN, max_minutes=1.2 * left, save_minutes=1e9)
            ),
            log,
        )
        split(here / "run" / "weights.safetensors", out, name)
        for file in (here / "run").rglob("*"):
            if file.suffix in (".csv", ".png"):
                shutil.copy(file, out / f"{name}_{file.name}")


def _changed(run: Run, **values: object) -> Run:
    return dataclasses.replace(run, **values)  # type: ignore[arg-type]


def _followed(steps: Iterator[Logged], log: Log) -> Logged:
    logged = None
    for logged in steps:
        if (mean := log.add(logged)) is not None:
            print(f"step {logged.step}, {logged.seconds:.0f} s, loss {mean:.4f}", flush=True)
    assert logged is not None, "no step was made"
    return logged


def split(weights: Path, out: Path, name: str) -> None:
    """A file in parts: NAME.000, NAME.001, …"""
    data = weights.read_bytes()
    for number, start in enumerate(range(0, len(data), PART)):
        (out / f"{name}.{number:03}").write_bytes(data[start : start + PART])


def _joined(parts: Path | None, name: str, folder: Path) -> Path | None:
    """The weights of a kind whose parts lie there; None when there are none."""
    found = [] if parts is None else sorted(parts.glob(f"{name}.[0-9][0-9][0-9]"))
    if not found:
        return None
    path = folder / f"{name}.safetensors"
    with replacing(path) as partial, partial.open("wb") as file:
        for part in found:
            file.write(part.read_bytes())
    return path


def main() -> None:
    """Pack, train a stage, or join."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("data", type=Path, help="folder that holds faces_train, faces_val and clips_train")
    packing.add_argument("out", type=Path)
    for name in STAGES:
        stage = commands.add_parser(name)
        stage.add_argument("packed", type=Path)
        stage.add_argument("out", type=Path)
        stage.add_argument("--parts", type=Path, help="folder of parts that earlier stages wrote")
        stage.add_argument("--minutes", type=float, default=8.0)
    joining = commands.add_parser("join")
    joining.add_argument("parts", type=Path)
    joining.add_argument("out", type=Path, help="NAME.safetensors, from parts called NAME.000, …")
    told = parser.parse_args()
    match told.command:
        case "pack":
            print(f"{pack(told.data, told.out)} faces")
        case "join":
            if (joined := _joined(told.parts, told.out.stem, told.out.absolute().parent)) is None:
                parser.error(f"{told.parts} holds no parts called {told.out.stem}.000 and so on")
            print(joined)
        case name:
            train(name, told.packed, told.out, told.parts, told.minutes)


if __name__ == "__main__":
    main()
