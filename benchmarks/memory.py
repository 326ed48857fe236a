"""Peak memory of a 720p restore against the clip's length: it must not grow. One JSON line with the ratio.

    python -m benchmarks.memory --minutes 1 10

The clip is really encoded, decoded and written again; a denoiser that costs nothing stands for the network, and one
face is followed by a fixed track, so that decoding, cropping, pasting and encoding are all there.
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

WIDTH, HEIGHT, RATE = 1280, 720, 25


def peak_megabytes(frames: int) -> float:
    """Restore a clip of this length in this process; its peak resident memory."""
    import cv2
    import numpy as np
    import torch

    from flair_core import video
    from flair_core.enhancers.base import Unchanged
    from flair_core.faces.track import Track
    from flair_core.frames import Frame, VideoInfo
    from flair_core.look import Look
    from flair_core.recipe import Models
    from flair_core.restore import open_output, restore
    from flair_core.schedule import NoiseSchedule
    from flair_core.settings import RestorationSettings, SamplerSettings

    class Free:
        """Predicts that the clean image is the condition."""

        schedule = NoiseSchedule.log_spaced(1000, 0.01, 0.5)
        size, window, own_noise = 256, 1, False

        def predict_noise(self, x_t, t, condition):
            return self.schedule.predict_eps(x_t, condition.c, t)

    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (HEIGHT // 16, WIDTH // 16, 3), dtype=np.uint8)
    still = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        info = VideoInfo(WIDTH, HEIGHT, Fraction(RATE), Fraction(1, RATE), frames)
        with video.open_sink(clip, like=info, width=WIDTH, height=HEIGHT, codec="h264") as sink:
            for index in range(frames):
                sink.write(Frame(np.roll(still, 4 * index, axis=1), index, index, 1))
            sink.commit()
        settings = RestorationSettings(sampler=SamplerSettings(steps=1))
        models = Models(Free(), Unchanged(), torch.device("cpu"))
        with video.open_source(clip) as source:
            track = Track.fixed((500, 200, 700, 460), 0, frames)
            span = range(len(source))
            with open_output(Path(folder) / "out.mp4", source, settings, span) as sink:
                for _ in restore(
                    source, sink, tracks=[track], look=Look(settings), load=lambda _: models, span=span
                ):
                    pass
                sink.commit()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, nargs=2, default=(1, 10), metavar=("SHORT", "LONG"))
    parser.add_argument("--frames", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.frames:
        print(peak_megabytes(arguments.frames))
        return
    peaks = []
    for minutes in arguments.minutes:
        command = [sys.executable, "-m", "benchmarks.memory", "--frames", str(int(minutes * 60 * RATE))]
        peaks.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    print(
        json.dumps({"minutes": arguments.minutes, "peak_mb": peaks, "ratio": round(peaks[1] / peaks[0], 3)})
    )


if __name__ == "__main__":
    main()
