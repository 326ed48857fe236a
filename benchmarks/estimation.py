"""How well degradations are estimated: clean clips are degraded with known parameters, which are then estimated.

    python -m benchmarks.estimation ../shared/data/clips

Frames are first reduced to 256 pixels. One JSON line for each parameter: the share of clips within the tolerance
(scale exact, noise within 15 %, JPEG quality within 8, lengths of blurs within 20 % and their kind right).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.quality import resized
from flair_core import video
from flair_core.degradations import degrade
from flair_core.estimation import estimate_degradation
from flair_core.estimation.estimate import FRAMES
from flair_core.frames import Frame, to_float, to_uint8
from flair_core.metrics.fidelity import psnr
from flair_core.restoration.models import load_models
from flair_core.restoration.window import restore_window
from flair_core.runtime import devices
from flair_core.settings.fields import EIGHT_BIT
from flair_core.settings.groups import DegradationSettings, FaceSettings, RestorationSettings

SIDE = 256
INTERPOLATIONS = {"cubic": cv2.INTER_CUBIC, "linear": cv2.INTER_LINEAR, "lanczos": cv2.INTER_LANCZOS4}


def draw(rng: np.random.Generator) -> DegradationSettings:
    """Any degradation that the paper's tasks hold, and plain ones."""
    kernel = rng.choice(["bicubic", "gaussian", "gaussian", "motion"])
    scale = int(rng.choice([2, 4, 8, 16] if kernel == "bicubic" else [1, 2, 4]))
    return DegradationSettings(
        scale=scale,
        kernel=str(kernel),
        blur_sigma=float(rng.uniform(min(2, max(1, 0.4 * scale)), 4)),
        blur_ratio=float(rng.choice([1.0, 0.5])),
        motion_length=float(rng.uniform(min(8, max(5, 2 * scale)), 21)),
        angle=float(rng.uniform(-90, 90)),
        noise=float(rng.choice([0, rng.uniform(1, 25) / EIGHT_BIT])),
        jpeg=int(rng.integers(40, 97)) if rng.random() < 0.3 else None,
    )


def judge(true: DegradationSettings, found: DegradationSettings, enlarged: bool) -> dict[str, bool]:
    """Which parameters were found, those that can be."""
    near = {"scale, enlarged" if enlarged else "scale": found.scale == true.scale}
    if enlarged:
        return near
    hidden = " under JPEG" if true.jpeg else ""
    near["jpeg"] = (found.jpeg or 999) - (true.jpeg or 999) in range(-8, 9)
    near["kernel" + hidden] = found.kernel == true.kernel
    if true.noise:
        near["noise" + hidden] = abs(found.noise / true.noise - 1) <= 0.15
    same = found.kernel == true.kernel
    if true.kernel == "gaussian":
        shape = "stretched" if true.blur_ratio < 1 else "round"
        near[f"{shape} Gaussian{hidden}"] = same and abs(found.blur_sigma / true.blur_sigma - 1) <= 0.2
    if true.kernel == "motion":
        near["motion" + hidden] = same and abs(found.motion_length / true.motion_length - 1) <= 0.2
    return near


def loss(clean: np.ndarray, y: np.ndarray, true: DegradationSettings, found: DegradationSettings) -> float:
    """PSNR with the true parameters less that with the estimated ones, default settings, frames (N, H, W, 3)."""
    scores = []
    for degradation in (true, found):
        settings = RestorationSettings(degradation=degradation, faces=FaceSettings(aligned=True))
        models = load_models(settings, devices.pick("cpu"))
        *_, last = restore_window(to_float(y), settings, models)
        scores.append(psnr(to_uint8(last.x0), clean))
    return scores[0] - scores[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, help="folder of clean clips")
    parser.add_argument("--draws", type=int, default=10, help="degradations of each clip")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="also print every estimate")
    parser.add_argument(
        "--restore", action="store_true", help="also what restoring with the estimate costs, in dB of PSNR"
    )
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    results = defaultdict(list)
    losses: list[float] = []
    for path in sorted(arguments.clips.glob("*.mp4")):
        with video.open_source(path) as source:
            clean = np.stack([resized(frame.rgb, SIDE) for frame in source.frames(0, FRAMES)])
        for number in range(arguments.draws):
            true = draw(rng)
            y = to_uint8(degrade(to_float(clean), true, torch.Generator().manual_seed(number)))
            if enlarged := number % 4 == 3 and 1 < true.scale < 16:
                how = INTERPOLATIONS[str(rng.choice(list(INTERPOLATIONS)))]
                y = [cv2.resize(frame, (SIDE, SIDE), interpolation=how) for frame in y]
            found = estimate_degradation([Frame(rgb, i, i) for i, rgb in enumerate(y)])
            near = judge(true, found.settings, enlarged)
            for name, good in near.items():
                results[name].append(good)
            if arguments.restore and not enlarged and found.settings.scale == true.scale:
                losses.append(loss(clean[:1], y[:1], true, found.settings))
            if arguments.verbose:
                print(path.stem, near, true, found.settings, dict(found.confidence), flush=True)
    if losses:
        told = {"mean": np.mean(losses), "median": np.median(losses), "most": max(losses)}
        told["within 0.5 dB"] = np.mean(np.array(losses) <= 0.5)
        print(
            json.dumps(
                {"loss": len(losses), **{name: round(float(value), 3) for name, value in told.items()}}
            )
        )
    for name, found in sorted(results.items()):
        print(json.dumps({"parameter": name, "clips": len(found), "within": round(float(np.mean(found)), 3)}))


if __name__ == "__main__":
    main()
