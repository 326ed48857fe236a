"""What is loaded before anybody asked for it: heavy libraries keep the window and the command line waiting."""

import subprocess
import sys

import pytest

HEAVY = (
    "torch",
    "torchvision",
    "av",
    "cv2",
    "scipy",
    "skimage",
    "spandrel",
    "facexlib",
    "torchmetrics",
    "accelerate",
)


@pytest.mark.parametrize(
    ("begun", "unwanted"),
    [
        ("import flair_core, flair_core.settings, flair_core.errors", (*HEAVY, "numpy", "PySide6")),
        ("from flair_core.cli import parser; parser().format_help()", (*HEAVY, "numpy", "PySide6")),
        ("import app.application", (*HEAVY, "numpy", "PySide6")),
        ("import app.main_window", (*HEAVY, "numpy", "pyqtgraph")),
        (
            "import flair_core.restoration.clip, flair_core.denoisers.released",
            ("torchvision", "spandrel", "facexlib", "torchmetrics", "skimage"),
        ),
    ],
)
def test_nothing_heavy_is_loaded(begun, unwanted):
    code = f"import sys; {begun}; print(*[name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
