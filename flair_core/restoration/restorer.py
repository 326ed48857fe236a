"""One face in one window of frames: taken from the cache, or restored, in pieces where memory is short."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from flair_core.checkpoints.catalogue import RELEASED_PARSER
from flair_core.denoisers.base import Heavy, anneals
from flair_core.faces import mask
from flair_core.frames import to_float, to_uint16
from flair_core.kept import cache
from flair_core.restoration import keys
from flair_core.restoration.crop import Face
from flair_core.restoration.face_masks import FaceMasks
from flair_core.restoration.models import (
    Load,
)
from flair_core.restoration.restored import (
    CPU,
    Kept,
    OutOfMemory,
    Restored,
    Stopped,
    as_arrays,
    joined_parts,
    mean_square,
)
from flair_core.restoration.window import WindowStep, operator, restore_window
from flair_core.runtime import memory
from flair_core.settings.groups import RestorationSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from flair_core.enhancers.base import Enhancer
    from flair_core.kept.cache import Arrays


State = TypeVar("State")
SHORT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory")
"""How PyTorch's allocators say it where there is no exception of its own."""


class FaceRestorer:
    """Restores the faces of one run, each with its settings and the networks that `load` has for them.

    `notes` hears what a person should know, one sentence each.
    name: what computes, for people.
    device: all that compute in this run, in words, where that is more than the device of the networks.
    """

    here = True
    """Whether this process computes."""

    def __init__(
        self, load: Load, kept: Kept | None, notes: list[str], *, name: str = "", device: str = ""
    ) -> None:
        self.name = name
        self._load, self._kept, self._notes, self._device = load, kept, notes, device
        self._most: int | None = None
        """Frames that memory has room for, once it was too short."""
        self._alone = False
        """Whether memory was too short for several faces of single frames in a batch."""
        self._missed = False
        """Whether it was said that the parser of a released network is missing."""
        self._face_masks = FaceMasks(load, kept)
        self._stopped = False

    def stop(self) -> None:
        """What is being restored in other threads ends after its current step, by raising Stopped."""
        self._stopped = True

    def at_once(self, settings: RestorationSettings) -> int:
        """How many faces of single frames it takes at a time."""
        return self._load(settings).together

    def restored(self, face: Face, previous: torch.Tensor | None = None) -> Restored:
        """The face as the last step leaves it. Raises OutOfMemory when not even one frame fits.

        previous: (n, 3, H, W): the first n frames as the window before has them, if it begins with those.
        """
        known = self.known(face, previous)
        if known is not None:
            return known
        frames = len(face.y)
        if self._most is None and (room := self._room(face)) < frames:
            self._most = room
            self._notes.append(
                f"Memory has room for {room} of {frames} frames at once: windows are shorter, and where they "
                "meet it may show. Close other programs, or choose a smaller frame."
            )
        if self._most is None or frames <= self._most:
            try:
                return self.keep(face, self._last(self.steps(face, previous)), previous)
            except OutOfMemory:
                if frames == 1:
                    raise
            self._most = frames // 2
            self._notes.append(
                f"Memory did not suffice for {frames} frames at once; going on with {self._most} at a time."
            )
        most = self._most  # it may shrink on the way
        pieces = [slice(at, at + most) for at in range(0, frames, most)]
        starts = [None if previous is None or at.start >= len(previous) else previous[at] for at in pieces]
        return joined_parts(
            [self.restored(face.part(at), begun) for at, begun in zip(pieces, starts, strict=True)]
        )

    def _room(self, face: Face) -> int:
        """How many of its frames fit into memory at once, as far as that is known before: at least one."""
        models = self._load(face.settings)
        if not isinstance(models.denoiser, Heavy):
            return len(face.y)
        free, needed = memory.free(models.device), models.denoiser.bytes_for
        return next((count for count in range(len(face.y), 1, -1) if needed(count, face.size) <= free), 1)

    def together(self, faces: Sequence[Face]) -> list[Restored]:
        """Faces of single frames, as many in one batch as their networks take; each as it comes out alone.

        Raises OutOfMemory when not even one fits.
        """
        made = {at: known for at, face in enumerate(faces) if (known := self.known(face)) is not None}
        alike: dict[tuple[RestorationSettings, tuple[int, int]], list[int]] = {}
        for at, face in enumerate(faces):
            if at not in made:
                alike.setdefault((face.settings, face.size), []).append(at)
        for (settings, _), places in alike.items():
            most, rest = self._load(settings).together, iter(places)
            while few := list(islice(rest, most)):
                made.update(zip(few, self._batch([faces[at] for at in few]), strict=True))
        return [made[at] for at in range(len(faces))]

    def _batch(self, faces: Sequence[Face]) -> list[Restored]:
        if len(faces) > 1 and not self._alone:
            try:
                last = self._last(self._padded(faces))
                return [self.keep(face, state) for face, state in zip(faces, last, strict=True)]
            except OutOfMemory:
                self._go_on_alone()
        return [self.restored(face) for face in faces]

    def _go_on_alone(self) -> None:
        if self._alone:  # said already, by another thread
            return
        self._alone = True
        self._notes.append("Memory did not suffice for several faces at once; going on with one at a time.")

    def _last(self, states: Iterator[State]) -> State:
        last: State | None = None
        for state in states:
            last = state
            if self._stopped:
                raise Stopped
        assert last is not None
        return last

    def steps(self, face: Face, previous: torch.Tensor | None = None) -> Iterator[WindowStep]:
        """The face after every step. Raises OutOfMemory."""
        if self._load(face.settings).together > 1 and not self._alone:
            begun = False
            try:
                for (state,) in self._padded([face]):
                    begun = True
                    yield state
            except OutOfMemory:
                if begun:
                    raise
            else:
                return
            self._go_on_alone()
        masks = self._face_masks.of_enhancement(face)
        weight = None if masks is None else masks.weight
        yield from self._run(face, self._face_masks.enhancer([face], len(face.y)), weight, previous)

    def _padded(self, faces: Sequence[Face]) -> Iterator[list[WindowStep]]:
        """Faces of single frames after every step, in a batch that is always full.

        Of batches of one size a graphics card makes each face by the same sums, with whatever faces it comes: so a
        preview of one frame has the bits of an export.
        """
        count, most = len(faces), self._load(faces[0].settings).together
        y = torch.cat([*(face.y for face in faces), *[faces[-1].y] * (most - count)])
        masks = [one for face in faces if (one := self._face_masks.of_enhancement(face)) is not None]

        def weight(x0: torch.Tensor) -> torch.Tensor:
            weights = [one.weight(x[None]) for one, x in zip(masks, x0, strict=False)]
            return torch.cat([*weights, *weights[-1:] * (most - count)])

        enhancer = self._face_masks.enhancer(faces, most)
        for state in self._run(replace(faces[0], y=y), enhancer, weight if masks else None):
            yield [_one(state, at) for at in range(count)]

    def _run(
        self,
        face: Face,
        enhancer: Enhancer,
        mask: Callable[[torch.Tensor], torch.Tensor] | None,
        previous: torch.Tensor | None = None,
    ) -> Iterator[WindowStep]:
        models = replace(self._load(face.settings), enhancer=enhancer)
        if not self._missed and models.released_parser is None and anneals(models.denoiser):
            self._missed = True
            self._notes.append(
                f"{face.settings.sampler.model} carries less of the background along, but what finds it is "
                f"missing: background and face are treated alike. “flair models get {RELEASED_PARSER}” fetches it."
            )
        run = restore_window(face.y, face.settings, models, mask=mask, first=face.first, previous=previous)
        try:
            yield from run
        except (RuntimeError, MemoryError) as error:
            if not _short_of_memory(error):
                raise
        else:
            return
        # Only here, outside of `except`, the failed step's tensors are free.
        if models.device.type == "cuda":
            torch.cuda.empty_cache()
        height, width = face.size
        raise OutOfMemory(
            f"The memory of device {models.device.type} does not suffice for {len(face.y)} faces of "
            f"{width} × {height} pixels. Close other programs, or choose the device cpu."
        )

    def known(self, face: Face, previous: torch.Tensor | None = None) -> Restored | None:
        """The face from the cache; None when it is not there."""
        if self._kept is None:
            return None
        key = self._key(face, previous)
        arrays = self._kept.get(key)
        return None if arrays is None else self._restored(face, arrays, key)

    def seen(self, face: Face, state: WindowStep) -> Restored:
        """The face after some step, as it is shown."""
        return self._restored(face, as_arrays(state))

    def keep(self, face: Face, last: WindowStep, previous: torch.Tensor | None = None) -> Restored:
        """The face after the last step, from now on in the cache."""
        arrays = as_arrays(last)
        if self._kept is None:
            return self._restored(face, arrays)
        key = self._key(face, previous)
        self._kept.put(key, arrays)
        return self._restored(face, arrays, key)

    def joined(self, face: Face, shares: torch.Tensor, before: Restored, restored: Restored) -> Restored:
        """The face with its first n frames mixed: `shares` (n,) of this window, the rest as the window before has it.

        before: these n frames.
        """
        count = len(shares)
        x0 = before.x0.lerp(restored.x0[:count], shares.view(-1, 1, 1, 1))
        A = operator(face.settings, face.size, CPU)
        residual = A.forward(x0) - face.y[:count]
        share = shares.view(-1, 1, 1).numpy()
        mixed = Restored(
            x0, mean_square(residual), before.mask + share * (restored.mask[:count] - before.mask)
        )
        return joined_parts([mixed, restored.part(slice(count, None))])

    def handed_on(self, face: Face, link: Mapping[str, object]) -> torch.Tensor | None:
        """What `hand_on` kept under the same link; None when it is not there."""
        arrays = self._kept.get(cache.key(**link, **self._recipe(face))) if self._kept else None
        return None if arrays is None else to_float(arrays["x0"])

    def hand_on(self, face: Face, link: Mapping[str, object], x0: torch.Tensor) -> None:
        """Keep (n, 3, H, W), what the next window begins with; `link` is all it depends on but the settings."""
        if self._kept:
            self._kept.put(cache.key(**link, **self._recipe(face)), {"x0": to_uint16(x0)})

    def _restored(self, face: Face, arrays: Arrays, key: str | None = None) -> Restored:
        """The face that was restored under `key`, and where it is shown, which a parser need not find twice."""
        x0, error = to_float(arrays["x0"]), arrays["error"]
        masks = None if face.matrices is None else self._face_masks.of(face)
        if masks is None:
            return Restored(x0, error, np.ones((len(x0), *face.size), np.float32))
        if self._kept is None or key is None or masks.parser is None:
            return Restored(x0, error, _painted(face, self.mask(face, x0)))
        entry = keys.of_mask(face, self._load(face.settings), masks, key)
        kept = self._kept.get(entry)
        if kept is None:
            kept = {"mask": self.mask(face, x0)}
            self._kept.put(entry, kept)
        return Restored(x0, error, _painted(face, kept["mask"]))

    def mask(self, face: Face, x0: torch.Tensor) -> NDArray[np.float32]:
        """(N, S, S) in [0, 1]: where a restored face (N, 3, S, S) shows, before anything is painted over it."""
        return self._face_masks.shown(face, x0)

    def _key(self, face: Face, previous: torch.Tensor | None) -> str:
        """Hash of all that x0 depends on."""
        return keys.of_restored(
            face, self._load(face.settings), self._face_masks.of(face), previous, self._device
        )

    def _recipe(self, face: Face) -> dict[str, object]:
        """What x0 depends on besides frames."""
        return keys.recipe(face, self._load(face.settings), self._face_masks.of(face), self._device)


def _one(state: WindowStep, at: int) -> WindowStep:
    """One frame of a batch."""
    here = slice(at, at + 1)
    stages = {name: x0[here] for name, x0 in state.stages.items()}
    return replace(state, x0=state.x0[here], stages=stages, residual=state.residual[here])


def _painted(face: Face, masks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Masks with what was painted over them. x0 does not depend on it."""
    return mask.painted(masks, face.strokes, face.settings.faces.feather)


def _short_of_memory(error: Exception) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return any(text in str(error).lower() for text in SHORT_OF_MEMORY)
