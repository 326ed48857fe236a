"""How soon a preview shows: first pixels and a finished frame of one 256×256 face, with the shipped model.

    python -m benchmarks.preview --steps 5

One JSON line: seconds to the first step and to the last one, and the last one relative to the bare network.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

from flair_core import video
from flair_core.denoisers.base import Condition
from flair_core.jobs.demo import SETTINGS, make_demo
from flair_core.restoration.find import find_tracks
from flair_core.restoration.models import load_models
from flair_core.restoration.preview import preview
from flair_core.restoration.run import Run
from flair_core.runtime import devices
from flair_core.settings.groups import RestorationSettings, SamplerSettings
from flair_core.settings.look import Look


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    settings = RestorationSettings(
        degradation=SETTINGS.degradation, sampler=SamplerSettings(steps=arguments.steps)
    )
    device = devices.pick()
    models = load_models(settings, device)
    with tempfile.TemporaryDirectory() as folder, video.open_source(make_demo(Path(folder))) as source:
        *_, tracks = find_tracks(source, settings, span=range(12))
        first, last = [], []
        for index in range(arguments.repeats + 1):
            begun = time.perf_counter()
            states = preview(Run(source, tracks, Look(settings), lambda _: models), index)
            next(states)
            first.append(time.perf_counter() - begun)
            list(states)
            last.append(time.perf_counter() - begun)
    x = torch.zeros(1, 3, models.denoiser.size, models.denoiser.size, device=device)
    bare = []
    for _ in range(arguments.repeats + 1):
        begun = time.perf_counter()
        for _ in range(arguments.steps):
            models.denoiser.predict_noise(x, 500, Condition(x))
        bare.append(time.perf_counter() - begun)
    # The first round warms up.
    found = {name: median(times[1:]) for name, times in (("first", first), ("last", last), ("network", bare))}
    print(
        json.dumps(
            {
                "device": devices.describe(device),
                "steps": arguments.steps,
                "first_pixels_s": round(found["first"], 3),
                "finished_s": round(found["last"], 3),
                "finished_over_network": round(found["last"] / found["network"], 2),
            }
        )
    )


if __name__ == "__main__":
    main()
