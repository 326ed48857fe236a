"""Checkpoints of others: fetched, checked against their networks, and kept as safetensors."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.checkpoints import catalogue, store
from flair_core.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor


CHUNK = 1 << 18
"""Bytes of a download that are taken at a time."""


def download(name: str, progress: Callable[[int, int], None] | None = None) -> Path:
    """Fetch a published file, check its size and SHA-256, and import it; returns where it lies.

    progress: hears how many bytes of how many are here; what it raises ends the download.
    Raises WeightsError when nobody knows its checksum, the network fails, or something else arrives.
    """
    import pooch
    import requests

    store.place(name)
    entry = catalogue.CHECKPOINTS[name]
    if entry.url is None or entry.size is None:
        raise WeightsError(f"The model {name} can't be downloaded from here. To get it, {entry.source}.")
    fetch = pooch.HTTPDownloader(progressbar=_Meter(entry, progress), chunk_size=CHUNK, timeout=30)
    try:
        store.folder().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=store.folder()) as scratch:
            pooch.get_logger().setLevel("ERROR")
            known_hash = f"sha256:{entry.sha256}"
            file = pooch.retrieve(entry.url, known_hash, fname=entry.file, path=scratch, downloader=fetch)
            return import_checkpoint(Path(file), name)
    except requests.RequestException as error:
        reason = f"{entry.url} can't be reached ({type(error).__name__})"
        raise WeightsError(f"{reason}. Check the network, or fetch it elsewhere and import it.") from None
    except ValueError:  # pooch's word for another checksum
        raise WeightsError(
            f"{entry.url} holds another file than the {entry.file} that was published. Nothing was kept."
        ) from None
    except OSError as error:
        raise WeightsError(
            f"{store.folder()} can't be written ({error}). Free some space or allow writing."
        ) from None


class _Meter:
    """What pooch takes for a progress bar; stops what grows larger than what was published."""

    def __init__(self, entry: catalogue.Checkpoint, progress: Callable[[int, int], None] | None) -> None:
        self._entry, self._progress, self._here = entry, progress, 0
        self.total = 0

    def update(self, count: int) -> None:
        assert self._entry.size is not None
        self._here += count
        if self._here >= self._entry.size + CHUNK:  # pooch counts whole chunks
            raise WeightsError(f"{self._entry.url} holds more than {self._entry.file}. Nothing was kept.")
        if self._progress:
            self._progress(min(self._here, self._entry.size), self._entry.size)

    def reset(self) -> None:
        """At the end pooch counts to the total once more."""
        self._here = 0

    def close(self) -> None:
        """Nothing to put away."""


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
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            fresh = Path(scratch) / target.name
            if target.suffix == catalogue.ONNX:
                shutil.copyfile(file, fresh)
            else:
                metadata = {
                    "source": file.name,
                    "source_sha256": store.sha256_of(file),
                    "digest": store.digest_of(tensors),
                }
                save_file(tensors, fresh, metadata)
            fresh.replace(target)
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
