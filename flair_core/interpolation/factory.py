"""What makes frames between frames, by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flair_core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from flair_core.frames import Pixels
    from flair_core.interpolation.amt import AMT
    from flair_core.interpolation.base import Interpolator

NAMES = ("flow", "amt")


def load_interpolator(name: str, device: torch.device) -> Interpolator:
    """The embedded one ("flow"), or AMT-G ("amt"), whose file the user has.

    Raises SettingsError for an unknown name, WeightsError when the file is missing, which says what to fetch and
    where to put it.
    """
    if name == "flow":
        from flair_core.interpolation.flow import FlowInterpolator

        return FlowInterpolator()
    if name != "amt":
        raise SettingsError(f"There is no interpolator {name!r}; choose one of {', '.join(NAMES)}.")
    from flair_core.checkpoints import store
    from flair_core.enhancers.checkpoint import build
    from flair_core.interpolation.amt import AMT

    return Pairs(build(AMT, store.load("amt"), store.path("amt").name), device)


class Pairs:
    """AMT as an Interpolator."""

    def __init__(self, network: AMT, device: torch.device) -> None:
        self._network, self._device = network.eval().to(device), device

    def between(self, before: Pixels, after: Pixels, moments: Sequence[float]) -> list[Pixels]:
        """See Interpolator."""
        import torch

        from flair_core.frames import to_float, to_uint8, to_uint16

        with torch.inference_mode():
            ends = (to_float(frame)[None].to(self._device) for frame in (before, after))
            made = self._network(*ends, moments)[0]
        return list(to_uint16(made) if before.dtype == "uint16" else to_uint8(made))
