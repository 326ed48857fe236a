"""Footage of which nobody says what happened to it, at defaults: figures on damaged faces, a sheet of real files.

    python -m benchmarks.real ../shared/data/faces_val --count 24
    python -m benchmarks.real ../shared/data/faces_val --count 0 --archival ../shared/data/archival --sheet real.jpg

Faces are damaged as in life by seeds that training never drew, and restored with no option but --aligned. A line for
each kind: dB of PSNR over the footage (the damaged face as it is), the share of faces that came out further from the
truth, the worst of them, and the distances of `flair eval`, each beside that of the footage. So for an unsharp mask,
and for a peer's restorer where its file is given. Two known degradations follow, told and not told, and clean faces.
For real clips: the warping error of the result over that of the footage. The sheet: of each real file the largest
face, as filmed, as it came out, and what changed, four times as strong.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

import flair_core as flair
from flair_core.degradations import degrade, enlarged
from flair_core.degradations.damage import KINDS, damaged, draw
from flair_core.estimation import judge
from flair_core.faces import align
from flair_core.faces.detect import load_detector
from flair_core.faces.shots import as_uint8
from flair_core.frames import to_float, to_uint8
from flair_core.jobs.request import Request
from flair_core.jobs.run import render
from flair_core.kept.cache import Cache
from flair_core.metrics.fidelity import psnr
from flair_core.metrics.meters import Pair
from flair_core.metrics.suite import Evaluation, Setup
from flair_core.metrics.temporal import restored_warping_error
from flair_core.restoration import auto
from flair_core.restoration.models import load_models
from flair_core.restoration.window import restore_window
from flair_core.settings.groups import UNTOLD, DegradationSettings, FaceSettings, RestorationSettings, changed
from flair_core.settings.look import Look
from flair_core.training.data import load_faces
from flair_core.video.recoded import recode

Picture = NDArray[np.uint8]
UNSEEN = 2**40
"""The first seed. Training draws them below 2³¹."""
WEAKEST = 0.3
KNOWN = {
    "x8": DegradationSettings(scale=8),
    "mix": DegradationSettings(scale=4, kernel="gaussian", blur_sigma=2.0, noise=0.05, jpeg=60),
}
DISTANCES = ("features", "identity_distance", "landmarks")
CPU = torch.device("cpu")
SIDE, STRONGER = 256, 4


def restored(face: Picture, **sampler: float) -> Picture:
    """A face (S, S, 3) at defaults, as `flair restore --aligned` writes it."""
    y = to_float(face[None])
    made = [auto.restored(y, resolution, CPU)[0] for resolution in judge.RESOLUTIONS]
    found = judge.found([judge.observed(y[0], made)], range(1))
    if found.sharp:
        return face
    settings = replace(
        UNTOLD,
        degradation=changed(UNTOLD.degradation, enlargement=found.enlargement),
        sampler=changed(UNTOLD.sampler, **sampler),
        faces=FaceSettings(aligned=True),
    )
    return last(y, settings)


def told(y: torch.Tensor, degradation: DegradationSettings) -> Picture:
    """A face whose degradation is known, by the first estimate alone."""
    sampler = changed(UNTOLD.sampler, w_tau=0.0)
    faces = FaceSettings(aligned=True)
    return last(y, RestorationSettings(degradation=degradation, sampler=sampler, faces=faces))


def last(y: torch.Tensor, settings: RestorationSettings) -> Picture:
    """The result of a window of one frame."""
    *_, state = restore_window(y, settings, load_models(settings, CPU))
    return to_uint8(state.x0)[0]


def unsharp(face: Picture) -> Picture:
    """What editors do without us: half of what a blur of 1.5 pixels takes away is added."""
    soft = cv2.GaussianBlur(face, (0, 0), 1.5)
    return np.asarray(cv2.addWeighted(face, 1.5, soft, -0.5, 0), np.uint8)


def peer(path: Path) -> Callable[[Picture], Picture]:
    """A restorer whose file spandrel reads; its result is brought to the face's size."""
    from spandrel import ImageModelDescriptor, ModelLoader

    model = ModelLoader(device="cpu").load_from_file(path)
    assert isinstance(model, ImageModelDescriptor)

    @torch.inference_mode()
    def restore(face: Picture) -> Picture:
        x = model((to_float(face)[None] + 1) / 2)[0]
        made = to_uint8(2 * x - 1)
        return np.asarray(cv2.resize(made, face.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)

    return restore


def row(clean: Sequence[Picture], seen: Sequence[Picture], made: Sequence[Picture]) -> dict[str, float]:
    """Figures of results against those of the footage."""
    gains = np.array([psnr(x, one) - psnr(y, one) for one, y, x in zip(clean, seen, made, strict=True)])
    figures = {"gain_db": gains.mean(), "worse": (gains < 0).mean(), "worst_db": gains.min()}
    for name, pictures in (("", made), ("footage_", seen)):
        evaluation = Evaluation(list(DISTANCES), Setup(CPU))
        for one, x in zip(clean, pictures, strict=True):
            evaluation.add(Pair(one, x))
        figures |= {f"{name}{metric}": value for metric, value in evaluation.scores().items()}
    return {name: round(float(value), 3) for name, value in figures.items()}


def damaged_faces(faces: Sequence[Picture], kind: str) -> list[Picture]:
    """Each in a way of its own, weak to strong."""
    seen = []
    for number, face in enumerate(faces):
        strength = float(np.random.default_rng((UNSEEN, number)).uniform(WEAKEST, 1))
        seen.append(damaged(face[None], draw(kind, strength, UNSEEN + number), recode)[0])
    return seen


def lines(
    faces: Sequence[Picture], ways: dict[str, Callable[[Picture], Picture]]
) -> Iterator[dict[str, object]]:
    """The figures, kind by kind."""
    for kind in KINDS:
        seen = damaged_faces(faces, kind)
        for way, restore in ways.items():
            yield {"kind": kind, "way": way} | row(faces, seen, [restore(y) for y in seen])
    for name, degradation in KNOWN.items():
        observed = [
            to_float(to_uint8(degrade(to_float(x[None]), degradation, torch.Generator().manual_seed(at))))
            for at, x in enumerate(faces)
        ]
        seen = [to_uint8(enlarged(y, x.shape[:2], None))[0] for x, y in zip(faces, observed, strict=True)]
        by_hand = [told(y, degradation) for y in observed]
        yield {"kind": name, "way": "told, w_τ = 0"} | row(faces, seen, by_hand)
        for way in ("at defaults", "w_τ = 0"):
            yield {"kind": name, "way": way} | row(faces, seen, [ways[way](y) for y in seen])
    kept = [psnr(ways["at defaults"](face), face) for face in faces]
    same = float(np.mean(np.isinf(kept)))
    least = min(kept)
    yield {"kind": "clean", "least_db": None if np.isinf(least) else round(least, 1), "bit_by_bit": same}


def shimmer(path: Path, frames: int) -> float:
    """Warping error of a clip's faces as restored at defaults over that of the footage, over its middle frames."""
    with flair.open_clip(path) as clip, tempfile.TemporaryDirectory() as name:
        made, first = Path(name), max(0, len(clip) // 2 - frames // 2)
        span = range(first, min(first + frames, len(clip)))
        request = Request(
            source=path, output=made / "out", look=Look(UNTOLD), span=span, matte=made / "matte", device="cpu"
        )
        for _ in render(request, clip, Cache(made / "cache")):
            pass
        with flair.open_clip(made / "out") as out, flair.open_clip(made / "matte") as matte:
            footage, restored_, masks = (
                [as_uint8(one.rgb) for one in source.frames(start, start + len(span))]
                for source, start in ((clip, first), (out, 0), (matte, 0))
            )
    errors = []
    for at in range(len(span) - 1):
        seen, mask = (footage[at], footage[at + 1]), (masks[at][..., 0] / 255).astype(np.float32)
        one = restored_warping_error(seen, (restored_[at], restored_[at + 1]), mask)
        other = restored_warping_error(seen, seen, mask)
        if one is not None and other:
            errors.append((one, other))
    ours, theirs = np.array(errors).mean(0)
    return float(ours / theirs)


def sheet(folder: Path) -> Picture:
    """All files of a folder, restored at defaults: the largest face of the middle frame of each."""
    rows = []
    for path in sorted(folder.iterdir()):
        with flair.open_clip(path) as clip, tempfile.TemporaryDirectory() as made:
            at = len(clip) // 2
            faces = load_detector().detect(as_uint8(clip[at].rgb))
            flair.restore_clip(path, Path(made) / "out", frames=range(at, at + 1), device="cpu")
            with flair.open_clip(Path(made) / "out") as out:
                pair = as_uint8(clip[at].rgb), as_uint8(out[0].rgb)
        if not faces:
            print(json.dumps({"file": path.name, "faces": 0}))
            continue
        largest = max(faces, key=lambda face: float(np.prod(face.box[2:] - face.box[:2])))
        matrix = align.similarity(largest.landmarks, SIDE)
        seen, better = (cv2.warpAffine(one, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC) for one in pair)
        change = np.clip(128 + STRONGER * (better.astype(int) - seen), 0, 255).astype(np.uint8)
        print(
            json.dumps(
                {"file": path.name, "changed": round(float(np.abs(change.astype(int) - 128).mean()) / 4, 2)}
            )
        )
        rows.append(np.concatenate([seen, better, change], 1))
    half = -(-len(rows) // 2)
    columns = [np.concatenate(some) for some in (rows[:half], rows[half:])]
    tall = max(len(one) for one in columns)
    return np.concatenate([np.pad(one, ((0, tall - len(one)), (0, 8), (0, 0))) for one in columns], 1)


def main() -> None:
    """A JSON line for each kind and way; the sheet."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faces", type=Path, help="folder of tar shards with an index.csv")
    parser.add_argument(
        "--count", type=int, default=24, help="faces, spread over those of the folder; 0: none"
    )
    parser.add_argument("--peer", type=Path, help="a restorer's file, for comparison")
    parser.add_argument("--archival", type=Path, help="folder of real files")
    parser.add_argument("--frames", type=int, default=0, help="of each real clip, to measure how it shimmers")
    parser.add_argument("--sheet", type=Path, help="picture to write of them")
    arguments = parser.parse_args()
    if arguments.count:
        faces = load_faces(arguments.faces)
        faces = faces[:: max(1, len(faces) // arguments.count)][: arguments.count]
        ways: dict[str, Callable[[Picture], Picture]] = {
            "at defaults": restored,
            "w_τ = 0": lambda face: restored(face, w_tau=0.0),
            "unsharp": unsharp,
        }
        if arguments.peer:
            ways["peer"] = peer(arguments.peer)
        for line in lines(list(faces), ways):
            print(json.dumps(line, ensure_ascii=False), flush=True)
    if arguments.archival and arguments.frames:
        for path in sorted(arguments.archival.glob("*.mp4")):
            print(
                json.dumps({"file": path.name, "shimmer": round(shimmer(path, arguments.frames), 3)}),
                flush=True,
            )
    if arguments.archival and arguments.sheet:
        picture = cv2.cvtColor(sheet(arguments.archival), cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(arguments.sheet), picture, [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
