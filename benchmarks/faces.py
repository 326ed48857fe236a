"""How well faces are found and followed, on composites whose truth is known; one JSON line per scene and method.

Aligned faces (still pictures, and clips of talking people) are moved along known paths over pictures without faces;
the film is then shrunk ×1 to ×16 and gets noise. Three methods see the same frames: OpenCV's frontal cascade frame
by frame (`cascade`), the embedded detector frame by frame (`detector`) and the tracker (`tracks`).

    python benchmarks/faces.py --data ../shared/data [--scenes crossing,exit] [--scales 1,8] [--frames 48]

recall, precision   of faces per frame; a hit lies within half an eye distance of the truth
error               mean landmark error of the hits, in eye distances
jitter              RMS motion of the aligned 256-pixel crop from frame to frame, against the truth, in crop pixels
switches            how often a face changes its identity
ms                  of processor time per frame

The landmarks of still faces are the template they are aligned to. Those of clips are labelled by YuNet on the clean
clip (--yunet FILE), so their error and jitter include that of the labels.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data
from PIL import Image
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import linear_sum_assignment

from flair_core.faces.align import inverse, outline, similarity, template, transform
from flair_core.faces.detect import Detector, load_detector
from flair_core.faces.track import track_faces
from flair_core.frames import Frame

WIDTH, HEIGHT, SIDE = 960, 544, 256
NOISE = 6.0  # std in 8-bit levels, on every film that was shrunk
# Landmarks of an upright face in the unit square of a cascade's box: medians over aligned photographs.
FRONTAL = np.array([(0.308, 0.380), (0.682, 0.380), (0.497, 0.597), (0.332, 0.766), (0.665, 0.765)])
BACKDROPS = ("coffee", "rocket", "brick", "gravel", "stereo_motorcycle")
Journey = Callable[[float], tuple[float, float, float, float]]
Predictions = list[list[tuple[int, np.ndarray]]]


@dataclass
class Actor:
    """A face (forth and back through its pictures) and its landmarks in its own 256-pixel frame."""

    pictures: list[np.ndarray]
    landmarks: np.ndarray


@dataclass
class Role:
    """An actor and where it is at t in [0, 1]: centre as fractions of the frame, side in pixels, roll in degrees."""

    actor: Actor
    journey: Journey

    def matrix(self, t: float) -> np.ndarray:
        x, y, side, roll = self.journey(t)
        matrix = cv2.getRotationMatrix2D((SIDE / 2 - 0.5, SIDE / 2 - 0.5), roll, side / SIDE)
        matrix[:, 2] += np.array([x * WIDTH, y * HEIGHT]) - SIDE / 2
        return matrix


@dataclass
class Truth:
    """A face in a frame, and how much of it is to be seen."""

    landmarks: np.ndarray
    seen: float


def silhouette() -> np.ndarray:
    """Head and hair of an aligned face, softly cut out."""
    mask = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(mask, (SIDE // 2, SIDE // 2), (int(0.42 * SIDE), int(0.47 * SIDE)), 0, 0, 360, 1, -1)
    return cv2.GaussianBlur(mask, (0, 0), 3)


def backdrop(name: str, rng: np.random.Generator) -> np.ndarray:
    """A picture without faces, somewhat larger than the frame."""
    picture = getattr(skimage.data, name)()
    picture = picture[0] if isinstance(picture, tuple) else picture
    picture = np.repeat(picture[..., None], 3, 2) if picture.ndim == 2 else picture[..., :3]
    size = (int(1.4 * WIDTH), int(1.4 * HEIGHT))
    return cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC) * np.float32(rng.uniform(0.6, 1))


def render(
    cast: list[Role], backs: list[np.ndarray], n: int, cut: int
) -> Iterator[tuple[np.ndarray, list[Truth]]]:
    """Frames with the truth of each face in them."""
    mask = silhouette()
    for i in range(n):
        t = i / (n - 1)
        centre = (0.7 + 0.1 * np.sin(3 * t)) * WIDTH, (0.7 + 0.1 * t) * HEIGHT
        frame = cv2.getRectSubPix(backs[int(i >= cut)], (WIDTH, HEIGHT), centre)
        owner = np.zeros((HEIGHT, WIDTH), np.uint8)
        for number, role in enumerate(cast, start=1):
            matrix = role.matrix(t)
            shrink = np.hypot(*matrix[:, 0])
            picture = role.actor.pictures[i % len(role.actor.pictures)].astype(np.float32)
            if shrink < 1:
                picture = cv2.GaussianBlur(picture, (0, 0), 0.5 * np.sqrt(1 / shrink**2 - 1) + 1e-3)
            moved = cv2.warpAffine(picture, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
            alpha = cv2.warpAffine(mask, matrix, (WIDTH, HEIGHT))
            frame = alpha[..., None] * moved + (1 - alpha[..., None]) * frame
            owner[alpha > 0.5] = number
        truths = []
        for number, role in enumerate(cast, start=1):
            matrix = role.matrix(t)
            points = transform(matrix, role.actor.landmarks[i % len(role.actor.landmarks)])
            area = (mask > 0.5).sum() * np.linalg.det(matrix[:, :2])
            truths.append(Truth(points, float((owner == number).sum() / area)))
        yield np.clip(frame, 0, 255), truths


def degrade(frame: np.ndarray, scale: int, rng: np.random.Generator) -> np.ndarray:
    if scale > 1:
        frame = cv2.resize(frame, (WIDTH // scale, HEIGHT // scale), interpolation=cv2.INTER_AREA)
        frame = frame + rng.normal(0, NOISE, frame.shape)
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def sway(x0: float, x1: float, y: float, side: float, roll: float = 4) -> Journey:
    """From x0 to x1, as a camera held by hand sees it."""
    return lambda t: (
        x0 + (x1 - x0) * t + 0.01 * np.sin(23 * t),
        y + 0.01 * np.cos(17 * t),
        side * (1 + 0.06 * np.sin(5 * t)),
        roll * np.sin(7 * t),
    )


def tilt(t: float) -> tuple[float, float, float, float]:
    return 0.3, 0.5, 280, 38 * np.sin(6.3 * t)


def jump(t: float) -> tuple[float, float, float, float]:
    """Elsewhere and smaller after the cut in the middle."""
    return (0.3, 0.5, 300, 3 * np.sin(9 * t)) if t < 0.5 else (0.7, 0.45, 220, 3 * np.sin(9 * t))


TURNING = ("train_100.mp4", "train_103.mp4")
"""Clips of people who turn from the camera to three-quarter profile."""
# Journeys of still faces, journeys of talking ones, and whether the backdrop changes half-way.
SCENES: dict[str, tuple[list[Journey], list[Journey], bool]] = {
    "one": ([sway(0.35, 0.6, 0.5, 300)], [], False),
    "small": ([sway(0.3, 0.6, 0.4, 150), sway(0.7, 0.8, 0.6, 120)], [], False),
    "tilted": ([tilt, sway(0.7, 0.7, 0.5, 260, 0)], [], False),
    "crossing": ([sway(0.15, 0.85, 0.45, 240), sway(0.85, 0.15, 0.52, 280)], [], False),
    "exit": ([sway(0.6, 1.3, 0.5, 260), sway(-0.3, 0.45, 0.5, 260)], [], False),
    "cut": ([jump], [], True),
    "group": ([sway(0.12 + 0.19 * i, 0.14 + 0.19 * i, 0.5, 170) for i in range(5)], [], False),
    "talking": ([], [sway(0.25, 0.3, 0.5, 320), sway(0.75, 0.7, 0.5, 300)], False),
    "turning": ([], [sway(0.25, 0.3, 0.5, 320), sway(0.75, 0.7, 0.5, 300)], False),
    "empty": ([], [], True),
}


def load_stills(data: Path) -> list[np.ndarray]:
    with tarfile.open(data / "faces_val" / "faces_val.tar") as tar:
        members = sorted((member for member in tar if member.name.endswith(".jpg")), key=lambda m: m.name)
        return [np.array(Image.open(io.BytesIO(tar.extractfile(m).read())).convert("RGB")) for m in members]


def load_clip(file: Path, labeller: Detector, n: int) -> Actor | None:
    """A talking person, aligned by a second's mean of the labels; None when the labels have gaps."""
    with av.open(str(file)) as container:
        frames = [
            f.to_ndarray(format="rgb24") for f, _ in zip(container.decode(video=0), range(n), strict=False)
        ]
    found = [labeller.detect(frame) for frame in frames]
    if not all(found):
        return None
    labels = np.stack([faces[0].landmarks for faces in found])
    # Slow enough to keep how the head moves, so that one who turns away does not leave the picture.
    path = gaussian_filter1d(labels, 12, axis=0, mode="nearest")
    matrices = [similarity(points, SIDE) for points in path]
    pictures = [
        cv2.warpAffine(cv2.GaussianBlur(frame, (0, 0), 0.6), matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC)
        for frame, matrix in zip(frames, matrices, strict=True)
    ]
    landmarks = np.stack([transform(*pair) for pair in zip(matrices, labels, strict=True)])
    return Actor([*pictures, *pictures[-2:0:-1]], np.concatenate([landmarks, landmarks[-2:0:-1]]))


def by_tracks(frames: list[np.ndarray]) -> Predictions:
    tracks = track_faces((Frame(rgb, i, i) for i, rgb in enumerate(frames)), load_detector())
    return [[(track.id, track.at(i)) for track in tracks if track.covers(i)] for i in range(len(frames))]


def frame_by_frame(
    detect: Callable[[np.ndarray], list[np.ndarray]],
) -> Callable[[list[np.ndarray]], Predictions]:
    """A face keeps the identity of the nearest one in the frame before."""

    def run(frames: list[np.ndarray]) -> Predictions:
        last: list[tuple[int, np.ndarray]] = []
        result, fresh = [], 0
        for rgb in frames:
            now = []
            for points in detect(rgb):
                near = [(float(np.linalg.norm((old - points).mean(0))), number) for number, old in last]
                distance, number = min(near, default=(np.inf, 0))
                if distance > np.hypot(*(points[1] - points[0])):
                    number, fresh = fresh, fresh + 1
                now.append((number, points))
            last = now or last
            result.append(now)
        return result

    return run


def plain_cascade() -> Callable[[np.ndarray], list[np.ndarray]]:
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")

    def detect(rgb: np.ndarray) -> list[np.ndarray]:
        boxes = cascade.detectMultiScale(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        return [np.array([x, y]) + side * FRONTAL for x, y, side, _ in boxes]

    return detect


def score(predictions: Predictions, truths: list[list[Truth]], cut: int) -> dict[str, float | None]:
    """Hits, errors, jitter and switches of one method on one film."""
    hits = misses = alarms = switches = 0
    errors: list[float] = []
    steps: list[np.ndarray] = []
    identity: dict[int, int] = {}
    drifts: dict[int, tuple[int, np.ndarray]] = {}
    for i, (found, faces) in enumerate(zip(predictions, truths, strict=True)):
        if i == cut:  # a new shot is a new identity
            identity, drifts = {}, {}
        cost = np.full((len(faces), len(found)), 1e6)
        for a, truth in enumerate(faces):
            eyes = np.hypot(*(truth.landmarks[1] - truth.landmarks[0]))
            for f, (_, points) in enumerate(found):
                distance = np.linalg.norm(points - truth.landmarks, axis=1).mean() / eyes
                if distance < 0.5 and truth.seen > 0:
                    cost[a, f] = distance
        pairs = {a: f for a, f in zip(*linear_sum_assignment(cost), strict=True) if cost[a, f] < 1e6}
        alarms += len(found) - len(pairs)
        for a, truth in enumerate(faces):
            if truth.seen < 0.65:  # half hidden: neither needed nor wrong
                continue
            if a not in pairs:
                misses += 1
                continue
            hits += 1
            number, points = found[pairs[a]]
            errors.append(cost[a, pairs[a]])
            switches += identity.get(a, number) != number
            identity[a] = number
            # Where the predicted crop shows the corners of the true crop.
            corners = transform(inverse(similarity(truth.landmarks, SIDE)), outline(SIDE, SIDE))
            drift = transform(similarity(points, SIDE), corners)
            if a in drifts and drifts[a][0] == i - 1:
                steps.append(drift - drifts[a][1])
            drifts[a] = (i, drift)
    return {
        "recall": round(hits / (hits + misses), 4) if hits + misses else None,
        "precision": round(hits / (hits + alarms), 4) if hits + alarms else None,
        "error": round(float(np.mean(errors)), 4) if errors else None,
        "jitter": round(float(np.sqrt(np.mean(np.square(steps)) * 2)), 3) if steps else None,
        "switches": switches,
        "alarms": alarms,
        "faces": hits + misses,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--yunet", type=Path, default=Path("../shared/models/yunet_n_640_640.onnx"))
    parser.add_argument("--scenes", default=",".join(SCENES))
    parser.add_argument("--scales", default="1,4,8,16")
    parser.add_argument("--methods", default="cascade,detector,tracks")
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    stills = load_stills(args.data)
    labeller = load_detector("yunet", args.yunet)
    embedded = load_detector()
    methods = {
        "cascade": frame_by_frame(plain_cascade()),
        "detector": frame_by_frame(lambda rgb: [face.landmarks for face in embedded.detect(rgb)]),
        "tracks": by_tracks,
    }
    for name in args.scenes.split(","):
        still, talking, cut = SCENES[name]
        rng = np.random.default_rng([args.seed, list(SCENES).index(name)])
        files = iter(rng.permutation(sorted((args.data / "clips").glob("*.mp4"))))
        if name == "turning":
            files = (args.data / "clips_train" / file for file in TURNING)
        clips = (actor for file in files if (actor := load_clip(file, labeller, args.frames)) is not None)
        cast = [
            Role(Actor([stills[i]], template(SIDE)[None]), j)
            for i, j in zip(rng.permutation(100), still, strict=False)
        ]
        cast += [Role(next(clips), journey) for journey in talking]
        backs = [backdrop(back, rng) for back in rng.permutation(BACKDROPS)[:2]]
        cut_at = args.frames // 2 if cut else args.frames
        film = list(render(cast, backs, args.frames, cut_at))
        for scale in map(int, args.scales.split(",")):
            noise = np.random.default_rng(args.seed)
            frames = [degrade(frame, scale, noise) for frame, _ in film]
            truths = [[Truth((t.landmarks + 0.5) / scale - 0.5, t.seen) for t in faces] for _, faces in film]
            for method in args.methods.split(","):
                start = time.process_time()
                found = methods[method](frames)
                milliseconds = (time.process_time() - start) / len(frames) * 1e3
                row = {"scene": name, "scale": scale, "method": method, **score(found, truths, cut_at)}
                print(json.dumps({**row, "ms": round(milliseconds, 1)}), flush=True)


if __name__ == "__main__":
    main()
