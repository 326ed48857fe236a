"""What a network in training can do so far, on pictures that it is not trained on: figures and a contact sheet."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from flair_core.degradations import upscale
from flair_core.frames import to_float, to_uint8
from flair_core.jobs.degrade import degrade_frame
from flair_core.metrics.fidelity import fine_detail, psnr, ssim
from flair_core.metrics.meters import Pair
from flair_core.metrics.temporal import WarpingError
from flair_core.restoration.window import restore_window
from flair_core.settings.groups import DegradationSettings, FaceSettings, RestorationSettings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from flair_core.restoration.models import Models

    Frames = NDArray[np.uint8]

SCALE = 8
SETTINGS = RestorationSettings(degradation=DegradationSettings(scale=SCALE), faces=FaceSettings(aligned=True))
"""Bicubic upsampling at default settings."""
SHOWN = 3
"""Frames of a window that the contact sheet shows."""


class Validation:
    """Restores some windows of frames at every checkpoint: a line in validation.csv, and a sheet named by the step.

    windows: each (T, H, W, 3). Those of single faces are one window for the image stage.
    """

    def __init__(self, windows: Sequence[Frames], settings: RestorationSettings, folder: Path) -> None:
        self._windows, self._settings, self._folder = windows, settings, folder

    def measure(self, models: Models, step: int) -> dict[str, float]:
        """PSNR in dB, that of bicubic upsampling, SSIM, `fine_detail`, and with φ the warping error · 10⁴."""
        rows, sheets = [], []
        for window in self._windows:
            height, width = (extent // SCALE * SCALE for extent in window.shape[1:3])
            clean, size = window[:, :height, :width], (height, width)
            y = torch.stack(
                [
                    to_float(degrade_frame(frame, self._settings.degradation, (0, index)))
                    for index, frame in enumerate(clean)
                ]
            )
            *_, last = restore_window(y, self._settings, models)
            restored, bicubic = to_uint8(last.x0), to_uint8(upscale(y, size))
            rows.append(_scores(restored, clean) | {"psnr_base": _scores(bicubic, clean)["psnr"]})
            sheets += [np.concatenate(triple, 1) for triple in zip(clean, bicubic, restored, strict=True)][
                :SHOWN
            ]
        names = [name for name in rows[0] if name != "warp" or models.denoiser.window > 1]
        figures = {name: float(np.mean([row[name] for row in rows])) for name in names}
        self._write(step, figures, sheets)
        return figures

    def _write(self, step: int, figures: dict[str, float], sheets: list[Frames]) -> None:
        note(self._folder, step, figures)
        side = max(sheet.shape[0] for sheet in sheets)
        rows = [
            np.pad(sheet, ((0, side - len(sheet)), (0, 3 * side - sheet.shape[1]), (0, 0)))
            for sheet in sheets
        ]
        cv2.imwrite(
            str(self._folder / f"sheet_{step:06}.png"), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR)
        )


def note(folder: Path, step: int, figures: dict[str, float]) -> None:
    """One more line of validation.csv in the folder of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "validation.csv"
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if new:
            writer.writerow(("step", *figures))
        writer.writerow((step, *(f"{value:.4f}" for value in figures.values())))


def _scores(restored: Frames, clean: Frames) -> dict[str, float]:
    warping = WarpingError()
    for truth, frame in zip(clean, restored, strict=True):
        warping.add(Pair(truth, frame))
    pairs = list(zip(restored, clean, strict=True))
    detail, flat = np.mean([fine_detail(*pair) for pair in pairs], axis=0)
    return {
        "psnr": float(np.mean([psnr(*pair) for pair in pairs])),
        "ssim": float(np.mean([ssim(*pair) or 0.0 for pair in pairs])),
        "detail": float(detail),
        "flat": float(flat),
        "warp": 1e4 * warping.result(),
    }
