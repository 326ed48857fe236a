"""Which frames of a clip were restored before: so they are found in the cache without reading the whole clip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flair_core.kept import fingerprints
from flair_core.kept.cache import key
from flair_core.settings.fields import values_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from flair_core.kept.cache import Cache
    from flair_core.settings.groups import FootageSettings


def frames(cache: Cache, clip: Path, footage: FootageSettings) -> tuple[int, ...]:
    """Numbers of the frames that were restored under any look, in order; the cache may have lost some since."""
    known = cache.get(_entry(clip, footage))
    return () if known is None else tuple(known["frames"].tolist())


def note(cache: Cache, clip: Path, footage: FootageSettings, restored: Iterable[int]) -> None:
    """Remember that these frames were restored."""
    before = set(frames(cache, clip, footage))
    if not before.issuperset(now := set(restored)):
        cache.put(_entry(clip, footage), {"frames": np.array(sorted(before | now), np.int64)})


def _entry(clip: Path, footage: FootageSettings) -> str:
    return key(visited=fingerprints.fingerprint(clip), footage=values_of(footage, "frames"))
