"""Quality of a compact model on clean clips that it never saw: one JSON line for each clip, the mean, a verdict.

    python -m benchmarks.quality ../shared/data/clips --task bicubic8 blur --steps 4 10 --size 256

Neighbouring frames of each clip are restored as one window. PSNR stands beside that of bicubic upsampling (for
bicubic tasks) or of A⁺y; `detail` and `flat` are the energy above a 5×5 mean where the clean clip has most and least
of it, relative to the clean clip; `warp` is the warping error · 10⁴ along the motion of the clean clip, which has one
of its own, and `shimmer` that of what differs from the clean clip. `mesh` tells how many times as large a share of the
clean clip's power as a coarser one a ring of the spectrum has: near 1 detail falls off as it does in pictures. For a
model with temporal layers, the figures `…_image` are those without them; with several samples, `sa_gain` is what their
mean adds to one of them, in dB. The verdict compares the mean with what the model is meant to reach.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch

from flair_core import devices, video
from flair_core.degradations import build, upscale
from flair_core.degrade import degrade_frame
from flair_core.frames import to_float, to_uint8
from flair_core.metrics.fidelity import fine_detail, psnr
from flair_core.metrics.meters import Pair
from flair_core.metrics.temporal import WarpingError
from flair_core.recipe import estimate
from flair_core.restore import load_models
from flair_core.settings import (
    DegradationSettings,
    FaceSettings,
    RestorationSettings,
    SamplerSettings,
    changed,
)

TASKS = {
    "bicubic4": DegradationSettings(scale=4),
    "bicubic8": DegradationSettings(scale=8),
    "bicubic16": DegradationSettings(scale=16),
    "blur": DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0, noise=0.05),
    "jpeg": DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0, noise=0.05, jpeg=60),
}
GAINS = {"bicubic4": 2.0, "bicubic8": 1.5, "bicubic16": 1.0, "jpeg": 3.0}
"""dB that the mean shall be above the baseline."""
RINGS, COARSEST = 9, 1 / 16
"""Of the spectrum, and the frequency in cycles a pixel where the first one begins."""
FAINT = 0.4 / 127.5
"""Amplitude, range [-1, 1], below which a picture is as good as flat: what rounding to 8 bits leaves."""
LEAST_SHARE = 0.1
"""Share of the truth's power below which nobody sees what a ring holds."""
LEAST_DETAIL, MOST_FLAT, LEAST_SA_GAIN, MOST_WARP = 0.6, 1.5, 0.7, 0.6


def measure(clean: list[np.ndarray], settings: RestorationSettings, models) -> dict[str, float]:
    """Mean figures over neighbouring frames."""
    scale, sampler = settings.degradation.scale, settings.sampler
    height, width = (extent // scale * scale for extent in clean[0].shape[:2])
    clean = [frame[:height, :width] for frame in clean]
    y = torch.stack(
        [to_float(degrade_frame(frame, settings.degradation, (0, i))) for i, frame in enumerate(clean)]
    )
    states = list(estimate(y, (height, width), settings, models))
    one, mean = (to_uint8(states[at - 1].x0) for at in (sampler.steps, len(states)))
    A = build(changed(settings.degradation, jpeg=None), (height, width))
    plain = settings.degradation.kernel == "bicubic"
    baseline = to_uint8(upscale(y, (height, width)) if plain else A.pinv(y))
    error = A.forward(to_float(mean)) - y
    figures = scores(mean, clean)
    figures |= {f"{name}_base": value for name, value in scores(baseline, clean).items()}
    figures["consistency_db"] = -10 * float(torch.log10(error.square().mean() / 4))
    if sampler.samples > 1:
        figures["sa_gain"] = figures["psnr"] - scores(one, clean)["psnr"]
    if models.denoiser.window > 1:
        window, models.denoiser.window = models.denoiser.window, 1
        *_, last = estimate(y, (height, width), settings, models)
        models.denoiser.window = window
        figures |= {f"{name}_image": value for name, value in scores(to_uint8(last.x0), clean).items()}
    return {name: round(value, 3) for name, value in figures.items()}


def scores(restored: np.ndarray, clean: list[np.ndarray]) -> dict[str, float]:
    """PSNR, detail, flat, warping error and shimmer · 10⁴ and mesh of (T, H, W, 3)."""
    warping, shimmer = WarpingError(), WarpingError()
    for truth, frame in zip(clean, restored, strict=True):
        warping.add(Pair(truth, frame))
        shimmer.add(Pair(truth, frame.astype(np.float32) - truth))
    detail, flat = np.mean([fine_detail(x, truth) for x, truth in zip(restored, clean, strict=True)], axis=0)
    return {
        "psnr": float(np.mean([psnr(x, truth) for x, truth in zip(restored, clean, strict=True)])),
        "detail": float(detail),
        "flat": float(flat),
        "warp": 1e4 * warping.result(),
        "shimmer": 1e4 * shimmer.result(),
        "mesh": float(np.mean([mesh(x, truth) for x, truth in zip(restored, clean, strict=True)])),
    }


def mesh(restored: np.ndarray, clean: np.ndarray) -> float:
    """The largest share that a ring has beside the smallest coarser one, of the largest square of (H, W, 3)."""
    side = min(clean.shape[:2])
    made, true = spectrum(to_float(np.stack((restored, clean))[:, :side, :side])) + FAINT**2
    shares = (made / true).clamp(min=LEAST_SHARE)
    return float((shares[1:] / shares.cummin(0).values[:-1]).max())


def spectrum(images: torch.Tensor) -> torch.Tensor:
    """Mean power in rings of frequencies, equally wide as logarithms and the coarsest first: (N, 3, S, S) → (N, RINGS).

    Noise of variance v has v in all of them. The margins of a picture count less than its middle.
    """
    side = images.shape[-1]
    window = torch.hann_window(side)
    window = window / window.square().mean().sqrt()
    waves = torch.fft.rfft2(images.float() * window[:, None] * window, norm="ortho")
    columns, rows = torch.fft.rfftfreq(side), torch.fft.fftfreq(side)
    edges = torch.logspace(math.log2(COARSEST), -1, RINGS + 1, 2)
    ring = torch.bucketize((rows[:, None].square() + columns.square()).sqrt(), edges).flatten()
    power = waves.abs().square().mean(1).flatten(1)
    sums = power.new_zeros(len(images), RINGS + 2).index_add(1, ring, power)
    means: torch.Tensor = sums / ring.bincount(minlength=RINGS + 2).clamp(min=1)
    return means[:, 1:-1]


def verdict(task: str, mean: dict[str, float]) -> dict[str, bool]:
    """Which of the aims are met."""
    met = {"detail": mean["detail"] >= LEAST_DETAIL, "flat": mean["flat"] <= MOST_FLAT}
    if task in GAINS:
        met["psnr"] = mean["psnr"] - mean["psnr_base"] >= GAINS[task]
    if "sa_gain" in mean:
        met["sa_gain"] = mean["sa_gain"] >= LEAST_SA_GAIN
    if "warp_image" in mean:
        met["warp"] = (
            mean["warp"] <= MOST_WARP * mean["warp_image"] and mean["detail"] >= mean["detail_image"]
        )
    return met


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path, help="folder of clean clips")
    parser.add_argument("--task", nargs="+", choices=TASKS, default=["bicubic8"])
    parser.add_argument("--steps", type=int, nargs="+", default=[SamplerSettings().steps])
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument(
        "--size", type=int, help="resize the clean frames to squares of this side; default as they are"
    )
    parser.add_argument("--frames", type=int, default=5, help="neighbouring frames of each clip")
    parser.add_argument("--every", type=int, default=1, help="measure every n-th clip")
    parser.add_argument(
        "--model", default=SamplerSettings().model, help="shipped name, or a safetensors file"
    )
    parser.add_argument("--rho", type=float, default=SamplerSettings().rho)
    parser.add_argument("--enhancer", default=SamplerSettings().enhancer, help="G, where --w-tau is above 0")
    parser.add_argument("--w-tau", type=float, nargs="+", default=[SamplerSettings().w_tau])
    arguments = parser.parse_args()
    clips = {}
    for path in sorted(arguments.clips.glob("*.mp4"))[:: arguments.every]:
        with video.open_source(path) as source:
            frames = [frame.rgb for frame in source.frames(0, arguments.frames)]
        clips[path.stem] = [resized(frame, arguments.size) for frame in frames]
    for task in arguments.task:
        for steps, w_tau in product(arguments.steps, arguments.w_tau):
            sampler = SamplerSettings(
                steps=steps,
                samples=arguments.samples,
                model=arguments.model,
                rho=arguments.rho,
                enhancer=arguments.enhancer,
                w_tau=w_tau,
            )
            settings = RestorationSettings(
                degradation=TASKS[task], sampler=sampler, faces=FaceSettings(aligned=True)
            )
            models = load_models(settings, devices.pick())
            begun, rows = time.monotonic(), {}
            for name, clean in clips.items():
                rows[name] = measure(clean, settings, models)
                print(
                    json.dumps({"task": task, "steps": steps, "w_tau": w_tau, "clip": name, **rows[name]}),
                    flush=True,
                )
            mean = {key: round(float(np.mean([row[key] for row in rows.values()])), 3) for key in rows[name]}
            seconds = round(time.monotonic() - begun, 1)
            row = {
                "task": task,
                "steps": steps,
                "w_tau": w_tau,
                "clip": "mean",
                **mean,
                "met": verdict(task, mean),
            }
            print(json.dumps({**row, "seconds": seconds}), flush=True)


def resized(frame: np.ndarray, side: int | None) -> np.ndarray:
    """The frame as a square, antialiased."""
    if side is None:
        return frame
    return to_uint8(
        torch.nn.functional.interpolate(to_float(frame)[None], (side, side), mode="bicubic", antialias=True)[
            0
        ]
    )


if __name__ == "__main__":
    main()
