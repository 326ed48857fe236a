"""Auto: what is done about footage of which nobody says what happened to it, shot by shot.

Some frames of a shot are restored at several resolutions, and a network that knows how such results compare with the
truth chooses: see flair_core.estimation.judge.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import torch

from flair_core.estimation import judge
from flair_core.faces import align
from flair_core.faces.detect import detector_hash, load_detector
from flair_core.faces.shots import as_uint8
from flair_core.frames import Progress, to_float
from flair_core.kept import fingerprints
from flair_core.kept.cache import key
from flair_core.restoration.find import Remembering, find_shots
from flair_core.restoration.models import load_models
from flair_core.restoration.window import restore_window
from flair_core.runtime import devices
from flair_core.settings.fields import values_of
from flair_core.settings.found import Found
from flair_core.settings.groups import (
    DegradationSettings,
    FaceSettings,
    RestorationSettings,
    SamplerSettings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from flair_core.kept.cache import Arrays, Cache
    from flair_core.settings.look import Look
    from flair_core.video import FrameSource

SIDE = 256
"""Pixels of a face as θ sees it."""
PLACES = (1 / 6, 1 / 2, 5 / 6)
"""Where in a shot the frames are that are looked at."""
CODE = (*fingerprints.RESTORING, *fingerprints.FINDING, "estimation/judge.py", "restoration/auto.py")
"""Files that decide what is found."""


def fill(
    source: FrameSource, look: Look, span: range, device: torch.device, cache: Cache | None
) -> Iterator[Progress | Look]:
    """Look at every shot of a span that is left to Auto; yields Progress, and at last the look with what was found.

    Where the look has no shots of its own, those of the clip are found first.
    """
    if not any(look.asks(part.start) for part in look.parts(span)):
        yield look
        return
    if not look.shots:
        firsts: tuple[int, ...] = ()
        for done, found in enumerate(find_shots(source, look.settings.footage, cache), 1):
            firsts = firsts if found is None else found
            yield Progress(min(done, len(source)), len(source), span.start, stage="find shots")
        for first in firsts:
            look = look.split_at(first)
    wanted = [part for part in look.parts(span) if look.asks(part.start)]
    whole = [look.shot_at(part.start) for part in wanted]
    shots = [range(shot.start, min(shot.stop, len(source))) for shot in whole]
    seen = []
    for done, shot in enumerate(shots):
        yield Progress(done, len(shots), shot.start, stage="look at the footage")
        *_, one = look_at(source, shot, look.resolve(shot.start), device, cache)
        assert one is not None
        seen.append(one)
        said = sentence(one, leave_sharp=look.resolve(shot.start).faces.leave_sharp)
        yield Progress(done + 1, len(shots), shot.start, stage="look at the footage", notes=(said,))
    yield look.filled(seen)


def sentence(found: Found, *, leave_sharp: bool = True) -> str:
    """What was found and is done, in words. Nothing is called certain."""
    first, last = found.frames.start, found.frames.stop - 1
    where = f"Frame {first}: " if first == last else f"Frames {first} to {last}: "
    if found.failed:
        return where + "can't be read; nothing is assumed of the footage."
    if found.gain is None:
        return where + "no face was found to judge by; nothing is assumed of the footage."
    if found.sharp:
        return where + (
            "already sharp, " + ("left as filmed." if leave_sharp else "and restored all the same.")
        )
    seen = f"best at {SIZES[found.enlargement]}, {GRAIN[found.grainy]}"
    return f"{where}{seen}; restored, it {LIKELY[found.likely]} better."


LIKELY = "may be", "is probably", "is very likely"
SIZES = {
    1.0: "full resolution",
    1.5: "about two thirds of the resolution",
    2.0: "about half of the resolution",
    3.0: "about a third of the resolution",
    4.0: "about a quarter of the resolution",
}
"""What judge.RESOLUTIONS mean."""
GRAIN = "hardly any grain", "a little grain", "grain", "strong grain"


def look_at(
    source: FrameSource, shot: range, settings: RestorationSettings, device: torch.device, cache: Cache | None
) -> Iterator[Found | None]:
    """What Auto does about a shot, judged by its largest face; None after each piece of work, and at last Found.

    settings: of the shot; how faces are found, and whether frames are such.
    """
    indices = sorted({shot.start + int(place * len(shot)) for place in PLACES})
    entry = _entry(source, indices, settings, device)
    if cache is not None and (known := cache.get(entry)) is not None:
        yield _unpacked(known, shot)
        return
    inputs = []
    for index in indices:
        (frame,) = source.frames(index, index + 1)
        y = _face(as_uint8(frame.rgb), settings, cache)
        yield None
        if y is not None:
            made = []
            for resolution in judge.RESOLUTIONS:
                made.append(restored(y, resolution, device)[0])
                yield None
            inputs.append(judge.observed(y[0], made))
    found = judge.found(inputs, shot)
    if cache is not None:
        cache.put(entry, _packed(found))
    yield found


def _face(rgb: NDArray[np.uint8], settings: RestorationSettings, cache: Cache | None) -> torch.Tensor | None:
    """The largest face of a frame, (1, 3, S, S) in [-1, 1]; None without any. An aligned frame is one itself."""
    if settings.faces.aligned:
        return to_float(rgb[None])
    name = settings.faces.detector
    detector = load_detector(name) if cache is None else Remembering(load_detector(name), name, cache)
    faces = detector.detect(rgb)
    if not faces:
        return None
    largest = max(faces, key=lambda face: float(np.prod(face.box[2:] - face.box[:2])))
    return align.crop(rgb, align.similarity(largest.landmarks, SIDE), SIDE)[None]


def restored(y: torch.Tensor, resolution: float, device: torch.device) -> torch.Tensor:
    """What θ makes of a face when it is told nothing and shown so much less: (1, 3, S, S) in [-1, 1]."""
    settings = _told_nothing(resolution)
    *_, last = restore_window(y, settings, load_models(settings, device))
    return last.x0.clamp(-1, 1).cpu()


def _told_nothing(resolution: float) -> RestorationSettings:
    return RestorationSettings(
        degradation=DegradationSettings(scale=1, kernel="unknown", enlargement=resolution),
        sampler=SamplerSettings(steps=1, w_tau=0, monochrome="off"),
        faces=FaceSettings(aligned=True),
    )


def _entry(
    source: FrameSource, indices: Sequence[int], settings: RestorationSettings, device: torch.device
) -> str:
    faces = settings.faces
    return key(
        auto=fingerprints.fingerprint(source.path),
        frames=indices,
        footage=values_of(settings.footage, "frames"),
        faces="aligned" if faces.aligned else (faces.detector, detector_hash(faces.detector)),
        settings=json.loads(_told_nothing(1.0).to_json()),
        networks=(
            fingerprints.weights_hash(RestorationSettings().sampler.model),
            fingerprints.resource_hash(judge.WEIGHTS),
        ),
        device=devices.describe(device),
        code=fingerprints.code_version(CODE),
    )


def _packed(found: Found) -> Arrays:
    gain = np.nan if found.gain is None else found.gain
    return {"found": np.array([found.enlargement, found.sharp, gain, found.certainty, found.grain])}


def _unpacked(arrays: Arrays, shot: range) -> Found:
    enlargement, sharp, gain, certainty, grain = arrays["found"].tolist()
    seen = None if np.isnan(gain) else gain
    return Found(shot, enlargement, bool(sharp), seen, certainty, grain)
