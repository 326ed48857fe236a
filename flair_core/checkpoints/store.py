"""Checkpoints that others publish: which there are, where to get them, how they come into the data folder.

Nothing is downloaded that was not asked for. A file that was fetched is read without running code from it,
checked key by key against its network, and kept as safetensors.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from flair_core.checkpoints import catalogue
from flair_core.errors import WeightsError
from flair_core.runtime.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from torch import Tensor


CHUNK = 1 << 18
"""Bytes of a download that are taken at a time."""
TIMEOUT = 30
"""Seconds without an answer after which a download fails."""


@dataclass(frozen=True, slots=True)
class Status:
    """A checkpoint on this computer."""

    checkpoint: catalogue.Checkpoint
    path: Path | None
    """None when it is not here."""
    as_published: bool | None = None
    """Whether it came from exactly the published file; None when that one's checksum is unknown."""


def folder() -> Path:
    """Where imported checkpoints lie."""
    return platformdirs.user_data_path("flair-studio", appauthor=False) / "models"


def path(name: str) -> Path:
    """The file of a checkpoint.

    Raises WeightsError when it is not here, and says what to fetch and where to put it.
    """
    file = place(name)
    if file.is_file():
        return file
    entry = catalogue.CHECKPOINTS[name]
    if name in catalogue.BUILT_IN:
        raise WeightsError(
            f"The model {name} comes with the application, but {file} is missing: {entry.source}."
        )
    raise WeightsError(
        f"The model {name} is not on this computer. To get it, {entry.source}. Then run "
        f"“flair models import {entry.file} --name {name}”, which puts it into {file.parent}."
    )


def place(name: str) -> Path:
    """Where the file of a checkpoint lies, or would lie. Raises WeightsError on a name that nobody knows."""
    if name not in catalogue.CHECKPOINTS:
        raise WeightsError(f"There is no model {name!r}; there are {', '.join(catalogue.CHECKPOINTS)}.")
    if name in catalogue.BUILT_IN:
        return Path(str(resources.files("resources") / catalogue.CHECKPOINTS[name].file))
    return (
        folder()
        / f"{name}{catalogue.ONNX if catalogue.CHECKPOINTS[name].file.endswith(catalogue.ONNX) else '.safetensors'}"
    )


def here(name: str) -> bool:
    """Whether the checkpoint's file is on this computer."""
    return place(name).is_file()


def listing() -> list[Status]:
    """All checkpoints that can be used, here or not."""
    return [status(name) for name in catalogue.CHECKPOINTS]


def status(name: str) -> Status:
    """Whether a checkpoint is here, and whether it is the published one."""
    entry, file = catalogue.CHECKPOINTS[name], place(name)
    if not file.is_file():
        return Status(entry, None)
    if entry.sha256 is None:
        return Status(entry, file)
    origin = sha256_of(file) if file.suffix == catalogue.ONNX else metadata_of(file).get("source_sha256")
    return Status(entry, file, origin == entry.sha256)


def read(file: Path) -> dict[str, Any]:
    """What a checkpoint holds: tensors by key, perhaps inside of further dictionaries. No code in it is run.

    Raises WeightsError when the file is missing, an archive or damaged, or holds more than weights.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not file.is_file():
        raise WeightsError(f"There is no file {file}. Check its path.")
    if _is_archive(file):
        raise WeightsError(
            f"{file.name} is an archive. Unpack it and import the checkpoints in it one by one."
        )
    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        state = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file.name} can't be read ({error}). Fetch it again.") from None
    except Exception as error:  # a damaged pickle may raise anything
        said = str(error).splitlines()[:1]
        reason = said[0] if said and not said[0].isdigit() else type(error).__name__
        raise WeightsError(
            f"{file.name} is damaged or holds more than weights ({reason}). Fetch it again."
        ) from None
    if not isinstance(state, dict):
        raise WeightsError(f"{file.name} holds a {type(state).__name__}, but should hold tensors by key.")
    return state


def _is_archive(file: Path) -> bool:
    """Whether it is a ZIP file that PyTorch has not written."""
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as opened:
        return not any(entry.endswith("data.pkl") for entry in opened.namelist())


def load(name: str) -> dict[str, Tensor]:
    """The tensors of an imported checkpoint, in float32 on the CPU. Raises WeightsError as `path` does."""
    tensors: dict[str, Tensor] = read(path(name))
    return {key: value.float() if value.is_floating_point() else value for key, value in tensors.items()}


def fetch(
    url: str,
    path: Path,
    *,
    sha256: str = "",
    size: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Download a file to `path`: whole and with the right checksum, or not at all.

    sha256: of the file, or the beginning of it that its publisher gives; empty when none is known.
    size: bytes of the file; more are not taken.
    progress: hears how many bytes of how many are here; what it raises ends the download.
    Raises WeightsError when the network fails or another file arrives, OSError when it can't be written.
    """
    found, here = hashlib.sha256(), 0
    with replacing(path) as partial, partial.open("wb") as file:
        for chunk in _chunks(url):
            here += len(chunk)
            if size is not None and here > size:
                raise WeightsError(f"{url} holds more than {path.name}. Nothing was kept.")
            file.write(chunk)
            found.update(chunk)
            if progress and size is not None:
                progress(here, size)
        if not found.hexdigest().startswith(sha256):
            raise WeightsError(
                f"{url} holds another file than the {path.name} that was published. Nothing was kept."
            )


def _chunks(url: str) -> Iterator[bytes]:
    """What lies at an address, piece by piece. Raises WeightsError."""
    import requests

    try:
        with requests.get(url, stream=True, timeout=TIMEOUT) as answer:
            answer.raise_for_status()
            yield from answer.iter_content(CHUNK)
    except requests.RequestException as error:
        reason = f"{url} can't be reached ({type(error).__name__})"
        raise WeightsError(f"{reason}. Check the network, or fetch it elsewhere and import it.") from None


def metadata_of(file: Path) -> Mapping[str, str]:
    """The metadata of a safetensors file; none when it can't be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            return opened.metadata() or {}
    except (OSError, SafetensorError):
        return {}


def sha256_of(file: Path) -> str:
    """SHA-256 of a file."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over keys, types, shapes and values."""
    import torch

    found = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key].contiguous()
        found.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()
