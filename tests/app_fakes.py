"""A stand-in for the restoration core: same shapes and order of events, no network, no torch."""

from __future__ import annotations

import contextlib
import threading
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np

from app.requests import Offer, Schedules
from flair_core.errors import MediaError, WeightsError
from flair_core.frames import Frame, VideoInfo
from flair_core.metrics.reference import Reference
from flair_core.settings.found import Found
from flair_core.settings.groups import DegradationSettings

WIDTH, HEIGHT, LENGTH = 96, 72, 24


class FakeSource:
    """Frames that tell their number: a bright square moves over a grey ground."""

    def __init__(self, path, length=LENGTH, interlaced=False):
        if not path.exists():
            raise MediaError(f"{path.name} does not exist. Choose another file.")
        self.path, self.notes = path, ()
        self.info = VideoInfo(WIDTH, HEIGHT, Fraction(24), Fraction(1, 24), length, interlaced=interlaced)

    def __len__(self):
        return self.info.length

    @property
    def pts(self):
        return range(self.info.length)

    def thumbnails(self, indices, height):
        for index in indices:
            rgb = self[index].rgb
            yield index, cv2.resize(rgb, (round(height * WIDTH / HEIGHT), height))

    def __getitem__(self, index):
        rgb = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        rgb[20:50, 20 + index : 50 + index] = 200
        return Frame(rgb, index, index, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        pass


class FakeTrack:
    """What widgets read of a Track."""

    def __init__(self, number, first, length):
        self.id, self.first, self.strokes = number, first, ()
        self.boxes = np.tile(np.array([20.0, 20, 50, 50]), (length, 1)) + np.arange(length)[:, None] * (
            1,
            0,
            1,
            0,
        )

    def __len__(self):
        return len(self.boxes)

    def to_face(self, index):
        left, top, right, bottom = self.boxes[index - self.first]
        return np.array([[1 / (right - left), 0, -left], [0, 1 / (bottom - top), -top]]) * (
            (1, 1, 1 / (right - left)),
            (1, 1, 1 / (bottom - top)),
        )

    def with_strokes(self, strokes):
        track = FakeTrack(self.id, self.first, len(self))
        track.boxes, track.strokes = self.boxes, tuple(one for one in strokes if one.face == self.id)
        return track

    def covers(self, index):
        return self.first <= index < self.first + len(self)


class FakeCore:
    """Restores by brightening; `gate` holds every step back until the test lets it go."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.previewed = []
        self.device = "cpu"
        self.models = ("starter",)
        self.faces = 1
        self.shots = (0,)
        self.error = None
        self.reference_length = LENGTH
        self.notes = ()
        self.earlier = {}
        """Looks by the frames that an earlier run restored."""
        self.lpips = None
        self.found = {"enlargement": 2.0, "gain": 1.2, "certainty": 0.97, "grain": 4.0}
        """What Auto finds of any shot."""
        self.looked_at = []

    def use_device(self, name):
        self.device = name

    def offer(self):
        return Offer(
            f"{self.device} · test",
            {
                "model": self.models,
                "enhancer": ("none", "detail", "starter-detail", "gfpgan"),
                "detector": ("embedded",),
            },
            frozenset({"gfpgan"}),
        )

    def import_model(self, file, name):
        if file.suffix != ".pth":
            raise WeightsError(f"{file.name} is no checkpoint. Choose another file.")
        self.models = (*self.models, name)

    def open_source(self, path, footage):
        return FakeSource(path, interlaced=not footage.deinterlace)

    def find_tracks(self, source, settings, *, span):
        for done, index in enumerate(span, 1):
            yield SimpleNamespace(done=done, total=len(span), index=index)
        yield [FakeTrack(number, span.start, len(span)) for number in range(self.faces)]

    def find_shots(self, source, footage):
        yield from (self.shots[: found + 1] for found in range(len(self.shots)))

    def warping_error(self, before, after):
        return 1e-3

    def drawn_track(self, face, number):
        return FakeTrack(number, face.first, face.last - face.first + 1)

    def schedules(self, settings):
        steps = settings.sampler.steps
        return Schedules((settings.sampler.gamma,) * steps, (settings.sampler.w_tau,) * steps)

    def restored_before(self, source, footage):
        return tuple(self.earlier)

    def recall(self, source, index, *, tracks, look):
        """As the last step of a preview, where an earlier run made that."""
        if self.earlier.get(index) != look:
            return None
        *_, last = self.preview(source, index, tracks=tracks, look=look, again=False)
        return last

    def preview(self, source, index, *, tracks, look, again):
        if self.error:
            raise self.error
        settings = look.resolve(index, tracks[0].id if tracks else None)
        steps, factor = settings.sampler.steps, settings.magnification
        observed = cv2.resize(source[index].rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
        mask = np.zeros(observed.shape[:2], np.float32)
        for track in tracks:
            if track.covers(index):
                left, top, right, bottom = (track.boxes[index - track.first] * factor).astype(int)
                mask[top:bottom, left:right] = 1
        for step in range(1, steps + 1):
            self.gate.wait()
            self.previewed.append((index, step, settings))
            frame = self.restored(observed, mask, step / steps)
            stages = {name: frame[:32, :32].copy() for name in ("x0", "after DC", "after G")}
            yield SimpleNamespace(
                step=step,
                steps=steps,
                observed=observed,
                frame=frame,
                mask=mask,
                stages=stages if tracks else {},
                residual=1.0 + settings.sampler.w_tau,
                residual_map=mask * 8,
                exact=True,
                window=range(index, index + 1),
                notes=self.notes,
            )

    def look_at(self, source, shot, settings):
        self.looked_at.append(shot)
        yield None
        self.gate.wait()
        yield Found(shot, **self.found)

    @staticmethod
    def restored(observed, mask, share):
        return np.clip(observed + mask[..., None] * 40 * share, 0, 255).astype(np.uint8)

    def estimate(self, source, index, *, tracks, settings):
        if not tracks:
            raise MediaError("There is no face here.")
        sure = {"scale": 0.95, "kernel": 0.9, "blur": 0.8, "noise": 0.4, "jpeg": 1.0}
        found = DegradationSettings(scale=8, kernel="gaussian", blur_sigma=2.5, noise=6 / 255)
        yield None
        yield SimpleNamespace(settings=found, confidence=sure, enlarged=2, frames=range(index, index + 3))

    @contextlib.contextmanager
    def open_reference(self, path, clip):
        yield Reference(FakeSource(path, self.reference_length), clip, self.lpips)

    def lacking_for_lpips(self):
        return None if self.lpips else Path("/models/alexnet.pth")

    def read_sidecar(self, path):
        return None

    def make_demo(self):
        raise MediaError("There is no sample clip here.")

    def run_job(self, jobs, job):
        output = job.request.output
        partial = output.with_name(output.name + ".partial")
        with jobs.working_on(job.id):
            if not output.parent.is_dir():
                raise MediaError(f"{output.parent} is no folder that can be written.")
            partial.write_bytes(b"")
            try:
                for done in range(1, len(job.request.span) + 1):
                    self.gate.wait()
                    yield SimpleNamespace(stage="restore", done=done, total=len(job.request.span))
                partial.rename(output)
                jobs.finish(job.id, ("The sound was copied.",))
            finally:
                partial.unlink(missing_ok=True)
