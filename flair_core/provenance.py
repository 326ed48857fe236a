"""What a result came from: code, weights and footage by their hashes, and the side-car that records them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flair_core import weights
from flair_core.errors import MediaError
from flair_core.weights import sha256_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flair_core.faces.track import Track
    from flair_core.look import Look

LIBRARIES = ("torch", "torchvision", "numpy", "scipy", "opencv-python", "av")
"""Their versions may change pixels."""
WITHOUT_PIXELS = ("cli", "training", "metrics", "experiments", "estimation")
"""Parts of the core that no restored pixel depends on."""
GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""How the IPTC calls footage with generated parts."""
ENDS = 1 << 20
"""Bytes of a file's start and end that tell it from another of the same size and time."""


@cache
def code_version() -> str:
    """SHA-256 of the core's sources and the versions of its libraries: the same code gives the same faces."""
    root = Path(__file__).parent
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
    path = weights.path(name) if name in weights.CHECKPOINTS else Path(name)
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


def sidecar(output: Path) -> Path:
    """Where the record of a restored clip lies: beside it."""
    return output.with_name(output.name + ".provenance.json")


def record(
    *,
    source: Path,
    output: Path,
    span: range,
    look: Look,
    networks: Mapping[str, str],
    device: str,
    tracks: Sequence[Track],
    residual: Mapping[int, float],
    notes: Sequence[str],
) -> dict[str, Any]:
    """Everything that tells how `output` was made, the same for every run that makes the same.

    networks: SHA-256 of their files, by name.
    residual: by frame, the root mean square of A x̂ − y over its faces, in 8-bit levels.
    """
    return {
        "version": 1,
        "program": {"flair-studio": importlib.metadata.version("flair-studio"), "code": code_version()},
        "libraries": library_versions(),
        "device": device,
        "source": _described(source),
        "output": _described(output),
        "frames": {"first": span.start, "last": span.stop - 1},
        "settings": look.to_dict(),
        "weights": dict(networks),
        "faces": [{"id": face.id, "first": face.first, "frames": len(face)} for face in tracks],
        "residual": {str(index): float(f"{value:.4g}") for index, value in residual.items()},
        "notes": list(notes),
    }


def statement(source: Path, span: range, look: Look, networks: Mapping[str, str]) -> str:
    """What a file can say of itself, as JSON: which footage was edited by what, in C2PA's words but unsigned."""
    program = f"FLAIR Studio {importlib.metadata.version('flair-studio')}"
    edit = {
        "action": "c2pa.edited",
        "softwareAgent": program,
        "digitalSourceType": GENERATED,
        "description": "Faces were restored by a generative network.",
        "parameters": {
            "frames": {"first": span.start, "last": span.stop - 1},
            "settings": look.to_dict(),
            "weights": dict(networks),
            "code": code_version(),
        },
    }
    claim = {
        "claim_generator": program,
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [edit]}},
            {"label": "c2pa.ingredient", "data": {"relationship": "parentOf", **_described(source)}},
        ],
    }
    return json.dumps(claim, ensure_ascii=False)


def _described(path: Path) -> dict[str, Any]:
    if path.is_dir():
        files = {entry.name: sha256_of(entry) for entry in sorted(path.iterdir()) if entry.is_file()}
        return {"name": path.name, "files": files}
    return {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}


def write_sidecar(output: Path, entries: Mapping[str, Any]) -> None:
    """Write the record beside `output`, all at once. Raises MediaError."""
    path = sidecar(output)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise MediaError(
            f"{output.name} is complete, but its record {path} can't be written ({error.strerror}). "
            "Run again with more room, or with --no-sidecar."
        ) from None
