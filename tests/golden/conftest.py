"""Golden vectors: a folder of arrays, manifests and a weight recipe, which FLAIR_GOLDEN names."""

from __future__ import annotations

import importlib.util
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """The folder of golden vectors."""
    default = Path(__file__).parents[2] / ".." / "shared" / "golden"
    folder = Path(os.environ.get("FLAIR_GOLDEN", default)).resolve()
    if not (folder / "fill.py").is_file():
        pytest.skip(f"no golden vectors in {folder}; set FLAIR_GOLDEN to their folder")
    return folder


@pytest.fixture(scope="session")
def fill(golden_dir):
    """The folder's own recipe of weights and input arrays."""
    spec = importlib.util.spec_from_file_location("golden_fill", golden_dir / "fill.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def load_npz(golden_dir):
    """`load_npz(name)`: the arrays of <name>.npz by name."""

    def load(name: str) -> np.lib.npyio.NpzFile:
        path = golden_dir / f"{name}.npz"
        if not path.is_file():
            pytest.skip(f"{path} is missing")
        return np.load(path)

    return load


@pytest.fixture(scope="session")
def manifest(golden_dir):
    """`manifest(name)`: the keys, shapes and settings of manifests/<name>.json."""

    def load(name: str) -> dict:
        path = golden_dir / "manifests" / f"{name}.json"
        if not path.is_file():
            pytest.skip(f"{path} is missing")
        return json.loads(path.read_text())

    return load


@pytest.fixture(scope="session")
def tolerances(golden_dir):
    """`tolerances(name)`: the numbers that GOLDEN.md gives after "Tolerance" for <name>.npz, in its order."""
    index = (golden_dir / "GOLDEN.md").read_text(encoding="utf-8")

    def read(name: str) -> list[float]:
        heading = rf"^### {re.escape(name)}\.npz(.*?)(?=^##|\Z)"
        section = re.search(heading, index, re.MULTILINE | re.DOTALL).group(1)
        sentence = re.sub(r"\(.*?\)", "", section[section.lower().index("tolerance") :])
        return [float(number) for number in re.findall(r"\d+e-\d+", sentence)]

    return read
