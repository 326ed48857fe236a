"""Peak memory of a whole job against the clip's length: it must not grow. One JSON line with the ratio.

    python -m benchmarks.memory --minutes 1 10

The clip is really encoded, searched for faces, decoded and written again, with its record; a denoiser without cost
stands for the network, and two faces are drawn by hand, so that cropping, the cache and pasting are there, too. What is
measured is a process that does nothing but the job. `--size 160 90` makes hours affordable.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

from flair_core.settings.output import OutputOptions

RATE = 25


def make_clip(path: Path, frames: int, width: int, height: int) -> None:
    """A noisy picture that moves sideways."""
    import cv2
    import numpy as np

    from flair_core import video
    from flair_core.frames import Frame, VideoInfo

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (height // 16, width // 16, 3), dtype=np.uint8)
    still = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    info = VideoInfo(width, height, Fraction(RATE), Fraction(1, RATE), frames)
    with video.open_sink(
        path, like=info, width=width, height=height, options=OutputOptions(codec="h264")
    ) as sink:
        for index in range(frames):
            sink.write(Frame(np.roll(still, 4 * index, axis=1), index, index, 1))
        sink.commit()


def peak_megabytes(clip: Path) -> float:
    """Do a job over the clip in this process; its peak resident memory."""
    import torch

    from flair_core import video
    from flair_core.denoisers.schedule import NoiseSchedule
    from flair_core.enhancers.base import Unchanged
    from flair_core.jobs.request import Request
    from flair_core.jobs.run import render
    from flair_core.kept.cache import Cache
    from flair_core.restoration import find, models
    from flair_core.restoration.models import Models
    from flair_core.settings.drawn import DrawnFace
    from flair_core.settings.groups import RestorationSettings, SamplerSettings
    from flair_core.settings.look import Look

    class Free:
        """Predicts that the clean image is the condition."""

        schedule = NoiseSchedule.log_spaced(1000, 0.01, 0.5)
        size, window, own_noise = 64, 7, True

        def predict_noise(self, x_t, t, condition):
            return self.schedule.predict_eps(x_t, condition.c, t)

    class Blind:
        """Finds no face."""

        def detect(self, rgb):
            return []

    find.load_detector = lambda _: Blind()
    models.load_models = lambda _, device: Models(Free(), Unchanged(), device)
    with video.open_source(clip) as source:
        last, width, height = len(source) - 1, source.info.width, source.info.height
        big = (0.4 * width, 0.3 * height, 0.55 * width, 0.65 * height)
        small = (0.1 * width, 0.1 * height, 0.2 * width, 0.3 * height)
        request = Request(
            source=clip,
            output=clip.with_name("out.mp4"),
            look=Look(RestorationSettings(sampler=SamplerSettings(steps=1))),
            device="cpu",
            drawn=(DrawnFace(big, 0, last), DrawnFace(small, last // 3, last)),
        )
        torch.set_num_threads(1)
        for _ in render(request, source, Cache(clip.with_name("cache"))):
            pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs=2, default=(1, 10), metavar=("SHORT", "LONG"))
    parser.add_argument("--size", type=int, nargs=2, default=(1280, 720), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--clip", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.clip:
        print(peak_megabytes(arguments.clip))
        return
    peaks = []
    for minutes in arguments.minutes:
        with tempfile.TemporaryDirectory() as folder:
            clip = Path(folder) / "clip.mp4"
            make_clip(clip, int(minutes * 60 * RATE), *arguments.size)
            command = [sys.executable, "-m", "benchmarks.memory", "--clip", str(clip)]
            peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    print(
        json.dumps(
            {
                "size": arguments.size,
                "minutes": arguments.minutes,
                "peak_mb": peaks,
                "ratio": round(peaks[1] / peaks[0], 3),
            }
        )
    )


if __name__ == "__main__":
    main()
