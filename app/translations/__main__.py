"""Renews the lists of words to translate, and compiles them: python -m app.translations."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from app.actions import MENUS
from app.preferences import LANGUAGES
from app.translations import SOURCE
from app.widgets.parameters import SECTIONS
from flair_core.checkpoints import catalogue
from flair_core.settings.fields import Choice, fields
from flair_core.settings.groups import GROUPS
from flair_core.settings.looks import LOOKS
from flair_core.video import CODECS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent
NETWORKS = ("none", "embedded")
"""Choices of networks that are words rather than names."""


def words_of_tables() -> Iterator[tuple[str, str]]:
    """(context, words) of what the window shows from tables of values, where lupdate doesn't see it."""
    for title, entries in MENUS.items():
        yield "Actions", title
        for entry in entries:
            yield from (("Actions", words) for words in (entry.words, entry.short) if words)
    yield from (("settings", title) for title, _, _ in SECTIONS)
    yield from (("settings", name) for name in NETWORKS)
    for group in GROUPS.values():
        for field in fields(group).values():
            yield from (("settings", words) for words in (field.help.label, field.help.text))
            if isinstance(field.limit, Choice):
                yield from (("settings", value) for value in field.limit.values if isinstance(value, str))
    for look in LOOKS.values():
        yield from (("looks", words) for words in (look.label, look.text))
    for checkpoint in catalogue.CHECKPOINTS.values():
        words_of_it = (checkpoint.purpose, checkpoint.licence, checkpoint.source)
        yield from (("weights", words) for words in words_of_it)
    yield from (("video", codec.label) for codec in CODECS.values())


def renew(lists: Sequence[Path]) -> None:
    """Let these .ts files have every word of the program, and no other; what is translated stays."""
    with tempfile.TemporaryDirectory() as folder:
        tables = Path(folder) / "tables.py"
        marked = (f"QT_TRANSLATE_NOOP({context!r}, {words!r})\n" for context, words in words_of_tables())
        tables.write_text("".join(marked), encoding="utf-8")
        sources = [str(path) for path in sorted(HERE.parent.rglob("*.py"))]
        how = ["-locations", "none", "-no-obsolete"]
        _run("pyside6-lupdate", *sources, str(tables), *how, "-ts", *map(str, lists))


def compile_all(lists: Sequence[Path]) -> None:
    """Write the .qm next to each .ts."""
    for path in lists:
        _run("pyside6-lrelease", str(path), "-qm", str(path.with_suffix(".qm")))


def _run(tool: str, *arguments: str) -> None:
    """One of PySide6's tools, which lie in the folder of the interpreter."""
    path = Path(sys.executable).with_name(tool)
    subprocess.run([str(path) if path.exists() else tool, *arguments], check=True)


if __name__ == "__main__":
    found = [HERE / f"{language}.ts" for language in LANGUAGES if language != SOURCE]
    renew(found)
    compile_all(found)
