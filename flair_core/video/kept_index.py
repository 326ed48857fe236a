"""Indices of long files, kept in the cache folder: a file that is opened again is ready at once."""

from __future__ import annotations

import time
from dataclasses import fields
from typing import TYPE_CHECKING

import av
import numpy as np

from flair_core import cache
from flair_core.video.index import Entry, Index, build_index

if TYPE_CHECKING:
    import threading
    from pathlib import Path

FORMAT = 1
LIMIT = 256 << 20
"""Bytes that all of them may take; an hour takes about a megabyte."""
WORTH_KEEPING = 0.3
"""Seconds: what was scanned faster is scanned again."""
NOTHING = np.iinfo(np.int64).min
"""Stands for None."""


def kept_index(path: Path, stop: threading.Event) -> Index:
    """The index of a file as it is now, from the cache folder or by `build_index`, whose errors it has."""
    begun = time.monotonic()
    kept = cache.Cache(cache.default_folder().with_name("indices"), limit=LIMIT)
    entry = _entry(path)
    if entry and (known := kept.get(entry)) is not None:
        return _unpacked(known)
    index = build_index(path, stop)
    # A file that grew meanwhile has another entry now.
    if entry and time.monotonic() - begun > WORTH_KEEPING and _entry(path) == entry:
        kept.put(entry, _packed(index))
    return index


def _entry(path: Path) -> str | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return cache.key(
        path=str(path.resolve()),
        size=status.st_size,
        changed=status.st_mtime_ns,
        libav=av.library_versions,
        format=FORMAT,
    )


def _packed(index: Index) -> cache.Arrays:
    parts = {field.name: getattr(index, field.name) for field in fields(index)}
    parts["entries"] = [[NOTHING if part is None else part for part in entry] for entry in index.entries]
    return {name: np.array(part, np.int64) for name, part in parts.items()}


def _unpacked(arrays: cache.Arrays) -> Index:
    entries = tuple(
        Entry(first, *(None if part == NOTHING else part for part in place))
        for first, *place in arrays["entries"].tolist()
    )

    return Index(
        tuple(arrays["pts"].tolist()),
        arrays["last_duration"].item(),
        entries,
        bool(arrays["counted"].item()),
        arrays["missing"].item(),
        arrays["repaired"].item(),
    )
