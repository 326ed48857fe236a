"""What a user makes: a clip, the frames of it that count, settings and faces. A value, and its file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from flair_core.errors import FlairError
from flair_core.runtime import files
from flair_core.settings.drawn import DrawnFace, Stroke
from flair_core.settings.look import Look

if TYPE_CHECKING:
    from collections.abc import Sequence


VERSION = 1
SUFFIX = ".flair"
LONG = 3000
"""Frames; in a longer clip faces are searched between in and out only."""


class ProjectError(FlairError):
    """A project can't be read or written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Everything that undo brings back."""

    clip: Path | None = None
    span: tuple[int, int] | None = None
    """First and last frame that count; None for the whole clip."""
    look: Look = field(default_factory=Look)
    """Settings, over time and per face."""
    other: Look | None = None
    """Others to compare them with."""
    slot: Literal["A", "B"] = "A"
    """How `look` is called beside `other`."""
    drawn: tuple[DrawnFace, ...] = ()
    left_out: frozenset[int] = frozenset()
    """Faces, by number, that stay as they were filmed."""
    strokes: tuple[Stroke, ...] = ()
    """Of the brush, over the masks of faces."""
    reference: Path | None = None
    """A clip of the same frames as they were before they were degraded, to measure against."""
    unknown: dict[str, Any] = field(default_factory=dict)
    """What a later version wrote and this one keeps as it is."""


def dump(project: Project, folder: Path) -> str:
    """The project as JSON; paths are relative to `folder`, where the project will lie."""
    return json.dumps(
        {
            **project.unknown,
            "version": VERSION,
            "clip": _relative(project.clip, folder) if project.clip else None,
            "span": project.span,
            "settings": project.look.to_dict(),
            **({"other": project.other.to_dict(), "slot": project.slot} if project.other else {}),
            "drawn": [face._asdict() for face in project.drawn],
            "left_out": sorted(project.left_out),
            "strokes": [stroke._asdict() for stroke in project.strokes],
            **({"reference": _relative(project.reference, folder)} if project.reference else {}),
        },
        indent=2,
    ) + "\n"  # fmt: skip


def parse(text: str, folder: Path) -> Project:
    """Read what `dump` wrote. Raises ProjectError or SettingsError."""
    try:
        data = json.loads(text)
        version = data.pop("version")
        if version > VERSION:
            raise ProjectError(
                f"This project was saved by a newer version of FLAIR Studio (format {version}). "
                "Update the application to open it."
            )
        clip, span, other = data.pop("clip"), data.pop("span"), data.pop("other", None)
        reference = data.pop("reference", None)
        return Project(
            clip=(folder / clip).resolve() if clip else None,
            span=(int(span[0]), int(span[1])) if span else None,
            look=Look.from_dict(data.pop("settings")),
            other=Look.from_dict(other) if other else None,
            slot="B" if data.pop("slot", "A") == "B" else "A",
            drawn=tuple(
                DrawnFace(_box(face["box"]), int(face["first"]), int(face["last"]))
                for face in data.pop("drawn", [])
            ),
            left_out=frozenset(map(int, data.pop("left_out", []))),
            strokes=tuple(map(Stroke.from_dict, data.pop("strokes", []))),
            reference=(folder / reference).resolve() if reference else None,
            unknown=data,
        )
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ProjectError(
            f"The project is damaged ({type(error).__name__}: {error}). Open an earlier copy."
        ) from None


def _box(edges: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, right, bottom = map(float, edges)
    return left, top, right, bottom


def read(path: Path) -> Project:
    """Open a project file. Raises ProjectError or SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError(f"The project {path.name} can't be read: {error}.") from None
    return parse(text, path.parent)


def write(project: Project, path: Path) -> None:
    """Save a project; a crash leaves the earlier file as it was. Raises ProjectError."""
    try:
        files.write_text(path, dump(project, path.parent))
    except OSError as error:
        raise ProjectError(
            f"The project can't be saved as {path}: {error.strerror}. Choose another folder."
        ) from None


def _relative(path: Path, folder: Path) -> str:
    """With forward slashes on every system; absolute where there is no way between them (another drive)."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.as_posix()
