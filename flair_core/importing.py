"""Checkpoints of others: fetched, checked against their networks, and kept as safetensors."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.checkpoints import catalogue, store
from flair_core.errors import WeightsError
from flair_core.runtime.files import replacing

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


def download(name: str, progress: Callable[[int, int], None] | None = None) -> Path:
    """Fetch a published file, check its size and SHA-256, and import it; returns where it lies.

    progress: hears how many bytes of how many are here; what it raises ends the download.
    Raises WeightsError when nobody knows its checksum, the network fails, or something else arrives.
    """
    store.place(name)
    entry = catalogue.CHECKPOINTS[name]
    if entry.url is None or entry.size is None:
        raise WeightsError(f"The model {name} can't be downloaded from here. To get it, {entry.source}.")
    try:
        store.folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=store.folder()) as scratch:
            file = Path(scratch) / entry.file
            store.fetch(entry.url, file, sha256=entry.sha256 or "", size=entry.size, progress=progress)
            return import_checkpoint(file, name)
    except OSError as error:
        raise WeightsError(
            f"{store.folder()} can't be written ({error}). Free some space or allow writing."
        ) from None


def import_checkpoint(file: Path, name: str | None = None) -> Path:
    """Check a published file against its network and keep it in the data store.folder; returns where it lies.

    name: which checkpoint it is; None knows it by the name of the file. Raises WeightsError when that is not
    clear, when reading the file would run code, or when its keys and shapes are not those of the network.
    """
    from safetensors.torch import save_file

    name = name or _by_file_name(file)
    target = store.place(name)
    if name in catalogue.BUILT_IN:
        raise WeightsError(f"The model {name} comes with the application and can't be replaced.")
    tensors = {key: value.contiguous() for key, value in _fitting(name, file).items()}
    try:
        with replacing(target) as partial:
            if target.suffix == catalogue.ONNX:
                shutil.copyfile(file, partial)
            else:
                metadata = {
                    "source": file.name,
                    "source_sha256": store.sha256_of(file),
                    "digest": store.digest_of(tensors),
                }
                save_file(tensors, partial, metadata)
    except OSError as error:
        raise WeightsError(
            f"{target} can't be written ({error}). Free some space or allow writing."
        ) from None
    return target


def _by_file_name(file: Path) -> str:
    for entry in catalogue.CHECKPOINTS.values():
        if file.name.lower() == entry.file.lower():
            return entry.name
    known = ", ".join(name for name in catalogue.CHECKPOINTS if name not in catalogue.BUILT_IN)
    raise WeightsError(f"No model is published as {file.name}. Say with --name which one it is: {known}.")


def _fitting(name: str, file: Path) -> dict[str, Tensor]:
    """The tensors of the file, under the keys that its network is loaded with; none of an catalogue.ONNX file."""
    import torch

    from flair_core.denoisers import importer, released
    from flair_core.faces import detect, parse

    if name in detect.NETWORKS:
        detect.load_detector(name, file)
        return {} if catalogue.CHECKPOINTS[name].file.endswith(catalogue.ONNX) else store.read(file)
    state = store.read(file)
    if name in parse.NETWORKS:
        parse.Parser(name, file)
        return state
    if name in catalogue.RELEASED:
        with torch.device("meta"):
            network = released.NETWORKS[name].network_class()
        return importer.convert(state, network, file.name)

    from flair_core.enhancers import checkpoint

    unwrapped = checkpoint.unwrap(state)
    if name == "amt":
        from flair_core.interpolation.amt import AMT

        checkpoint.build(AMT, unwrapped, file.name)
    else:
        from flair_core.enhancers.factory import load_enhancer

        load_enhancer(name, torch.device("cpu"), path=file)
    return unwrapped


def verify(name: str) -> store.Status:
    """Check that a checkpoint holds what was imported. Raises WeightsError when it does not."""
    file = store.path(name)
    if file.suffix == catalogue.ONNX:
        _fitting(name, file)
        return store.status(name)
    tensors = store.read(file)
    if name not in catalogue.BUILT_IN and store.digest_of(tensors) != store.metadata_of(file).get("digest"):
        original = catalogue.CHECKPOINTS[name].file
        raise WeightsError(
            f"{file} has changed since it was imported: delete it and import {original} again."
        )
    return store.status(name)
