"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PARTIAL = ".partial"
"""Ends the name of a file that is being written."""


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
