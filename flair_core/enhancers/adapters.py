"""Face restorers that libraries load, called as they were trained: on [-1, 1], without chance."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from flair_core.errors import SettingsError, WeightsError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import torch
    from torch import Tensor

    Network = Callable[[Tensor], Tensor]

# The networks are called themselves, past spandrel's descriptors: not all of those normalise.


def gfpgan(state: Mapping[str, Tensor], source: str, device: torch.device) -> Network:
    """GFPGAN (Wang et al., 2021), the clean layout of versions 1.2 to 1.4."""
    from spandrel.architectures.GFPGAN import GFPGANArch

    # The noise stored with the weights: fresh noise would flicker from frame to frame.
    return partial(_first, _load(GFPGANArch(), state, source, device), randomize_noise=False)


def restoreformer(state: Mapping[str, Tensor], source: str, device: torch.device) -> Network:
    """RestoreFormer (Wang et al., 2022)."""
    from spandrel.architectures.RestoreFormer import RestoreFormerArch

    return partial(_first, _load(RestoreFormerArch(), state, source, device))


def codeformer(
    state: Mapping[str, Tensor], source: str, device: torch.device
) -> Callable[[Tensor, float], Tensor]:
    """CodeFormer (Zhou et al., 2022), called with faces and its w: 1 stays near them, 0 trusts the codebook."""
    try:
        from spandrel_extra_arches.architectures.CodeFormer import CodeFormerArch
    except ImportError:
        raise SettingsError(
            "CodeFormer needs the package spandrel-extra-arches; its licence allows non-commercial use only. "
            'Install it with pip install "flair-studio[codeformer]", or choose another enhancer.'
        ) from None
    return partial(_by_fidelity, _load(CodeFormerArch(), state, source, device))


def _by_fidelity(network: Callable[..., tuple[Tensor, ...]], faces: Tensor, fidelity: float) -> Tensor:
    return _first(network, faces, weight=fidelity)


def _first(network: Callable[..., tuple[Tensor, ...]], faces: Tensor, **options: Any) -> Tensor:
    """The picture of what the network returns."""
    return network(faces, **options)[0]


def _load(architecture: Any, state: Mapping[str, Tensor], source: str, device: torch.device) -> Any:
    if not architecture.detect(state):
        raise WeightsError(f"{source} holds no {architecture.name}. Choose the file made for this network.")
    try:
        model = architecture.load(state).model
    except (KeyError, RuntimeError) as error:
        found = f"{source} does not fit {architecture.name} ({' '.join(str(error).split())})"
        raise WeightsError(f"{found}. Download it again.") from None
    return model.to(device).eval().requires_grad_(False)
