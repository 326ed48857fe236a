"""Kill a render at random moments, start it again, and compare with a run that nobody disturbed. One JSON line.

    python -m benchmarks.kills --kills 100

Every run is a process of its own that ends by SIGKILL. After each kill there must be no output, or a complete one.
When a job is done, its file and its record must be, byte for byte, those of the undisturbed run, and not more than one
window may have been restored again for each kill. The clip is really encoded and decoded, faces are searched, and a
denoiser that only waits stands for the network.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from flair_core import video
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.enhancers.base import Unchanged
from flair_core.frames import Frame, VideoInfo
from flair_core.jobs.queue import Jobs, State
from flair_core.jobs.request import Request
from flair_core.jobs.run import run
from flair_core.kept import fingerprints
from flair_core.kept.cache import Cache
from flair_core.restoration import find, models
from flair_core.restoration.models import Models
from flair_core.settings.drawn import DrawnFace
from flair_core.settings.groups import RestorationSettings, SamplerSettings
from flair_core.settings.look import Look
from flair_core.settings.output import OutputOptions

WIDTH, HEIGHT, FRAMES = 160, 120, 24
STEPS, STEP_SECONDS = 2, 0.02


class Waiting:
    """Predicts that the clean image is the condition, takes its time, and tells of every window it begins."""

    schedule = NoiseSchedule.log_spaced(100, 0.01, 0.5)
    size, window, own_noise = 64, 6, True

    def __init__(self, log: Path) -> None:
        self._log, self._calls = log, 0

    def predict_noise(self, x_t, t, condition):
        if self._calls % STEPS == 0:
            with self._log.open("a") as log:
                log.write("window\n")
        self._calls += 1
        time.sleep(STEP_SECONDS)
        return self.schedule.predict_eps(x_t, condition.c, t)


class Blind:
    """Finds no face, and takes its time: those that are restored are drawn by hand."""

    def detect(self, rgb):
        time.sleep(STEP_SECONDS)
        return []


def make_clip(path: Path) -> None:
    rng = np.random.default_rng(0)
    scene = rng.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    info = VideoInfo(WIDTH, HEIGHT, Fraction(25), Fraction(1, 25), FRAMES)
    with video.open_sink(
        path, like=info, width=WIDTH, height=HEIGHT, options=OutputOptions(codec="h264")
    ) as sink:
        for index in range(FRAMES):
            sink.write(Frame(np.roll(scene, 2 * index, axis=1), index, index, 1))
        sink.commit()


def do(folder: Path, request: Request) -> None:
    """One run of the job in `folder`, to its end."""
    torch.set_num_threads(1)
    log = folder / "windows.log"
    fingerprints.code_version = lambda *_: "sources may be edited while this runs"
    find.load_detector = lambda _: Blind()
    models.load_models = lambda _, device: Models(Waiting(log), Unchanged(), device)
    jobs = Jobs(folder / "jobs.sqlite")
    for _ in run(jobs, jobs.add(request), Cache(folder / "cache", keep_since=jobs.kept_since())):
        pass


@dataclass(frozen=True)
class Trial:
    """A job that was killed again and again, and at last completed."""

    kills: int
    same: bool
    """Whether output and record are those of the undisturbed run, and nothing else was ever to be seen."""
    windows: int
    """Restored in all runs together."""


class Bench:
    """An undisturbed run, and jobs to compare with it."""

    def __init__(self, folder: Path) -> None:
        # Processes come from a server that has imported everything, so that kills hit work and not imports.
        kind = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        self._context = multiprocessing.get_context(kind)
        if kind == "forkserver":
            os.environ.setdefault("PYTHONWARNINGS", "ignore::RuntimeWarning:runpy")  # of importing this twice
            self._context.set_forkserver_preload(["benchmarks.kills"])
        self.folder = folder
        clip = folder / "clip.mp4"
        make_clip(clip)
        self._request = Request(
            source=clip,
            output=folder / "out.mp4",
            look=Look(RestorationSettings(sampler=SamplerSettings(steps=STEPS))),
            device="cpu",
            drawn=(DrawnFace((40, 20, 110, 110), 0, FRAMES - 1), DrawnFace((5, 5, 35, 45), 10, 20)),
        )
        first = self._context.Process(target=time.sleep, args=(0,))  # until the server is there
        first.start()
        first.join()
        work, request = self._work("undisturbed")
        begun = time.perf_counter()
        self._start(work, request).join()
        self.seconds = time.perf_counter() - begun
        self._files, self.windows = _outputs(request), _count(work)

    def _work(self, name: str) -> tuple[Path, Request]:
        work = self.folder / name
        work.mkdir()
        return work, replace(self._request, output=work / "out.mp4")

    def _start(self, work: Path, request: Request):
        process = self._context.Process(target=do, args=(work, request))
        process.start()
        return process

    def trial(self, name: str, kills: int, chance: random.Random) -> Trial:
        """One job, killed up to `kills` times on its way."""
        work, request = self._work(name)
        killed, same = 0, True
        while killed < kills:
            process = self._start(work, request)
            process.join(chance.uniform(0, self.seconds))
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            killed += 1
            same &= not request.output.exists() or _outputs(request).get("out.mp4") == self._files["out.mp4"]
        last = self._start(work, request)
        last.join()
        same &= last.exitcode == 0 and _outputs(request) == self._files
        (job,) = Jobs(work / "jobs.sqlite").list()[-1:]
        same &= job.state is State.DONE
        return Trial(killed, same, _count(work))


def _outputs(request: Request) -> dict[str, bytes]:
    """What lies where the outputs belong; a partial file is none of them."""
    found = request.output.parent.glob(request.output.name + "*")
    return {path.name: path.read_bytes() for path in found if path.suffix != ".partial"}


def _count(work: Path) -> int:
    log = work / "windows.log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        trials: list[Trial] = []
        while (left := arguments.kills - sum(trial.kills for trial in trials)) > 0:
            trials.append(bench.trial(f"job {len(trials)}", left, chance))
            print(trials[-1], file=sys.stderr)
    result = {
        "kills": sum(trial.kills for trial in trials),
        "jobs": len(trials),
        "different": sum(not trial.same for trial in trials),
        "windows_per_job": bench.windows,
        "most_windows_again_per_kill": max(
            (trial.windows - bench.windows) / trial.kills for trial in trials if trial.kills
        ),
        "seconds_per_job": round(bench.seconds, 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
