"""A real encoded film of moving blobs and a denoiser that costs nothing, for tests of the whole path."""

from __future__ import annotations

import dataclasses
from fractions import Fraction

import cv2
import numpy as np
import torch

from flair_core import video
from flair_core.denoisers.schedule import NoiseSchedule
from flair_core.enhancers.base import Unchanged
from flair_core.faces.track import Track
from flair_core.frames import Frame, VideoInfo
from flair_core.restoration.models import Models
from flair_core.settings.groups import (
    DegradationSettings,
    FaceSettings,
    RestorationSettings,
    SamplerSettings,
    changed,
)
from flair_core.settings.output import OutputOptions

WIDTH, HEIGHT, FRAMES = 96, 64, 7
SETTINGS = RestorationSettings(
    degradation=DegradationSettings(scale=2),
    sampler=SamplerSettings(steps=2, w_tau=0),
    faces=FaceSettings(feather=6),
)
BOXES = ((10, 10, 40, 50), 0, FRAMES - 1), ((60, 10, 90, 60), 3, 5)
"""Faces: box, first and last frame."""
TRACKS = [Track.fixed(box, first, last - first + 1, id=i) for i, (box, first, last) in enumerate(BOXES)]
WINDOWS = 4 + 2
"""Of both faces."""


def make_film(path, frames=FRAMES):
    """Lossless frames of moving blobs."""
    rng = np.random.default_rng(0)
    blobs = rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)
    scene = cv2.resize(blobs, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    info = VideoInfo(WIDTH, HEIGHT, Fraction(25), Fraction(1, 25), frames)
    with video.open_sink(
        path, like=info, width=WIDTH, height=HEIGHT, options=OutputOptions(codec="lossless")
    ) as sink:
        for index in range(frames):
            sink.write(Frame(np.roll(scene, 2 * index, axis=1), index, index, 1))
        sink.commit()
    return path


class Counting:
    """Takes the condition for the clean image, counts the windows that it begins, and has room for some frames."""

    schedule = NoiseSchedule.log_spaced(100, 0.01, 0.5)
    size, window, own_noise = 64, 2, True

    def __init__(self, room=99, error=None):
        self.windows, self._room = 0, room
        self._error = error or torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    def predict_noise(self, x_t, t, condition):
        if len(x_t) > self._room:
            raise self._error
        self.windows += t == len(self.schedule) - 1
        return self.schedule.predict_eps(x_t, condition.c, t)


def models(denoiser, **weights):
    return Models(denoiser, Unchanged(), torch.device("cpu"), weights)


def faces(**values):
    """The settings with others for faces."""
    return dataclasses.replace(SETTINGS, faces=changed(SETTINGS.faces, **values))


def sampler(**values):
    return dataclasses.replace(SETTINGS, sampler=changed(SETTINGS.sampler, **values))


def degradation(**values):
    return dataclasses.replace(SETTINGS, degradation=changed(SETTINGS.degradation, **values))
