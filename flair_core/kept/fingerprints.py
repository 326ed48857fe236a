"""Hashes of what a result depends on: code, libraries, weights and footage."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.metadata
import json
import os
import threading
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from flair_core.checkpoints import catalogue, store
from flair_core.checkpoints.store import sha256_of
from flair_core.errors import MediaError
from flair_core.runtime import files

LIBRARIES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "opencv-python",
    "av",
    "facexlib",
    "spandrel",
    "spandrel-extra-arches",
    "llvmlite",
)
"""Their versions may change pixels; some of them need not be here."""


INDEXING = ("video/containers.py", "video/index.py")
"""Files of this package that decide which frames a file has, and in which track."""


DECODING = (
    *INDEXING,
    "frames.py",
    "video/__init__.py",
    "video/color.py",
    "video/decoder.py",
    "video/images.py",
    "video/kept_index.py",
    "video/reader.py",
    "video/source.py",
)
"""Files of this package that decide the pixels of a frame that is read."""


FINDING = (
    *DECODING,
    "faces/align.py",
    "faces/detect.py",
    "faces/flow.py",
    "faces/locator.py",
    "faces/mask.py",
    "faces/points.py",
    "faces/shots.py",
    "faces/smooth.py",
    "faces/track.py",
    "faces/tracker.py",
    "motion.py",
    "restoration/find.py",
    "runtime/threads.py",
)
"""Files that decide which faces and shots are found, and where."""


RESTORING = (
    *DECODING,
    "degradations/__init__.py",
    "degradations/base.py",
    "degradations/cosine.py",
    "degradations/fourier.py",
    "degradations/jpeg.py",
    "degradations/kernels.py",
    "degradations/levels.py",
    "degradations/model.py",
    "degradations/own.py",
    "degradations/released.py",
    "degradations/resize.py",
    "denoisers",
    "diffusion",
    "enhancers",
    "faces/align.py",
    "faces/detect.py",
    "faces/locator.py",
    "faces/mask.py",
    "faces/parse.py",
    "faces/placed_masks.py",
    "faces/points.py",
    "faces/released.py",
    "motion.py",
    "restoration/crop.py",
    "restoration/face_masks.py",
    "restoration/handover.py",
    "restoration/keys.py",
    "restoration/models.py",
    "restoration/restored.py",
    "restoration/restorer.py",
    "restoration/window.py",
    "restoration/windows.py",
    "runtime/devices.py",
    "runtime/threads.py",
    "settings/fields.py",
    "settings/groups.py",
)
"""Files and folders that decide the pixels of a restored face, from pixels and settings on. Where a face was found, and
what `estimation` chose, are values that its key holds anyway; pasting and encoding are done anew each time."""


_PARSING = threading.Lock()
"""Python 3.11 counts the depth of syntax trees for all threads together: two at once can raise SystemError."""
WITHOUT_EFFECT = frozenset(
    {"annotation", "ctx", "kind", "returns", "type_comment", "type_ignores", "type_params"}
)
"""Parts of a syntax tree that no sum depends on."""


ENDS = 1 << 20
"""Bytes of a file's start and end that tell it from another of the same size and time."""


@cache
def code_version(parts: tuple[str, ...] = RESTORING) -> str:
    """SHA-256 of some sources of this package and the versions of its libraries: with the same, pixels are the same."""
    return sources_version(Path(__file__).parents[1], parts)


def sources_version(package: Path, parts: tuple[str, ...]) -> str:
    """SHA-256 of some files and folders of a package, named relative to it, and of the versions of the libraries.

    Comments, docstrings, annotations and layout do not count.
    """
    digest = hashlib.sha256(json.dumps(library_versions()).encode())
    with _PARSING:
        for path in sorted({file for part in parts for file in _files(package / part)}):
            digest.update(f"{path.relative_to(package).as_posix()}\n".encode())
            digest.update(meaning(path.read_text(encoding="utf-8")).encode())
    return digest.hexdigest()


def _files(part: Path) -> list[Path]:
    return [part] if part.suffix else list(part.rglob("*.py"))


def meaning(source: str) -> str:
    """A program's syntax tree as text, without comments, docstrings, annotations and layout."""
    parts: list[str] = []
    _collect(ast.parse(source), parts)
    return " ".join(parts)


def _collect(node: object, parts: list[str]) -> None:
    """The names and values of a tree, in order; brackets around what a node or list holds."""
    if isinstance(node, list):
        parts.append("[")
        for one in node:
            if not (isinstance(one, ast.stmt) and _without_effect(one)):
                _collect(one, parts)
        parts.append("]")
    elif isinstance(node, ast.AST):
        parts.append(type(node).__name__ + "(")
        of_settings = isinstance(node, ast.ClassDef) and any(
            isinstance(base, ast.Name) and base.id == "Checked" for base in node.bases
        )
        for name in node._fields:
            if name in WITHOUT_EFFECT:
                continue
            value: Any = getattr(node, name, None)
            if of_settings and name == "body":
                # Which settings there are, and their values, is in the keys.
                value = [one for one in value if not isinstance(one, ast.AnnAssign)]
            _collect(value, parts)
        parts.append(")")
    else:
        parts.append(repr(node))


def _without_effect(statement: ast.stmt) -> bool:
    """Whether it is a text by itself, as docstrings are, or imports for annotations only."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str())):
            return True
        case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=[]):
            return True
    return False


def library_versions() -> dict[str, str]:
    """Versions of the libraries that compute, as far as they are installed."""
    versions = {}
    for name in LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def weights_hash(name: str) -> str | None:
    """SHA-256 of the file behind a model's name or path; None when it has none."""
    path = store.path(name) if name in catalogue.CHECKPOINTS else files.as_path(name)
    return file_hash(path) if path.is_file() else None


def file_hash(path: Path) -> str:
    """SHA-256 of a file, which is read once as long as it does not change."""
    return _sha256_of(path, path.stat().st_mtime_ns)


def resource_hash(name: str) -> str:
    """SHA-256 of a file that ships with the program."""
    return file_hash(Path(str(resources.files("resources") / name)))


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
