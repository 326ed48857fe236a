"""One frame restored step by step, as `restore` over the whole clip writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from flair_core.errors import MediaError
from flair_core.frames import of_depth, to_uint8
from flair_core.restoration.compose import (
    composite,
    output_size,
    residual_map,
    residual_of,
    shown_in,
)
from flair_core.restoration.crop import (
    Face,
    faces_in,
    mask_reach,
)
from flair_core.restoration.handover import chain_of, chained, cross_faded, shares_frames
from flair_core.restoration.restored import Restored
from flair_core.restoration.restorer import FaceRestorer
from flair_core.restoration.window import WindowStep
from flair_core.restoration.windows import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from flair_core.frames import Pixels
    from flair_core.restoration.restored import Kept
    from flair_core.restoration.run import Run


@dataclass(frozen=True, slots=True)
class Preview:
    """A frame after one reverse step; the last one holds what `restore` writes."""

    step: int
    steps: int
    observed: Pixels
    """What went in, at the size of `frame`."""
    frame: Pixels
    mask: NDArray[np.float32]
    """(H, W) in [0, 1]: where the restoration shows."""
    stages: Mapping[str, NDArray[np.uint8]]
    """The first face as the network gave it and after each refiner, (S, S, 3)."""
    residual: float
    """Root mean square of A x̂ − y over the frame's faces, in 8-bit levels."""
    residual_map: NDArray[np.float32]
    """(H, W) the same of each pixel, as coarse as y; 0 where the restoration does not show."""
    window: range
    """The frames that it was made of: what they look like and their settings decide the picture."""
    exact: bool
    """Whether `restore` over the whole clip writes this; not if that begins with a window not restored so far."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it was made, one sentence each."""


def preview(
    run: Run, index: int, *, cache: Kept | None = None, only_known: bool = False
) -> Iterator[Preview]:
    """Restore one frame, step by step, in the windows that `restore` over the whole clip has it in.

    What is in the cache comes at once, as the last step and without stages; if `only_known`, nothing else does.
    Under the released policy a window begins with the results of the one before; if those are not in the cache, the
    preview does without them and is not `exact`.
    """
    notes: list[str] = []
    source, look = run.source, run.look
    restorer, shot = FaceRestorer(run.load, cache, notes), look.shot_at(index)
    chain = chain_of(run, range(shot.start, min(shot.stop, len(source))), restorer)
    covering = list(chain.windows(range(index, index + 1)))
    reach = max(mask_reach(run.load(look.resolve(index, number))) for number in (None, *dict(look.tracks)))
    first, last = max(covering[0].first - reach, 0), min(covering[-1].last + reach, len(source))
    frames = list(source.frames(first, last))
    if index - first >= len(frames):
        raise MediaError(f"{source.path} has no frame {index} any more: it was changed. Open it again.")
    frame = frames[index - first]
    width, height = output_size(source, look.settings)
    observed: Pixels = cv2.resize(frame.rgb, (width, height), interpolation=cv2.INTER_NEAREST)  # type: ignore[assignment]
    places = []
    for window in covering:
        seen = [frame for frame in frames if window.first <= frame.index < window.last]
        for face in faces_in(run, seen, window, frames):
            # Under the released policy, a later window has the frame from the first one.
            if index in face.span and not (chained(face) and window != covering[0]):
                before = chain.handed_on(face, window) if chained(face) else None
                places.append(Place(face, window, before, restorer.known(face, before)))
    chained_places = [
        place for place in places if chained(place.face) and shares_frames(place.face, place.window)
    ]
    exact = all(place.before is not None for place in chained_places)
    used = range(chain.grid.start if chained_places else first, last)

    def after(
        step: int, steps: int, made: Sequence[Restored], stages: Mapping[str, NDArray[np.uint8]]
    ) -> Preview:
        results: list[tuple[Face, Restored]] = []
        for window in covering:
            some = [pair for pair in zip(places, made, strict=True) if pair[0].window == window]
            joined = cross_faded(
                restorer, window, [(place.face, restored) for place, restored in some], results
            )
            replaced = {face.track for face, _ in joined}
            results = joined + [pair for pair in results if pair[0].track not in replaced]
        rgb = composite(frame, results, look.settings)
        rgb = of_depth(rgb, 8 * frame.rgb.itemsize)
        shown = shown_in(frame, results, look.settings, (height, width))
        wrong = residual_map(frame, results, look.settings, run.load, (height, width))
        residual = residual_of(frame, results)
        return Preview(step, steps, observed, rgb, shown, stages, residual, wrong, used, exact, tuple(notes))

    missing = [place for place in places if place.known is None]
    steps = max((place.steps for place in missing or places), default=1)
    if not missing:
        yield after(steps, steps, [place.known for place in places if place.known], {})
    if not missing or only_known:
        return
    states: list[WindowStep] = []
    running = (restorer.steps(place.face, place.before) for place in missing)
    for step, latest in enumerate(zip_longest(*running), 1):
        # A face with fewer steps waits for the others.
        states = [new or old for new, old in zip_longest(latest, states)]
        made_now = {
            place: restorer.keep(place.face, state, place.before)
            if step == steps
            else restorer.seen(place.face, state)
            for place, state in zip(missing, states, strict=True)
        }
        for place, restored in made_now.items():
            if step == steps and exact and chained(place.face):
                chain.hand_on(place.face, place.window, restored)
        first = missing[0].face.first
        stages = {name: to_uint8(x0[index - first]) for name, x0 in states[0].stages.items()}
        yield after(step, steps, [place.known or made_now[place] for place in places], stages)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A face in one of the windows that a preview looks at."""

    face: Face
    window: Window
    before: torch.Tensor | None
    """What it begins with, if that is known."""
    known: Restored | None
    """The result, where the cache has it."""

    @property
    def steps(self) -> int:
        """How many steps its restoration takes, over all samples."""
        sampler = self.face.settings.sampler
        return sampler.steps * sampler.samples
