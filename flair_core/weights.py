"""Checkpoints that others publish: which there are, where to get them, how they come into the data folder.

Nothing is downloaded here. A file that the user fetched is read without running code from it, checked key by
key against its network, and kept as safetensors.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import platformdirs

from flair_core.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A file that holds a network."""

    name: str
    purpose: str
    licence: str
    file: str
    """What it is called where it is published."""
    source: str
    """Where to get it: what to open and where to click."""
    size: int | None = None
    """In bytes, as published; None when it is not known for sure."""
    sha256: str | None = None
    """As published; None when it is not known for sure."""


@dataclass(frozen=True, slots=True)
class Status:
    """A checkpoint on this computer."""

    checkpoint: Checkpoint
    path: Path | None
    """None when it is not here."""
    as_published: bool | None = None
    """Whether it came from exactly the published file; None when that one's checksum is unknown."""


def _flair(name: str, file: str, purpose: str) -> Checkpoint:
    return Checkpoint(
        name=name,
        purpose=f"the authors' network for {purpose}, 512×512",
        licence="MIT, that of the authors' repository",
        file=file,
        source="open https://github.com/wustl-cig/FLAIR, click “Google Drive” in the README under “Download "
        "Pre-trained Models”, there click the download arrow at the top right, and unpack what arrives",
    )


SHIPPED = "starter"
"""Comes with the application."""
_ALL = (
    Checkpoint(
        name=SHIPPED,
        purpose="compact network for all degradations, 256×256",
        licence="CC BY-NC-SA 4.0, non-commercial use only",
        file="starter.safetensors",
        source="install the application again",
    ),
    _flair("flair-x8", "flair_x8_bicubic.pt", "×8 bicubic super-resolution"),
    _flair("flair-x16", "flair_x16_bicubic.pt", "×16 bicubic super-resolution"),
    _flair("flair-gaussian", "flair_gaussian.pt", "×4 with blur and noise"),
    _flair("flair-jpeg", "flair_jpeg.pt", "×4 with blur and JPEG"),
    Checkpoint(
        name="codeformer",
        purpose="enhancer with a fidelity weight; needs spandrel-extra-arches",
        licence="S-Lab License 1.0, non-commercial use only",
        file="codeformer.pth",
        source="download https://github.com/sczhou/CodeFormer/releases/download/v0.1.0/codeformer.pth",
        size=376_637_898,
        sha256="1009e537e0c2a07d4cabce6355f53cb66767cd4b4297ec7a4a64ca4b8a5684b7",
    ),
    Checkpoint(
        name="gfpgan",
        purpose="enhancer with a generative prior",
        licence="Apache-2.0",
        file="GFPGANv1.4.pth",
        source="download https://github.com/TencentARC/GFPGAN/releases/download/v1.3.0/GFPGANv1.4.pth",
        size=348_632_874,
        sha256="e2cd4703ab14f4d01fd1383a8a8b266f9a5833dacee8e6a79d3bf21a1b6be5ad",
    ),
    Checkpoint(
        name="restoreformer",
        purpose="enhancer with a dictionary of faces",
        licence="none stated in its README",
        file="RestoreFormer.pth",
        source="download https://github.com/TencentARC/GFPGAN/releases/download/v1.3.4/RestoreFormer.pth",
    ),
    Checkpoint(
        name="restoreformer-pp",
        purpose="enhancer: RestoreFormer++, with a dictionary of faces on several scales",
        licence="none stated in its README",
        file="RestoreFormer++.ckpt",
        source="open https://github.com/wzhouxiff/RestoreFormerPlusPlus, choose Releases, and download "
        "RestoreFormer++.ckpt of v1.0.0",
    ),
    Checkpoint(
        name="vqfr",
        purpose="enhancer with a codebook of textures",
        licence="Apache-2.0",
        file="VQFR_v2.pth",
        source="open https://github.com/TencentARC/VQFR, choose Releases, and download VQFR_v2.pth",
    ),
    Checkpoint(
        name="amt",
        purpose="frames between frames: AMT-G",
        licence="CC BY-NC 4.0, non-commercial use only",
        file="amt-g.pth",
        source="open https://github.com/MCG-NKU/AMT, click the Google Drive link of AMT-G in the README "
        "under “Pretrained Models”, and there the download arrow at the top right",
    ),
)
CHECKPOINTS: Mapping[str, Checkpoint] = MappingProxyType({entry.name: entry for entry in _ALL})


def folder() -> Path:
    """Where imported checkpoints lie."""
    return platformdirs.user_data_path("flair-studio", appauthor=False) / "models"


def path(name: str) -> Path:
    """The file of a checkpoint.

    Raises WeightsError when it is not here, and says what to fetch and where to put it.
    """
    file = _place(name)
    if file.is_file():
        return file
    entry = CHECKPOINTS[name]
    if name == SHIPPED:
        raise WeightsError(
            f"The model {name} comes with the application, but {file} is missing: {entry.source}."
        )
    raise WeightsError(
        f"The model {name} is not on this computer. To get it, {entry.source}. Then run "
        f"“flair models import {entry.file} --name {name}”, which puts it into {file.parent}."
    )


def _place(name: str) -> Path:
    if name not in CHECKPOINTS:
        raise WeightsError(f"There is no model {name!r}; there are {', '.join(CHECKPOINTS)}.")
    if name == SHIPPED:
        return Path(str(resources.files("resources") / CHECKPOINTS[name].file))
    return folder() / f"{name}.safetensors"


def listing() -> list[Status]:
    """All checkpoints that can be used, here or not."""
    return [_status(name) for name in CHECKPOINTS]


def _status(name: str) -> Status:
    entry, file = CHECKPOINTS[name], _place(name)
    if not file.is_file():
        return Status(entry, None)
    if entry.sha256 is None:
        return Status(entry, file)
    return Status(entry, file, _metadata(file).get("source_sha256") == entry.sha256)


def import_checkpoint(file: Path, name: str | None = None) -> Path:
    """Check a published file against its network and keep it in the data folder; returns where it lies.

    name: which checkpoint it is; None knows it by the name of the file. Raises WeightsError when that is not
    clear, when reading the file would run code, or when its keys and shapes are not those of the network.
    """
    from safetensors.torch import save_file  # noqa: PLC0415 - loads torch

    name = name or _by_file_name(file)
    target = _place(name)
    if name == SHIPPED:
        raise WeightsError(f"The model {name} comes with the application and can't be replaced.")
    tensors = {key: value.contiguous() for key, value in _fitting(name, file).items()}
    metadata = {"source": file.name, "source_sha256": _sha256(file), "digest": _digest(tensors)}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            fresh = Path(scratch) / target.name
            save_file(tensors, fresh, metadata)
            os.replace(fresh, target)  # noqa: PTH105 - whole or not at all
    except OSError as error:
        raise WeightsError(
            f"{target} can't be written ({error}). Free some space or allow writing."
        ) from None
    return target


def _by_file_name(file: Path) -> str:
    for entry in CHECKPOINTS.values():
        if file.name.lower() == entry.file.lower():
            return entry.name
    known = ", ".join(name for name in CHECKPOINTS if name != SHIPPED)
    raise WeightsError(f"No model is published as {file.name}. Say with --name which one it is: {known}.")


def _fitting(name: str, file: Path) -> dict[str, Tensor]:
    """The tensors of the file, under the keys that its network is loaded with."""
    import torch  # noqa: PLC0415

    from flair_core.denoisers import importer, released  # noqa: PLC0415

    state = read(file)
    if name in released.NETWORKS:
        with torch.device("meta"):
            network = released.NETWORKS[name].network_class()
        return importer.convert(state, network, file.name)

    from flair_core.enhancers import checkpoint  # noqa: PLC0415

    unwrapped = checkpoint.unwrap(state)
    if name == "amt":
        from flair_core.interpolation.amt import AMT  # noqa: PLC0415

        checkpoint.build(AMT, unwrapped, file.name)
    else:
        from flair_core.enhancers.factory import load_enhancer  # noqa: PLC0415

        load_enhancer(name, torch.device("cpu"), path=file)
    return unwrapped


def read(file: Path) -> dict[str, Any]:
    """What a checkpoint holds: tensors by key, perhaps inside of further dictionaries. No code in it is run.

    Raises WeightsError when the file is missing, an archive or damaged, or holds more than weights.
    """
    import torch  # noqa: PLC0415
    from safetensors import SafetensorError  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

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
        reason = (str(error) or type(error).__name__).splitlines()[0]
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


def verify(name: str) -> Status:
    """Check that a checkpoint holds what was imported. Raises WeightsError when it does not."""
    file = path(name)
    tensors = read(file)
    if name != SHIPPED and _digest(tensors) != _metadata(file).get("digest"):
        original = CHECKPOINTS[name].file
        raise WeightsError(
            f"{file} has changed since it was imported: delete it and import {original} again."
        )
    return _status(name)


def _metadata(file: Path) -> Mapping[str, str]:
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415

    try:
        with safe_open(file, framework="pt") as opened:
            return opened.metadata() or {}
    except (OSError, SafetensorError):
        return {}


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over keys, types, shapes and values."""
    import torch  # noqa: PLC0415

    found = hashlib.sha256()
    for key in sorted(tensors):
        value = tensors[key].contiguous()
        found.update(f"{key} {value.dtype} {tuple(value.shape)}\n".encode())
        found.update(value.flatten().view(torch.uint8).numpy().data)
    return found.hexdigest()
