"""What the first estimate of a compact model, told nothing, makes of faces that were damaged as in life.

    python -m benchmarks.blind ../shared/data/faces_val --model runs/theta/weights.safetensors --sheet blind.png

c is the damaged face itself; the network sees it alone (the first reverse step), nothing is made consistent, no
enhancer. For each kind, strengths from 0.3 to 1: PSNR over that of the damaged face in dB, the share of faces that got
worse, and the worst of them; for clean faces PSNR against what went in. Seeds lie beyond those that training draws.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from flair_core.degradations.damage import KINDS, damaged, draw
from flair_core.denoisers import compact
from flair_core.denoisers.base import Condition
from flair_core.denoisers.factory import load_denoiser
from flair_core.frames import to_float, to_uint8
from flair_core.metrics.fidelity import psnr
from flair_core.training.data import load_faces
from flair_core.video.recoded import recode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.denoisers.compact import Compact

    Picture = NDArray[np.uint8]

UNSEEN = 2**40
"""The first seed. Training draws them below 2³¹."""
WEAKEST = 0.3
SHOWN = 3
"""Faces of each kind on the sheet."""


def first_estimate(denoiser: Compact, frame: Picture) -> Picture:
    """x0 of the first reverse step, at which the network sees c alone, (H, W, 3), told nothing."""
    c, t = to_float(frame[None]), len(denoiser.schedule) - 1
    eps = denoiser.predict_noise(c, t, Condition(c, None, c))
    return to_uint8(denoiser.schedule.predict_x0(c, eps, t).clamp(-1, 1))[0]


def judged(denoiser: Compact, faces: Picture, kind: str) -> tuple[dict[str, float], Picture]:
    """Figures over faces, and some of them: damaged, restored, clean."""
    gains, rows = [], []
    for number, face in enumerate(faces):
        strength = float(np.random.default_rng((UNSEEN, number)).uniform(WEAKEST, 1))
        seen = damaged(face[None], draw(kind, strength, UNSEEN + number), recode)[0]
        restored = first_estimate(denoiser, seen)
        gains.append(psnr(restored, face) - psnr(seen, face))
        rows.append(np.concatenate([seen, restored, face], 1))
    figures = {"gain_db": np.mean(gains), "worse": np.mean(np.array(gains) < 0), "worst_db": min(gains)}
    return {name: round(float(value), 3) for name, value in figures.items()}, np.concatenate(rows[:SHOWN], 1)


def main() -> None:
    """Print a JSON line for each kind, and one for clean faces."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("faces", type=Path, help="folder of tar shards with an index.csv")
    parser.add_argument("--model", default="starter", help="name or file; default starter")
    parser.add_argument("--count", type=int, default=12, help="faces, spread over those of the folder")
    parser.add_argument("--sheet", type=Path, help="picture to write: damaged, restored, clean")
    told = parser.parse_args()
    denoiser = load_denoiser(told.model, torch.device("cpu"))
    assert isinstance(denoiser, compact.Compact)
    faces = load_faces(told.faces)
    faces = faces[:: max(1, len(faces) // told.count)][: told.count]
    sheets = []
    for kind in KINDS:
        figures, sheet = judged(denoiser, faces, kind)
        sheets.append(sheet)
        print(json.dumps({"kind": kind} | figures), flush=True)
    kept = [psnr(first_estimate(denoiser, face), face) for face in faces]
    print(json.dumps({"kind": "clean", "kept_db": round(float(np.mean(kept)), 1)}))
    if told.sheet:
        cv2.imwrite(str(told.sheet), cv2.cvtColor(np.concatenate(sheets), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
