"""Trains the face locator of `flair_core.faces.locator` on aligned faces before pictures without people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import skimage.data
import torch
from safetensors.torch import save_file
from torch.nn import functional

from flair_core.faces.align import template, transform
from flair_core.faces.locator import EYES, REACH, STRIDE, Locator, contrast
from flair_core.training.data import load_faces
from flair_core.training.points import BACKDROPS, CANVAS, SOURCES, backdrop, staged
from flair_core.training.points import EYES as CANVAS_EYES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Random = np.random.Generator
    Points = NDArray[np.float64]

SIDE = 96
"""Of the pictures that the network learns from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatorTraining:
    """One run."""

    data: Path
    out: Path
    """The file to write."""
    sources: tuple[str, ...] = SOURCES
    steps: int = 2500
    batch: int = 32
    learning_rate: float = 2e-3
    seed: int = 0


def example(
    faces: NDArray[np.uint8], backdrops: list[Any], rng: Random
) -> tuple[NDArray[np.float32], Points | None, float]:
    """A picture (SIDE, SIDE), the landmarks in it (None without a face), and the distance of the eyes."""
    empty = rng.random() < 0.35
    if empty:
        canvas, truth = backdrop(backdrops, rng), template(256)
    else:
        canvas, truth = staged(faces[rng.integers(len(faces))], template(256), backdrops, rng)
    eyes = float(np.exp(rng.uniform(np.log(0.8 * EYES[0]), np.log(1.25 * EYES[1]))))
    if not empty and rng.random() < 0.12:  # too large or too small for the network: no face at this size
        eyes *= float(rng.choice([0.4, 2.6]))
    zoom = eyes / CANVAS_EYES
    roll = rng.normal(0, 12) if rng.random() < 0.6 else rng.uniform(-40, 40)
    matrix: Points = np.array(cv2.getRotationMatrix2D((CANVAS / 2, CANVAS / 2), roll, zoom), np.float64)
    matrix[:, 2] += rng.uniform(0.2 * SIDE, 0.8 * SIDE, 2) - CANVAS / 2
    blurred = cv2.GaussianBlur(np.asarray(canvas, np.float32), (0, 0), max(0.3, 0.45 / zoom))
    picture = cv2.warpAffine(blurred, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT_101)
    points = transform(matrix, truth)
    seen = not empty and EYES[0] * 0.8 <= eyes <= EYES[1] * 1.25
    return contrast(_filmed(picture, rng)), points if seen else None, eyes


def _filmed(picture: Any, rng: Random) -> NDArray[np.uint8]:
    """As a bad camera shows it: blurred, shrunk and enlarged again, noisy, compressed, lit."""
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 2.0))
    if rng.random() < 0.4:
        small = round(SIDE / rng.uniform(1.2, 4))
        picture = cv2.resize(cv2.resize(picture, (small, small), interpolation=cv2.INTER_AREA), (SIDE, SIDE))
    mean = picture.mean()
    picture = (picture - mean) * rng.uniform(0.3, 1.3) + mean * rng.uniform(0.5, 1.3)
    picture = picture + rng.normal(0, rng.choice([0, 2, 6, 12, 20]), picture.shape)
    pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        _, stored = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 90))])
        pixels = np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8)
    return np.asarray(pixels, np.uint8)


def target(points: Points | None, eyes: float) -> NDArray[np.float32]:
    """(13, S/4, S/4): whether a face is centred there, where its landmarks are, weight of both."""
    side = SIDE // STRIDE
    wanted = np.zeros((13, side, side), np.float32)
    wanted[11] = 1
    if points is None:
        return wanted
    grid = STRIDE * np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1)
    away = np.hypot(*np.moveaxis(grid - points.mean(axis=0), -1, 0)) / eyes
    wanted[0] = np.exp(-((away / 0.3) ** 2))
    wanted[1:11] = ((points.ravel() - np.tile(grid, 5)) / REACH).transpose(2, 0, 1)
    wanted[12] = away < 0.45
    wanted[11] = 1.0 + 8 * wanted[12]
    wanted[11][(away >= 0.45) & (away < 0.8)] = 0.3
    if not EYES[0] <= eyes <= EYES[1]:  # another size sees it better
        wanted[11][away < 0.8] = 0.2
    return wanted


def train(run: LocatorTraining) -> Iterator[float]:
    """Yields the loss of each step; the weights are written at the end."""
    torch.manual_seed(run.seed)
    rng = np.random.default_rng(run.seed)
    faces = load_faces(run.data, run.sources)
    backdrops = []
    for name in BACKDROPS:
        picture = getattr(skimage.data, name)()
        grey = picture if picture.ndim == 2 else cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2GRAY)
        backdrops.append(cv2.resize(grey, (700, 700)))
    network = Locator()
    optimizer = torch.optim.AdamW(network.parameters(), lr=run.learning_rate, weight_decay=1e-3)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, run.learning_rate, run.steps)
    for _ in range(run.steps):
        made = [example(faces, backdrops, rng) for _ in range(run.batch)]
        x = torch.from_numpy(np.stack([picture for picture, _, _ in made]))[:, None]
        wanted = torch.from_numpy(np.stack([target(points, eyes) for _, points, eyes in made]))
        out = network(x)
        found = functional.binary_cross_entropy_with_logits(out[:, 0], wanted[:, 0], wanted[:, 11])
        off = (
            functional.smooth_l1_loss(out[:, 1:], wanted[:, 1:11], reduction="none") * wanted[:, 12:]
        ).sum()
        loss = found + off / wanted[:, 12].sum().clamp_min(1) / 10
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        rate.step()
        yield float(loss.detach())
    state = {name: value.half() for name, value in network.state_dict().items() if value.ndim}
    save_file(state, run.out)
