"""What restored faces and clips look like, in figures: bicubic, without the enhancer (w_τ = 0), and as set.

    python -m benchmarks.quality ../shared/data --faces 8

Held-out faces (faces_val) and clips at 256 × 256 are degraded by known tasks and restored at default settings. The
figures are those of `flair eval` (docs/metrics.md); what needs a network that isn't here is left out and named. Of two
ways each face, or frame, is compared with itself: `+` and `-` mark figures that are better or worse than without the
enhancer by more than two standard errors, and a line says so in words. Frames of one clip are alike, so that a sign
there means less than one of as many faces. The aims are judged on the means.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from flair_core import video
from flair_core.degradations import upscale
from flair_core.frames import to_float, to_uint8
from flair_core.jobs.degrade import degrade_frame
from flair_core.metrics.meters import Pair
from flair_core.metrics.suite import METRICS, Evaluation, Setup
from flair_core.restoration.models import Models, load_models
from flair_core.restoration.window import restore_window
from flair_core.runtime import devices
from flair_core.settings.groups import (
    DegradationSettings,
    FaceSettings,
    RestorationSettings,
    SamplerSettings,
)
from flair_core.training.data import load_faces

TASKS = {
    "x4": DegradationSettings(scale=4),
    "x8": DegradationSettings(scale=8),
    "x16": DegradationSettings(scale=16),
    "mix": DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0, noise=0.05, jpeg=60),
}
SIDE, SEED = 256, 7
COLUMNS = {
    "psnr": 2,
    "lpips": 3,
    "features": 3,
    "features_kid": 1,
    "identity_distance": 3,
    "landmarks": 2,
    "mesh": 2,
    "halo": 2,
    "halo_worst": 1,
    "grain": 2,
    "shimmer": 3,
}
"""Metrics of the tables, and digits after the point."""
SURE = 2.0
"""Standard errors from which on a difference counts."""
LEAST_PSNR = {"x4": 30.1, "x8": 26.5, "x16": 23.1, "mix": 25.6}
"""dB that faces shall keep with the enhancer."""
MOST_FEATURES, MOST_MESH, MOST_HALO, MOST_GRAIN = 0.85, 1.1, 10.0, 1.5
"""Times those without the enhancer; times the clean pictures'; percent of the worst edges' height, so that their range
is within 1.1 times the clean pictures'; times the clean pictures'."""


@dataclass(frozen=True, slots=True)
class Row:
    """One way of restoring a set of windows: its scores, and every metric's value picture by picture."""

    scores: dict[str, float]
    values: dict[str, list[float]]
    skipped: dict[str, str]


def measure(windows: Sequence[np.ndarray], restored: Sequence[np.ndarray], device: torch.device) -> Row:
    """Scores of windows (T, H, W, 3) against the clean ones; metrics of time belong to windows of several frames."""
    names = [name for name in COLUMNS if name != "shimmer" or len(windows[0]) > 1]
    evaluation = Evaluation(names, Setup(device))
    values: dict[str, list[float]] = {name: [] for name in names}
    for clean, result in zip(windows, restored, strict=True):
        for pair in map(Pair, clean, result):
            told = evaluation.add(pair)
            for name in names:
                values[name].append(told.get(name, math.nan))
        evaluation.cut()
    return Row(evaluation.scores(), values, evaluation.skipped)


def observe(window: np.ndarray, task: DegradationSettings, index: int) -> torch.Tensor:
    """y of a window (T, H, W, 3), degraded as `flair degrade --seed 7` would."""
    return torch.stack(
        [to_float(degrade_frame(frame, task, (SEED, index, at))) for at, frame in enumerate(window)]
    )


def restore(
    observed: Sequence[torch.Tensor], settings: RestorationSettings, models: Models
) -> list[np.ndarray]:
    """The last estimates of windows of the tasks' size, (T, SIDE, SIDE, 3)."""
    found = []
    for y in observed:
        *_, last = restore_window(y, settings, models)
        found.append(to_uint8(last.x0))
    return found


def compared(row: Row, plain: Row) -> dict[str, str]:
    """Metric → "+" where a row is surely better than the plain one, "-" where worse, "=" else.

    Where the truth's value is best, 1, nearer is better. A metric without values picture by picture has no sign.
    """
    signs = {}
    for name in row.scores:
        ours, theirs = (np.array(each.values[name]) for each in (row, plain))
        both = np.isfinite(ours) & np.isfinite(theirs)
        if both.sum() < 2:
            continue
        rises = METRICS[name].rises
        if rises is None:
            ours, theirs = np.abs(np.log(ours)), np.abs(np.log(theirs))
        gain = (ours - theirs)[both] * (1 if rises else -1)
        error = gain.std(ddof=1) / math.sqrt(len(gain))
        signs[name] = "=" if abs(gain.mean()) <= SURE * error else "+" if gain.mean() > 0 else "-"
    return signs


def met(task: str, row: Row, plain: Row, *, faces: bool) -> dict[str, bool]:
    """Which aims of the enhancer are met, of those that could be measured."""
    ours, theirs = row.scores, plain.scores
    aims = {
        "features": lambda: ours["features"] <= MOST_FEATURES * theirs["features"],
        "identity_distance": lambda: ours["identity_distance"] <= theirs["identity_distance"],
        "mesh": lambda: ours["mesh"] <= MOST_MESH,
        "halo_worst": lambda: ours["halo_worst"] <= MOST_HALO,
        "grain": lambda: ours["grain"] <= MOST_GRAIN,
    }
    if faces:
        aims["psnr"] = lambda: ours["psnr"] >= LEAST_PSNR[task]
    return {name: bool(aim()) for name, aim in aims.items() if name in ours}


def load_windows(folder: Path, count: int, frames: int) -> list[np.ndarray]:
    """The first frames of so many clips, evenly chosen, as squares: each (T, SIDE, SIDE, 3)."""
    paths = sorted(folder.glob("*.mp4"))
    windows = []
    for at in np.linspace(0, len(paths) - 1, min(count, len(paths))).round().astype(int):
        with video.open_source(paths[at]) as source:
            windows.append(np.stack([resized(frame.rgb, SIDE) for frame in source.frames(0, frames)]))
    return windows


def resized(frame: np.ndarray, side: int | None) -> np.ndarray:
    """The frame as a square, antialiased; as it is without a side."""
    if side is None or frame.shape[:2] == (side, side):
        return frame
    enlarged = torch.nn.functional.interpolate(
        to_float(frame)[None], (side, side), mode="bicubic", antialias=True
    )
    return to_uint8(enlarged[0])


def table(title: str, rows: dict[str, Row], signs: dict[str, str]) -> str:
    """One task as text; signs stand at the last row's figures."""
    names = [name for name in COLUMNS if any(name in row.scores for row in rows.values())]
    width = {name: max(len(METRICS[name].label), 7) for name in names}
    lines = [f"{title:22}" + "  ".join(f"{METRICS[name].label:>{width[name]}} " for name in names)]
    for label, row in rows.items():
        marked = signs if label == list(rows)[-1] else {}
        cells = [
            f"{row.scores.get(name, math.nan):{width[name]}.{COLUMNS[name]}f}{marked.get(name, ' ')}"
            for name in names
        ]
        lines.append(f"  {label:20}" + "  ".join(cells))
    return "\n".join(lines)


def told(signs: dict[str, str]) -> str:
    """The signs in words."""
    better, worse, alike = (
        ", ".join(METRICS[name].label for name, sign in signs.items() if sign == wanted) or "nothing"
        for wanted in "+-="
    )
    return f"  against w_τ = 0: better in {better}; worse in {worse}; no sure difference in {alike}"


def main() -> None:
    """One table for each task and kind, or JSON lines."""
    defaults = SamplerSettings()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path, help="folder that holds faces_val and clips")
    parser.add_argument("--task", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--faces", type=int, default=24, help="faces, the first ones")
    parser.add_argument("--clips", type=int, default=4, help="clips, evenly chosen")
    parser.add_argument("--frames", type=int, default=5, help="neighbouring frames of each clip")
    parser.add_argument("--model", default=defaults.model, help="shipped name, or a safetensors file")
    parser.add_argument("--enhancer", default=defaults.enhancer, help="G: shipped name, or a file")
    parser.add_argument("--w-tau", type=float, default=defaults.w_tau, help="how much of G is mixed in")
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--samples", type=int, default=defaults.samples)
    parser.add_argument("--json", action="store_true", help="one JSON line for each row")
    arguments = parser.parse_args()
    device = devices.pick()
    kinds = {
        "faces": [face[None] for face in load_faces(arguments.data / "faces_val")[: arguments.faces]],
        "clips": load_windows(arguments.data / "clips", arguments.clips, arguments.frames),
    }
    skipped: dict[str, str] = {}
    for task in arguments.task:
        ways = {}
        for w_tau in (0.0, arguments.w_tau):
            sampler = SamplerSettings(
                steps=arguments.steps,
                samples=arguments.samples,
                model=arguments.model,
                enhancer=arguments.enhancer,
                w_tau=w_tau,
            )
            settings = RestorationSettings(
                degradation=TASKS[task], sampler=sampler, faces=FaceSettings(aligned=True)
            )
            ways[f"w_τ = {w_tau:g}"] = settings, load_models(settings, device)
        for kind, windows in kinds.items():
            if not windows:
                continue
            observed = [observe(window, TASKS[task], index) for index, window in enumerate(windows)]
            begun = time.monotonic()
            results = {"bicubic": [to_uint8(upscale(y, (SIDE, SIDE))) for y in observed]}
            results |= {label: restore(observed, *way) for label, way in ways.items()}
            seconds = time.monotonic() - begun
            rows = {label: measure(windows, result, device) for label, result in results.items()}
            plain, last = rows["w_τ = 0"], list(rows.values())[-1]
            signs = compared(last, plain) if last is not plain else {}
            aims = met(task, last, plain, faces=kind == "faces") if last is not plain else {}
            skipped |= {name: reason for name, reason in plain.skipped.items() if name not in plain.scores}
            if arguments.json:
                for label, row in rows.items():
                    figures = {name: round(value, 4) for name, value in row.scores.items()}
                    line = {"task": task, "kind": kind, "way": label, **figures}
                    line |= {"against_plain": signs, "met": aims} if row is last else {}
                    print(json.dumps(line, ensure_ascii=False), flush=True)
                continue
            count = f"{len(windows)} {kind}"
            print(table(f"{task}, {count}", rows, signs))
            if signs:
                print(told(signs))
                missed = [METRICS[name].label for name, reached in aims.items() if not reached]
                print(
                    f"  aims missed: {', '.join(missed) or 'none'}; restored in {seconds:.1f} s\n", flush=True
                )
    for name, reason in skipped.items():
        print(json.dumps({"skipped": name, "reason": reason}) if arguments.json else f"no {name}: {reason}")


if __name__ == "__main__":
    main()
