"""Indices that are made once: readers of a file share its index, and that of a long file stays in the cache folder."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import fields
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import av
import numpy as np

from flair_core.kept import cache, fingerprints
from flair_core.video.index import UNKNOWN, Entry, Index, IndexingStopped, build_index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = 256 << 20
"""Bytes that all of them may take; an hour takes about a megabyte."""
WORTH_KEEPING = 0.3
"""Seconds: what was scanned faster is scanned again."""


_shared: WeakValueDictionary[str, Index] = WeakValueDictionary()
"""As long as anyone reads the file."""
_scanning: set[str] = set()
_scanned = threading.Condition()


def kept_index(path: Path, stop: threading.Event) -> Index:
    """The index of a file as it is now: of another reader, from the cache folder, or by `build_index`.

    Raises what that raises.
    """
    entry = _entry(path)
    if entry is None:
        return build_index(path, stop)
    with _one_at_a_time(entry, stop):
        index = _shared.get(entry)
        if index is None:
            index = _from_disk(path, entry, stop)
            _shared[entry] = index
        return index


@contextmanager
def _one_at_a_time(entry: str, stop: threading.Event) -> Iterator[None]:
    """Let others that want the same index wait. Raises IndexingStopped to those who do not want it any more."""
    with _scanned:
        while entry in _scanning:
            _scanned.wait(0.1)
            if stop.is_set():
                raise IndexingStopped
        _scanning.add(entry)
    try:
        yield
    finally:
        with _scanned:
            _scanning.discard(entry)
            _scanned.notify_all()


def _from_disk(path: Path, entry: str, stop: threading.Event) -> Index:
    begun = time.monotonic()
    kept = cache.Cache(cache.default_folder().with_name("indices"), limit=LIMIT)
    if (known := kept.get(entry)) is not None:
        return _unpacked(known)
    index = build_index(path, stop)
    # A file that grew meanwhile has another entry now.
    if time.monotonic() - begun > WORTH_KEEPING and _entry(path) == entry:
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
        code=fingerprints.code_version(fingerprints.INDEXING),
    )


def _packed(index: Index) -> cache.Arrays:
    parts = {field.name: getattr(index, field.name) for field in fields(index)}
    parts["entries"] = [[UNKNOWN if part is None else part for part in entry] for entry in index.entries]
    return {name: np.array(part, np.int64) for name, part in parts.items()}


def _unpacked(arrays: cache.Arrays) -> Index:
    entries = tuple(
        Entry(first, *(None if part == UNKNOWN else part for part in place))
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
