"""The network that makes frames between frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flair_core import weights

if TYPE_CHECKING:
    import torch

    from flair_core.interpolation.amt import AMT


def load_interpolator(device: torch.device) -> AMT:
    """AMT-G, ready on its device.

    Raises WeightsError when its file is missing, which says what to fetch and where to put it.
    """
    from flair_core.enhancers.checkpoint import build  # noqa: PLC0415 - loads spandrel
    from flair_core.interpolation.amt import AMT  # noqa: PLC0415

    return build(AMT, weights.load("amt"), weights.path("amt").name).to(device)
