"""Results kept between runs, each under the hash of everything that it depends on.

Preview, resume and re-render are this one mechanism: a result is asked for by its key, and made and put there
when it is missing. Another setting is another key, so nothing ever goes stale.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import platformdirs
from safetensors.numpy import load, save

from flair_core.runtime.files import PARTIAL, replacing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]


LIMIT = 20 << 30
"""Bytes that the entries may take together."""
RESERVE = 1 << 30
"""Bytes of the disk that are left to others, above all to the output that is being written."""
CHECKSUM = hashlib.sha256().digest_size
REST = 60.0
"""Seconds without writing after it has failed."""
FULL = (
    "Restored faces could not all be kept, because the disk is full or the cache folder can't be written; had this "
    "run been interrupted, some would have been restored again. Free space to avoid that."
)
ABANDONED = 3600.0
"""Seconds after which a partial entry belongs to nobody any more."""


def key(**parts: object) -> str:
    """SHA-256 of named parts: arrays by type, shape and content, anything else by its JSON."""
    digest = hashlib.sha256()
    for name, part in sorted(parts.items()):
        if isinstance(part, np.ndarray):
            kind, content = f"{part.dtype.str} {part.shape}", part.tobytes()
        else:
            kind, content = "json", json.dumps(part, sort_keys=True).encode()
        digest.update(f"{name} {kind} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def default_folder() -> Path:
    """Where restored faces are kept, in the user's cache folder."""
    return platformdirs.user_cache_path("flair-studio", appauthor=False) / "restored"


class Cache:
    """Arrays by key, in one file each: a checksum, then safetensors.

    An entry appears all at once, and one that is damaged counts as missing. When the entries outgrow `limit`
    or the disk runs short, those that were used longest ago go; what was used since `keep_since` (seconds
    since 1970, default: now) stays, even above the limit, because unfinished work needs it. When nothing can
    be written, the cache only reads for a while, and `notes` says so.
    """

    def __init__(
        self, folder: Path | None = None, *, limit: int = LIMIT, keep_since: float | None = None
    ) -> None:
        self.folder = folder or default_folder()
        self.notes: list[str] = []
        """What a person should know; one sentence each."""
        self._limit = self._trim_above = limit
        self._keep_since = time.time() if keep_since is None else keep_since
        self._size: int | None = None
        self._writing = threading.Lock()
        self._resting_until = 0.0
        """Of `time.monotonic`: nothing is written before, because it would fail."""

    def get(self, key: str) -> dict[str, NDArray[Any]] | None:
        """The arrays under `key`; None when there are none."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data[CHECKSUM:]).digest() != data[:CHECKSUM]:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return load(data[CHECKSUM:])

    def put(self, key: str, arrays: Arrays) -> None:
        """Keep arrays under `key`. Never fails: what can't be kept must be made again."""
        if time.monotonic() < self._resting_until:
            return
        payload = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        data = hashlib.sha256(payload).digest() + payload
        try:
            with self._writing:
                self._make_room(len(data))
                self._publish(self._path(key), data)
        except OSError:
            self._resting_until = time.monotonic() + REST
            if FULL not in self.notes:
                self.notes.append(FULL)

    def clear(self) -> int:
        """Forget everything; returns the bytes that this freed."""
        freed = sum(size for _, size, _ in self._entries())
        shutil.rmtree(self.folder, ignore_errors=True)
        self._size = None
        return freed

    def unread(self) -> Unread:
        """This cache for what is to be made anew, step by step, and then kept."""
        return Unread(self)

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / key

    def _publish(self, path: Path, data: bytes) -> None:
        """Nobody waits for the disk: what a power failure tears, the checksum tells."""
        with replacing(path, durable=False) as partial:
            partial.write_bytes(data)
        self._size = (self._size or 0) + len(data)

    def _make_room(self, needed: int) -> None:
        """Raises OSError when the disk has none."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # faces are nobody else's business
        if self._size is None:
            self._size = sum(size for _, size, _ in self._entries())
        if self._size + needed > self._trim_above:
            self._trim(self._limit - needed)
            # What must stay is not counted again for every entry.
            self._trim_above = max(self._limit, self._size + needed + self._limit // 10)
        if self._room() < needed:
            self._trim(self._size + self._room() - needed)
            if self._room() < needed:
                raise OSError(0, "the disk is nearly full")

    def _room(self) -> int:
        return shutil.disk_usage(self.folder).free - RESERVE

    def _trim(self, limit: int) -> None:
        """Forget what was used longest ago, down to `limit` bytes."""
        entries = sorted(self._entries())
        self._size = sum(size for _, size, _ in entries)
        for used, size, path in entries:
            if self._size <= limit or used >= self._keep_since:
                return
            path.unlink(missing_ok=True)
            self._size -= size

    def _entries(self) -> Iterator[tuple[float, int, Path]]:
        """(last use, bytes, path) of every entry; clears away what a killed process left."""
        for path in self.folder.glob("*/*"):
            try:
                status = path.stat()
                if path.suffix != PARTIAL:
                    yield status.st_mtime, status.st_size, path
                elif status.st_mtime < time.time() - ABANDONED:
                    path.unlink()
            except FileNotFoundError:  # another process was faster
                continue


class Unread:
    """A cache in which nothing is found, but what is put there is kept."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def get(self, key: str) -> None:
        """Nothing."""

    def put(self, key: str, arrays: Arrays) -> None:
        """See Cache."""
        self._cache.put(key, arrays)
