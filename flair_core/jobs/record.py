"""What a result came from: code, weights and footage by their hashes, and the side-car that records them."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flair_core.checkpoints.store import sha256_of
from flair_core.errors import MediaError
from flair_core.kept import fingerprints
from flair_core.runtime import files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from flair_core.faces.track import Track
    from flair_core.settings.look import Look


CODE = (
    *fingerprints.RESTORING,
    *fingerprints.FINDING,
    "faces",
    "interpolation",
    "jobs",
    "restoration",
    "video",
)
"""Sources that decide what is in an output."""
GENERATED = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""How the IPTC calls footage with generated parts."""


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
        "program": {
            "flair-studio": importlib.metadata.version("flair-studio"),
            "code": fingerprints.code_version(CODE),
        },
        "libraries": fingerprints.library_versions(),
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
            "code": fingerprints.code_version(CODE),
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
    try:
        files.write_text(path, json.dumps(entries, indent=2, ensure_ascii=False) + "\n")
    except OSError as error:
        raise MediaError(
            f"{output.name} is complete, but its record {path} can't be written ({error.strerror}). "
            "Run again with more room, or with --no-sidecar."
        ) from None
