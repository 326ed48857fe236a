"""Hashes of what a result depends on: code, libraries, weights and footage."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from functools import cache
from pathlib import Path

from flair_core.checkpoints import catalogue, store
from flair_core.checkpoints.store import sha256_of
from flair_core.errors import MediaError

LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "opencv-python", "av")
"""Their versions may change pixels."""


WITHOUT_PIXELS = ("cli", "training", "metrics", "experiments", "estimation")
"""Parts of the core that no restored pixel depends on."""


ENDS = 1 << 20
"""Bytes of a file's start and end that tell it from another of the same size and time."""


@cache
def code_version() -> str:
    """SHA-256 of the core's sources and the versions of its libraries: the same code gives the same faces."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256(json.dumps(library_versions()).encode())
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] not in WITHOUT_PIXELS:
            digest.update(path.relative_to(root).as_posix().encode() + b"\n" + path.read_bytes())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries that compute."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def weights_hash(name: str) -> str | None:
    """SHA-256 of the file behind a model's name or path; None when it has none."""
    path = store.path(name) if name in catalogue.CHECKPOINTS else Path(name)
    return _sha256_of(path, path.stat().st_mtime_ns) if path.is_file() else None


@cache
def _sha256_of(path: Path, _: int) -> str:
    return sha256_of(path)


def fingerprint(path: Path) -> str:
    """Tells a clip from others and from itself after a change, without reading all of it. Raises MediaError.

    A file by size, time of change, first and last MiB; a folder by the sizes and times of what is in it.
    """
    try:
        if path.is_dir():
            entries = sorted((e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in os.scandir(path))
            return hashlib.sha256(json.dumps(entries).encode()).hexdigest()
        status = path.stat()
        digest = hashlib.sha256(f"{status.st_size} {status.st_mtime_ns}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(ENDS))
            file.seek(max(status.st_size - ENDS, 0))
            digest.update(file.read())
        return digest.hexdigest()
    except OSError as error:
        raise MediaError(
            f"{path} can't be read any more ({error.strerror}). Bring it back and run again; "
            "what was restored is kept."
        ) from None
