"""`flair doctor`: what this computer offers, and what is missing."""

from __future__ import annotations

import argparse
import importlib.metadata
import platform

PACKAGES = (
    "PySide6-Essentials",
    "torch",
    "torchvision",
    "opencv-python",
    "numpy",
    "av",
    "facexlib",
    "pyqtgraph",
    "spandrel",
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """It has no options."""
    commands.add_parser("doctor", help="show device, libraries and models").set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print one line for each part; 0 when the embedded default can restore, else 2."""
    print(f"flair-studio  {importlib.metadata.version('flair-studio')}, Python {platform.python_version()}")
    for package in PACKAGES:
        try:
            print(f"library       {package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"library       {package} is missing: pip install {package}")
    from flair_core.denoisers import fast_cpu
    from flair_core.errors import FlairError
    from flair_core.restoration.models import load_models
    from flair_core.runtime import devices
    from flair_core.settings.groups import RestorationSettings

    device = devices.pick()
    print(f"device        {devices.describe(device)}")
    if fast_cpu.pays(device):
        missing = "would help here: pip install 'flair-studio[fast-cpu]'"
        print(f"convolutions  {'quick ones are used' if fast_cpu.installed() else f'quick ones {missing}'}")
    try:
        load_models(RestorationSettings(), device)
    except FlairError as error:
        print(f"model         starter: {error}")
        return 2
    print("model         starter: ready")
    return 0
