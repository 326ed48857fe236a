"""A restored frame: faces put back, masks, residuals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from flair_core.faces import align, grain, match, paste
from flair_core.frames import deepened, to_uint16
from flair_core.restoration.crop import Face
from flair_core.restoration.models import Load
from flair_core.restoration.restored import Restored
from flair_core.restoration.window import operator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from flair_core.frames import Frame, Pixels
    from flair_core.settings.groups import RestorationSettings
    from flair_core.video import FrameSource


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished frame."""

    frame: Frame
    shown: NDArray[np.float32]
    """(H, W) in [0, 1]: where the restoration shows."""
    residual: float


def picture_of(
    frame: Frame, results: Sequence[tuple[Face, Restored]], settings: RestorationSettings
) -> Picture:
    """The finished frame, with its faces put back."""
    rgb = composite(frame, results, settings)
    shown = shown_in(frame, results, settings, rgb.shape[:2])
    return Picture(replace(frame, rgb=rgb), shown, residual_of(frame, results))


def composite(
    frame: Frame, results: Sequence[tuple[Face, Restored]], settings: RestorationSettings
) -> Pixels:
    """The frame with its restored faces."""
    if settings.faces.aligned:
        footage = paste.enlarged_frame(deepened(frame.rgb), settings.magnification)
        if not results:
            return footage
        ((face, restored),) = results
        whole, strength = to_uint16(restored.x0[frame.index - face.first]), face.strength(frame.index)
        return whole if strength == 1 else _mixed(footage, whole, strength)
    rgb = deepened(frame.rgb)
    canvas = paste.enlarged_frame(rgb, settings.faces.upscale)
    for face, restored in results:
        if face.matrices is not None and frame.index in face.span:
            at = frame.index - face.first
            matrix, mask = face.matrices[at], face.strength(frame.index) * restored.mask[at]
            paste.paste_into(canvas, rgb, coloured(restored.x0[at], frame, face), matrix, mask)
            if (amount := face.settings.faces.grain) > 0:
                grain.add_into(canvas, rgb, mask, matrix, amount, chance(face, frame.index))
    return canvas


def _mixed(footage: Pixels, restored: Pixels, strength: float) -> Pixels:
    """Between two pictures of 16 bits."""
    mixed = footage + np.float32(strength) * (restored.astype(np.float32) - footage)
    return np.asarray(np.rint(mixed), np.uint16)


def coloured(x0: torch.Tensor, frame: Frame, face: Face) -> torch.Tensor:
    """A restored face (3, S, S) with the colour of the frame, if that is wanted."""
    if face.matrices is None or not face.settings.faces.match_colour:
        return x0
    return match.with_colour_of(
        x0, align.crop(frame.rgb, face.matrices[frame.index - face.first], x0.shape[-1])
    )


def chance(face: Face, index: int) -> np.random.SeedSequence:
    """Of its own for every frame and face, whenever and in whatever part of the clip it is made."""
    return np.random.SeedSequence([face.settings.sampler.seed, index, (face.track or 0) % 2**32])


def shown_in(
    frame: Frame,
    results: Sequence[tuple[Face, Restored]],
    settings: RestorationSettings,
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """The masks of all faces in the output frame, (H, W)."""
    if settings.faces.aligned:
        return np.full(size, results[0][0].strength(frame.index) if results else 0.0, np.float32)
    shown = np.zeros(size, np.float32)
    for face, restored in results:
        if face.matrices is not None and frame.index in face.span:
            at = frame.index - face.first
            mask = face.strength(frame.index) * restored.mask[at]
            shown = np.maximum(shown, placed(mask, face.matrices[at], settings, size))
    return shown


def placed(
    plane: NDArray[np.float32], matrix: align.Points, settings: RestorationSettings, size: tuple[int, int]
) -> NDArray[np.float32]:
    """A plane over the aligned face, (S, S), where it belongs in the output frame, (H, W) = size."""
    upscale = settings.faces.upscale
    backward = align.inverse(matrix) * upscale
    backward[:, 2] += (upscale - 1) / 2  # the centre of a pixel stays the centre of its block
    return np.asarray(cv2.warpAffine(plane, backward, (size[1], size[0])), np.float32)


def greyscale(shown: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W) in [0, 1] → (H, W, 3); black only where nothing at all was generated."""
    return np.repeat(np.ceil(255 * shown).astype(np.uint8)[..., None], 3, axis=2)


def residual_of(frame: Frame, results: Sequence[tuple[Face, Restored]]) -> float:
    """Root mean square of A x̂ − y over the faces of a frame, in 8-bit levels; 0 without faces."""
    parts = [made.error[frame.index - face.first] for face, made in results if frame.index in face.span]
    return 127.5 * float(np.sqrt(np.mean(parts))) if parts else 0.0


def residual_map(
    frame: Frame,
    results: Sequence[tuple[Face, Restored]],
    settings: RestorationSettings,
    load: Load,
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """Root mean square over the colours of A x̂ − y, (H, W) = size, in 8-bit levels."""
    wrong = np.zeros(size, np.float32)
    for face, made in results:
        at = slice(frame.index - face.first, frame.index - face.first + 1)
        device = load(face.settings).device
        A = operator(face.settings, face.size, device)
        error = A.forward(made.x0[at].to(device)) - face.y[at].to(device)
        levels = 127.5 * error[0].square().mean(0).sqrt().float().cpu().numpy()
        coarse = cv2.resize(levels, face.size[::-1], interpolation=cv2.INTER_NEAREST).astype(np.float32)
        if face.matrices is None:
            return coarse
        inside = coarse * (made.mask[at][0] > 0)
        wrong = np.maximum(wrong, placed(inside, face.matrices[at.start], settings, size))
    return wrong


def output_size(source: FrameSource, settings: RestorationSettings) -> tuple[int, int]:
    """(width, height) of a restored frame."""
    factor = settings.degradation.scale if settings.faces.aligned else settings.faces.upscale
    return source.info.width * factor, source.info.height * factor
