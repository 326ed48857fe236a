"""What an enhancer in training makes of faces that it is not trained on: figures, and sheets to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from flair_core.degradations import degrade, enlarged
from flair_core.frames import to_float, to_uint8
from flair_core.metrics.meters import Pair
from flair_core.metrics.suite import Evaluation, Setup
from flair_core.restoration.models import Models
from flair_core.restoration.window import restore_window
from flair_core.settings.fields import EIGHT_BIT
from flair_core.settings.groups import (
    DegradationSettings,
    FaceSettings,
    RestorationSettings,
    SamplerSettings,
)
from flair_core.training.validation import note

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from flair_core.enhancers.drawn import Drawn

TASKS = {
    "x4": DegradationSettings(scale=4),
    "x8": DegradationSettings(scale=8),
    "x16": DegradationSettings(scale=16),
    "mix": DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2, noise=12.75 / EIGHT_BIT, jpeg=60),
}
MEASURED, SHOWN = 8, 4
"""How many faces are measured, spread over the folder, and how many of them are on a sheet."""
WEIGHTS = (0.0, 0.5, 1.0)
"""w: how much of G is mixed into the estimate."""
EVERY = 500
"""Steps between two sheets, at least."""


class EnhancerValidation:
    """Enhances the first estimate of some faces, (n, S, S, 3), at checkpoints that are EVERY steps apart or more.

    A line in validation.csv: for each task PSNR in dB and the distance of features that training never sees, for each
    of WEIGHTS. A sheet for each task in sheets/: clean, bicubic, estimate, w = ½, w = 1, and w = 1 of another seed.
    """

    def __init__(self, faces: NDArray[np.uint8], models: Models, folder: Path) -> None:
        chosen = np.linspace(0, len(faces) - 1, min(MEASURED, len(faces))).round().astype(int)
        self._clean, self._folder, self._device = faces[chosen], folder, models.device
        self._models, self._measured = models, -EVERY
        self._estimates: dict[str, tuple[Tensor, Tensor]] | None = None

    def measure(self, models: Models, step: int) -> dict[str, float]:
        """See Validator; the enhancer of `models` is a Drawn. Empty where the last sheet is not old enough."""
        if step - self._measured < EVERY:
            return {}
        self._measured = step
        if self._estimates is None:
            self._estimates = {name: self._estimated(task) for name, task in TASKS.items()}
        enhancer: Drawn = models.enhancer  # type: ignore[assignment]
        other, figures = enhancer.seeded(1), dict[str, float]()
        for name, (bicubic, x0) in self._estimates.items():
            whole = enhancer(x0)
            mixed = {w: to_uint8(x0 + w * (whole - x0)) for w in WEIGHTS}
            for w, pictures in mixed.items():
                evaluation = Evaluation(["psnr", "features"], Setup(self._device))
                for clean, picture in zip(self._clean, pictures, strict=True):
                    evaluation.add(Pair(clean, picture))
                scores = evaluation.scores()
                figures |= {f"{name} {metric} {w:g}": score for metric, score in scores.items()}
            columns = (self._clean, to_uint8(bicubic), *mixed.values(), to_uint8(other(x0[:SHOWN])))
            self._sheet(f"{step:06}_{name}", columns)
        note(self._folder, step, figures)
        return figures

    @torch.no_grad()
    def _estimated(self, task: DegradationSettings) -> tuple[Tensor, Tensor]:
        """Bicubic and first estimate of all faces."""
        settings = RestorationSettings(
            degradation=task,
            sampler=SamplerSettings(steps=1, w_tau=0, monochrome="off"),
            faces=FaceSettings(aligned=True),
        )
        bicubic, found = [], []
        for number, x in enumerate(torch.split(to_float(self._clean), 1)):
            size = (x.shape[-2], x.shape[-1])
            y = to_float(to_uint8(degrade(x, task, torch.Generator().manual_seed(number))))
            *_, last = restore_window(y, settings, self._models)
            bicubic.append(enlarged(y, size, None))
            found.append(last.x0.clamp(-1, 1))
        return torch.cat(bicubic), torch.cat(found)

    def _sheet(self, name: str, columns: tuple[NDArray[np.uint8], ...]) -> None:
        folder = self._folder / "sheets"
        folder.mkdir(parents=True, exist_ok=True)
        rows = [np.concatenate(row, 1) for row in zip(*(column[:SHOWN] for column in columns), strict=True)]
        cv2.imwrite(str(folder / f"{name}.png"), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))
