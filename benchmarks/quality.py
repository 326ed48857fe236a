"""Quality of the shipped model on clean clips that it never saw: one JSON line for each clip, then the mean.

    python -m benchmarks.quality ../shared/data/clips --task bicubic8 --steps 4

Every figure stands beside that of bicubic upsampling (for bicubic tasks) or A⁺y of the same observation.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from flair_core import devices, video
from flair_core.degradations import build, upscale
from flair_core.degrade import degrade_frame
from flair_core.frames import to_float, to_uint8
from flair_core.metrics.fidelity import fine_detail, psnr
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


def measure(clean: list[np.ndarray], settings: RestorationSettings, models) -> dict[str, float]:
    """Mean figures over the frames of a clip."""
    rows = []
    scale = settings.degradation.scale
    for index, frame in enumerate(clean):
        height, width = (extent // scale * scale for extent in frame.shape[:2])
        truth = frame[:height, :width]
        y = to_float(degrade_frame(truth, settings.degradation, (0, index)))[None]
        *_, last = estimate(y, (height, width), settings, models)
        restored = to_uint8(last.x0[0])
        A = build(changed(settings.degradation, jpeg=None), (height, width))
        plain = settings.degradation.kernel == "bicubic"
        baseline = to_uint8((upscale(y, (height, width)) if plain else A.pinv(y))[0])
        error = A.forward(to_float(restored)[None]) - y
        rows.append(
            (
                psnr(restored, truth),
                psnr(baseline, truth),
                *fine_detail(restored, truth),
                *fine_detail(baseline, truth),
                -10 * float(torch.log10(error.square().mean() / 4)),
            )
        )
    names = ("psnr", "psnr_base", "detail", "flat", "detail_base", "flat_base", "consistency_db")
    return {name: round(float(value), 3) for name, value in zip(names, np.mean(rows, axis=0), strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, help="folder of clean clips")
    parser.add_argument("--task", nargs="+", choices=TASKS, default=["bicubic8"])
    parser.add_argument("--steps", type=int, nargs="+", default=[SamplerSettings().steps])
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument(
        "--size", type=int, help="resize the clean frames to squares of this side; default as they are"
    )
    parser.add_argument("--every", type=int, default=1, help="measure every n-th frame")
    parser.add_argument(
        "--model", default=SamplerSettings().model, help="shipped name, or a safetensors file"
    )
    parser.add_argument("--rho", type=float, default=SamplerSettings().rho)
    arguments = parser.parse_args()
    clips = {}
    for path in sorted(arguments.clips.glob("*.mp4")):
        with video.open_source(path) as source:
            frames = [frame.rgb for frame in source.frames(0, len(source))][:: arguments.every]
        clips[path.stem] = [resized(frame, arguments.size) for frame in frames]
    for task in arguments.task:
        for steps in arguments.steps:
            sampler = SamplerSettings(
                steps=steps, samples=arguments.samples, model=arguments.model, rho=arguments.rho
            )
            settings = RestorationSettings(
                degradation=TASKS[task], sampler=sampler, faces=FaceSettings(aligned=True)
            )
            models = load_models(settings, devices.pick())
            rows = {}
            for name, clean in clips.items():
                rows[name] = measure(clean, settings, models)
                print(json.dumps({"task": task, "steps": steps, "clip": name, **rows[name]}), flush=True)
            mean = {key: round(float(np.mean([row[key] for row in rows.values()])), 3) for key in rows[name]}
            print(json.dumps({"task": task, "steps": steps, "clip": "mean", **mean}), flush=True)


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
