"""How threads of PyTorch wait for each other."""

from __future__ import annotations

import os

SOON_ASLEEP = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "2000"}
"""Variables that have threads look for a few hundredths of a millisecond and then sleep.

Where they look for as long as OpenMP lets them, a step takes fifty times as long as soon as another program is busy.
Where they sleep at once, waking them costs a sixth of a step of the compact network.
"""


def choose() -> None:
    """Have it so unless the user wants something else; call it before PyTorch is loaded."""
    for name, value in SOON_ASLEEP.items():
        os.environ.setdefault(name, value)
