"""Train the networks that read a face, and write them where `flair estimate` looks for them.

    python -m benchmarks.blur_reader ../shared/data/faces_train ../shared/data/clips_train --minutes 30

Faces and clips are degraded in ways drawn at random, a little wider than `benchmarks.estimation` draws them, and
what the networks are told of the result is kept: no picture. Every tenth face and clip is held out; one line of JSON
says for each network how often it was right there, and how often when it was at least 90 % sure.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

import resources
from flair_core import video
from flair_core.degradations.jpeg import TO_YCBCR, Jpeg
from flair_core.degradations.model import linear
from flair_core.estimation.blur import TOLERANCE
from flair_core.estimation.reader import (
    FACTORS,
    KINDS,
    LENGTH,
    SCALES,
    WEIGHTS,
    block_inputs,
    spectrum_inputs,
)
from flair_core.estimation.spectrum import ROUNDING, SIDE, log_power
from flair_core.frames import to_float, to_uint8
from flair_core.settings.fields import EIGHT_BIT
from flair_core.settings.groups import DegradationSettings
from flair_core.training.data import load_faces

FRAMES = 8
HELD_OUT = 10
"""One face and clip in so many."""
NETWORKS, BATCH = 3, 256
WIDTHS, STEPS = {"coded": 192, "enlarged": 96}, {"coded": 2600, "enlarged": 1000}
DROPOUT = 0.25
NOISE_ERROR = 0.08
"""Relative std of the noise that is told."""
MEANS, SPREADS = {"round": 4, "stretched": 6, "motion": 11}, {"round": 5, "stretched": 7, "motion": 12}
RATIO, ANGLES = 8, {"stretched": slice(9, 11), "motion": slice(13, 15)}
OUTPUTS = 15


@dataclass(frozen=True, slots=True)
class Example:
    """What a network is told, and what it should answer."""

    inputs: np.ndarray
    kind: str
    degradation: DegradationSettings
    factor: int
    """How many times it was enlarged."""
    held_out: bool


def draw(rng: np.random.Generator) -> tuple[str, DegradationSettings]:
    """A kind of blur and all of its parameters. Blurs at 8 and 16 times are rare: there, little of them is seen."""
    kind = str(rng.choice(KINDS))
    likely = [0.1, 0.225, 0.225, 0.225, 0.225] if kind == "bicubic" else [0.31, 0.31, 0.31, 0.05, 0.02]
    scale = int(rng.choice(SCALES, p=likely))
    narrow, short = (0.4 * scale, 2.0 * scale) if scale > 4 else (max(1, 0.4 * scale), max(5, 2 * scale))
    ratio = float(rng.choice([0.5, rng.uniform(0.3, 0.75)])) if kind == "stretched" else 1.0
    return kind, DegradationSettings(
        scale=scale,
        kernel="gaussian" if kind in ("round", "stretched") else kind,
        blur_sigma=min(8.0, between(rng, 0.8 * narrow, max(4.6, 1.6 * narrow))),
        blur_ratio=ratio,
        motion_length=min(31.0, between(rng, 0.8 * short, max(24.0, 1.8 * short))),
        angle=float(rng.uniform(-90, 90)),
    )


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """A length, all ratios alike."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def simulate(folders: tuple[Path, Path], coded: bool, minutes: float, seed: int) -> dict[str, list[Example]]:
    """Examples for each network, as many as fit into the time; with JPEG, or without."""
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    until = time.monotonic() + 60 * minutes
    rng = np.random.default_rng(seed)
    faces, clips = load_faces(folders[0]), [beginning(path) for path in sorted(folders[1].glob("*.mp4"))]
    examples: dict[str, list[Example]] = defaultdict(list)
    while time.monotonic() < until:
        kind, degradation = draw(rng)
        scale = degradation.scale
        count = {1: 1, 2: 2}.get(scale, 4)  # a larger picture tells as much in fewer frames
        moving = rng.random() < 0.55
        which = int(rng.integers(len(clips if moving else faces)))
        clean = clips[which][np.linspace(0, FRAMES - 1, count).astype(int)] if moving else faces[which][None]
        side = SIDE
        if rng.random() < 0.35:  # faces in the wild have any size
            side = int(rng.integers(181, 257 if scale == 1 else 363)) // scale * scale
            how = cv2.INTER_AREA if side < SIDE else cv2.INTER_CUBIC
            clean = np.stack([cv2.resize(frame, (side, side), interpolation=how) for frame in clean])
        if rng.random() < 0.5:
            clean = np.ascontiguousarray(clean[:, :, ::-1])
        blurred = linear(degradation, (side, side)).forward(to_float(clean))
        blurred = blurred if moving else blurred.repeat(count, 1, 1, 1)
        for _ in range(2):
            noise = float(rng.choice([0, rng.uniform(1, 25)]))
            generator = torch.Generator().manual_seed(int(rng.integers(1 << 40)))
            y = blurred + 2 * noise / EIGHT_BIT * torch.randn(blurred.shape, generator=generator)
            quality = int(rng.integers(32, 97)) if coded else None
            lumas = [
                frame @ TO_YCBCR[0].numpy() for frame in to_uint8(Jpeg(quality).recode(y) if quality else y)
            ]
            noise *= 1 + NOISE_ERROR * rng.normal()  # it is known as well as it is estimated
            observed = side // scale
            power = log_power(lumas)[0]
            told = [spectrum_inputs(power, observed, noise if quality else 0.0)]
            if quality:
                told.append(block_inputs(lumas, [(0, 0)] * count, quality))
            name = "coded" if quality else "enlarged"
            examples[name].append(Example(joined(told), kind, degradation, 1, which % HELD_OUT == 0))
            if not quality and 1 < scale < 16 and rng.random() < 0.35:
                factor = int(rng.choice([one for one in FACTORS[1:] if one <= scale]))
                power = log_power(enlarged(lumas, factor, rng))[0]
                told = [spectrum_inputs(power, observed * factor, 0.0)]
                examples["enlarged"].append(
                    Example(joined(told), kind, degradation, factor, which % HELD_OUT == 0)
                )
    return examples


def joined(parts: list[np.ndarray]) -> np.ndarray:
    """Inputs as a network takes them."""
    return np.concatenate(parts).astype(np.float32)


def enlarged(lumas: list[np.ndarray], factor: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Made larger by a common interpolation and rounded; sometimes grain came on top."""
    how = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4]))
    grain = rng.uniform(0.2, 2) if rng.random() < 0.3 else 0.0
    large = [cv2.resize(luma, None, fx=factor, fy=factor, interpolation=how) for luma in lumas]
    noisy = [luma + grain * rng.normal(size=luma.shape) for luma in large]
    return [luma + rng.normal(0, ROUNDING**0.5, luma.shape) for luma in noisy]


def beginning(path: Path) -> np.ndarray:
    """The first frames of a clip, (FRAMES, H, W, 3)."""
    with video.open_source(path) as source:
        return np.stack([frame.rgb for frame in source.frames(0, FRAMES)])


def targets(examples: list[Example]) -> dict[str, torch.Tensor]:
    """Kinds as numbers, logarithms of lengths, ratios and directions of twice the angle."""
    lengths = [
        one.degradation.motion_length if one.kind == "motion" else one.degradation.blur_sigma
        for one in examples
    ]
    angles = 2 * np.radians([one.degradation.angle for one in examples])
    return {
        "factor": torch.tensor([FACTORS.index(one.factor) for one in examples]),
        "kind": torch.tensor([KINDS.index(one.kind) for one in examples]),
        "length": torch.tensor(np.log(lengths) - LENGTH, dtype=torch.float32),
        "ratio": torch.tensor([one.degradation.blur_ratio for one in examples], dtype=torch.float32),
        "angle": torch.tensor(np.stack([np.cos(angles), np.sin(angles)], 1), dtype=torch.float32),
    }


def factor_cost(answer: torch.Tensor, true: dict[str, torch.Tensor]) -> torch.Tensor:
    """Surprise at the factor."""
    return functional.cross_entropy(answer, true["factor"])


def blur_cost(answer: torch.Tensor, true: dict[str, torch.Tensor]) -> torch.Tensor:
    """Surprise at the kind and, for the true kind, at the length; squares for shape and direction."""
    total = functional.cross_entropy(answer[:, : len(KINDS)], true["kind"])
    for kind, mean in MEANS.items():
        here = true["kind"] == KINDS.index(kind)
        told, spread = answer[here], answer[here][:, SPREADS[kind]].clamp(-4, 2)
        surprise = ((true["length"][here] - told[:, mean]) * torch.exp(-spread)) ** 2 / 2 + spread
        total = total + surprise.clamp(max=8).sum() / len(answer)
        if kind in ANGLES:
            total = total + ((told[:, ANGLES[kind]] - true["angle"][here]) ** 2).sum() / len(answer)
        if kind == "stretched":
            total = total + 4 * ((told[:, RATIO] - true["ratio"][here]) ** 2).sum() / len(answer)
    return total


def train(name: str, examples: list[Example]) -> dict[str, np.ndarray]:
    """A few networks, by name of their weights; prints how they do on what was held out."""
    inputs = np.stack([one.inputs for one in examples])
    held_out = np.array([one.held_out for one in examples])
    mean, std = inputs[~held_out].mean(0), inputs[~held_out].std(0) + 0.05
    x = torch.from_numpy(((inputs - mean) / std).clip(-6, 6).astype(np.float32))
    true = targets(examples)
    used, left = torch.from_numpy(np.flatnonzero(~held_out)), torch.from_numpy(np.flatnonzero(held_out))
    weights = {f"{name}.mean": mean, f"{name}.std": std}
    answers = []
    width, steps = WIDTHS[name], STEPS[name]
    cost, outputs = (factor_cost, len(FACTORS)) if name == "enlarged" else (blur_cost, OUTPUTS)
    for number in range(NETWORKS):
        torch.manual_seed(number)
        network = nn.Sequential(
            nn.Linear(x.shape[1], width), nn.GELU(), nn.Dropout(DROPOUT),
            nn.Linear(width, width), nn.GELU(), nn.Dropout(DROPOUT),
            nn.Linear(width, width), nn.GELU(), nn.Dropout(DROPOUT / 2),
            nn.Linear(width, outputs),
        )  # fmt: skip
        optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
        for _ in range(steps):
            batch = used[torch.randint(len(used), (BATCH,))]
            answer = network(x[batch] + 0.03 * torch.randn(BATCH, x.shape[1]))
            optimizer.zero_grad()
            cost(answer, {key: value[batch] for key, value in true.items()}).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.no_grad():
            answers.append(network(x[left]))
        linears = [layer for layer in network if isinstance(layer, nn.Linear)]
        for place, layer in enumerate(linears):
            weights[f"{name}.{number}.{place}.weight"] = layer.weight.detach().numpy()
            weights[f"{name}.{number}.{place}.bias"] = layer.bias.detach().numpy()
    answer, true = torch.stack(answers).mean(0), {key: value[left] for key, value in true.items()}
    if name == "enlarged":
        right = answer.argmax(1) == true["factor"]
        shares = {
            f"{factor} times": round(right[true["factor"] == place].float().mean().item(), 3)
            for place, factor in enumerate(FACTORS)
        }
        print(json.dumps({"network": name, "cases": len(answer), **shares}), flush=True)
    else:
        report(name, answer, true)
    return weights


def report(name: str, answer: torch.Tensor, true: dict[str, torch.Tensor]) -> None:
    """How often the kind, and the kind and length, were right; and how often when it was sure."""
    plain, round_one, stretched, motion = answer[:, : len(KINDS)].softmax(1).T
    chances = torch.stack([plain, round_one + stretched, motion])
    sure, found = chances.max(0)
    kind = torch.tensor([0, 1, 1, 2])[true["kind"]]
    right = found == kind
    gaussian = torch.where(stretched > round_one, answer[:, MEANS["stretched"]], answer[:, MEANS["round"]])
    length = torch.where(found == 2, answer[:, MEANS["motion"]], gaussian)
    near = (torch.exp(length - true["length"]) - 1).abs() <= TOLERANCE
    both = right & (near | (kind == 0))
    told: dict[str, object] = {"network": name, "cases": len(answer)}
    told |= {
        "kind": round(right.float().mean().item(), 3),
        "length too": round(both.float().mean().item(), 3),
    }
    for number, one in enumerate(KINDS):
        told[one] = round(both[true["kind"] == number].float().mean().item(), 3)
    for low, high in ((0.0, 0.6), (0.6, 0.9), (0.9, 1.01)):
        here = (sure >= low) & (sure < high)
        told[f"sure {low:.0%} to {min(high, 1):.0%}"] = {
            "cases": int(here.sum()),
            "sure": round(sure[here].mean().item(), 3),
            "right": round(right[here].float().mean().item(), 3),
        }
    print(json.dumps(told), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path, help="folder of faces")
    parser.add_argument("clips", type=Path, help=f"folder of {SIDE}-pixel clips")
    parser.add_argument("--minutes", type=float, default=30, help="of simulation without JPEG, and with")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    weights = {}
    with ProcessPoolExecutor(arguments.processes) as pool:
        for coded in (False, True):
            job = partial(simulate, (arguments.faces, arguments.clips), coded, arguments.minutes)
            parts = list(pool.map(job, range(arguments.processes)))
            for name in parts[0]:
                weights |= train(name, [example for part in parts for example in part[name]])
    save(weights)


def save(weights: dict[str, np.ndarray]) -> None:
    """Half precision: the answers differ by less than they are unsure."""
    path = Path(resources.__file__).parent / WEIGHTS
    np.savez_compressed(path, **{name: value.astype(np.float16) for name, value in weights.items()})
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
