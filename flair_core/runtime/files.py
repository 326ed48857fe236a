"""Paths as people give them, and files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.errors import MediaError

if TYPE_CHECKING:
    from collections.abc import Iterator


PARTIAL = ".partial"
"""Ends the name of a file that is being written."""
SHOWN = 80
"""Letters of a path that a sentence repeats."""


def as_path(given: object) -> Path:
    """A path that somebody named, whether or not anything lies there. Raises MediaError when nothing ever can."""
    if not isinstance(given, str | os.PathLike) or not isinstance(text := os.fspath(given), str):
        kind = type(given).__name__
        raise MediaError(
            f"A path must be a text or a pathlib.Path, but got {given!r:.{SHOWN}}, of type {kind}."
        )
    if not text:
        raise MediaError("The path is empty. Name a file or a folder.")
    path = Path(text)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        shown = repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
        reason = getattr(error, "strerror", None) or "it holds characters that no path can have"
        raise MediaError(f"{shown} can't be used as a path ({reason}). Name another one.") from None
    return path


@contextlib.contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Gives a name beside `path` to write to, and swaps both: a reader finds the old file or the new one.

    When the block raises, the old file stays and nothing is left beside it.
    durable: the disk has the new file before it takes the name. Without, nobody waits for the disk, but after a power
    failure the file may be torn.
    Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        yield partial
        if durable:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a text in UTF-8, whole or not at all; see `replacing`. Raises OSError."""
    with replacing(path, durable=durable) as partial:
        partial.write_text(text, encoding="utf-8")
