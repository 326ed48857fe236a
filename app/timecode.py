"""Frame numbers as timecode and back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fractions import Fraction


def timecode(index: int, rate: Fraction) -> str:
    """hh:mm:ss:ff without dropped numbers: every frame counts, at the rate rounded to whole frames."""
    base = max(1, round(rate))
    seconds, frame = divmod(index, base)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frame:02}"


def parse(text: str, rate: Fraction) -> int | None:
    """The frame that a user typed, as timecode (the beginning may be missing) or plain number; else None."""
    text = text.strip()
    if not re.fullmatch(r"\d+([:;.]\d+){0,3}", text):
        return None
    base, parts = max(1, round(rate)), [int(part) for part in re.split(r"[:;.]", text)]
    if len(parts) == 1:
        return parts[0]
    *clock, frame = parts
    seconds = 0
    for part in clock:
        seconds = 60 * seconds + part
    return seconds * base + frame
