"""Damage as it is in life: chains of blur, resizing and noise, then what film, tape, codecs, print and phones leave.

It is stronger than eq. (10), and no operator A describes it. `draw` fixes every parameter once, from a kind, a
strength and a seed; `damaged` then does to all frames of a clip what that says.

    from flair_core.degradations.damage import damaged, draw
    from flair_core.video.recoded import recode

    y = damaged(frames, draw("film", strength=0.6, seed=7), recode)  # (T, H, W, 3) uint8, as many and as large

Codecs come from above (`Recode`), since this package lies below `flair_core.video`, which alone speaks to PyAV.
"""

from flair_core.degradations.damage.chain import damage_frames, damaged
from flair_core.degradations.damage.kernel_files import read_kernels
from flair_core.degradations.damage.kinds import draw, draw_damage
from flair_core.degradations.damage.values import KINDS, Coding, Damage, Recode

__all__ = [
    "KINDS",
    "Coding",
    "Damage",
    "Recode",
    "damage_frames",
    "damaged",
    "draw",
    "draw_damage",
    "read_kernels",
]
