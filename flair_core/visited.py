"""Which frames of a clip were restored before: so they are found in the cache without reading the whole clip."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from flair_core import provenance
from flair_core.cache import key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flair_core.cache import Cache
    from flair_core.settings import FootageSettings
    from flair_core.video import FrameSource


def frames(cache: Cache, source: FrameSource, footage: FootageSettings) -> tuple[int, ...]:
    """Numbers of the frames that were restored under any look, in order; the cache may have lost some since."""
    known = cache.get(_entry(source, footage))
    return () if known is None else tuple(known["frames"].tolist())


def note(cache: Cache, source: FrameSource, footage: FootageSettings, restored: Iterable[int]) -> None:
    """Remember that these frames were restored."""
    before = set(frames(cache, source, footage))
    if not before.issuperset(now := set(restored)):
        cache.put(_entry(source, footage), {"frames": np.array(sorted(before | now), np.int64)})


def _entry(source: FrameSource, footage: FootageSettings) -> str:
    return key(visited=provenance.fingerprint(source.path), footage=asdict(footage))
