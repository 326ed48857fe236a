"""Fits the landmark model of `flair_core.faces.points` to aligned faces; minutes of work on a processor.

    python -m flair_core.training.points --faces FOLDER --yunet FILE -o resources/face_points.safetensors

Labels come from YuNet, as the median over turned, scaled and mirrored copies. Every face is then put in front
of something, shrunk, blurred, given noise and JPEG, and guessed at wrongly, in many ways; the model learns
the way back.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
import skimage.data
import torch
from safetensors.numpy import save_file
from torch.nn import functional

from flair_core.faces.align import inverse, template, transform
from flair_core.faces.detect import Detector, load_detector, resized
from flair_core.faces.locator import locator, proposals
from flair_core.faces.points import SHAPE, PointModel, Pyramid, describe, tilted
from flair_core.training.data import load_faces

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Random = np.random.Generator

SOURCES = ("faker", "london_neutral", "london_smiling", "sfhq", "sfhq_t2i")
"""Faces under licences that allow any use."""
BACKDROPS = (
    *("chelsea", "clock", "coins", "grass", "hubble_deep_field", "immunohistochemistry", "moon", "page"),
    *("retina", "text"),
)
"""Pictures without people that ship with scikit-image; those of the benchmark are others."""
CANVAS, INSET = 320, 32
"""Side of the picture a face of 256 pixels is put into, and where."""
EYES = 63.0
"""Eye distance of such a face, in pixels."""
STAGES = 4
RIDGE = 100.0
HIDDEN, EPOCHS, BATCH = 32, 40, 256
"""Of the network that judges."""
MIRRORED = [1, 0, 2, 4, 3]
TOLERANCE = 0.25
"""Mean landmark error in eye distances at which the quality of a fit is 0."""


class Example(NamedTuple):
    """A picture, the true landmarks (None where there is no face) and a guess of them."""

    pyramid: Pyramid
    truth: Points | None
    guess: Points


def label(picture: NDArray[np.uint8], labeller: Detector) -> Points | None:
    """(5, 2) landmarks of an aligned face, the median over altered copies; None when too few were found."""
    found = []
    for degrees, scale in ((0, 0.8), (6, 0.6), (-6, 0.6), (4, 1.1), (-4, 0.5), (0, 0.45)):
        side = int(256 * scale + 100)
        matrix = np.asarray(cv2.getRotationMatrix2D((127.5, 127.5), degrees, scale), np.float64)
        matrix[:, 2] += side / 2 - 128
        copy = cv2.warpAffine(
            picture, matrix, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REFLECT
        )
        faces = [face.landmarks for face in labeller.detect(np.asarray(copy, np.uint8))]
        mirror = np.ascontiguousarray(copy[:, ::-1], np.uint8)
        faces += [(face.landmarks * (-1, 1) + (side - 1, 0))[MIRRORED] for face in labeller.detect(mirror)]
        found += [transform(inverse(matrix), points) for points in faces]
    centre = template(256).mean(axis=0)
    found = [points for points in found if np.linalg.norm(points.mean(axis=0) - centre) < 0.4 * EYES]
    return np.median(found, axis=0) if len(found) > 6 else None


def staged(
    picture: NDArray[np.uint8], truth: Points, backdrops: list[Any], rng: Random
) -> tuple[Any, Points]:
    """The face on a grey canvas: mirrored or not, cut out or with its own surroundings."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if rng.random() < 0.5:
        grey, truth = grey[:, ::-1], (truth * (-1, 1) + (255, 0))[MIRRORED]
    face = cv2.copyMakeBorder(grey, INSET, INSET, INSET, INSET, cv2.BORDER_REFLECT)
    mask = np.zeros((CANVAS, CANVAS), np.float32)
    match rng.integers(3):
        case 0:
            mask[:] = 1
        case 1:
            mask[INSET:-INSET, INSET:-INSET] = 1
        case _:
            axes = (int(rng.uniform(85, 125)), int(rng.uniform(105, 127)))
            cv2.ellipse(mask, (CANVAS // 2, CANVAS // 2), axes, 0, 0, 360, 1.0, cv2.FILLED)
            mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 3), np.float32)
    return mask * face + (1 - mask) * backdrop(backdrops, rng), truth + INSET


def backdrop(backdrops: list[Any], rng: Random) -> Any:
    """A random cut-out of CANVAS × CANVAS pixels, at one of two scales."""
    picture = backdrops[rng.integers(len(backdrops))]
    side = int(rng.choice([CANVAS // 2, CANVAS]))
    top, left = (rng.integers(0, n - side) for n in picture.shape)
    return cv2.resize(picture[top : top + side, left : left + side], (CANVAS, CANVAS))


def filmed(canvas: Any, rng: Random) -> tuple[NDArray[np.uint8], float]:
    """As a bad camera shows it, and how much smaller: eye distances of 4 to 70 pixels."""
    if rng.random() < 0.5:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 2.5))
    side = max(8, round(CANVAS / EYES * np.exp(rng.uniform(np.log(4), np.log(70)))))
    picture = cv2.resize(canvas, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    mean = picture.mean()
    picture = (picture - mean) * rng.uniform(0.4, 1.3) + mean * rng.uniform(0.6, 1.3)
    picture += rng.normal(0, rng.choice([0, 2, 6, 12, 20]), picture.shape)
    pixels = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        _, stored = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 90))])
        pixels = np.asarray(cv2.imdecode(stored, cv2.IMREAD_GRAYSCALE), np.uint8)
    return pixels, side / CANVAS


def scattered(points: Points, roll: float, size: float, shift: Points) -> Points:
    """The average face where `points` are, but turned by `roll` degrees, `size` times as large, shifted."""
    angle = np.radians(roll)
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    average = template(256) - template(256).mean(axis=0)
    placed: Points = average * (size * _eyes(points) / EYES) @ turn
    placed += points.mean(axis=0) + shift * _eyes(points)
    return placed


def right_guess(points: Points, rng: Random) -> Points:
    """A guess from which the way back can be learnt."""
    roll = rng.normal(0, 14) if rng.random() < 0.5 else rng.uniform(-35, 35)
    return scattered(points, roll, np.exp(rng.normal(0, 0.13)), rng.normal(0, 0.15, 2))


def wrong_guess(points: Points, rng: Random) -> Points:
    """A guess that has nothing to do with the face: far too large or small, beside it, or upside down."""
    match rng.integers(3):
        case 0:
            return scattered(
                points, rng.normal(0, 14), np.exp(rng.choice([-1, 1]) * rng.uniform(0.7, 1.2)), np.zeros(2)
            )
        case 1:
            angle = rng.uniform(0, 2 * np.pi)
            shift = rng.uniform(0.9, 1.8) * np.array([np.cos(angle), np.sin(angle)])
            return scattered(points, rng.normal(0, 14), np.exp(rng.normal(0, 0.13)), shift)
        case _:
            return scattered(points, rng.uniform(60, 300), np.exp(rng.normal(0, 0.13)), np.zeros(2))


def examples(
    faces: list[tuple[NDArray[np.uint8], Points]], backdrops: list[Any], copies: int, rng: Random
) -> list[Example]:
    """`copies` pictures of each face, all different, each with a guess."""
    made = []
    for picture, truth in faces:
        for _ in range(copies):
            canvas, points = staged(picture, truth, backdrops, rng)
            pixels, scale = filmed(canvas, rng)
            points = (points + 0.5) * scale - 0.5
            made.append(Example(Pyramid(pixels), points, right_guess(points, rng)))
    return made


def counterexamples(
    faces: list[tuple[NDArray[np.uint8], Points]], backdrops: list[Any], copies: int, rng: Random
) -> list[Example]:
    """Guesses where no face is: in front of an empty backdrop, or far off a face."""
    made = []
    for picture, truth in faces:
        for _ in range(copies):
            canvas, points = staged(picture, truth, backdrops, rng)
            empty = rng.random() < 0.6
            pixels, scale = filmed(backdrop(backdrops, rng) if empty else canvas, rng)
            points = (points + 0.5) * scale - 0.5
            guess = right_guess(points, rng) if empty else wrong_guess(points, rng)
            made.append(Example(Pyramid(pixels), None if empty else points, guess))
    return made


def temptations(
    faces: list[tuple[NDArray[np.uint8], Points]], backdrops: list[Any], copies: int, rng: Random
) -> list[Example]:
    """Guesses where the embedded detector's network proposes a face and there is none, or not there."""
    made, network = [], locator()
    for picture, labelled in faces:
        for _ in range(copies):
            empty = rng.random() < 0.5
            canvas, points = staged(picture, labelled, backdrops, rng)
            pixels, scale = filmed(backdrop(backdrops, rng) if empty else canvas, rng)
            points, pyramid = (points + 0.5) * scale - 0.5, Pyramid(pixels)
            searched = resized(pixels, CANVAS, most=4)
            for guess in proposals(network, searched):
                place = (guess + 0.5) * (len(pixels) / len(searched)) - 0.5
                if empty or np.hypot(*(place - points).mean(axis=0)) > _eyes(points):
                    truth = None if empty else points
                    made += [Example(pyramid, truth, start) for start in tilted(place)]
    return made


def fit(good: list[Example], bad: list[Example]) -> PointModel:
    """The stages by ridge regression, one after the other; then the quality, over where the descents end."""
    guesses = [example.guess for example in good]
    stages: list[NDArray[np.float32]] = []
    for _ in range(STAGES):
        described = [describe(example.pyramid, guess) for example, guess in zip(good, guesses, strict=True)]
        features = np.stack([found for _, found in described])
        targets = np.stack(
            [
                (transform(matrix, example.truth) - SHAPE).ravel()
                for (matrix, _), example in zip(described, good, strict=True)
                if example.truth is not None
            ]
        )
        stages.append(ridge(features, targets))
        moves = (features @ stages[-1]).reshape(-1, 5, 2)
        guesses = [
            transform(inverse(matrix), SHAPE + move)
            for (matrix, _), move in zip(described, moves, strict=True)
        ]
    size = stages[0].shape[0]
    blind = PointModel(np.stack(stages), np.zeros((size, 1), np.float32), np.zeros(2, np.float32))
    ends = [blind.refine(example.pyramid, example.guess)[0] for example in good + bad]
    features = np.stack([describe(e.pyramid, end)[1] for e, end in zip(good + bad, ends, strict=True)])
    wanted = [max(0.0, 1 - error(end, e.truth) / TOLERANCE) for e, end in zip(good + bad, ends, strict=True)]
    return PointModel(blind.stages, *judge(features, np.array(wanted, np.float32)))


def judge(
    features: NDArray[np.float32], wanted: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The two layers that tell the quality `wanted` (n,) in [0, 1] from features (n, D + 1): see PointModel."""
    torch.manual_seed(0)
    mean, std = features.mean(axis=0), features.std(axis=0) + 1e-3
    mean[-1], std[-1] = 0, 1  # the constant feature is the bias
    x, y = torch.from_numpy((features - mean) / std), torch.from_numpy(wanted)
    hidden = torch.randn(x.shape[1], HIDDEN).div(x.shape[1] ** 0.5).requires_grad_()
    output = torch.randn(HIDDEN + 1).div(HIDDEN**0.5).requires_grad_()
    optimizer = torch.optim.AdamW([hidden, output], lr=2e-3, weight_decay=0.1)
    steps = EPOCHS * (len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps + 1)
    for _ in range(steps):
        some = torch.randint(len(x), (BATCH,))
        kept = functional.dropout(x[some], 0.3)
        found = functional.dropout((kept @ hidden).relu(), 0.2) @ output[:-1] + output[-1]
        loss = functional.mse_loss(found, y[some])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    unscaled = hidden.detach().numpy() / std[:, None]
    unscaled[-1] -= mean @ unscaled
    return unscaled.astype(np.float32), output.detach().numpy()


def ridge(features: NDArray[np.float32], targets: NDArray[np.float64]) -> NDArray[np.float32]:
    """The linear map from features (n, D + 1) to targets (n, ...): least squares with small weights."""
    gram = (features.T @ features).astype(np.float64)
    gram[np.diag_indices_from(gram)] += RIDGE
    return np.linalg.solve(gram, features.T @ targets).astype(np.float32)


def error(points: Points, truth: Points | None) -> float:
    """Mean distance of the landmarks, in eye distances; infinite where there is no face."""
    if truth is None:
        return float("inf")
    return float(np.linalg.norm(points - truth, axis=1).mean()) / _eyes(truth)


def measure(model: PointModel, good: Iterable[Example], bad: Iterable[Example]) -> dict[str, float]:
    """How well a model does on examples it has not seen."""
    results = [(model.search(e.pyramid, e.guess), e.truth) for e in good]
    errors = [error(points, truth) for (points, _), truth in results]
    ends = [(model.refine(e.pyramid, e.guess), e.truth) for e in bad]
    alarms = [quality for (end, quality), truth in ends if error(end, truth) > TOLERANCE]
    return {
        "error_median": round(float(np.median(errors)), 4),
        "error_90": round(float(np.percentile(errors, 90)), 4),
        "quality_median": round(float(np.median([quality for (_, quality), _ in results])), 3),
        "quality_10": round(float(np.percentile([quality for (_, quality), _ in results], 10)), 3),
        "alarm_99": round(float(np.percentile(alarms, 99)), 3),
    }


def main() -> None:
    """Fit, print figures on faces and backdrops held out, write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--faces", type=Path, required=True, help="folder of aligned faces, see `flair train`"
    )
    parser.add_argument("--yunet", type=Path, required=True, help="YuNet's ONNX file")
    parser.add_argument("--copies", type=int, default=16, help="pictures made of each face")
    parser.add_argument("-o", "--out", type=Path, required=True)
    args = parser.parse_args()

    labeller = load_detector("yunet", args.yunet)
    pictures = load_faces(args.faces, SOURCES)
    faces = [(p, points) for p in pictures if (points := label(p, labeller)) is not None]
    backs = []
    for name in BACKDROPS:
        picture = getattr(skimage.data, name)()
        grey = picture if picture.ndim == 2 else cv2.cvtColor(picture[..., :3], cv2.COLOR_RGB2GRAY)
        backs.append(cv2.resize(grey, (700, 700)))
    rng = np.random.default_rng(0)
    order = [faces[i] for i in rng.permutation(len(faces))]
    held, used = order[: len(order) // 15], order[len(order) // 15 :]
    wrong = counterexamples(used, backs[:-2], args.copies, rng) + temptations(used, backs[:-2], 2, rng)
    model = fit(examples(used, backs[:-2], args.copies, rng), wrong)
    figures = measure(model, examples(held, backs[-2:], 4, rng), temptations(held, backs[-2:], 4, rng))
    print(json.dumps({"faces": len(faces), **figures}))
    halves = {
        "stages": model.stages.astype(np.float16),
        "hidden": model.hidden.astype(np.float16),
        "output": model.output.astype(np.float16),
    }
    metadata = {"sources": ",".join(SOURCES), **{key: str(value) for key, value in figures.items()}}
    save_file(halves, args.out, metadata)


def _eyes(points: Points) -> float:
    return float(np.hypot(*(points[1] - points[0])))


if __name__ == "__main__":
    main()
