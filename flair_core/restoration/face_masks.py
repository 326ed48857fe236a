"""Where each face of a run is enhanced, and where it shows: m_t of eq. (12), and what is replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from flair_core.degradations import upscale
from flair_core.faces import align, released
from flair_core.faces.placed_masks import Masks, Neighbours, grey
from flair_core.frames import to_uint8
from flair_core.restoration import keys
from flair_core.restoration.crop import Face
from flair_core.restoration.models import Load, Models, inlays
from flair_core.restoration.restored import Kept
from flair_core.restoration.window import condition_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.enhancers.base import Enhancer
    from flair_core.faces.parse import Parser

PARSED = 64
"""Faces of the footage whose labels are kept at hand: they steady the masks of several frames."""


class FaceMasks:
    """The masks of faces, each by its settings; what a parser says to the footage is kept between frames."""

    def __init__(self, load: Load, kept: Kept | None) -> None:
        self._load, self._kept = load, kept
        self._parsed: dict[str, NDArray[np.uint8]] = {}

    def of(self, face: Face) -> Masks | None:
        """None when G works everywhere, and the face is not put into a frame."""
        parser = self._load(face.settings).parser
        if face.landmarks is not None:
            return Masks(face.landmarks, face.settings, parser)
        sampler, (height, width) = face.settings.sampler, face.size
        everywhere = parser is None and sampler.w_eyes == sampler.w_mouth == sampler.w_skin == 1
        if everywhere or height != width:
            return None
        return Masks(np.tile(align.template(width), (len(face.y), 1, 1)), face.settings, parser)

    def of_enhancement(self, face: Face) -> Masks | None:
        """None when G works everywhere, or rests, or knows by itself where."""
        sampler = face.settings.sampler
        masks = self.of(face) if sampler.enhances else None
        if masks is None or not inlays(face.settings):
            return None if masks is None else self._steadied(face, masks)
        if sampler.w_eyes == sampler.w_mouth == sampler.w_skin == 1:
            return None
        # Everywhere, but more here and less there.
        everywhere = replace(face.settings, faces=replace(face.settings.faces, aligned=True))
        found = self._landmarks(face, self._load(face.settings))
        landmarks = [
            average if points is None else points
            for points, average in zip(found, masks.landmarks, strict=True)
        ]
        return Masks(np.stack(landmarks), everywhere, None)

    def shown(self, face: Face, x0: torch.Tensor) -> NDArray[np.float32]:
        """(N, S, S) in [0, 1]: where a restored face (N, 3, S, S) shows, before anything is painted over it."""
        masks = self.of(face)
        assert masks is not None, "a face in a frame"
        return self._steadied(face, masks).replaced(x0)

    def enhancer(self, faces: Sequence[Face], frames: int) -> Enhancer:
        """G for faces with the same settings, one after the other; the last frame is repeated to so many."""
        models = self._load(faces[0].settings)
        if not inlays(faces[0].settings):
            return models.enhancer
        assert models.released_parser is not None
        found = [points for face in faces for points in self._landmarks(face, models)]
        found += found[-1:] * (frames - len(found))
        matrices = [None if points is None else released.affine(points) for points in found]
        return released.Inlaid(models.enhancer, models.released_parser.labels, matrices)

    @staticmethod
    def _landmarks(face: Face, models: Models) -> Sequence[NDArray[np.float64] | None]:
        """(5, 2) in every frame of x, by the track, or else found in what the network is told; None without face."""
        if face.landmarks is not None:
            return list(face.landmarks)
        assert models.detector is not None
        without = replace(models, released_parser=None)  # w̃ is not asked for
        c = condition_for(face.y.to(models.device), face.size, face.settings, without).c
        return released.largest(to_uint8(c), models.detector)

    def _steadied(self, face: Face, masks: Masks) -> Masks:
        """Its masks, with what steadies them at hand."""
        if masks.parser is None or not face.around:
            return masks
        near = face.around
        at = sum(one.first < face.first for one in near)
        y = torch.cat([one.y for one in (*near[:at], face, *near[at:])])
        neighbours = Neighbours(
            np.concatenate([self._labels(one, masks.parser) for one in near]),
            np.concatenate([masks.landmarks if one.landmarks is None else one.landmarks for one in near]),
            grey(upscale(y, face.size)),
            at,
        )
        return replace(masks, neighbours=neighbours)

    def _labels(self, face: Face, parser: Parser) -> NDArray[np.uint8]:
        """(1, S, S): what the parser says to a face as the footage shows it; kept for its neighbours."""
        key = keys.of_labels(face, self._load(face.settings), parser)
        if key not in self._parsed:
            kept = self._kept.get(key) if self._kept else None
            labels = parser.labels(upscale(face.y, face.size)) if kept is None else kept["labels"]
            if self._kept and kept is None:
                self._kept.put(key, {"labels": labels})
            while len(self._parsed) >= PARSED:
                del self._parsed[next(iter(self._parsed))]
            self._parsed[key] = labels
        return self._parsed[key]
