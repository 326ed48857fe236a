"""How far a long piece of work is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flair_core.frames import Pixels


@dataclass(frozen=True, slots=True)
class Progress:
    """One frame is done."""

    done: int
    total: int
    index: int
    """Of the frame in its clip."""
    frame: Pixels | None = None
    residual: float = 0.0
    """Root mean square of A x̂ − y over the frame's faces, in 8-bit levels."""
    stage: str = "restore"
    """Or "join the cluster", "find faces", "record"."""
    notes: tuple[str, ...] = ()
    """What a person should know that happened on the way here; one sentence each."""
