"""What was done to a clip, as values: drawn once, kept beside it as JSON, never changed.

Lengths are in pixels of the clip, however small it is made on the way; noise is on the [0, 1] image scale.
Zeros leave the picture as it is.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Protocol

from flair_core.degradations.damage.record import read
from flair_core.settings.fields import Choice, Range

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    import numpy as np
    from numpy.typing import NDArray

    Picture: TypeAlias = NDArray[np.float32]
    """(H, W, 3) R'G'B' in [0, 1]; in between a mark may go beyond."""

KINDS = ("film", "tape", "broadcast", "web", "print", "phone")
FILTERS = ("area", "bilinear", "bicubic", "lanczos")


@dataclass(frozen=True, slots=True, kw_only=True)
class Coding:
    """How pictures are compressed."""

    codec: Annotated[str, Choice(("mpeg2", "h264", "jpeg"))]
    """"mpeg2", "h264" or "jpeg"."""
    quality: float
    """The finest quantiser of MPEG-2 (2 to 31), the CRF of H.264 (0 to 51), the quality of JPEG (1 to 100)."""
    rate: float = 0.0
    """MPEG-2 only: bits a pixel of the clip that the coder aims at, coarser than `quality` where it must be."""


class Recode(Protocol):
    """Compresses and decodes a clip; `flair_core.video.recoded.recode` is one."""

    def __call__(self, frames: Iterator[NDArray[np.uint8]], coding: Coding) -> Iterator[NDArray[np.uint8]]:
        """(H, W, 3) frames in order → as many, as large."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blur:
    """One blur of a chain."""

    kind: Annotated[str, Choice(("gaussian", "motion", "defocus", "curved"))] = "gaussian"
    """"gaussian", "motion", "defocus" (a disc) or "curved" (a kernel from a file)."""
    width: float = 0.0
    """Std of the Gaussian, length of the motion, radius of the disc."""
    ratio: float = 1.0
    """Of the Gaussian's std across its angle to that along it."""
    angle: float = 0.0
    """Degrees; 90 is up."""
    taps: tuple[tuple[float, ...], ...] = ()
    """The curved kernel, which sums to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Noise of one round."""

    gaussian: float = 0.0
    """Std, everywhere the same, in all three colours apart."""
    shot: float = 0.0
    """Poisson noise: its std at white; it grows with the root of the brightness."""
    grain: float = 0.0
    """Film grain: its std in mid-tones, where it is strongest."""
    grain_size: float = 1.0
    """Std of the Gaussian that makes white noise into grain."""
    grain_colour: float = 0.0
    """From 0, the same in the three colours, to 1, each its own."""
    chroma: float = 0.0
    """Std of blotches in colour that leave the brightness alone."""
    chroma_size: float = 2.0
    still: bool = False
    """Whether it is the same in every frame, as that of a photograph on paper; else each frame has its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round of a chain: blur, resizing, noise, and at times compression."""

    blur: Blur
    factor: float
    """Size after this round over that of the clip."""
    filter: Annotated[str, Choice(FILTERS)]
    """"area", "bilinear", "bicubic" or "lanczos"."""
    noise: Noise
    coding: Coding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """What a film strip and its projector leave."""

    flicker: float
    """Std of the exposure over time, of 1."""
    weave: float
    """Std of the place of the picture in the gate, as seen from the first frame."""
    dust: float
    """Specks and hairs in 256 × 256 pixels of a frame."""
    dust_size: float
    """Usual radius of a speck."""
    dust_dark: float
    """Share of the dust that is dark: that on the print; dust on the negative is light."""
    scratches: int
    """How many scratches there may be at a time in 256 columns; each stands for a while."""
    scratch: float
    """Opacity of the strongest."""
    scratch_dark: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tape:
    """What a video recorder leaves."""

    luma_blur: float
    """Std along the lines: what the tape's bandwidth takes from the brightness."""
    ringing: float
    """Height of the first echo beside an edge, of the edge."""
    ringing_period: float
    chroma_delay: float
    """Columns by which colour comes late."""
    chroma_blur: float
    """Std along the lines."""
    chroma_lines: float
    """Std across the lines."""
    streaks: float
    """Std of the noise in brightness, smeared along the lines."""
    chroma_streaks: float
    jitter: float
    """Std of the place at which a line begins."""
    comb: float
    """Columns by which the odd lines stand beside the even ones, where a movement was between the fields."""
    switching: float
    """Share of the height, from the bottom, that the switching of heads bends."""
    switching_shift: float
    """Columns by which the last line is off."""
    dropouts: float
    """Lost stretches of lines in 256 × 256 pixels of a frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Print:
    """What a printing press, paper and the years leave; all of it stands still."""

    halftone: float
    """How much of the picture is dots: 0 a photograph, 1 nothing else."""
    pitch: float
    """From dot to dot."""
    angles: tuple[float, float, float]
    """Of the screens of red, green and blue, in degrees; equal for one ink."""
    spread: float
    """Std of the ink's spread, of the pitch."""
    paper: float
    """Std of the paper's fine texture."""
    blotches: float
    """Std of its broad stains."""
    yellowing: float
    """From 0, white paper, to 1, brown."""
    fading: float
    """From 0, black ink, to 1, grey."""
    creases: int
    """Folds and cracks that show the paper."""
    crease: float
    """Their opacity."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """What a phone's processor leaves."""

    smear: float
    """Contrasts below this are smoothed away with the noise."""
    chroma_smear: float
    """Std of the blur of colours."""
    halo: float
    """How much of an edge's contrast is added beside it."""
    halo_size: float


MARKS: Mapping[str, type[Film | Tape | Print | Phone]] = {
    "film": Film,
    "tape": Tape,
    "print": Print,
    "phone": Phone,
}
"""The marks of each kind; the other kinds have none but compression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Everything that is done to a clip: two rounds, marks, compression, and back to the clip's size."""

    kind: Annotated[str, Choice(KINDS)]
    strength: Annotated[float, Range(0, 1)]
    seed: Annotated[int, Range(0, math.inf)]
    """Decides the noise, too: that of a frame follows from it and from the frame's index, and from nothing else."""
    rounds: tuple[Round, Round]
    marks: Film | Tape | Print | Phone | None
    coding: Coding | None
    """Compression after the marks."""
    enlarge: Annotated[str, Choice(FILTERS)]
    """The filter by which the picture comes back to its size."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, record: Any) -> Damage:
        """What `as_dict` gave, after JSON. Raises SettingsError when it is something else."""
        kind = record.get("kind") if isinstance(record, dict) else None
        marks = MARKS.get(kind) if isinstance(kind, str) else None
        damage: Damage = read(cls, record, "damage", marks=marks | None if marks else type(None))
        return damage
