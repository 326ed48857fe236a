"""Aligned faces from uncompressed tar shards with an `index.csv`, and clips of faces."""

from __future__ import annotations

import csv
import tarfile
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from flair_core import video
from flair_core.errors import MediaError
from flair_core.frames import to_float, to_uint8

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from numpy.typing import NDArray


def load_faces(folder: Path, sources: Collection[str] | None = None) -> NDArray[np.uint8]:
    """All faces of a folder as (n, S, S, 3) RGB, in the order of the shards; file names are unique in a folder.

    sources: keep only these tags of index.csv; None keeps all.
    Raises MediaError when the folder, its index or every wanted face is missing.
    """
    try:
        with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except OSError as error:
        raise MediaError(
            f"{folder} is no folder of faces ({error}); it needs index.csv and tar shards."
        ) from None
    known = {row["source"] for row in rows}
    if sources is not None and (unknown := set(sources) - known):
        raise MediaError(
            f"{folder} has no source {', '.join(sorted(unknown))}; it has {', '.join(sorted(known))}."
        )
    wanted = {row["file"] for row in rows if sources is None or row["source"] in sources}
    faces = []
    for shard in sorted(folder.glob("*.tar")):
        with tarfile.open(shard) as archive:
            for member in archive:
                if member.name in wanted and (stored := archive.extractfile(member)):
                    faces.append(_decoded(stored.read(), member.name))
    if not faces:
        raise MediaError(f"{folder} holds none of the faces that its index names.")
    return np.stack(faces)


SOFT = 60.0
"""Variance of the Laplacian below which a clip would teach blur."""


def load_clips(folder: Path) -> list[NDArray[np.uint8]]:
    """The sharp clips of a folder, each (T, H, W, 3) RGB and whole in memory, by file name.

    Raises MediaError when there are none.
    """
    clips = []
    for path in sorted(folder.glob("*.mp4")):
        with video.open_source(path) as source:
            frames = to_uint8(torch.stack([to_float(frame.rgb) for frame in source.frames(0, len(source))]))
        if laplacian_variance(frames[len(frames) // 2]) >= SOFT:
            clips.append(frames)
    if not clips:
        raise MediaError(f"{folder} holds no sharp clips in .mp4 files.")
    return clips


def laplacian_variance(frame: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of (H, W, 3), in squared 8-bit levels."""
    return float(cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def _decoded(encoded: bytes, name: str) -> NDArray[np.uint8]:
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    if picture is None:
        raise MediaError(f"{name} is no picture; remove it from its shard and from index.csv.")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
